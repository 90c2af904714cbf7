import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hasPromtool, promtool } from '#test/support/promtool.ts'
import { unmeasured } from './measured-names.ts'
import { example, find } from './render.ts'
import { hasValidators } from './tools.ts'

interface Rule {
  alert: string
  expr: string
  for?: string
  labels: Record<string, string>
  annotations: { summary: string; description: string }
}
interface Fired {
  labels: Record<string, string>
  summary: string
}
/** `rows`: series and their values, one a minute. `atM`: when it fires, and not before its `for` has gone by. */
interface Case {
  rows: [series: string, values: string][]
  atM: number
  fires: Fired[]
  /** The same with values at which it has to be silent. */
  silent: [series: string, values: string][]
}

const ns = 'namespace="ai"'
const info = (...services: string[]): [string, string][] => services.map((service) => [`freeway_info{${ns},service="${service}"}`, '1x60'])
const ai = { namespace: 'ai' }

const cases: Record<string, Case> = {
  FreewayServiceMissing: {
    rows: info('ingress', 'router', 'telemetry'),
    atM: 3,
    fires: [{ labels: { service: 'worker' }, summary: 'No worker answers' }],
    silent: info('ingress', 'router', 'telemetry', 'worker'),
  },
  FreewayFailures: {
    rows: [
      [`freeway_requests_total{${ns},outcome="ok"}`, '0+90x60'],
      [`freeway_requests_total{${ns},outcome="provider_error"}`, '0+10x60'],
    ],
    atM: 15,
    fires: [{ labels: ai, summary: '10% of requests fail' }],
    silent: [
      [`freeway_requests_total{${ns},outcome="ok"}`, '0+90x60'],
      [`freeway_requests_total{${ns},outcome="client_error"}`, '0+50x60'],
      [`freeway_requests_total{${ns},outcome="truncated"}`, '0+2x60'],
    ],
  },
  FreewaySlowFirstToken: {
    rows: [
      [`gen_ai_server_time_to_first_token_seconds_bucket{${ns},gen_ai_provider_name="groq",le="10"}`, '0+50x60'],
      [`gen_ai_server_time_to_first_token_seconds_bucket{${ns},gen_ai_provider_name="groq",le="20"}`, '0+100x60'],
      [`gen_ai_server_time_to_first_token_seconds_bucket{${ns},gen_ai_provider_name="groq",le="+Inf"}`, '0+100x60'],
    ],
    atM: 25,
    fires: [{ labels: { ...ai, gen_ai_provider_name: 'groq' }, summary: 'Slow first tokens from groq' }],
    silent: [
      [`gen_ai_server_time_to_first_token_seconds_bucket{${ns},gen_ai_provider_name="groq",le="10"}`, '0+99x60'],
      [`gen_ai_server_time_to_first_token_seconds_bucket{${ns},gen_ai_provider_name="groq",le="20"}`, '0+100x60'],
      [`gen_ai_server_time_to_first_token_seconds_bucket{${ns},gen_ai_provider_name="groq",le="+Inf"}`, '0+100x60'],
    ],
  },
  FreewayBusSlow: {
    rows: [[`freeway_bus_round_trip_seconds{${ns},pod="i-1"}`, '0.5x60']],
    atM: 7,
    fires: [{ labels: ai, summary: 'The bus takes 500ms to a router and back' }],
    silent: [[`freeway_bus_round_trip_seconds{${ns},pod="i-1"}`, '0.002x60']],
  },
  FreewayEventLoopLate: {
    rows: [[`freeway_event_loop_lag_seconds{${ns},pod="i-1",statistic="p99"}`, '0.5x60']],
    atM: 7,
    fires: [{ labels: { ...ai, pod: 'i-1' }, summary: 'i-1 is late by 500ms' }],
    silent: [
      [`freeway_event_loop_lag_seconds{${ns},pod="i-1",statistic="p99"}`, '0.02x60'],
      [`freeway_event_loop_lag_seconds{${ns},pod="i-1",statistic="max"}`, '2x60'],
    ],
  },
  FreewayNoProvider: {
    rows: [
      [`freeway_provider_healthy{${ns},provider="groq"}`, '0x60'],
      [`freeway_provider_healthy{${ns},provider="gemini"}`, '0x60'],
    ],
    atM: 4,
    fires: [{ labels: ai, summary: 'No provider may be called' }],
    silent: [
      [`freeway_provider_healthy{${ns},provider="groq"}`, '0x60'],
      [`freeway_provider_healthy{${ns},provider="gemini"}`, '1x60'],
    ],
  },
  FreewayProviderDown: {
    rows: [
      [`freeway_provider_healthy{${ns},provider="groq",pod="r-1"}`, '0x60'],
      [`freeway_provider_healthy{${ns},provider="gemini",pod="r-1"}`, '1x60'],
    ],
    atM: 17,
    fires: [{ labels: { ...ai, provider: 'groq' }, summary: 'groq cannot be called' }],
    silent: [
      [`freeway_provider_healthy{${ns},provider="groq",pod="r-1"}`, '0x60'],
      [`freeway_provider_healthy{${ns},provider="groq",pod="r-2"}`, '1x60'],
    ],
  },
  FreewayNoWorker: {
    rows: [[`freeway_router_refused_total{${ns},reason="no_worker"}`, '0+1x60']],
    atM: 12,
    fires: [{ labels: ai, summary: 'Jobs find no worker' }],
    silent: [
      [`freeway_router_refused_total{${ns},reason="no_worker"}`, '7x60'],
      [`freeway_router_refused_total{${ns},reason="quota"}`, '0+5x60'],
    ],
  },
  FreewayWorkersFull: {
    rows: [
      [`freeway_worker_inflight{${ns},provider="groq",pod="w-1"}`, '20x60'],
      [`freeway_worker_capacity{${ns},provider="groq",pod="w-1"}`, '20x60'],
    ],
    atM: 7,
    fires: [{ labels: { ...ai, provider: 'groq' }, summary: 'Workers of groq are full' }],
    silent: [
      [`freeway_worker_inflight{${ns},provider="groq",pod="w-1"}`, '20x60'],
      [`freeway_worker_capacity{${ns},provider="groq",pod="w-1"}`, '20x60'],
      [`freeway_worker_capacity{${ns},provider="groq",pod="w-2"}`, '20x60'],
    ],
  },
  FreewayStoreDown: {
    rows: [[`freeway_store_up{${ns}}`, '1 0x60']],
    atM: 8,
    fires: [{ labels: ai, summary: 'The database cannot be written' }],
    silent: [[`freeway_store_up{${ns}}`, '1x60']],
  },
  FreewayRecordsBehind: {
    rows: [[`freeway_event_lag_seconds{${ns}}`, '300x60']],
    atM: 12,
    fires: [{ labels: ai, summary: 'Statistics are 5m 0s behind' }],
    silent: [[`freeway_event_lag_seconds{${ns}}`, '3x60']],
  },
  FreewayRecordsSpooled: {
    rows: [[`freeway_outbox_spool_bytes{${ns},role="ingress"}`, '4096x60']],
    atM: 12,
    fires: [{ labels: { ...ai, role: 'ingress' }, summary: 'Events of ingress wait in files' }],
    silent: [[`freeway_outbox_spool_bytes{${ns},role="ingress"}`, '0x60']],
  },
  FreewayRecordsLost: {
    rows: [[`freeway_outbox_dropped_total{${ns},role="worker"}`, '0 0 5x60']],
    atM: 5,
    fires: [{ labels: { ...ai, role: 'worker' }, summary: 'Events of worker are lost' }],
    silent: [[`freeway_outbox_dropped_total{${ns},role="worker"}`, '5x60']],
  },
  FreewayDeadLetters: {
    rows: [[`freeway_events_dead_total{${ns}}`, '0 0 1x60']],
    atM: 5,
    fires: [{ labels: ai, summary: 'Events could not be read' }],
    silent: [[`freeway_events_dead_total{${ns}}`, '1x60']],
  },
}

