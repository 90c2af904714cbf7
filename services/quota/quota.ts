// Exact quotas over any number of replicas: reserve, then settle or release, each once for a reservation however often it is told.
// What is shared stands in a key-value bucket, one entry for each pool. A replica takes from it in holds that it spends without asking;
// holds shrink towards the limit. If the bucket does not answer, each replica goes on with an equal part of what was left.

import type { KeyValue } from '#contracts/bus.ts'
import type { LearnedLimit } from '#contracts/limit.ts'
import { learnInto, unlearn } from './learn.ts'
import type { Meter } from './meter.ts'
import type { Pool } from './pool.ts'
import { openPools } from './pools.ts'
import type { Amounts, Claim, LimitStatus, Reserved, Room } from './room.ts'
import { fitting, narrower, roomIn, statusOf, untouched } from './room.ts'

export type { Amounts, Claim, LimitStatus, Reserved, Room } from './room.ts'

export interface Quota {
  /**
   * All or nothing. At once where what this replica holds suffices or is certainly not enough, else after one write. Claims that
   * share pools with others should come in the same order everywhere. After `ttlMs` without a word it counts as used.
   */
  reserve(id: string, claims: readonly Claim[], ttlMs: number): Reserved | Promise<Reserved>
  /** What was really used, by unit; units left out stay as reserved. An estimate may be replaced by the actual amounts, never the reverse. */
  settle(id: string, actual: Amounts, mode?: 'actual' | 'estimate'): boolean
  /** Nothing was used. False if there is no such reservation (any more). */
  release(id: string): boolean
  /** Nothing came of it, whoever has reserved it; others than the owner can only tell of what was taken near the limit, a moment ago. */
  abandon(id: string): void
  /** As far as this replica knows. */
  room(claims: readonly Claim[]): Room
  status(claims: readonly Claim[]): LimitStatus[]
  /** What the provider has told of these limits. Only ever lowers them. */
  learn(claim: Pick<Claim, 'pool' | 'limits'>, told: readonly LearnedLimit[]): void
  /** Until the provider tells again, the configured limits count: the operator knows better, e.g. after an upgrade of his plan. */
  unlearn(claim: Pick<Claim, 'pool' | 'limits'>): void
  /** Called when there may be more room than before. */
  onRoom(listener: () => void): void
  readonly open: number
  close(): Promise<void>
}

export interface QuotaOptions {
  keyValue: KeyValue
  /** What is counted here, e.g. `provider`, `client`; a token of a key. */
  scope: string
  /** New at every start of the process. */
  instance: string
  /** Wall clock in ms since 1970: windows are the same for all replicas. */
  now?: () => number
  /**
   * What is open ends with the replica that opened it: so long after its last word, others may have the place.
   * Absent: it goes on without its replica, until its time, as calls of a worker do.
   */
  leaseMs?: number
  /** Uses count where and when they happen. Absent: they are calls, which somebody else counts a moment later. */
  here?: boolean
}

interface Part {
  id: string
  pool: Pool
  meters: readonly Meter[]
  amounts: number[]
  cells: readonly (readonly number[])[]
}

interface Reservation {
  state: 'asking' | 'reserved' | 'estimated' | 'released'
  parts: Part[]
  untilMs: number
}

const SWEEP_MS = 5_000
/** How long an estimate may still be replaced. */
const ESTIMATE_MS = 60_000
const CLOSE_MS = 1_000

