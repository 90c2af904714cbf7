import fc from 'fast-check'
import { expect, it } from 'vitest'
import { nextUtcMidnight, rateHeaders, utcDay } from './rate-headers.ts'

const now = Date.UTC(2026, 0, 31, 23, 59, 30)
const room = (limit: number, remaining: number, inMs: number) => ({ limit, remaining, resetMs: now + inMs })

it('a limit that is not set has no headers', () => {
  expect(rateHeaders({ rate: undefined, day: undefined, concurrency: undefined }, now)).toEqual({})
})

it('all limits have all their headers, in unix seconds', () => {
  const headers = rateHeaders({ rate: room(60, 59, 1_500), day: room(1000, 0, 30_000), concurrency: room(4, 3, 0) }, now)
  const at = now / 1000
  expect(headers).toEqual({
    'x-ratelimit-limit': '60',
    'x-ratelimit-remaining': '59',
    'x-ratelimit-reset': String(at + 2),
    'x-ratelimit-limit-requests': '60',
    'x-ratelimit-remaining-requests': '59',
    'x-ratelimit-reset-requests': '1.5s',
    'x-dailylimit-limit': '1000',
    'x-dailylimit-remaining': '0',
    'x-dailylimit-reset': String(at + 30),
    'x-concurrency-limit': '4',
    'x-concurrency-remaining': '3',
    'x-concurrency-reset': String(at),
  })
})

it.each([
  [0, '0ms'],
  [-5, '0ms'],
  [119.2, '120ms'],
  [999, '999ms'],
  [1000, '1s'],
  [1234, '1.23s'],
  [59_999, '1m0s'],
  [60_000, '1m0s'],
  [90_000, '1m30s'],
  [119_999, '2m0s'],
  [3_599_999, '60m0s'],
])('%d ms are written %s', (ms, text) => {
  expect(rateHeaders({ rate: room(1, 0, ms), day: undefined, concurrency: undefined }, now)['x-ratelimit-reset-requests']).toBe(text)
})

it('the day ends at the next 00:00 UTC, over month ends, leap days and leap years', () => {
  expect(nextUtcMidnight(now)).toBe(Date.UTC(2026, 1, 1))
  expect(nextUtcMidnight(Date.UTC(2028, 1, 28, 12))).toBe(Date.UTC(2028, 1, 29))
  expect(nextUtcMidnight(Date.UTC(2026, 0, 1))).toBe(Date.UTC(2026, 0, 2))
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 4_102_444_800_000 }), (at) => {
      const end = nextUtcMidnight(at)
      expect(end).toBeGreaterThan(at)
      expect(end - at).toBeLessThanOrEqual(86_400_000)
      expect(utcDay(end - 1)).toBe(utcDay(at))
      expect(utcDay(end)).not.toBe(utcDay(at))
    }),
  )
})
