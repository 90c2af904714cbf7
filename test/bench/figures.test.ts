import { expect, test } from 'vitest'
import { addedLatency, type ContestantName, cpuRatio, type Measurement, median, percentile, percentiles, summarize } from './figures.ts'

const measurement = (contestant: ContestantName, round: number, rest: Partial<Measurement> = {}): Measurement => ({
  contestant,
  scenario: 's',
  round,
  requests: 1000,
  errors: 0,
  lostFrames: 0,
  upstreamCalls: 1000,
  seconds: 2,
  latency: { p50: 1, p99: 2 },
  firstToken: { p50: 1, p99: 2 },
  cpuMs: { one: 100 },
  ...rest,
})

test.each([
  { values: [1, 2, 3, 4], share: 0.5, expected: 2 },
  { values: [1, 2, 3, 4, 5], share: 0.5, expected: 3 },
  { values: [7], share: 0.99, expected: 7 },
  { values: Array.from({ length: 100 }, (_, i) => i + 1), share: 0.99, expected: 99 },
  { values: Array.from({ length: 1000 }, (_, i) => i + 1), share: 0.99, expected: 990 },
  { values: [], share: 0.5, expected: Number.NaN },
])('the nearest rank of $share is taken', ({ values, share, expected }) => {
  expect(percentile(values, share)).toBe(expected)
})

test('percentiles sort by number, not by text', () => {
  expect(percentiles([10, 9, 2])).toEqual({ p50: 9, p99: 10 })
})

test('the median of an even number of rounds lies between, and a round without a figure is left out', () => {
  expect(median([4, 1])).toBe(2.5)
  expect(median([3, Number.NaN, 1, 2])).toBe(2)
  expect(median([])).toBeNaN()
})

test('the CPU ratio compares within a round, so that a slow round harms nobody', () => {
  const rounds = [
    measurement('proxy', 0, { cpuMs: { proxy: 100 } }),
    measurement('cluster', 0, { cpuMs: { ingress: 200, router: 100 } }),
    measurement('proxy', 1, { cpuMs: { proxy: 1000 } }),
    measurement('cluster', 1, { cpuMs: { ingress: 2000, router: 1000 } }),
  ]
  expect(cpuRatio(rounds, 's', 'cluster')).toBe(3)
})

test('CPU is counted per answer, whatever the number of answers', () => {
  const rounds = [measurement('proxy', 0), measurement('embedded', 0, { requests: 500, cpuMs: { one: 100 } })]
  expect(cpuRatio(rounds, 's', 'embedded')).toBe(2)
  expect(summarize(rounds).map((s) => s.cpuPerRequest)).toEqual([100, 200])
})

test('added latency is what exceeds the direct way in the same round', () => {
  const rounds = [
    measurement('direct', 0, { latency: { p50: 1, p99: 5 } }),
    measurement('embedded', 0, { latency: { p50: 1.25, p99: 9 } }),
    measurement('direct', 1, { latency: { p50: 10, p99: 50 } }),
    measurement('embedded', 1, { latency: { p50: 10.25, p99: 54 } }),
  ]
  expect(addedLatency(rounds, 's', 'embedded')).toEqual({ p50: 0.25, p99: 4 })
})

test('there is no ratio and no difference without the yardstick', () => {
  expect(cpuRatio([measurement('embedded', 0)], 's', 'embedded')).toBeNaN()
  expect(addedLatency([measurement('embedded', 0)], 's', 'embedded').p50).toBeNaN()
})

test('rounds add up what is counted and take the median of what is timed', () => {
  const [summary] = summarize([
    measurement('embedded', 0, { lostFrames: 1, errors: 2, upstreamCalls: 1005, latency: { p50: 1, p99: 3 } }),
    measurement('embedded', 1, { lostFrames: 4, latency: { p50: 9, p99: 9 } }),
    measurement('embedded', 2, { latency: { p50: 2, p99: 4 } }),
  ])
  expect(summary).toMatchObject({
    requests: 3000,
    lostFrames: 5,
    errors: 2,
    repeatedCalls: 3,
    latency: { p50: 2, p99: 4 },
    requestsPerSecond: 500,
  })
})
