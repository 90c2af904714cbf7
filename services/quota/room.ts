// Pure. What is left of limits, for whoever chooses among them and for whoever wants to see them.

import type { Limit, Unit } from '#contracts/limit.ts'
import { type Meter, maxOf, opensAt, roomOf, usedOf } from './meter.ts'

/** `limits` is known again by identity: keep the array. A unit without an amount is not counted. */
export interface Claim {
  pool: string
  limits: readonly Limit[]
  amounts: Amounts
}
export type Amounts = Partial<Record<Unit, number>>

/** `opensInMs`: until the limit has room again, if nobody else takes it. */
export type Reserved = { ok: true } | { ok: false; opensInMs: number; limit: Limit; pool: string }

/** The room that is left in the tightest limit. */
export interface Room {
  /** 0: spent; 1: untouched. */
  headroom: number
  /** When the amounts may be taken, in ms from now. Absent: now. Infinite: never. */
  opensInMs?: number
}

/** One limit of a pool as it stands. */
export interface LimitStatus {
  pool: string
  limit: Limit
  used: number
  /** What this replica may still take, as far as it knows. */
  remaining: number
  /** Until nothing of it is used any more, if nothing is added. */
  resetsInMs: number
  /** Whose number holds. */
  source: 'configured' | 'learned'
  /** What the provider has told, if it has. */
  learnedMax?: number
}

export const untouched: Room = { headroom: 1 }

/** More than the whole limit never fits: it is let in when nothing else is. */
export function fitting(meter: Meter, amount: number): number {
  const max = maxOf(meter)
  return max > 0 && amount > max ? max : amount
}

export function narrower(a: Room, b: Room): Room {
  const headroom = Math.min(a.headroom, b.headroom)
  if (a.opensInMs === undefined && b.opensInMs === undefined) return { headroom }
  return { headroom, opensInMs: Math.max(a.opensInMs ?? 0, b.opensInMs ?? 0) }
}

/** `amountOf`: what is wanted of a meter. */
export function roomIn(meters: readonly Meter[], amountOf: (meter: Meter) => number, nowMs: number): Room {
  let headroom = 1
  let opensAtMs = nowMs
  for (const meter of meters) {
    const max = maxOf(meter)
    const left = roomOf(meter, nowMs)
    headroom = Math.min(headroom, max > 0 ? Math.max(0, left / max) : 0)
    const amount = fitting(meter, amountOf(meter))
    if (amount > 0 && left < amount) opensAtMs = Math.max(opensAtMs, opensAt(meter, amount, nowMs))
  }
  return opensAtMs > nowMs ? { headroom, opensInMs: opensAtMs - nowMs } : { headroom }
}

export function statusOf(pool: string, meter: Meter, nowMs: number): LimitStatus {
  const max = maxOf(meter)
  // What others have open is open; what they hold of a window they may not need.
  const used = usedOf(meter, nowMs) + (meter.limit.per === undefined ? meter.others.amount : 0)
  const status: LimitStatus = {
    pool,
    limit: meter.limit,
    used,
    remaining: Math.max(0, roomOf(meter, nowMs)),
    resetsInMs: used > 0 ? Math.max(0, opensAt(meter, max, nowMs) - nowMs) : 0,
    source: max < meter.limit.max ? 'learned' : 'configured',
  }
  return meter.learned?.max === undefined ? status : { ...status, learnedMax: meter.learned.max }
}