export async function openQuota({ keyValue, scope, instance, now = Date.now, leaseMs, here = false }: QuotaOptions): Promise<Quota> {
  const listeners = new Set<() => void>()
  const reservations = new Map<string, Reservation>()
  const onRoom = () => {
    for (const listener of listeners) listener()
  }
  const pools = await openPools({ keyValue, scope, instance, now, leaseMs, here, onRoom })
  const sweeper = setInterval(() => sweep(now()), SWEEP_MS)
  let sweepAtMs = 0

  function partOf(id: string, { pool: name, limits, amounts }: Claim): Part {
    const pool = pools.named(name)
    const meters = pool.metersOf(limits, now())
    return { id, pool, meters, amounts: meters.map((meter) => fitting(meter, amounts[meter.limit.unit] ?? 0)), cells: [] }
  }

  function reserve(id: string, claims: readonly Claim[], ttlMs: number): Reserved | Promise<Reserved> {
    if (reservations.has(id)) return { ok: true }
    const nowMs = now()
    if (nowMs >= sweepAtMs) sweep(nowMs)
    const reservation: Reservation = { state: 'asking', parts: [], untilMs: nowMs + ttlMs }
    reservations.set(id, reservation)
    return takeFrom(0)

    function takeFrom(index: number): Reserved | Promise<Reserved> {
      for (let i = index; i < claims.length; i++) {
        const claim = claims[i] as Claim
        if (claim.limits.length === 0) continue
        const part = partOf(id, claim)
        const answer = part.pool.take(part, ttlMs)
        if (answer instanceof Promise) return answer.then((late) => taken(part, late) ?? takeFrom(i + 1))
        const refused = taken(part, answer)
        if (refused) return refused
      }
      if (reservation.state === 'asking') reservation.state = 'reserved'
      return { ok: true }
    }

    function taken(part: Part, answer: Awaited<ReturnType<Pool['take']>>): Reserved | undefined {
      if ('cells' in answer) {
        part.cells = answer.cells
        reservation.parts.push(part)
        if (reservation.state !== 'released') return undefined
      }
      reservations.delete(id)
      for (const each of reservation.parts) giveBack(each)
      const opensInMs = 'cells' in answer ? 0 : Math.max(1, answer.opensAtMs - now(), room(claims).opensInMs ?? 0)
      const limit = 'cells' in answer ? (part.meters[0] as Meter).limit : answer.meter.limit
      return { ok: false, opensInMs, limit, pool: part.pool.name }
    }
  }

  function release(id: string): boolean {
    const reservation = reservations.get(id)
    if (!reservation || reservation.state === 'released') return false
    if (reservation.state === 'asking') {
      reservation.state = 'released'
      return true
    }
    if (reservation.state === 'estimated') return false
    reservations.delete(id)
    for (const part of reservation.parts) giveBack(part)
    return true
  }

  function settle(id: string, actual: Amounts, mode: 'actual' | 'estimate' = 'actual'): boolean {
    const reservation = reservations.get(id)
    if (!reservation || reservation.state === 'asking' || reservation.state === 'released') return false
    if (reservation.state === 'estimated' && mode === 'estimate') return false
    for (const part of reservation.parts) settlePart(part, actual, reservation.state === 'reserved')
    if (mode === 'actual') reservations.delete(id)
    else {
      reservation.state = 'estimated'
      reservation.untilMs = now() + ESTIMATE_MS
    }
    return true
  }

  function settlePart({ pool, meters, amounts, cells }: Part, actual: Amounts, first: boolean): void {
    for (const [i, meter] of meters.entries()) {
      const reserved = amounts[i] ?? 0
      const { unit, per } = meter.limit
      if (per === undefined) {
        if (first) pool.giveBack(meter, reserved, [])
        continue
      }
      const used = actual[unit] ?? reserved
      if (used < reserved) pool.giveBack(meter, reserved - used, cells[i] ?? [])
      else if (used > reserved) pool.spendMore(meter, used - reserved)
      amounts[i] = used
    }
  }

  function giveBack(part: Part): void {
    const { pool, meters, amounts, cells } = part
    for (const [i, meter] of meters.entries()) pool.giveBack(meter, amounts[i] ?? 0, cells[i] ?? [])
    pool.returned(part, cells)
  }

  function room(claims: readonly Claim[]): Room {
    const nowMs = now()
    let narrowest = untouched
    for (const { pool, limits, amounts } of claims) {
      if (limits.length === 0) continue
      const here = roomIn(pools.named(pool).metersOf(limits, nowMs), ({ limit }) => amounts[limit.unit] ?? 0, nowMs)
      narrowest = narrowest === untouched ? here : narrower(narrowest, here)
    }
    return narrowest
  }

  /** Nobody told what became of them. A call may have been made, so they count; what was open is taken to have ended. */
  function sweep(nowMs: number): void {
    sweepAtMs = nowMs + SWEEP_MS
    for (const [id, reservation] of reservations) {
      if (reservation.untilMs > nowMs || reservation.state === 'asking') continue
      settle(id, {}, 'actual')
      reservations.delete(id)
    }
  }

  return {
    reserve,
    settle,
    release,
    abandon(id) {
      if (!release(id) && !reservations.has(id)) for (const pool of pools.all()) pool.takeBack(id)
    },
    room,
    status(claims) {
      const nowMs = now()
      return claims.flatMap(({ pool, limits }) =>
        pools
          .named(pool)
          .metersOf(limits, now())
          .map((meter) => statusOf(pool, meter, nowMs)),
      )
    },
    learn({ pool: name, limits }, told) {
      if (limits.length === 0) return
      const pool = pools.named(name)
      if (learnInto(pool.metersOf(limits, now()), told, now())) pool.learned()
    },
    unlearn({ pool: name, limits }) {
      if (limits.length === 0) return
      const pool = pools.named(name)
      if (!unlearn(pool.metersOf(limits, now()), now())) return
      pool.learned()
      onRoom()
    },
    onRoom: (listener) => void listeners.add(listener),
    get open() {
      return reservations.size
    },
    async close() {
      clearInterval(sweeper)
      await pools.close(CLOSE_MS)
    },
  }
}
