// README.md and the pages below docs/, as a test reads them: their code blocks, their links, and the names that their headings go by.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

export const root = join(import.meta.dirname, '../..')

export interface Block {
  /** What stands behind the backticks, e.g. `sh` or `json freeway.json`. */
  info: string
  text: string
  line: number
}

export interface Page {
  /** From the root, e.g. `docs/routing.md`. */
  path: string
  text: string
  blocks: Block[]
}

export function pages(): Page[] {
  const docs = readdirSync(join(root, 'docs')).filter((name) => name.endsWith('.md'))
  return ['README.md', ...docs.map((name) => `docs/${name}`)].map(page)
}

export function page(path: string): Page {
  const text = readFileSync(join(root, path), 'utf8')
  const blocks = [...text.matchAll(/^```(\S.*)\n([\s\S]*?)^```$/gm)].map(({ 1: info = '', 2: inner = '', index }) => ({
    info,
    text: inner,
    line: text.slice(0, index).split('\n').length,
  }))
  return { path, text, blocks }
}

/** The text of every program in a folder and below it, tests aside. */
export function sourcesOf(folder: string): string[] {
  const names = readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
  const programs = names.filter((name) => /\.(ts|mjs)$/.test(name) && !name.endsWith('.test.ts'))
  return programs.map((name) => readFileSync(join(root, folder, name), 'utf8'))
}

/** Targets of its links, without those that lead to the web. */
export function linksOf({ text }: Page): string[] {
  const prose = text.replaceAll(/^```[\s\S]*?^```$/gm, '')
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target).filter((target) => !/^https?:/.test(target))
}

/** As GitHub makes them of headings. */
export function anchorsOf({ text }: Page): string[] {
  const headings = text.replaceAll(/^```[\s\S]*?^```$/gm, '').matchAll(/^#+ (.*)$/gm)
  return [...headings].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  )
}
