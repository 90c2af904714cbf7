// The limits of a client: requests per minute, successes per UTC day, parallel requests.

import type { Account } from '#contracts/account.ts'
import { limitReached } from './gate.ts'
import { nextUtcMidnight, type Standing } from './rate-headers.ts'

/** Room that one request has taken. */
export interface Hold {
  /** On every way out, once: the place is free again. `counts`: it was a success, or content was delivered. */
  finished(counts: boolean): void
}

export interface ClientLimits {
  /** Takes room in the minute, in the day and among the parallel requests, in this order. Throws FreewayError 429 if there is none. */
  take(account: Account, nowMs: number): Hold | Promise<Hold>
  standing(account: Account, nowMs: number): Standing
}

const MINUTE_MS = 60_000
/** How long others usually take is not known: a client asks again after a second. */
const CONCURRENCY_RETRY_MS = 1_000
const MAX_IDLE = 10_000

interface Use {
  /** Times of the requests of the last minute, oldest first. */
  atMs: number[]
  dayEndsMs: number
  successes: number
  running: number
}

/** Counts in the memory of this process. */
export function countLimits(): ClientLimits {
  const uses = new Map<string, Use>()

  function useOf(id: string, nowMs: number): Use {
    let use = uses.get(id)
    if (!use) {
      if (uses.size >= MAX_IDLE) forget(uses, nowMs)
      use = { atMs: [], dayEndsMs: 0, successes: 0, running: 0 }
      uses.set(id, use)
    }
    if (nowMs >= use.dayEndsMs) {
      use.dayEndsMs = nextUtcMidnight(nowMs)
      use.successes = 0
    }
    let old = 0
    while (old < use.atMs.length && (use.atMs[old] as number) + MINUTE_MS <= nowMs) old++
    if (old > 0) use.atMs.splice(0, old)
    return use
  }

  return {
    take(account, nowMs) {
      const use = useOf(account.id, nowMs)
      const { rpm_limit, daily_limit, max_concurrency } = account
      if (rpm_limit !== undefined && use.atMs.length >= rpm_limit) {
        throw limitReached({ what: 'rate', limit: rpm_limit, retryAfterMs: (use.atMs[0] as number) + MINUTE_MS - nowMs })
      }
      // Those that run may all succeed.
      if (daily_limit !== undefined && use.successes + use.running >= daily_limit) {
        throw limitReached({ what: 'day', limit: daily_limit, retryAfterMs: use.dayEndsMs - nowMs })
      }
      if (max_concurrency !== undefined && use.running >= max_concurrency) {
        throw limitReached({ what: 'concurrency', limit: max_concurrency, retryAfterMs: CONCURRENCY_RETRY_MS })
      }
      if (rpm_limit !== undefined) use.atMs.push(nowMs)
      use.running++
      return {
        finished(counts) {
          use.running--
          if (counts) use.successes++
        },
      }
    },
    standing({ id, rpm_limit, daily_limit, max_concurrency }, nowMs) {
      const { atMs, successes, running, dayEndsMs } = useOf(id, nowMs)
      return {
        rate: room(rpm_limit, atMs.length, (atMs[atMs.length - 1] ?? nowMs - MINUTE_MS) + MINUTE_MS),
        day: room(daily_limit, successes, dayEndsMs),
        concurrency: room(max_concurrency, running, running === 0 ? nowMs : nowMs + CONCURRENCY_RETRY_MS),
      }
    },
  }
}

function room(limit: number | undefined, used: number, resetMs: number): Standing['rate'] {
  return limit === undefined ? undefined : { limit, remaining: Math.max(0, limit - used), resetMs }
}

function forget(uses: Map<string, Use>, nowMs: number): void {
  for (const [id, { atMs, dayEndsMs, running }] of uses) {
    if (running === 0 && nowMs >= dayEndsMs && (atMs[atMs.length - 1] ?? 0) + MINUTE_MS <= nowMs) uses.delete(id)
  }
}
