// Pure. The next state of a pool: what we have spent is told, who asks is served in order, and what is then left of our hold.
// Holds shrink towards the limit, so that the last units go one by one to whoever asks first.

import { charge, current, type Entry, type Hold, heldByOthers, type IsGone } from './entry.ts'
import { elsewhere, type Meter, maxOf, opensAt, usesUntil } from './meter.ts'
import type { Cell } from './tally.ts'
import { type Corrections, correct } from './void.ts'

/** A hold is at most one part in so many of what is left. */
const SHARE_OF_REST = 16
/** Requests a hold is enough for, at most. */
const MAX_BATCH = 100

/** `amounts` in the order of `meters`. */
export interface Demand {
  /** Of the reservation. */
  readonly id: string
  readonly meters: readonly Meter[]
  readonly amounts: readonly number[]
}

/** What a demand was refused for. */
export interface Shortage {
  meter: Meter
  opensAtMs: number
}

/** Until when what was taken counts, by meter; or what was short. */
export type Answer = { cells: (readonly number[])[] } | Shortage

/** A demand whose answer somebody waits for. It is decided once. */
export interface Waiting extends Demand {
  answer(answer: Answer): void
  decided: boolean
}

export interface Plan {
  entry: Entry
  /** For each demand. */
  answers: Answer[]
  /** What of each meter's `pending` is told with this. */
  told: Map<Meter, Cell[]>
  /** What each meter shall have free when this is written. */
  free: Map<Meter, number>
}

export interface PlanOptions {
  entry: Entry
  me: string
  seq: number
  meters: readonly Meter[]
  demands: readonly Demand[]
  nowMs: number
  holdMs: number
  /** Until when calls may last that are open now, and how long one may last that a hold still lets begin. */
  busyUntilMs: number
  longestMs: number
  corrections: Corrections
  isGone: IsGone
}

/** A plan whose answer is awaited. */
export interface Write {
  seq: number
  plan: Plan
  /** What becomes free once it is written. */
  raise: Map<Meter, number>
  demands: Waiting[]
  atMs: number
  corrections: Corrections
}

export function planWrite(options: PlanOptions): Plan {
  const { me, seq, meters, demands, nowMs, holdMs, busyUntilMs, longestMs, isGone } = options
  const entry = current(options.entry, me, nowMs)
  correct(entry, options.corrections, me, nowMs)
  const { used } = entry
  const told = new Map<Meter, Cell[]>()
  const left = new Map<Meter, number>()
  const opened = new Map<Meter, number>()
  for (const meter of meters) {
    const cells = meter.pending.cells().filter(([untilMs]) => untilMs > nowMs)
    told.set(meter, cells)
    for (const [untilMs, amount] of cells) charge(used, meter.key, untilMs, amount)
    if (meter.learned && meter.learned.atMs > (entry.learned[meter.key]?.atMs ?? 0)) entry.learned[meter.key] = meter.learned
    const sum = (used[meter.key] ?? []).reduce((total, [, amount]) => total + amount, 0)
    left.set(meter, maxOf(meter) - elsewhere(meter, nowMs) - sum - meter.open - heldByOthers(entry, me, meter.key, isGone).amount)
  }

  const rest = (meter: Meter) => left.get(meter) ?? 0
  const answers = demands.map((demand): Answer => {
    const short = demand.meters.find((meter, i) => rest(meter) < (demand.amounts[i] ?? 0))
    if (short) return { meter: short, opensAtMs: opensAt(short, demand.amounts[demand.meters.indexOf(short)] ?? 0, nowMs) }
    const cells = demand.meters.map((meter, i) => {
      const amount = demand.amounts[i] ?? 0
      const until = usesUntil(meter, nowMs)
      left.set(meter, rest(meter) - amount)
      if (meter.limit.per === undefined) opened.set(meter, (opened.get(meter) ?? 0) + amount)
      else if (amount !== 0) for (const untilMs of until) charge(used, meter.key, untilMs, amount)
      return until
    })
    return { cells }
  })

  const free = new Map(meters.map((meter) => [meter, 0]))
  const last = demands.findLast((_, i) => 'cells' in (answers[i] as object))
  const batch = last ? batchFor(last, rest) : []
  for (const [meter, amount] of batch) free.set(meter, amount)
  if (batch.length === 0) for (const [i, demand] of demands.entries()) remember(entry, demand, answers[i] as Answer, me, nowMs)
  const untilMs = nowMs + holdMs
  const held = heldBy(meters, free, opened, busyUntilMs > nowMs)
  // A replica that holds nothing still leaves its number, by which it knows its write again.
  entry.holds[me] = { seq, untilMs, held }
  const calls = meters.filter(({ key, limit }) => limit.per === undefined && held[key] !== undefined)
  const mayBegin = calls.some((meter) => (free.get(meter) ?? 0) > 0)
  if (calls.length > 0) entry.holds[me].busyUntilMs = mayBegin ? Math.max(busyUntilMs, untilMs + longestMs) : busyUntilMs
  return { entry, answers, told, free }
}

function remember({ fresh = {} }: Entry, { id, meters, amounts }: Demand, answer: Answer, by: string, atMs: number): void {
  if (!('cells' in answer)) return
  const { cells } = answer
  fresh[id] = { by, atMs, uses: meters.map((meter, i) => [meter.key, cells[i] ?? [], amounts[i] ?? 0]) }
}

/** What is held beyond what was asked for; nothing if the limit is near. */
function batchFor({ meters, amounts }: Demand, rest: (meter: Meter) => number): [Meter, number][] {
  let batch = MAX_BATCH
  meters.forEach((meter, i) => {
    const amount = amounts[i] ?? 0
    if (amount > 0) batch = Math.min(batch, Math.floor(rest(meter) / SHARE_OF_REST / amount))
  })
  return batch < 2 ? [] : meters.map((meter, i) => [meter, batch * (amounts[i] ?? 0)])
}

function heldBy(meters: readonly Meter[], free: Map<Meter, number>, opened: Map<Meter, number>, busy: boolean): Hold['held'] {
  const held: Hold['held'] = {}
  for (const meter of meters) {
    const amount = (free.get(meter) ?? 0) + (busy ? meter.open : 0) + (opened.get(meter) ?? 0)
    if (amount > 0) held[meter.key] = amount
  }
  return held
}

export function decide(waiting: Waiting, answer: Answer): void {
  if (waiting.decided) return
  waiting.decided = true
  waiting.answer(answer)
}
