// Events on their way to the log: recorded in no time, sent in batches, repeated until acknowledged. A full ring goes to a file;
// when that is full too, events are dropped and counted, and the count is an event itself, so nothing vanishes unseen.

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
  /** Everything recorded before has been stored for good; monotonic ms. Events that were lost hold it back for half a minute. */
  readonly storedBeforeMs: number
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
  /** How long the first event of a batch waits for others. Many that come together wait up to four times as long: each batch has a price. */
  flushMs?: number
  maxBatch?: number
}

const REPEAT_MS = 500
const CLOSE_MS = 5_000
/** Well below what one message may hold. */
const MAX_BATCH_BYTES = 256 * 1024
/** Batches out of the file before new events have their turn. */
const DRAINED_TOGETHER = 20
/** A batch of so many events on is a large one. */
const MANY = 25
const PATIENCE = 4
const LOSS_REMEMBERED_MS = 30_000
const NONE = Number.POSITIVE_INFINITY

const encoder = new TextEncoder()

export function openOutbox({ events, role, instance, spool, ringSize = 10_000, flushMs = 50, maxBatch = 500 }: OutboxOptions): Outbox {
  const subject = eventSubject(role, 'batch', 'v1')
  let ring: Event[] = []
  /** Since when something waits in the ring, is on its way, and is in the file; what was lost last. */
  const since = { ring: NONE, sending: NONE, spool: NONE, loss: NONE }
  let lostAtMs = Number.NEGATIVE_INFINITY
  let batches = 0
  let patience = 1
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
    if (closed || (ring.length + (sending?.count ?? 0) >= ringSize && !startSpilling())) return drop(1, performance.now())
    push(event)
    arm()
  }

  function push(event: Event): void {
    if (ring.length === 0) since.ring = performance.now()
    ring.push(event)
  }

  function drop(count: number, recordedMs: number): void {
    const nowMs = performance.now()
    dropped += count
    since.loss = nowMs - lostAtMs < LOSS_REMEMBERED_MS ? Math.min(since.loss, recordedMs) : recordedMs
    lostAtMs = nowMs
  }

  function arm(): void {
    if (timer === undefined && running === undefined) timer = setTimeout(start, flushMs * patience)
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
      if (ring.length > 0) {
        const batch = nextBatch(ring, since.ring)
        ring = batch.taken === ring.length ? [] : ring.slice(batch.taken)
        if (batch.count === 0) continue
        patience = batch.count >= MANY ? PATIENCE : 1
        since.sending = since.ring
        sending = batch
        if (!(await sendUntilStored(batch))) return
        sending = undefined
        since.sending = NONE
      }
      if (spool && spool.bytes > 0 && !closed) await spool.drain(sendUntilStored, DRAINED_TOGETHER)
      if (closed && ring.length === 0) return
      if (ring.length > 0 && ring.length < maxBatch && !closed) await pause(flushMs * patience)
    }
  }

  /** The whole ring to the file, in parts; meanwhile another one fills. False if there is no file, or it is not done with the last one. */
  function startSpilling(): boolean {
    if (!spool || spilling !== undefined) return false
    const full = ring
    ring = []
    since.spool = spool.bytes > 0 ? Math.min(since.spool, since.ring) : since.ring
    spilling = spill(full).finally(() => {
      spilling = undefined
    })
    return true
  }

  async function spill(full: Event[]): Promise<void> {
    let rest = full
    while (rest.length > 0) {
      const batch = nextBatch(rest, since.spool)
      rest = rest.slice(batch.taken)
      if (batch.count > 0 && !(await spool?.write(batch))) drop(batch.count, since.spool)
    }
  }

  function reportDropped(): void {
    if (dropped === 0) return
    push({ name: 'drop.count', id: `${instance}.${++reports}.drop.count.${role}`, at: Date.now(), instance, dropped })
    reported += dropped
    dropped = 0
  }

  /** The first of these events, as many as a message holds. None where the very first is too large for any: that one is dropped. */
  function nextBatch(waiting: readonly Event[], sinceMs: number): CountedBatch {
    for (let count = Math.min(waiting.length, maxBatch); ; count = Math.ceil(count / 2)) {
      const data = encoder.encode(JSON.stringify({ events: count === waiting.length ? waiting : waiting.slice(0, count) }))
      if (data.length <= MAX_BATCH_BYTES) return { id: `${instance}.${++batches}`, data, count, taken: count }
      if (count > 1) continue
      drop(1, sinceMs)
      return { id: '', data, count: 0, taken: 1 }
    }
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
    get storedBeforeMs() {
      const nowMs = performance.now()
      const inRing = ring.length > 0 ? since.ring : nowMs
      const inFile = spilling !== undefined || (spool && spool.bytes > 0) ? since.spool : nowMs
      return Math.min(inRing, since.sending, inFile, nowMs - lostAtMs < LOSS_REMEMBERED_MS ? since.loss : nowMs)
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
