// Writes one pool for one replica, by compare-and-set. Demands that meet a write under way are served together by the next one.
// A write whose answer never came is known again by its number, so nothing is counted twice or forgotten.

import { setTimeout as pause } from 'node:timers/promises'
import { type KeyValue, RevisionConflict } from '#contracts/bus.ts'
import { createAlarm } from '../alarm.ts'
import { current, type Entry, emptyEntry, type IsGone, nextEnd, parseEntry, sameHeld } from './entry.ts'
import { type Meter, readEntry, told } from './meter.ts'
import { answered, isAlone, type Outage, RETRY_MS } from './outage.ts'
import { waitFor } from './patience.ts'
import { type Answer, type Demand, decide, planWrite, type Waiting, type Write } from './plan.ts'
import { copyOf, corrected, noCorrections, setReturned } from './void.ts'

/** How long a hold may be spent without asking. */
export const HOLD_MS = 10_000
/** It is renewed or given back before the others take it for lost. */
export const RENEW_MS = 8_000
/** Plenty: our part of what is left holds this many times what is asked for. */
const PLENTY = 16
const MAX_CONFLICT_PAUSE_MS = 20

export interface WriterOptions {
  pool: string
  key: string
  me: string
  keyValue: KeyValue
  now: () => number
  meters: ReadonlyMap<string, Meter>
  isGone: IsGone
  /** `share`: by how much to divide our part of what is left. */
  decideAlone(demand: Demand, share: number): Answer
}

const encoder = new TextEncoder()

export class Writer {
  readonly #options: WriterOptions
  entry: Entry
  revision = 0
  spendUntilMs = 0
  /** Until when calls may last that were let in so far, and how long one may last at most. */
  busyUntilMs = 0
  longestMs = 0
  readonly #outage: Outage = { away: false, cautiousUntilMs: 0 }
  #nextEndMs = Number.POSITIVE_INFINITY
  #seq = 0
  #queue: Waiting[] = []
  #reportDue = false
  readonly corrections = noCorrections()
  #working: Promise<void> | undefined
  /** Writes since the last one that was answered. */
  #unsure: Write[] = []
  #closed = false
  /** When the bucket last said anything, to us or to all. */
  #heardMs = 0
  readonly #alarm = createAlarm(() => this.#reportNow())

  constructor(options: WriterOptions) {
    this.#options = options
    this.entry = emptyEntry(options.pool)
  }

