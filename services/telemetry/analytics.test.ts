import process from 'node:process'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { openSummary, planOf } from './analytics.ts'
import { type Cell, countedOf, openCells, settled, spans, startOf } from './tally.ts'

const now = Date.UTC(2026, 4, 17, 10, 17, 23, 400)
const asked = fc.record({ window_seconds: fc.integer({ min: 60, max: 604_800 }), bucket_count: fc.integer({ min: 1, max: 168 }) })

describe('what is read', () => {
  it('any window is covered from its first minute to now, without gap or overlap, in buckets that follow each other', () => {
    fc.assert(
      fc.property(asked, fc.integer({ min: 1_000_000_000_000, max: 4_000_000_000_000 }), (question, at) => {
        const { from, to, minutes, hours, buckets } = planOf(question, at)
        expect(from).toBeLessThanOrEqual(at - question.window_seconds * 1000)
        expect(from).toBeGreaterThan(at - question.window_seconds * 1000 - spans.minute)
        expect(to).toBeGreaterThan(at)
        expect([minutes.from, minutes.to, hours.to]).toEqual([from, hours.from, to])
        expect(hours.from % (hours.from < hours.to ? spans.hour : 1)).toBe(0)
        expect(buckets).toHaveLength(question.bucket_count)
        expect(buckets[0]?.start).toBe(from)
        expect(buckets.at(-1)?.end).toBeCloseTo(to, 3)
        for (const [i, bucket] of buckets.entries()) if (i > 0) expect(bucket.start).toBeCloseTo(buckets[i - 1]?.end ?? 0, 3)
      }),
    )
  })

  it('a day in hours reads hours, and minutes only where it begins', () => {
    const { minutes, hours } = planOf({ window_seconds: 86_400, bucket_count: 24 }, now)
    expect(minutes).toEqual({ from: Date.UTC(2026, 4, 16, 10, 17), to: Date.UTC(2026, 4, 16, 11) })
    expect(hours.to).toBe(Date.UTC(2026, 4, 17, 11))
  })
})

const end = fc.record({
  at: fc.integer({ min: now - 8 * 86_400_000, max: now }),
  outcome: fc.constantFrom('ok', 'provider_error'),
  provider: fc.constantFrom('alpha', 'beta', '__proto__', null),
  model: fc.constantFrom('m-8b', 'constructor'),
  client: fc.constantFrom('anna', 'ben'),
  in: fc.nat(1000),
  out: fc.nat(1000),
  duration_ms: fc.nat(10_000),
})
const cellsOf = (ends: { at: number }[], span: 'minute' | 'hour'): Cell[] => {
  const cells = openCells()
  for (const each of ends) {
    const { at = 0, group, tally } = countedOf({ end: each }) ?? {}
    if (group && tally) cells.add(startOf(span, at), group, tally)
  }
  return settled(cells.list())
}

describe('what it comes to', () => {
  it('every sum is that of the calls of the window, and so are the buckets together', () => {
    fc.assert(
      fc.property(asked, fc.array(end, { maxLength: 60 }), fc.constantFrom(undefined, 'alpha'), (question, ends, provider) => {
        const plan = planOf(question, now)
        const summary = openSummary(plan, { provider })
        const inside = ({ start }: Cell, { from, to }: { from: number; to: number }) => start >= from && start < to
        summary.add(cellsOf(ends, 'minute').filter((cell) => inside(cell, plan.minutes)))
        summary.add(cellsOf(ends, 'hour').filter((cell) => inside(cell, plan.hours)))
        const result = summary.result(question)
        const counted = ends.filter((each) => each.at >= plan.from && (!provider || each.provider === provider))
        expect(result.total_calls).toBe(counted.length)
        expect(result.tokens_in).toBe(counted.reduce((sum, each) => sum + each.in, 0))
        const ok = counted.filter(({ outcome }) => outcome === 'ok').length
        expect(result.success_rate).toBeCloseTo(counted.length ? ok / counted.length : 0, 3)
        for (const rows of [
          result.by_provider,
          result.by_model,
          result.by_strategy,
          result.by_outcome,
          result.by_client,
          result.time_buckets,
        ]) {
          expect(rows.reduce((sum, { calls }) => sum + calls, 0)).toBe(counted.length)
        }
        expect(new Set(result.by_provider.map((row) => row.provider))).toEqual(new Set(counted.map((each) => each.provider)))
      }),
    )
  })

  it('latencies are those of successful calls', () => {
    const plan = planOf({ window_seconds: 60, bucket_count: 1 }, now)
    const summary = openSummary(plan)
    const call = { at: now, provider: 'alpha', model: 'm', client: 'anna', in: 1, out: 1 }
    const ends = [
      { ...call, outcome: 'ok', duration_ms: 100 },
      { ...call, outcome: 'provider_error', duration_ms: 9_000 },
    ]
    summary.add(cellsOf(ends, 'minute'))
    const { avg_latency_ms, p99_latency_ms, p50_ttft_ms, by_outcome } = summary.result({ window_seconds: 60, bucket_count: 1 })
    expect({ avg_latency_ms, p50_ttft_ms }).toEqual({ avg_latency_ms: 100, p50_ttft_ms: null })
    expect(Math.abs((p99_latency_ms ?? 0) - 100)).toBeLessThan(6)
    expect(by_outcome.find(({ outcome }) => outcome === 'provider_error')?.avg_latency_ms).toBe(9_000)
  })
})

it('of ten thousand clients each has its sums, and all of them little memory', () => {
  const plan = planOf({ window_seconds: 3_600, bucket_count: 1 }, now)
  const summary = openSummary(plan)
  const times = { latency: [50, 1], ttft: [40, 1] }
  const cell = {
    start: plan.hours.from,
    provider: 'alpha',
    model: 'm',
    strategy: 'auto',
    outcome: 'ok',
    calls: 1,
    in: 1,
    out: 1,
    cost: 1,
    us: 1,
  }
  const before = process.memoryUsage().arrayBuffers
  for (let i = 0; i < 10_000; i++) summary.add([{ ...cell, ...times, client: `c${i}` }])
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(5e6)
  expect(summary.result({ window_seconds: 3_600, bucket_count: 1 })).toMatchObject({ total_calls: 10_000, by_client: { length: 100 } })
})
