// The limits of a client: requests per minute, successes per UTC day, parallel requests. Counted over all replicas by the quota ledger.

import type { Account } from '#contracts/account.ts'
import { FreewayError } from '#contracts/failure.ts'
import type { Limit } from '#contracts/limit.ts'
import type { Amounts, Claim, Quota, Reserved } from '#services/quota/quota.ts'
import { limitReached, type Spent } from './gate.ts'
import { nextUtcMidnight, type Room, type Standing } from './rate-headers.ts'

/** Room that one request has taken. */
export interface Hold {
  /** On every way out, once: the place is free again. `counts`: it was a success, or content was delivered. */
  finished(counts: boolean): void
}

export interface ClientLimits {
  /** Takes room in the minute, in the day and among the parallel requests, in this order. Throws FreewayError 429 if there is none. */
  take(account: Account, nowMs: number): Hold | undefined | Promise<Hold>
  /** One of the ten random models an hour. Throws FreewayError 429. */
  draw(account: Account): void | Promise<void>
  standing(account: Account, nowMs: number): Standing
}

/** A success is counted as a credit: unlike a request it is given back if nothing comes of it. */
const DAY_UNIT = 'credits'
const ONE_OF_EACH: Amounts = { requests: 1, [DAY_UNIT]: 1, concurrency: 1 }
const NOTHING_CAME_OF_IT: Amounts = { requests: 1, [DAY_UNIT]: 0 }

/** Freeference's. */
const DRAWS: Limit[] = [{ unit: 'requests', max: 10, per: 'hour' }]
/** Until it counts as used, where nobody settles it. */
const DRAW_MS = 1_000

const kindOf: Partial<Record<Limit['unit'], Spent['what']>> = { requests: 'rate', [DAY_UNIT]: 'day', concurrency: 'concurrency' }

/** `longestMs`: no request takes longer; a place that nobody gives back is free after that. */
export function clientLimits(quota: Quota, longestMs: number): ClientLimits {
  // The ledger knows limits again by identity; an account that is changed is another object.
  const claims = new WeakMap<Account, readonly Claim[]>()
  let count = 0

  function claimsOf(account: Account): readonly Claim[] {
    let known = claims.get(account)
    if (!known) {
      const limits = limitsOf(account)
      known = limits.length === 0 ? [] : [{ pool: account.id, limits, amounts: ONE_OF_EACH }]
      claims.set(account, known)
    }
    return known
  }

  return {
    take(account, nowMs) {
      const wanted = claimsOf(account)
      if (wanted.length === 0) return undefined
      const id = String(++count)
      const hold = (answer: Reserved): Hold => {
        if (!answer.ok) throw limitReached(spentBy(answer, nowMs))
        return { finished: (counts) => void quota.settle(id, counts ? ONE_OF_EACH : NOTHING_CAME_OF_IT) }
      }
      const answer = quota.reserve(id, wanted, longestMs)
      return answer instanceof Promise ? answer.then(hold) : hold(answer)
    },
    draw(account) {
      const id = String(++count)
      const counted = (answer: Reserved): void => {
        if (!answer.ok) throw drawnOften(answer)
        quota.settle(id, {})
      }
      const answer = quota.reserve(id, [{ pool: `${account.id} random`, limits: DRAWS, amounts: { requests: 1 } }], DRAW_MS)
      return answer instanceof Promise ? answer.then(counted) : counted(answer)
    },
    standing(account, nowMs) {
      const standing: Standing = { rate: undefined, day: undefined, concurrency: undefined }
      for (const { limit, remaining, resetsInMs } of quota.status(claimsOf(account))) {
        const what = kindOf[limit.unit]
        if (!what) continue
        const resetMs = what === 'day' ? nextUtcMidnight(nowMs) : nowMs + resetsInMs
        standing[what] = { limit: limit.max, remaining: Math.floor(remaining), resetMs } satisfies Room
      }
      return standing
    },
  }
}

/** In the order in which they are looked at. */
function limitsOf({ rpm_limit, daily_limit, max_concurrency }: Account): Limit[] {
  const limits: Limit[] = []
  if (rpm_limit !== undefined) limits.push({ unit: 'requests', max: rpm_limit, per: 'minute' })
  if (daily_limit !== undefined) limits.push({ unit: DAY_UNIT, max: daily_limit, per: 'day', clock: 'UTC' })
  if (max_concurrency !== undefined) limits.push({ unit: 'concurrency', max: max_concurrency })
  return limits
}

function drawnOften({ limit, opensInMs }: Extract<Reserved, { ok: false }>): FreewayError {
  return new FreewayError('rate_limit_error', `the limit of ${limit.max} random models per hour is reached`, {
    retryAfterMs: opensInMs,
    shouldRetry: false,
  })
}

function spentBy({ limit, opensInMs }: Extract<Reserved, { ok: false }>, nowMs: number): Spent {
  const what = kindOf[limit.unit] ?? 'rate'
  // A place among the day's successes may come back sooner, if one that runs now fails; nobody should wait for that.
  const retryAfterMs = what === 'day' ? nextUtcMidnight(nowMs) - nowMs : opensInMs
  return { what, limit: limit.max, retryAfterMs }
}
