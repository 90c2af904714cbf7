// The dashboard asks for nothing that is not measured, and everything it asks can be read by Prometheus.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { hasPromtool, promtool } from '#test/support/promtool.ts'
import { measuredNames, unmeasured } from './measured-names.ts'
import { example, find } from './render.ts'
import { hasValidators } from './tools.ts'

const root = join(import.meta.dirname, '../..')

interface Panel {
  title: string
  type: string
  targets?: { expr: string; legendFormat: string }[]
}
const file = readFileSync(join(root, 'deploy/helm/freeway/files/dashboard.json'), 'utf8')
const { panels } = JSON.parse(file) as { panels: Panel[] }
const queries = panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ title, expr })))

test('every panel has a query, and no two have the same title', () => {
  const shown = panels.filter(({ type }) => type !== 'row')
  expect(shown.filter(({ targets = [] }) => targets.length === 0)).toEqual([])
  expect(new Set(shown.map(({ title }) => title)).size).toBe(shown.length)
})

test('every query names only what is measured', () => {
  expect(measuredNames().size).toBeGreaterThan(20)
  const unknown = queries.flatMap(({ title, expr }) => unmeasured(expr).map((name) => `${title}: ${name}`))
  expect(unknown).toEqual([])
})

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

test.skipIf(!hasValidators)('the chart hands it to the sidecar of Grafana, letter by letter', () => {
  const { metadata, data } = find(example('ha.yaml'), 'ConfigMap', 'fw-freeway-dashboard')
  expect(metadata.labels).toMatchObject({ grafana_dashboard: '1' })
  expect(metadata.annotations).toEqual({ grafana_folder: 'freeway' })
  expect(data['freeway.json']).toBe(file)
})

test('compose mounts the same file', () => {
  const [, source = ''] = /- (\S+):\/var\/lib\/grafana\/dashboards\//.exec(readFileSync(join(root, 'deploy/compose.yaml'), 'utf8')) ?? []
  expect(readFileSync(join(root, 'deploy', source), 'utf8')).toBe(file)
})
