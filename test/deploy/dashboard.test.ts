// The dashboard asks for nothing that is not measured, and everything it asks can be read by Prometheus.

import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { hasPromtool, promtool } from '#test/support/promtool.ts'

const root = join(import.meta.dirname, '../..')

interface Panel {
  title: string
  type: string
  targets?: { expr: string; legendFormat: string }[]
}
const { panels } = JSON.parse(readFileSync(join(root, 'deploy/grafana/freeway.json'), 'utf8')) as { panels: Panel[] }
const queries = panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ title, expr })))

/** The names under which Prometheus sees every instrument of the sources. */
function measuredNames(): Set<string> {
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

test('every panel has a query, and no two have the same title', () => {
  const shown = panels.filter(({ type }) => type !== 'row')
  expect(shown.filter(({ targets = [] }) => targets.length === 0)).toEqual([])
  expect(new Set(shown.map(({ title }) => title)).size).toBe(shown.length)
})

test('every query names only what is measured', () => {
  const known = measuredNames()
  expect(known.size).toBeGreaterThan(20)
  const unknown = queries.flatMap(({ title, expr }) =>
    [...expr.matchAll(/\b(?:freeway|gen_ai)_[a-z_]+(?=[{[)\s]|$)/g)]
      .map(([name]) => name)
      .filter((name) => !known.has(name) && !isLabel(expr, name))
      .map((name) => `${title}: ${name}`),
  )
  expect(unknown).toEqual([])
})

/** Labels of the GenAI conventions begin as metrics do. */
function isLabel(expr: string, name: string): boolean {
  return new RegExp(`by \\([^)]*\\b${name}\\b[^)]*\\)`).test(expr)
}

test.skipIf(!hasPromtool())('Prometheus reads every query', () => {
  const folder = mkdtempSync(join(tmpdir(), 'freeway-dashboard-'))
  try {
    const rules = queries.map(({ expr }, i) => ({ record: `q:${i}`, expr: expr.replaceAll('$__rate_interval', '5m') }))
    const file = join(folder, 'rules.yaml')
    // JSON is YAML.
    writeFileSync(file, JSON.stringify({ groups: [{ name: 'dashboard', rules }] }))
    expect(promtool(['check', 'rules', file])).toEqual({ ok: true, said: expect.stringContaining(`${rules.length} rules found`) })
  } finally {
    rmSync(folder, { recursive: true })
  }
})
