import { expect, test } from 'vitest'
import type { ContestantName, Measurement } from './figures.ts'
import { targetTable } from './report.ts'
import { answers, crowd, sequential, streams, streamsInMessages, streamsInResponses } from './scenarios.ts'
import { judge, missed, type Results } from './targets.ts'

const cpu = { direct: 0, proxy: 100, embedded: 300, cluster: 600 }
const latency = { direct: 0.1, proxy: 0.2, embedded: 0.5, cluster: 1.2 }

function results(...contestants: ContestantName[]): Results {
  const measurements = [sequential, answers, streams, streamsInMessages, streamsInResponses, crowd].flatMap((scenario) =>
    (['direct', 'proxy', ...contestants] as ContestantName[]).map(
      (contestant): Measurement => ({
        contestant,
        scenario,
        round: 0,
        requests: 1000,
        errors: 0,
        lostFrames: 0,
        upstreamCalls: 1000,
        seconds: 1,
        latency: { p50: latency[contestant], p99: 1 },
        firstToken: { p50: 1, p99: 150 },
        cpuMs: { all: cpu[contestant] },
      }),
    ),
  )
  const memory = Object.fromEntries(contestants.map((name) => [name, { idle: { small: 10, large: 85 }, peak: {} }]))
  const cancels = Object.fromEntries(contestants.map((name) => [name, { p50: 2, p99: 6 }]))
  return { measurements, memory, cancels, firstAnswerMs: { embedded: [900, 3000, 1000], cluster: [4000] } }
}

test('a run within all limits meets every target', () => {
  const rows = judge(results('embedded', 'cluster'))
  expect(rows).toHaveLength(11)
  expect(missed(rows)).toBe(false)
  expect(rows.map(({ embedded }) => embedded.value)).toEqual([3, 3, 1, 1, 0.4, 150, 6, 0, 0, 85, 1000])
})

test.each([
  { what: 'CPU per answer', row: 0, change: { cpuMs: { all: 401 } }, scenario: answers },
  { what: 'CPU per stream', row: 1, change: { cpuMs: { all: 301 } }, scenario: streams },
  { what: 'CPU per stream in Messages', row: 2, change: { cpuMs: { all: 451 } }, scenario: streamsInMessages },
  { what: 'CPU per stream in Responses', row: 3, change: { cpuMs: { all: 451 } }, scenario: streamsInResponses },
  { what: 'latency', row: 4, change: { latency: { p50: 0.7, p99: 1 } }, scenario: sequential },
  { what: 'first token', row: 5, change: { firstToken: { p50: 1, p99: 201 } }, scenario: crowd },
  { what: 'one lost frame in any scenario', row: 7, change: { lostFrames: 1 }, scenario: sequential },
  { what: 'one error in any scenario', row: 8, change: { errors: 1 }, scenario: sequential },
])('$what beyond its limit misses that target alone', ({ row, change, scenario }) => {
  const run = results('embedded', 'cluster')
  for (const m of run.measurements) if (m.contestant === 'embedded' && m.scenario === scenario) Object.assign(m, change)
  const rows = judge(run)
  expect(rows.flatMap(({ embedded }, i) => (embedded.met === false ? [i] : []))).toEqual([row])
  expect(missed(rows)).toBe(true)
})

test('the largest process counts for memory', () => {
  const run = results('embedded', 'cluster')
  run.memory.cluster = { idle: { ingress: 91, router: 60 }, peak: {} }
  expect(judge(run)[9]?.cluster).toEqual({ value: 91, limit: 90, met: false })
})

test('without a broker the cluster is neither met nor missed, and the table says so', () => {
  const rows = judge(results('embedded'))
  expect(missed(rows)).toBe(false)
  expect(targetTable(rows)).toContain('not run')
})

test('a target without a figure is missed, not met', () => {
  const run = results('embedded', 'cluster')
  run.measurements = run.measurements.filter((m) => m.scenario !== crowd)
  expect(judge(run)[5]?.embedded.met).toBe(false)
})

test('a provider that is called on for long after its client has left misses its target', () => {
  const run = results('embedded', 'cluster')
  run.cancels.cluster = { p50: 3, p99: 20.1 }
  expect(judge(run)[6]).toMatchObject({ embedded: { met: true }, cluster: { met: false } })
})
