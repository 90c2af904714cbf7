import fc from 'fast-check'
import { expect, test } from 'vitest'
import { countsUntil, dispatchMs, limit, nextReset, windows } from './limit.ts'

const at = (text: string) => Date.parse(text)
const iso = (ms: number) => new Date(ms).toISOString()

test.each([
  ['UTC', 'day', '2026-03-08T12:00:00Z', '2026-03-09T00:00:00.000Z'],
  ['America/Los_Angeles', 'day', '2026-03-07T12:00:00Z', '2026-03-08T08:00:00.000Z'],
  ['America/Los_Angeles', 'day', '2026-03-08T12:00:00Z', '2026-03-09T07:00:00.000Z'], // 23 hours long
  ['America/Los_Angeles', 'day', '2026-11-01T12:00:00Z', '2026-11-02T08:00:00.000Z'], // 25 hours long
  ['Asia/Shanghai', 'day', '2026-05-01T15:59:59.999Z', '2026-05-01T16:00:00.000Z'],
  ['Asia/Shanghai', 'day', '2026-05-01T16:00:00Z', '2026-05-02T16:00:00.000Z'],
  ['Africa/Cairo', 'day', '2026-04-23T12:00:00Z', '2026-04-23T22:00:00.000Z'], // the next day has no midnight
  ['UTC', 'month', '2028-02-29T23:59:59Z', '2028-03-01T00:00:00.000Z'],
  ['UTC', 'month', '2026-12-31T00:00:00Z', '2027-01-01T00:00:00.000Z'],
  ['America/Los_Angeles', 'month', '2026-11-01T06:59:59Z', '2026-11-01T07:00:00.000Z'],
  ['America/Los_Angeles', 'month', '2026-11-01T07:00:00Z', '2026-12-01T08:00:00.000Z'],
  ['UTC', 'week', '2026-03-01T12:00:00Z', '2026-03-02T00:00:00.000Z'], // a Sunday
  ['UTC', 'week', '2026-03-02T00:00:00Z', '2026-03-09T00:00:00.000Z'],
  ['UTC', '5h', '2026-03-01T21:00:00Z', '2026-03-02T00:00:00.000Z'],
  ['UTC', '5h', '2026-03-01T04:59:00Z', '2026-03-01T05:00:00.000Z'],
  ['Asia/Kolkata', 'hour', '2026-03-01T04:29:00Z', '2026-03-01T04:30:00.000Z'],
  ['UTC', 'minute', '2026-03-01T04:29:00Z', '2026-03-01T04:30:00.000Z'],
] as const)('in %s, the %s around %s ends at %s', (clock, per, now, end) => {
  expect(iso(nextReset(per, clock, at(now)))).toBe(end)
})

const zones = ['UTC', 'America/Los_Angeles', 'Asia/Shanghai', 'Africa/Cairo', 'Australia/Lord_Howe', 'Pacific/Apia', 'America/Sao_Paulo']
const instant = fc.integer({ min: at('2010-01-01'), max: at('2035-01-01') })

test('calendar windows follow each other without a gap, and none is longer than its kind', () => {
  const longestHours = { second: 1, minute: 1, hour: 1, '5h': 5, day: 25, week: 169, month: 745 }
  fc.assert(
    fc.property(fc.constantFrom(...zones), fc.constantFrom(...windows), instant, (clock, per, now) => {
      const end = nextReset(per, clock, now)
      expect(end).toBeGreaterThan(now)
      expect(nextReset(per, clock, end - 1)).toBe(end)
      expect(nextReset(per, clock, end)).toBeGreaterThan(end)
      expect(end - now).toBeLessThanOrEqual(longestHours[per] * 3_600_000)
    }),
    { numRuns: 1000 },
  )
})

test('a use of a rolling window counts for the whole window and its dispatch, and not more than 3 % longer', () => {
  const length = { second: 1, minute: 60, hour: 3600, '5h': 18_000, day: 86_400, week: 604_800, month: 2_678_400 }
  fc.assert(
    fc.property(fc.constantFrom(...windows), instant, (per, now) => {
      const [until, second] = countsUntil(per, undefined, now)
      const lengthMs = length[per] * 1000
      expect(second).toBeUndefined()
      expect(until - now).toBeGreaterThan(lengthMs + dispatchMs(per))
      expect(until - now).toBeLessThanOrEqual(lengthMs * (per === 'second' ? 1.1 : 1.03) + dispatchMs(per))
    }),
  )
})

test('a call that may leave after midnight counts on both days', () => {
  const midnight = at('2026-03-02T00:00:00Z')
  expect(countsUntil('day', 'UTC', midnight - 100)).toEqual([midnight, midnight + 86_400_000])
  expect(countsUntil('day', 'UTC', midnight - 60_000)).toEqual([midnight])
})

test('a use that nobody counts later than we do counts on its own day alone, and no longer than its minute', () => {
  const midnight = at('2026-03-02T00:00:00Z')
  expect(countsUntil('day', 'UTC', midnight - 1, 0)).toEqual([midnight])
  expect(countsUntil('day', 'UTC', midnight, 0)).toEqual([midnight + 86_400_000])
  expect(countsUntil('minute', undefined, midnight, 0)).toEqual([midnight + 61_000])
})

test('a limit names a time zone that exists', () => {
  const read = (clock: string) => limit.safeParse({ unit: 'requests', max: 1, per: 'day', clock })
  expect(read('Asia/Shanghai').success).toBe(true)
  expect(read('Mars/Olympus').error?.issues[0]?.message).toContain('IANA time zone')
  expect(read('').success).toBe(false)
})
