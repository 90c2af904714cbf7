// Pure. How long whoever is at fault must rest after a refusal: what the provider said, else what its window of limits says,
// else what is usual for such a refusal.

import type { Provider } from '#contracts/catalog.ts'
import type { Window } from '#contracts/limit.ts'
import { nextReset } from '#contracts/limit.ts'
import type { Exhausted } from './exhausted.ts'
import { toInstant } from './local-time.ts'
import { type Headers, readResets, readRetryAfter } from './retry-after.ts'

/** What is known of a provider's limits beforehand. */
export type LimitHabits = Pick<Provider, 'limits' | 'limit_scope' | 'clock'> & Partial<Pick<Provider, 'models'>>

export interface Said {
  headers: Headers
  body: string
  nowMs: number
}

export const MINUTE_MS = 60_000
export const HOUR_MS = 3_600_000
export const DAY_MS = 86_400_000
const MONTH_MS = 31 * DAY_MS
const UNKNOWN_WINDOW_MS = 30_000
/** As long as a call in flight may take. */
const CONCURRENCY_MS = 10_000

/**
 * Of a refusal for a limit: 0 to 24 h, or to the end of the month where the limit is a month's.
 * `usualMs`: where nothing was said of a window.
 */
export function cooldownOfLimit(exhausted: Exhausted, said: Said, habits: LimitHabits | undefined, usualMs = UNKNOWN_WINDOW_MS): number {
  const { headers, body, nowMs } = said
  const { per, named, unit } = exhausted
  // What Google says of waiting is for its minute, also where the day is spent.
  if (named && per === 'day') return untilReset('day', habits, nowMs)
  const at = readResetTime(body, clockOf(per ?? 'day', habits) ?? 'UTC', nowMs)
  const told = readRetryAfter(headers, body, nowMs) ?? at
  if (told !== undefined) return told
  // Reset headers speak of every limit but those of a second.
  if (per === 'second') return 1_000
  const reset = resetIn(body, nowMs) ?? readResets(headers, nowMs)
  if (reset !== undefined) return reset
  if (unit === 'concurrency') return CONCURRENCY_MS
  const window = per ?? shortestOf(habits)
  return window === undefined ? usualMs : untilReset(window, habits, nowMs)
}

/** Of any other refusal, `usualMs` unless the provider asks for something else. */
export function cooldownOf(usualMs: number, { headers, body, nowMs }: Said): number {
  return readRetryAfter(headers, body, nowMs) ?? usualMs
}

function untilReset(per: Window, habits: LimitHabits | undefined, nowMs: number): number {
  switch (per) {
    case 'second':
      return 2_000
    case 'minute':
      return MINUTE_MS
    case 'hour':
      return HOUR_MS
    case '5h':
      return 5 * HOUR_MS
    case 'month':
      return Math.min(MONTH_MS, nextReset('month', clockOf('month', habits) ?? 'UTC', nowMs) - nowMs)
    default:
      return Math.min(DAY_MS, nextReset(per, clockOf(per, habits) ?? 'UTC', nowMs) - nowMs)
  }
}

const RESET_AT =
  /\b(?:reset|resets|available|retry|try again|until)[a-z ]{0,12}? (?:at|on|after|until)?\s?(\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?)(?:\.\d{1,9})?\s?(Z\b|UTC\b|GMT\b|[+-]\d\d:?\d\d\b)?/i

/** "Your limit will reset at 2026-11-21 18:00:00": without a zone it is the provider's own. */
function readResetTime(body: string, zone: string, nowMs: number): number | undefined {
  const [, text, suffix] = RESET_AT.exec(body.slice(0, 8192)) ?? []
  if (text === undefined) return undefined
  const local = Date.parse(`${text.replace(' ', 'T')}Z`)
  if (Number.isNaN(local)) return undefined
  const offset = /^([+-])(\d\d):?(\d\d)$/.exec(suffix ?? '')
  const at = suffix === undefined ? toInstant(zone, local) : local - (offset ? offsetOf(offset) : 0)
  return Math.min(DAY_MS, Math.max(0, at - nowMs))
}

function offsetOf([, sign, hours, minutes]: RegExpExecArray): number {
  return (sign === '-' ? -1 : 1) * (Number(hours) * HOUR_MS + Number(minutes) * MINUTE_MS)
}

/** Gateways that stream have no headers left for it, so they put them into the body. */
function resetIn(body: string, nowMs: number): number | undefined {
  const [, text] = /"x-ratelimit-reset"\s{0,9}:\s{0,9}"?([\w.:+-]{1,40})/i.exec(body.slice(0, 8192)) ?? []
  return text === undefined ? undefined : readResets({ 'x-ratelimit-reset': text }, nowMs)
}

function clockOf(per: Window, habits: LimitHabits | undefined): string | undefined {
  return (
    (habits?.limits.find((limit) => limit.per === per && limit.clock) ?? habits?.limits.find((limit) => limit.clock))?.clock ??
    habits?.clock
  )
}

/** Where nothing was said, a call too many hits the shortest window first; to rest for a longer one on suspicion would be too much. */
function shortestOf(habits: LimitHabits | undefined): Window | undefined {
  return habits?.limits.some((limit) => limit.per === 'second') ? 'second' : undefined
}
