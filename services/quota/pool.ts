// One pool as one replica has it: it spends from its own hold without asking, and asks all others only for more.

import type { KeyValue, KeyValueEntry } from '#contracts/bus.ts'
import type { Limit } from '#contracts/limit.ts'
import { type IsGone, meterKey } from './entry.ts'
import { createMeter, type Meter, maxOf, opensAt, readEntry, roomOf, usesUntil } from './meter.ts'
import { RETRY_MS } from './outage.ts'
import type { Answer, Demand, Shortage } from './plan.ts'
import { setReturned } from './void.ts'
import { RENEW_MS, Writer } from './writer.ts'

/** What is given back near the limit is told soon: others may be waiting for it. */
const GIVE_BACK_MS = 5
/** What was spent beyond the hold. */
const DEBT_MS = 50
/** The limit is near when less than one part in so many is left, or when there is room for less than so many of the same. */
const NEAR = 16
const NEAR_REQUESTS = 32
/** Fewer than this many of the same may be taken by others in the moment that a slow bucket needs: they are no plenty. */
const PLENTY_REQUESTS = 500

export interface PoolWorld {
  keyValue: KeyValue
  me: string
  now: () => number
  /** How many replicas share the pools, ourselves included: what is left is divided by it while the bucket cannot be written. */
  replicas: () => number
  isGone: IsGone
  /** Uses count where and when they happen. */
  here: boolean
  /** There may be more room than before. */
  onRoom: () => void
}

export class Pool {
  readonly name: string
  readonly #world: PoolWorld
  readonly #meters = new Map<string, Meter>()
  readonly #byLimits = new WeakMap<readonly Limit[], Meter[]>()
  readonly #writer: Writer

  constructor(name: string, key: string, world: PoolWorld) {
    this.name = name
    this.#world = world
    const { keyValue, me, now, isGone } = world
    const decideAlone = (demand: Demand, share: number) => this.#decideAlone(demand, share)
    this.#writer = new Writer({ pool: name, key, me, keyValue, now, meters: this.#meters, isGone, decideAlone })
  }

