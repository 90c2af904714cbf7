// Pure. One limit as this replica sees it: what is used by all, what others hold, and what we may spend without asking.

import { countsUntil, dispatchMs, type Limit } from '#contracts/limit.ts'
import { type Entry, heldByOthers, type IsGone, type Learned, meterKey } from './entry.ts'
import { Tally } from './tally.ts'

export interface Meter {
  readonly key: string
  limit: Limit
  /** How much later than we somebody else may count a use. */
  readonly lateMs: number
  learned: Learned | undefined
  /** As all replicas know it. */
  readonly shared: Tally
  /** Spent by us, not written yet. May be negative: given back. */
  readonly pending: Tally
  /** Of that, what was written since we were cut off: of what was left then it goes on to be our part. */
  toldAlone: number
  others: { amount: number; untilMs: number }
  /** Ours to spend without asking. */
  free: number
  /** Concurrency alone: what is open through us. */
  open: number
  /** A calendar window is looked up once: its end, and since when that is known. */
  period: { until: readonly [number]; sinceMs: number }
}

/** `here`: uses count where and when they happen. */
export function createMeter(limit: Limit, here: boolean): Meter {
  return {
    key: meterKey(limit.unit, limit.per, limit.clock),
    limit,
    lateMs: here || limit.per === undefined ? 0 : dispatchMs(limit.per),
    learned: undefined,
    shared: new Tally(),
    pending: new Tally(),
    toldAlone: 0,
    others: { amount: 0, untilMs: 0 },
    free: 0,
    open: 0,
    period: { until: [0], sinceMs: 0 },
  }
}

export function readEntry(meter: Meter, entry: Entry, me: string, isGone: IsGone): void {
  meter.shared.replace(entry.used[meter.key] ?? [])
  meter.others = heldByOthers(entry, me, meter.key, isGone)
  const learned = entry.learned[meter.key]
  if (learned && learned.atMs > (meter.learned?.atMs ?? 0)) meter.learned = learned
}

/** What was spent is written, so that others count it. */
export function told(meter: Meter, untilMs: number, amount: number, alone: boolean): void {
  meter.pending.add(untilMs, -amount)
  if (alone) meter.toldAlone += amount
}

/** The provider's word counts where it is the smaller. */
export function maxOf({ limit, learned }: Meter): number {
  return learned?.max !== undefined && learned.max < limit.max ? learned.max : limit.max
}

/** Used by others with the same key, whom only the provider sees. */
export function elsewhere({ learned }: Meter, nowMs: number): number {
  return learned?.elsewhere && learned.elsewhere[0] > nowMs ? learned.elsewhere[1] : 0
}

export function usedOf(meter: Meter, nowMs: number): number {
  return meter.shared.sum(nowMs) + meter.pending.sum(nowMs) + meter.open + elsewhere(meter, nowMs)
}

/** What may still be spent by us, as far as we know; what we hold is part of it. */
export function roomOf(meter: Meter, nowMs: number): number {
  return maxOf(meter) - usedOf(meter, nowMs) - meter.others.amount
}

/** Until when a use counts that happens now. Nothing for what is open. */
export function usesUntil(meter: Meter, nowMs: number): readonly number[] {
  const { per, clock } = meter.limit
  if (per === undefined) return NONE
  if (clock === undefined) return countsUntil(per, undefined, nowMs, meter.lateMs)
  const { until, sinceMs } = meter.period
  if (nowMs < until[0] - meter.lateMs && nowMs >= sinceMs) return until
  const cells = countsUntil(per, clock, nowMs, meter.lateMs)
  if (cells.length === 1) meter.period = { until: cells, sinceMs: nowMs }
  return cells
}

const NONE: readonly number[] = []

/** When `amount` may be spent, in ms since 1970, if nobody else takes anything. At once: `nowMs`. Never: infinity. */
export function opensAt(meter: Meter, amount: number, nowMs: number): number {
  const max = maxOf(meter)
  if (amount > max) return Number.POSITIVE_INFINITY
  let room = roomOf(meter, nowMs)
  if (room >= amount) return nowMs
  // What is open ends when it ends, wherever that is; it is looked at again soon.
  if (meter.limit.per === undefined) return nowMs + OPEN_AGAIN_MS
  const cells = [...meter.shared.cells(), ...meter.pending.cells()]
  if (meter.learned?.elsewhere) cells.push(meter.learned.elsewhere)
  if (meter.others.amount > 0) cells.push([Math.max(meter.others.untilMs, nowMs + 1), meter.others.amount])
  cells.sort((a, b) => a[0] - b[0])
  for (const [untilMs, used] of cells) {
    if (untilMs <= nowMs) continue
    room += used
    if (room >= amount) return untilMs
  }
  return nowMs + OPEN_AGAIN_MS
}

const OPEN_AGAIN_MS = 1_000
