// Events on their way to the log: recorded in no time, sent in batches, repeated until acknowledged. A full ring goes to a file;
// when that is full too, events are dropped and counted, and the count is an event itself, so nothing vanishes unseen.

import { Buffer } from 'node:buffer'
import process from 'node:process'
import type { EventLog } from '#contracts/bus.ts'
import type { Event, Role } from '#contracts/event.ts'
import { event as eventSubject } from '#contracts/subjects.ts'
import type { Batch, Spool } from './outbox-spool.ts'

export interface Outbox {
  /** Never blocks, never throws. */
  record(event: Event): void
  /** Events in memory, and bytes of the file, that are not acknowledged yet; events that are lost for good. */
  readonly depth: { events: number; spoolBytes: number; dropped: number }
  /** Sends what is left until it is acknowledged, for at most five seconds; then to the file. What is recorded afterwards is lost. */
  close(): Promise<void>
}

export interface OutboxOptions {
  events: EventLog
  role: Role
  /** New at every start of the process: batch ids are made of it and must never come twice. */
  instance: string
  /** Where a full ring goes; without it events are dropped. */
  spool?: Spool
  ringSize?: number
  /** How long the first event of a batch waits for others. */
  flushMs?: number
  maxBatch?: number
}

const REPEAT_MS = 500
const CLOSE_MS = 5_000
/** Well below what one message may hold. */
const MAX_BATCH_BYTES = 256 * 1024
/** Batches out of the file before new events have their turn. */
const DRAINED_TOGETHER = 20

const encoder = new TextEncoder()

export function openOutbox({ events, role, instance, spool, ringSize = 10_000, flushMs = 50, maxBatch = 500 }: OutboxOptions): Outbox {
  const subject = eventSubject(role, 'batch', 'v1')
  let ring: Event[] = []
  let batches = 0
  /** The batch that is on its way; its events still take room. */
  let sending: CountedBatch | undefined
  let spilling: Promise<void> | undefined
  let dropped = 0
  /** Of those that were reported as dropped. */
  let reported = 0
  let reports = 0
  let timer: ReturnType<typeof setTimeout> | undefined
  let running: Promise<void> | undefined
  let closed = false
  let deadline = Number.POSITIVE_INFINITY
  let hurry: () => void = () => {}
  // What a process before us could not send.
  if (spool && spool.bytes > 0) arm()

  function record(event: Event): void {
    if (closed) {
      dropped++
      return
    }
    if (ring.length + (sending?.count ?? 0) >= ringSize && !startSpilling()) {
      dropped++
      return
    }
    ring.push(event)
    arm()
  }

  function arm(): void {
    if (timer === undefined && running === undefined) timer = setTimeout(start, flushMs)
  }

  function start(): void {
    timer = undefined
    running ??= run().finally(() => {
      running = undefined
      if (ring.length > 0 && !closed) arm()
    })
  }

  async function run(): Promise<void> {
    while (ring.length > 0 || dropped > 0 || (spool && spool.bytes > 0)) {
      reportDropped()
      const batch = nextBatch(ring)
      if (batch) {
        ring = ring.slice(batch.taken)
        if (batch.count === 0) continue
        sending = batch
        if (!(await sendUntilStored(batch))) return
        sending = undefined
      }
      if (spool && spool.bytes > 0 && !closed) await spool.drain(sendUntilStored, DRAINED_TOGETHER)
      if (closed && ring.length === 0) return
      if (ring.length > 0 && ring.length < maxBatch && !closed) await pause(flushMs)
    }
  }

  /** The whole ring to the file, in parts; meanwhile another one fills. False if there is no file, or it is not done with the last one. */
  function startSpilling(): boolean {
    if (!spool || spilling !== undefined) return false
    const full = ring
    ring = []
    spilling = spill(full).finally(() => {
      spilling = undefined
    })
    return true
  }

  async function spill(full: Event[]): Promise<void> {
    let rest = full
    while (rest.length > 0) {
      const batch = nextBatch(rest)
      if (!batch) return
      rest = rest.slice(batch.taken)
      if (batch.count > 0 && !(await spool?.write(batch))) dropped += batch.count
    }
  }

  function reportDropped(): void {
    if (dropped === 0) return
    ring.push({ name: 'drop.count', id: `${instance}.${++reports}.drop.count.${role}`, at: Date.now(), instance, dropped })
    reported += dropped
    dropped = 0
  }

  /** The first of these events, without those that no message could hold. Undefined if there are none. */
  function nextBatch(waiting: readonly Event[]): CountedBatch | undefined {
    const texts: string[] = []
    let bytes = 0
    let taken = 0
    for (const event of waiting) {
      if (texts.length === maxBatch) break
      const text = JSON.stringify(event)
      const size = Buffer.byteLength(text)
      if (size > MAX_BATCH_BYTES) dropped++
      else if (bytes + size > MAX_BATCH_BYTES) break
      else {
        texts.push(text)
        bytes += size
      }
      taken++
    }
    if (taken === 0) return undefined
    return { id: `${instance}.${++batches}`, data: encoder.encode(`{"events":[${texts.join(',')}]}`), count: texts.length, taken }
  }

  /** False if the time to close ran out first. */
  async function sendUntilStored({ id, data }: Batch): Promise<boolean> {
    for (;;) {
      try {
        await events.append(subject, id, data)
        return true
      } catch {
        // Whatever the reason: the same id again, later, makes a repeat of what was stored after all harmless.
        if (performance.now() > deadline) return false
        await pause(REPEAT_MS * (0.75 + Math.random() / 2))
      }
    }
  }

  function pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const wait = setTimeout(resolve, ms)
      hurry = () => {
        clearTimeout(wait)
        resolve()
      }
    })
  }

  async function keepUnsent(): Promise<void> {
    await spilling
    if (sending && (await spool?.write(sending))) sending = undefined
    if (!spool) return
    reportDropped()
    const rest = ring
    ring = []
    await spill(rest)
  }

  return {
    record,
    get depth() {
      return { events: ring.length + (sending?.count ?? 0), spoolBytes: spool?.bytes ?? 0, dropped: dropped + reported }
    },
    async close() {
      if (closed) return
      closed = true
      deadline = performance.now() + CLOSE_MS
      clearTimeout(timer)
      hurry()
      start()
      const giveUp = Promise.withResolvers<void>()
      const limit = setTimeout(giveUp.resolve, CLOSE_MS)
      await Promise.race([running, giveUp.promise])
      clearTimeout(limit)
      await keepUnsent()
      const lost = ring.length + (sending?.count ?? 0) + dropped
      if (lost > 0) process.emitWarning(`outbox: ${lost} events could not be stored before the end`)
    },
  }
}

interface CountedBatch extends Batch {
  /** Events in it, and how many were looked at to make it. */
  count: number
  taken: number
}