  /** The meters of these limits, with the numbers as they are now. */
  metersOf(limits: readonly Limit[], nowMs: number): readonly Meter[] {
    this.#writer.lookAgain(nowMs)
    const known = this.#byLimits.get(limits)
    if (known) return known
    const meters = limits.map((limit) => this.#meterOf(limit))
    this.#byLimits.set(limits, meters)
    return meters
  }

  /** At once where the hold suffices, where there is certainly no room, or where the bucket does not answer. */
  take(demand: Demand, ttlMs: number): Answer | Promise<Answer> {
    const nowMs = this.#world.now()
    const writer = this.#writer
    writer.busyUntilMs = Math.max(writer.busyUntilMs, nowMs + ttlMs)
    writer.longestMs = Math.max(writer.longestMs, ttlMs)
    const { meters, amounts } = demand
    if (nowMs < writer.spendUntilMs && isFree(demand)) {
      writer.report(RENEW_MS)
      return { cells: meters.map((meter, i) => spend(meter, amounts[i] ?? 0, amounts[i] ?? 0, nowMs)) }
    }
    writer.lookAgain(nowMs)
    const short = shortage(demand, nowMs)
    if (short) return short
    if (writer.alone) return this.#decideAlone(demand, 1)
    return writer.ask(demand)
  }

  /** What was taken and not used, or less used than taken. `until`: as `take` told. */
  giveBack(meter: Meter, amount: number, until: readonly number[]): void {
    if (amount === 0) return
    const nowMs = this.#world.now()
    const ours = nowMs < this.#writer.spendUntilMs
    if (meter.limit.per === undefined) {
      meter.open -= amount
      if (ours) meter.free += amount
    } else {
      // Only what nobody has been told of yet may be spent again: what is told counts until its time, and then the hold would be short.
      const untold = ours && until.every((untilMs) => untilMs > nowMs && meter.pending.get(untilMs) >= amount)
      for (const untilMs of until) if (untilMs > nowMs) meter.pending.add(untilMs, -amount)
      if (untold) meter.free += amount
    }
    const near = roomOf(meter, nowMs) - meter.free < Math.max(maxOf(meter) / NEAR, NEAR_REQUESTS * amount)
    this.#writer.report(near ? GIVE_BACK_MS : RENEW_MS)
    this.#world.onRoom()
  }

  /** The whole of a reservation was given back. */
  returned(demand: Demand, cells: readonly (readonly number[])[]): void {
    const { entry, corrections } = this.#writer
    if (entry.fresh?.[demand.id] === undefined && entry.voided?.[demand.id] === undefined) return
    setReturned(corrections, demand, cells)
  }

  /** Nothing came of a reservation whose owner may be dead: it is taken back in its place, if it is one of a moment ago. */
  takeBack(id: string): void {
    if (this.#writer.entry.fresh?.[id] === undefined) return
    this.#writer.corrections.voids.add(id)
    this.#writer.report(0)
  }

  /** More was used than taken, whether there is room or not. */
  spendMore(meter: Meter, amount: number): void {
    const nowMs = this.#world.now()
    const covered = nowMs < this.#writer.spendUntilMs ? Math.min(meter.free, amount) : 0
    spend(meter, amount, covered, nowMs)
    this.#writer.report(covered < amount ? DEBT_MS : RENEW_MS)
  }

  /** The entry as another replica, or we, have written it. */
  onEntry({ value, revision }: KeyValueEntry): void {
    if (revision <= this.#writer.revision) return
    this.#writer.know(value, revision)
    const nowMs = this.#world.now()
    const holdsTooMuch = [...this.#meters.values()].some(
      (meter) => meter.free > 0 && roomOf(meter, nowMs) - meter.free < maxOf(meter) / NEAR,
    )
    if (holdsTooMuch) this.#writer.report(GIVE_BACK_MS)
    this.#world.onRoom()
  }

  /** A replica has died or come. */
  recount(): void {
    this.#writer.recount()
  }

  /** What was learned of the limits is told with the next write. */
  learned(): void {
    this.#writer.report(RENEW_MS)
  }

  close(graceMs: number): Promise<void> {
    return this.#writer.close(graceMs)
  }

  #meterOf(limit: Limit): Meter {
    const key = meterKey(limit.unit, limit.per, limit.clock)
    const known = this.#meters.get(key)
    if (known) {
      known.limit = limit
      return known
    }
    const meter = createMeter(limit, this.#world.here)
    readEntry(meter, this.#writer.entry, this.#world.me, this.#world.isGone)
    this.#meters.set(key, meter)
    return meter
  }

  /** By our own copy: each replica takes an equal part of what is left, so that together they stay within the limit. */
  #decideAlone({ meters, amounts }: Demand, share: number): Answer {
    const nowMs = this.#world.now()
    const parts = Math.max(1, this.#world.replicas()) * share
    for (const [i, meter] of meters.entries()) {
      const ours = Math.max(0, meter.pending.sum(nowMs)) + meter.toldAlone + meter.open
      const amount = amounts[i] ?? 0
      const room = Math.max(0, roomOf(meter, nowMs) + ours)
      if (ours + amount > room / parts || (share > 1 && room < PLENTY_REQUESTS * amount))
        return { meter, opensAtMs: Math.max(opensAt(meter, amount, nowMs), nowMs + RETRY_MS) }
    }
    this.#writer.report(GIVE_BACK_MS)
    return { cells: meters.map((meter, i) => spend(meter, amounts[i] ?? 0, 0, nowMs)) }
  }
}

/** The path of nearly every request, so without garbage. */
function isFree({ meters, amounts }: Demand): boolean {
  for (let i = 0; i < meters.length; i++) if ((meters[i] as Meter).free < (amounts[i] ?? 0)) return false
  return true
}

/** `covered` of it comes from what is free. Returns until when the use counts. */
function spend(meter: Meter, amount: number, covered: number, nowMs: number): readonly number[] {
  meter.free -= covered
  const until = usesUntil(meter, nowMs)
  if (meter.limit.per === undefined) meter.open += amount
  else if (amount !== 0) for (const untilMs of until) meter.pending.add(untilMs, amount)
  return until
}

function shortage({ meters, amounts }: Demand, nowMs: number): Shortage | undefined {
  for (const [i, meter] of meters.entries()) {
    const amount = amounts[i] ?? 0
    if (amount > 0 && roomOf(meter, nowMs) < amount) return { meter, opensAtMs: opensAt(meter, amount, nowMs) }
  }
  return undefined
}