  /** The bucket does not answer, or has only just begun to: others may have spent what they have not told yet. */
  get alone(): boolean {
    return isAlone(this.#outage, performance.now())
  }

  ask(demand: Demand): Promise<Answer> {
    return new Promise((answer) => {
      this.#queue.push({ ...demand, answer, decided: false })
      this.#work()
    })
  }

  /** What we have spent and given back is told, at the latest after `delayMs`. */
  report(delayMs: number): void {
    if (!this.#closed) this.#alarm.in(delayMs)
  }

  /** Holds of others that have ended are seen as such. */
  lookAgain(nowMs: number): void {
    if (nowMs >= this.#nextEndMs) this.#know(current(this.entry, this.#options.me, nowMs), this.revision)
  }

  /** A replica has died or come: what it has open is seen anew. */
  recount(): void {
    this.#nextEndMs = 0
  }

  know(value: Uint8Array | undefined, revision: number): void {
    this.#heardMs = performance.now()
    this.#know(parseEntry(this.#options.pool, value), value ? revision : 0)
  }

  /** Gives back what is not spent and tells what is, for at most `graceMs`. */
  async close(graceMs: number): Promise<void> {
    if (this.#alarm.isSet) this.#reportNow()
    const enough = new AbortController()
    // The timer that is not needed any more says so by rejecting.
    await Promise.race([this.#working, pause(graceMs, undefined, enough).catch(() => {})])
    enough.abort()
    this.#closed = true
    this.#alarm.clear()
    this.#stall(this.#queue)
  }

  #reportNow(): void {
    this.#reportDue = true
    this.#work()
  }

  #work(): void {
    this.#working ??= this.#writeAll().finally(() => {
      this.#working = undefined
      if (!this.#closed && (this.#queue.length > 0 || this.#reportDue)) this.#work()
    })
  }

  async #writeAll(): Promise<void> {
    while (!this.#closed && (this.#queue.length > 0 || this.#reportDue)) {
      this.#reportDue = false
      if (await this.#write(this.#queue.splice(0))) continue
      // What was not written is written later, whoever asks in between.
      this.#reportDue = true
      await pause(RETRY_MS)
    }
  }

  /** False if the bucket cannot be written. Every demand has its answer then all the same. */
  async #write(demands: Waiting[]): Promise<boolean> {
    using _ = waitFor({
      slow: () => this.#letInSome([...demands, ...this.#queue]),
      away: () => this.#stall([...demands, ...this.#queue]),
      heardMs: () => this.#heardMs,
    })
    try {
      if (this.#unsure.length > 0) await this.#readAgain()
      for (let tries = 1; !(await this.#tryToWrite(demands)); tries++) {
        await this.#readAgain()
        await pause(Math.random() * Math.min(tries, MAX_CONFLICT_PAUSE_MS))
      }
      answered(this.#outage, performance.now())
      return true
    } catch {
      // Disconnected, no quorum, a full disk: whatever it is, requests go on by what we know, and it is tried again.
      this.#stall([...demands, ...this.#queue])
      return false
    }
  }

  /** False if somebody else was faster. */
  async #tryToWrite(demands: Waiting[]): Promise<boolean> {
    const write = this.#begin(demands)
    if (!write) return true
    this.#unsure.push(write)
    const { keyValue, key } = this.#options
    try {
      this.#written(write, await keyValue.update(key, encoder.encode(JSON.stringify(write.plan.entry)), this.revision))
      return true
    } catch (error) {
      if (!(error instanceof RevisionConflict)) throw error
      this.#unsure = this.#unsure.filter((one) => one !== write)
      return false
    }
  }

  /** Undefined if there is nothing to write. */
  #begin(demands: Waiting[]): Write | undefined {
    const { me, now, meters: known, isGone } = this.#options
    const nowMs = now()
    const meters = [...known.values()]
    if (nowMs >= this.spendUntilMs) for (const meter of meters) meter.free = 0
    const open = demands.filter(({ decided }) => !decided)
    const seq = ++this.#seq
    const corrections = copyOf(this.corrections)
    const calls = { busyUntilMs: this.busyUntilMs, longestMs: this.longestMs, isGone }
    const plan = planWrite({ entry: this.entry, me, seq, meters, demands: open, nowMs, holdMs: HOLD_MS, corrections, ...calls })
    const granted = plan.answers.some((answer) => 'cells' in answer)
    const tells = corrections.voids.size + corrections.returned.size > 0 || [...plan.told.values()].some((cells) => cells.length > 0)
    if (!granted && !tells && sameHeld(this.entry.holds[me]?.held, plan.entry.holds[me]?.held)) {
      for (const [i, waiting] of open.entries()) decide(waiting, plan.answers[i] as Answer)
      return undefined
    }
    // What goes back must not be spent from now on; what comes is there once it is written.
    const raise = new Map<Meter, number>()
    for (const [meter, free] of plan.free) {
      meter.free = Math.min(meter.free, free)
      raise.set(meter, free - meter.free)
    }
    return { seq, plan, raise, demands: open, atMs: nowMs, corrections }
  }

  #written({ plan, raise, demands, atMs, corrections }: Write, revision: number): void {
    this.#unsure = []
    corrected(this.corrections, corrections)
    for (const [meter, cells] of plan.told) for (const [untilMs, amount] of cells) told(meter, untilMs, amount, this.alone)
    for (const [meter, amount] of raise) meter.free += amount
    this.spendUntilMs = atMs + HOLD_MS
    if (revision >= this.revision) this.#know(plan.entry, revision)
    demands.forEach((waiting, i) => {
      const answer = plan.answers[i] as Answer
      if ('cells' in answer) this.#grant(waiting, answer.cells)
      decide(waiting, answer)
    })
    if ([...this.#options.meters.values()].some(({ free }) => free > 0)) this.report(RENEW_MS)
  }

  #grant(waiting: Waiting, cells: (readonly number[])[]): void {
    const { meters, amounts, decided } = waiting
    meters.forEach((meter, i) => {
      // One that was decided without this write has been counted by it as well, which is told now: others must not take it back too.
      if (decided) for (const untilMs of cells[i] ?? []) told(meter, untilMs, amounts[i] ?? 0, this.alone)
      else if (meter.limit.per === undefined) meter.open += amounts[i] ?? 0
    })
    if (!decided) return
    setReturned(this.corrections, waiting, cells)
    this.report(0)
  }

  async #readAgain(): Promise<void> {
    const found = await this.#options.keyValue.get(this.#options.key)
    const entry = parseEntry(this.#options.pool, found?.value)
    const seq = entry.holds[this.#options.me]?.seq
    const arrived = this.#unsure.find((write) => write.seq === seq)
    if (arrived) this.#written(arrived, found?.revision ?? 0)
    this.know(found?.value, found?.revision ?? 0)
  }

  #letInSome(demands: readonly Waiting[]): void {
    for (const waiting of demands) {
      const answer = waiting.decided ? undefined : this.#options.decideAlone(waiting, PLENTY)
      if (answer && 'cells' in answer) decide(waiting, answer)
    }
  }

  #stall(demands: readonly Waiting[]): void {
    if (!this.alone) for (const meter of this.#options.meters.values()) meter.toldAlone = 0
    this.#outage.away = true
    for (const waiting of demands) if (!waiting.decided) decide(waiting, this.#options.decideAlone(waiting, 1))
    this.#queue = []
  }

  #know(entry: Entry, revision: number): void {
    const { me, isGone } = this.#options
    this.entry = entry
    this.revision = revision
    this.#nextEndMs = nextEnd(entry, me)
    for (const meter of this.#options.meters.values()) readEntry(meter, entry, me, isGone)
  }
}
