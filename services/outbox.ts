// Events on their way to the log: recorded in no time, sent in batches, repeated until acknowledged.
// A full ring drops the newest and counts them; the count is an event itself, so nothing vanishes unseen.

import { Buffer } from 'node:buffer'
import process from 'node:process'
import type { EventLog } from '#contracts/bus.ts'
import type { Event, Role } from '#contracts/event.ts'
import { event as eventSubject } from '#contracts/subjects.ts'

export interface Outbox {
  /** Never blocks, never throws. */
  record(event: Event): void
  /** Sends what is left until it is acknowledged, for at most five seconds. What is recorded afterwards is lost. */
  close(): Promise<void>
}

export interface OutboxOptions {
  events: EventLog
  role: Role
  /** New at every start of the process: batch ids are made of it and must never come twice. */
  instance: string
  ringSize?: number
  /** How long the first event of a batch waits for others. */
  flushMs?: number
  maxBatch?: number
}

const REPEAT_MS = 500
const CLOSE_MS = 5_000
/** Well below what one message may hold. */
const MAX_BATCH_BYTES = 256 * 1024

const encoder = new TextEncoder()

export function openOutbox({ events, role, instance, ringSize = 10_000, flushMs = 25, maxBatch = 500 }: OutboxOptions): Outbox {
  const subject = eventSubject(role, 'batch', 'v1')
  let ring: Event[] = []
  let batches = 0
  /** Events of the batch that is on its way; they still take room. */
  let sending = 0
  let dropped = 0
  let reports = 0
  let timer: ReturnType<typeof setTimeout> | undefined
  let running: Promise<void> | undefined
  let closed = false
  let deadline = Number.POSITIVE_INFINITY
  let hurry: () => void = () => {}

  function record(event: Event): void {
    if (closed || ring.length + sending >= ringSize) {
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
    while (ring.length > 0 || dropped > 0) {
      reportDropped()
      const batch = nextBatch()
      if (batch && !(await sendUntilStored(batch))) return
      sending = 0
      if (ring.length > 0 && ring.length < maxBatch && !closed) await pause(flushMs)
    }
  }

  function reportDropped(): void {
    if (dropped === 0) return
    ring.push({ name: 'drop.count', id: `${instance}.${++reports}.drop.count.${role}`, at: Date.now(), instance, dropped })
    dropped = 0
  }

  /** Undefined if everything that was taken turned out to be too large for any message. */
  function nextBatch(): { id: string; data: Uint8Array } | undefined {
    const texts: string[] = []
    let bytes = 0
    let taken = 0
    for (const event of ring) {
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
    ring = ring.slice(taken)
    sending = texts.length
    if (texts.length === 0) return undefined
    return { id: `${instance}.${++batches}`, data: encoder.encode(`{"events":[${texts.join(',')}]}`) }
  }

  /** False if the time to close ran out first. */
  async function sendUntilStored({ id, data }: { id: string; data: Uint8Array }): Promise<boolean> {
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

  return {
    record,
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
      const lost = ring.length + sending + dropped
      if (lost > 0) process.emitWarning(`outbox: ${lost} events could not be stored before the end`)
    },
  }
}