describe.skipIf(!hasValidators || !hasPromtool())('alerts', () => {
  let dir: string
  let groups: { name: string; rules: Rule[] }[]
  let rules: Rule[]

  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'freeway-alerts-'))
    groups = find(example('prod.yaml'), 'PrometheusRule', 'fw-freeway').spec.groups
    rules = groups.flatMap((group) => group.rules)
    writeFileSync(join(dir, 'rules.yaml'), JSON.stringify({ groups }))
    // A summary says what happened; how to go on is prose, which no test repeats.
    const short = ({ annotations: { summary }, ...rule }: Rule) => ({ ...rule, annotations: { summary } })
    const tested = groups.map((group) => ({ ...group, rules: group.rules.map(short) }))
    writeFileSync(join(dir, 'tested.yaml'), JSON.stringify({ groups: tested }))
  })
  afterAll(() => rmSync(dir, { recursive: true }))

  const test = (alert: string, rows: Case['rows'], atM: number, fired: Fired[]) => {
    const severity = rules.find((rule) => rule.alert === alert)?.labels.severity
    const expected = fired.map(({ labels, summary }) => ({ exp_labels: { ...labels, severity }, exp_annotations: { summary } }))
    const one = {
      interval: '1m',
      input_series: rows.map(([series, values]) => ({ series, values })),
      alert_rule_test: [{ eval_time: `${atM}m`, alertname: alert, exp_alerts: expected }],
    }
    const file = join(dir, 'test.yaml')
    writeFileSync(file, JSON.stringify({ rule_files: ['tested.yaml'], evaluation_interval: '1m', tests: [one] }))
    return promtool(['test', 'rules', file])
  }

  it('are rules that Prometheus takes', () => {
    const said = expect.stringContaining(`${rules.length} rules found`)
    expect(promtool(['check', 'rules', join(dir, 'rules.yaml')])).toEqual({ ok: true, said })
  })

  it('name only what is measured', () => {
    expect(rules.flatMap(({ expr }) => unmeasured(expr))).toEqual([])
    expect(unmeasured('freeway_requests_totals > 0')).toEqual(['freeway_requests_totals'])
  })

  it('are all tried out here', () => {
    expect(rules.map(({ alert }) => alert)).toEqual(Object.keys(cases))
    for (const { annotations, labels } of rules) {
      expect(annotations.description.length).toBeGreaterThan(40)
      expect(['critical', 'warning']).toContain(labels.severity)
    }
  })

  it.each(Object.entries(cases))('%s fires when it should, not before, and not for less', (alert, { rows, atM, fires, silent }) => {
    expect(test(alert, rows, atM, fires)).toMatchObject({ ok: true })
    expect(test(alert, silent, atM, [])).toMatchObject({ ok: true })
    expect(test(alert, silent, atM, fires)).toMatchObject({ ok: false })
    const waitM = Number.parseInt(rules.find((rule) => rule.alert === alert)?.for ?? '0', 10)
    if (waitM > 0) expect(test(alert, rows, waitM - 1, [])).toMatchObject({ ok: true })
  })
})
