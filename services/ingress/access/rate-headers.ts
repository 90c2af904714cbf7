// Pure. How much room a client has, as response headers: those of our documentation, and OpenAI's names beside them.

/** Room within one limit. */
export interface Room {
  limit: number
  remaining: number
  /** When all of it is there again; in ms since 1970. */
  resetMs: number
}

export interface Standing {
  /** Requests of the minute. */
  rate: Room | undefined
  /** Successes of the UTC day. */
  day: Room | undefined
  /** Parallel requests. */
  concurrency: Room | undefined
}

/** A limit that is not set has no headers. */
export function rateHeaders({ rate, day, concurrency }: Standing, nowMs: number): Record<string, string> {
  const headers: Record<string, string> = {}
  if (rate) {
    add(headers, 'x-ratelimit', rate)
    headers['x-ratelimit-limit-requests'] = String(rate.limit)
    headers['x-ratelimit-remaining-requests'] = String(rate.remaining)
    headers['x-ratelimit-reset-requests'] = duration(rate.resetMs - nowMs)
  }
  if (day) add(headers, 'x-dailylimit', day)
  if (concurrency) add(headers, 'x-concurrency', concurrency)
  return headers
}

function add(headers: Record<string, string>, prefix: string, { limit, remaining, resetMs }: Room): void {
  headers[`${prefix}-limit`] = String(limit)
  headers[`${prefix}-remaining`] = String(remaining)
  headers[`${prefix}-reset`] = String(Math.ceil(resetMs / 1000))
}

/** `120ms`, `1.5s`, `1m30s`, as OpenAI writes it. */
function duration(ms: number): string {
  const whole = Math.max(0, Math.ceil(ms))
  if (whole < 1000) return `${whole}ms`
  const seconds = Math.round(whole / 10) / 100
  return seconds < 60 ? `${seconds}s` : `${Math.floor(seconds / 60)}m${Math.round(seconds % 60)}s`
}

const DAY_MS = 86_400_000

/** The next 00:00 UTC, in ms since 1970. */
export function nextUtcMidnight(nowMs: number): number {
  return (Math.floor(nowMs / DAY_MS) + 1) * DAY_MS
}

/** `2026-01-31` */
export function utcDay(nowMs: number): string {
  return new Date(nowMs).toISOString().slice(0, 10)
}
