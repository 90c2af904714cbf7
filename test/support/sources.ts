// The source tree as the rules see it: paths, text without comments, code without strings, and who imports whom.

import { globSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = join(dirname(fileURLToPath(import.meta.url)), '../..')

export interface Import {
  /** As written. */
  specifier: string
  /** Path in the repository, or undefined if it is a package. */
  path: string | undefined
  /** Name of the package, `node:…` included, or undefined if it is a file. */
  package: string | undefined
  /** `import type`: gone when the program runs. */
  typeOnly: boolean
}

export interface Source {
  /** From the root, with slashes. */
  path: string
  text: string
  /** Comments blanked. */
  uncommented: string
  /** Comments and the insides of strings blanked. */
  code: string
  imports: Import[]
}

export function readSources(): Source[] {
  const paths = globSync(['{contracts,services,test}/**/*.{ts,mjs}', '*.config.ts'], { cwd: root })
  return paths
    .map((path) => path.replaceAll('\\', '/'))
    .sort()
    .map((path) => source(path, readFileSync(join(root, path), 'utf8')))
}

export function source(path: string, text: string): Source {
  const uncommented = blank(text, { comments: true })
  return {
    path,
    text,
    uncommented,
    code: blank(text, { comments: true, strings: true }),
    imports: importsOf(path, blank(text, { comments: true, templates: true })),
  }
}

export const isTest = (path: string): boolean => path.startsWith('test/') || path.endsWith('.test.ts') || path.endsWith('.config.ts')

/** `services/router/route.ts` → `router`; undefined for a file directly in services/ or elsewhere. */
export const serviceOf = (path: string): string | undefined => /^services\/([^/]+)\//.exec(path)?.[1]

const IMPORT =
  /^[ \t]*(?:import|export)\b[^'"`;]*?\bfrom\s*['"]([^'"]+)['"]|^[ \t]*import\s*['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]/gm

function importsOf(path: string, uncommented: string): Import[] {
  return [...uncommented.matchAll(IMPORT)].map((match) => {
    const specifier = match[1] ?? match[2] ?? match[3] ?? ''
    const target = resolve(path, specifier)
    return {
      specifier,
      path: target,
      package: target === undefined ? packageOf(specifier) : undefined,
      typeOnly: /^\s*(import|export) type\b/.test(match[0]),
    }
  })
}

function resolve(from: string, specifier: string): string | undefined {
  if (specifier.startsWith('.')) return relative('.', join(dirname(from), specifier)).replaceAll('\\', '/')
  if (specifier.startsWith('#')) return specifier.slice(1)
  return undefined
}

function packageOf(specifier: string): string {
  if (specifier.startsWith('node:')) return specifier
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
}

/** One token at a time: comment, string, template, regular expression, or a character of code. */
const TOKEN =
  /(\/\/[^\n]*|\/\*[\s\S]*?\*\/)|('(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\[\s\S])*`)|((?<=(?:^|[=(,:[!&|?{};>+\n]|return)[ \t]*)\/(?:[^/\\\n[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*)/g

/** Same length and lines. The code inside `${…}` of a template counts as part of the string. */
function blank(text: string, what: { comments?: boolean; strings?: boolean; templates?: boolean }): string {
  return text.replace(TOKEN, (token, comment?: string, string?: string, regex?: string) => {
    if (comment !== undefined) return what.comments ? spaces(token) : token
    if (string !== undefined)
      return what.strings || (what.templates && token[0] === '`') ? token[0] + spaces(token.slice(1, -1)) + token[0] : token
    return what.strings && regex !== undefined ? spaces(token) : token
  })
}

function spaces(text: string): string {
  return text.replace(/[^\n]/g, ' ')
}
