// What a limit is: so many units in a window, counted for a pool; and until when a use counts in its window. Counting itself is in services/quota/.

import { z } from 'zod'

/** `concurrency` counts what is open now; every other unit counts what happened within a window. */
export const units = ['requests', 'tokens', 'concurrency', 'neurons', 'audio_seconds', 'images', 'credits'] as const
export const windows = ['second', 'minute', 'hour', '5h', 'day', 'week', 'month'] as const

export const limit = z.strictObject({
  unit: z.enum(units),
  max: z.number().min(0),
  /** Absent for `concurrency` alone. */
  per: z.enum(windows).optional(),
  /**
   * An IANA time zone whose calendar resets the count (`UTC`, `America/Los_Angeles`, `Asia/Shanghai`).
   * Absent: the window rolls.
   */
  clock: z.string().refine(isTimeZone, 'expected an IANA time zone, e.g. America/Los_Angeles').optional(),
})
export type Limit = z.infer<typeof limit>
export type Unit = Limit['unit']
export type Window = NonNullable<Limit['per']>

/** What a provider told about a limit of its own, on any answer. Times are durations, in ms. */
export const learnedLimit = z.object({
  unit: z.enum(units),
  per: z.enum(windows).optional(),
  max: z.number().min(0).optional(),
  remaining: z.number().min(0).optional(),
  reset_ms: z.number().min(0).optional(),
  /** Whose limit it is. */
  scope: z.enum(['model', 'account', 'provider']).optional(),
})
export type LearnedLimit = z.infer<typeof learnedLimit>

const SECOND_MS = 1_000
const MINUTE_MS = 60 * SECOND_MS
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS

/** A call reaches its provider this long after its use was counted, even from a busy machine: so much longer every use counts. */
export const dispatchMs = (per: Window): number => (per === 'second' ? 500 : 1_000)

/** Length of a rolling window, and of the slices in which it is counted: a use counts as long as the youngest of its slice. */
const rolling: Record<Window, { lengthMs: number; sliceMs: number }> = {
  second: { lengthMs: SECOND_MS, sliceMs: 100 },
  minute: { lengthMs: MINUTE_MS, sliceMs: SECOND_MS },
  hour: { lengthMs: HOUR_MS, sliceMs: MINUTE_MS },
  '5h': { lengthMs: 5 * HOUR_MS, sliceMs: 5 * MINUTE_MS },
  day: { lengthMs: DAY_MS, sliceMs: 15 * MINUTE_MS },
  week: { lengthMs: 7 * DAY_MS, sliceMs: 2 * HOUR_MS },
  // No month is longer.
  month: { lengthMs: 31 * DAY_MS, sliceMs: 8 * HOUR_MS },
}

/**
 * Until when a use at `atMs` counts, in ms since 1970. A calendar window that ends within `lateMs` gives two times:
 * the call may fall into the next window, so it counts in both. `lateMs`: 0 where nobody else counts the use, later than we.
 */
export function countsUntil(
  per: Window,
  clock: string | undefined,
  atMs: number,
  lateMs: number = dispatchMs(per),
): readonly [number] | readonly [number, number] {
  if (clock === undefined) {
    const { lengthMs, sliceMs } = rolling[per]
    return [Math.floor(atMs / sliceMs) * sliceMs + sliceMs + lengthMs + lateMs]
  }
  const end = nextReset(per, clock, atMs)
  return end - atMs > lateMs ? [end] : [end, nextReset(per, clock, end)]
}

/** When the calendar window around `atMs` ends, in ms since 1970; always later than `atMs`. Weeks begin on Monday. */
export function nextReset(per: Window, clock: string, atMs: number): number {
  switch (per) {
    case 'second':
      return Math.floor(atMs / SECOND_MS) * SECOND_MS + SECOND_MS
    case 'minute':
      return Math.floor(atMs / MINUTE_MS) * MINUTE_MS + MINUTE_MS
    case 'hour': {
      const offset = wallTime(clock, atMs) - atMs
      return Math.floor((atMs + offset) / HOUR_MS) * HOUR_MS + HOUR_MS - offset
    }
    case '5h': {
      const midnight = instantOf(clock, startOfDay(wallTime(clock, atMs)))
      const block = Math.floor((atMs - midnight) / (5 * HOUR_MS)) + 1
      return Math.min(midnight + block * 5 * HOUR_MS, nextReset('day', clock, atMs))
    }
    case 'day':
      return instantOf(clock, startOfDay(wallTime(clock, atMs)) + DAY_MS)
    case 'week': {
      const today = startOfDay(wallTime(clock, atMs))
      const sinceMonday = (new Date(today).getUTCDay() + 6) % 7
      return instantOf(clock, today + (7 - sinceMonday) * DAY_MS)
    }
    case 'month': {
      const today = new Date(wallTime(clock, atMs))
      return instantOf(clock, Date.UTC(today.getUTCFullYear(), today.getUTCMonth() + 1, 1))
    }
  }
}

const startOfDay = (wallMs: number) => Math.floor(wallMs / DAY_MS) * DAY_MS

/** What the clocks of the zone show, written as if it were UTC. */
function wallTime(zone: string, atMs: number): number {
  if (zone === 'UTC') return atMs
  const part: Record<string, number> = {}
  for (const { type, value } of formatOf(zone).formatToParts(atMs)) part[type] = Number(value)
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = part
  const thisSecond = Math.floor(atMs / SECOND_MS) * SECOND_MS
  return Date.UTC(year, month - 1, day, hour, minute, second) + (atMs - thisSecond)
}

/** The first instant at which the clocks of the zone show `wallMs` or more: some days have no midnight, others have two. */
function instantOf(zone: string, wallMs: number): number {
  if (zone === 'UTC') return wallMs
  const offsets = [wallMs - DAY_MS, wallMs + DAY_MS].map((near) => wallTime(zone, near) - near)
  const candidates = offsets.map((offset) => wallMs - offset).sort((a, b) => a - b)
  const exact = candidates.find((instant) => wallTime(zone, instant) === wallMs)
  if (exact !== undefined) return exact
  let [before = 0, after = 0] = [(candidates[0] ?? wallMs) - HOUR_MS, (candidates[1] ?? wallMs) + HOUR_MS]
  while (after - before > 1) {
    const middle = Math.floor((before + after) / 2)
    if (wallTime(zone, middle) >= wallMs) after = middle
    else before = middle
  }
  return after
}

const formats = new Map<string, Intl.DateTimeFormat>()

function formatOf(zone: string): Intl.DateTimeFormat {
  const known = formats.get(zone)
  if (known) return known
  const numeric = 'numeric'
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    calendar: 'iso8601',
    hourCycle: 'h23',
    year: numeric,
    month: numeric,
    day: numeric,
    hour: numeric,
    minute: numeric,
    second: numeric,
  })
  formats.set(zone, format)
  return format
}

function isTimeZone(text: string): boolean {
  try {
    formatOf(text)
    return true
  } catch {
    // The runtime knows no such zone.
    return false
  }
}
