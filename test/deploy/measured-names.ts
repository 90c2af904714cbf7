// Which measurements there are, read from the sources: a query for another name would be silent for ever.

import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '#test/support/sources.ts'

let known: Set<string> | undefined

/** The names under which Prometheus sees every instrument of the sources. */
export function measuredNames(): Set<string> {
  const names = new Set<string>()
  const suffixes: Record<string, string> = { s: '_seconds', By: '_bytes' }
  for (const file of globSync('services/**/*.ts', { cwd: root }).filter((file) => !file.endsWith('.test.ts'))) {
    const source = readFileSync(join(root, file), 'utf8')
    for (const [, kind, name = '', options = ''] of source.matchAll(/\b(counter|histogram|gauge|total)\(\s*'([a-z_.]+)',\s*\{([^}]*)\}/g)) {
      const unit = /unit: '(\w+)'/.exec(options)?.[1]
      const base = name.replaceAll('.', '_') + (unit ? (suffixes[unit] ?? '') : '')
      if (kind === 'gauge') names.add(base)
      else if (kind === 'histogram') for (const part of ['_bucket', '_sum', '_count']) names.add(base + part)
      else names.add(`${base}_total`)
    }
  }
  return names
}

/** Names in a query that nothing measures. */
export function unmeasured(expr: string): string[] {
  known ??= measuredNames()
  const names = known
  return [...expr.matchAll(/\b(?:freeway|gen_ai)_[a-z_]+(?=[{[)\s]|$)/g)]
    .map(([name]) => name)
    .filter((name) => !names.has(name) && !isLabel(expr, name))
}

/** Labels of the GenAI conventions begin as metrics do. */
function isLabel(expr: string, name: string): boolean {
  return new RegExp(`by \\([^)]*\\b${name}\\b[^)]*\\)`).test(expr)
}
