import { expect, it } from 'vitest'
import type { CallTimes } from './call-times.ts'
import { overdueBy, rounded, shares, timesOf, timeToFirstToken } from './call-times.ts'

const limits = { first_byte_ms: 20_000, stall_ms: 30_000 }
/** Granted at 1000, with a minute to go. */
const times = (change: Partial<CallTimes> = {}): CallTimes => ({ ...timesOf(1_000, 60_000), ...change })

it.each<[string, Partial<CallTimes>, number, string | undefined]>([
  ['waits for its first token', {}, 20_999, undefined],
  ['has waited too long for it', {}, 21_000, 'ttfb'],
  ['gets bytes, but no token', { lastDataMs: 20_500 }, 21_000, 'ttfb'],
  ['goes on', { headMs: 5_000, lastDataMs: 20_000 }, 49_999, undefined],
  ['has fallen silent', { headMs: 5_000, lastDataMs: 20_000 }, 50_000, 'stream'],
  ['has a last millisecond', { headMs: 5_000, lastDataMs: 60_000 }, 60_999, undefined],
  ['has no time left', { headMs: 5_000, lastDataMs: 60_999 }, 61_000, 'limit'],
  ['has no time left, and never had much', { deadlineMs: 2_000 }, 2_000, 'limit'],
])('a call that %s', (_, change, nowMs, phase) => {
  const overdue = overdueBy(times(change), limits, nowMs)
  expect(overdue?.phase).toBe(phase)
  if (phase) expect(overdue).toMatchObject({ status: 504, code: 'timeout' })
})

it('tells our share of the wait from the provider’s', () => {
  expect(shares(times({ sentMs: 1_002.504, headMs: 1_402.604 }))).toEqual({ worker_ms: 2.5, upstream_ms: 400.1 })
  expect(shares(times({ sentMs: 1_002 }))).toEqual({ worker_ms: 2, upstream_ms: 0 })
})

it('knows the time to the first token only if there was one', () => {
  expect(timeToFirstToken(times({ sentMs: 1_002, headMs: 1_402.126 }))).toBe(400.13)
  expect(timeToFirstToken(times())).toBeNull()
})

it.each([
  [1.234, 1.23],
  [1.235_1, 1.24],
  [-0.5, 0],
])('%d ms is told as %d', (ms, told) => expect(rounded(ms)).toBe(told))
