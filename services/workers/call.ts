// The provider's side of an attempt: one call, and what comes of it on its way to the attempt's owner.
// It hears the connection and tells the owner itself, as methods: a closure for each would be a fifth of what an attempt allocates.

import type { Fail, Head, Offer } from '#contracts/attempt.ts'
import type { Usage } from '#contracts/settlement.ts'
import type { AttemptTrace } from './attempt-trace.ts'
import type { AttemptWorld } from './attempt-world.ts'
import type { CallTimes } from './call-times.ts'
import { overdueBy, timesOf, timeToFirstToken } from './call-times.ts'
import { endOf, headOf, type Outgoing } from './outgoing.ts'
import { type AnswerEnd, type AnswerSink, GivenUp, type Listener } from './sink.ts'
import type { UpstreamCall, UpstreamEvents } from './upstream.ts'
import { estimatedUsage } from './usage.ts'

/** An answer up to this size goes out as one message: it needs no window, and is repeated whole until it is confirmed. */
const MAX_WHOLE_BYTES = 64 * 1024

/** The attempt that makes the call. */
export interface Caller {
  readonly offer: Offer
  /** The owner has given up what was to be called. */
  isGivenUp(nowMs: number): boolean
  /** The call is over; `message` is the last word of it. May come more than once: the first counts. */
  finish(result: string, message: object, nowMs: number, body?: Uint8Array): void
}

export interface Granted {
  ttlMs: number
  /** A short answer may come as one message. */
  whole: boolean
}

export class Call implements UpstreamEvents, AnswerSink {
  readonly #caller: Caller
  readonly #world: AttemptWorld
  readonly #out: Outgoing
  readonly #trace: AttemptTrace
  readonly #takesWhole: boolean
  readonly #times: CallTimes
  readonly #answer: Listener
  #upstream: UpstreamCall | undefined
  #paused = false
  #sent = false
  #usage: Usage | undefined
  /** Output bytes so far: what an interrupted answer is charged by. */
  #payloadBytes = 0

  constructor(caller: Caller, world: AttemptWorld, out: Outgoing, trace: AttemptTrace, { ttlMs, whole }: Granted, nowMs: number) {
    this.#caller = caller
    this.#world = world
    this.#out = out
    this.#trace = trace
    this.#takesWhole = whole
    this.#times = timesOf(nowMs, ttlMs)
    this.#answer = world.answer(this)
    trace.called()
    this.#upstream = world.call(this)
  }

  /** A byte of the request may have been written. */
  get sent(): boolean {
    return this.#sent
  }

  /** Estimated where the provider has not counted. */
  get usage(): Usage {
    return this.#usage ?? estimatedUsage(this.#caller.offer.est.in, this.#payloadBytes)
  }

  get ttfbMs(): number | null {
    return timeToFirstToken(this.#times)
  }

  get stage(): 'connecting' | 'waiting' | 'streaming' | 'paused' {
    if (!this.#sent) return 'connecting'
    if (this.#times.headMs === undefined) return 'waiting'
    return this.#paused ? 'paused' : 'streaming'
  }

  /** This process was blocked or stopped: the provider was not silent for that. */
  onAbsence(absentMs: number): void {
    this.#times.lastDataMs += absentMs
  }

  checkTimers(nowMs: number): void {
    // A slow client is no fault of the provider.
    if (this.#paused) this.#times.lastDataMs = nowMs
    const overdue = this.#paused ? undefined : overdueBy(this.#times, this.#world.provider, this.#caller.offer, nowMs)
    if (overdue) this.fail(overdue, nowMs)
  }

  /** The owner has room again. */
  onRoom(nowMs: number): void {
    if (!this.#paused || this.#out.full) return
    this.#paused = false
    this.#times.lastDataMs = nowMs
    this.#upstream?.resume()
  }

  abort(): void {
    this.#upstream?.abort()
  }

  /** Nothing more is wanted of it. */
  letGo(): void {
    this.#answer.stop()
    this.#upstream?.letGo()
  }

  // What the connection tells ------------------------------------------------------------------

  onSend(): void {
    const nowMs = performance.now()
    // Frozen meanwhile, whatever absence excuses. What is thrown here keeps the request from being written.
    if (this.#caller.isGivenUp(nowMs)) throw new GivenUp('given up before it was sent')
    this.#sent = true
    this.#times.sentMs = nowMs
  }

  onHeaders(status: number, headers: Record<string, string | string[] | undefined>): void {
    this.#answer.onHeaders(status, headers)
  }

  onData(bytes: Uint8Array): void {
    this.#times.lastDataMs = performance.now()
    this.#answer.onData(bytes)
  }

  onEnd(): void {
    this.#answer.onEnd()
  }

  onError(error: Error): void {
    this.#answer.onError(error, this.#sent)
  }

  // What the answer comes to -------------------------------------------------------------------

  head(framing: Head['framing'], type: string, upstreamId: string | undefined): void {
    this.#out.head(this.#headOf(framing, type, upstreamId))
  }

  payload(bytes: Uint8Array, whole: boolean): void {
    this.#payloadBytes += bytes.length
    this.#out.send(bytes, whole)
    if (this.#paused || !this.#out.full) return
    this.#paused = true
    this.#upstream?.pause()
  }

  whole(type: string, upstreamId: string | undefined, bytes: Uint8Array, end: AnswerEnd): void {
    if (!this.#takesWhole || bytes.length > MAX_WHOLE_BYTES) {
      this.head('bytes', type, upstreamId)
      this.payload(bytes, false)
      return this.end(end)
    }
    const head = this.#headOf('bytes', type, upstreamId)
    this.#payloadBytes += bytes.length
    this.#complete(end, { t: 'whole', head, end: endOf(end, 1) }, bytes)
  }

  end(end: AnswerEnd): void {
    this.#complete(end, endOf(end, this.#out.count))
  }

  fail(failure: Pick<Fail, 'phase' | 'status' | 'code' | 'detail'> & Partial<Fail>, nowMs = performance.now()): void {
    this.#upstream?.abort()
    const { phase, status } = failure
    this.#trace.failed(failure.code, status)
    const result = phase === 'status' || phase === 'in_band' ? `rejected(${status})` : `failed(${phase})`
    this.#caller.finish(result, { t: 'fail', seq: this.#out.count, sent: this.#sent, key_fault: false, ...failure }, nowMs)
  }

  #complete(end: AnswerEnd, message: object, body?: Uint8Array): void {
    this.#usage = end.usage
    this.#trace.answered(end, this.ttfbMs)
    this.#caller.finish('ok', message, performance.now(), body)
  }

  #headOf(framing: Head['framing'], type: string, upstreamId: string | undefined): Head {
    this.#times.headMs = performance.now()
    this.#trace.firstChunk()
    return headOf(this.#caller.offer, framing, type, upstreamId, this.#times)
  }
}
