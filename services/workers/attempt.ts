// The worker's half of an attempt: offered, granted once, called, streamed with credit, ended and confirmed.
// Nothing is written to the provider before the grant, and nothing is forgotten before the owner has confirmed it.

import type { CancelReason, ControlMessage, Fail, Offer, Usage } from '#contracts/attempt.ts'
import type { Bus } from '#contracts/bus.ts'
import type { Provider } from '#contracts/catalog.ts'
import type { Liveness, Patience } from '#contracts/liveness.ts'
import { heard, newLiveness, nobodyThere, weigh } from '#contracts/liveness.ts'
import { encode } from '#contracts/message.ts'
import type { Subject } from '#contracts/subjects.ts'
import type { Span } from '#services/trace.ts'
import { startSpan } from '#services/trace.ts'
import type { Answer } from './answer.ts'
import type { AnswerSink } from './sink.ts'
import type { UpstreamCall, UpstreamEvents } from './upstream.ts'
import { SendWindow } from './window.ts'

const OFFER_KEPT_MS = 1_000
const BEAT_MS = 500
const FINAL_REPEATED_FOR_MS = 3_000
const RESEND_AT_MOST_EVERY_MS = 100
const TALK_ON_MS = 200

export interface AttemptWorld {
  bus: Bus
  worker: string
  provider: Provider
  inbox: Subject
  control: Subject
  patience: Patience
  /** Starts the provider call; throws nothing. */
  call(events: UpstreamEvents): UpstreamCall
  answer(sink: AnswerSink): Answer
  /** Called once, when nothing more will be sent. */
  onOver(report: AttemptReport): void
}

/** What became of the attempt, for leases and events. */
export interface AttemptReport {
  /** ok, rejected(status), failed(phase), canceled(why), denied, expired */
  result: string
  sent: boolean
  /** The owner did not settle the lease, because it never will. */
  orphan: boolean
  usage: Usage
  ttfbMs: number | null
  durationMs: number
}

type State = 'offered' | 'calling' | 'ended' | 'over'

export class Attempt {
  readonly offer: Offer
  readonly #world: AttemptWorld
  readonly #window: SendWindow
  readonly #liveness: Liveness
  readonly #offeredMs: number
  readonly #span: Span
  #state: State = 'offered'
  #call: UpstreamCall | undefined
  #answer: Answer | undefined
  #windowBytes = 0
  #paused = false
  #sent = false
  #grantedMs = 0
  #sentMs = 0
  #headMs: number | undefined
  #lastDataMs = 0
  #lastBeatMs = 0
  #lastResendMs = 0
  #deadlineMs = Number.POSITIVE_INFINITY
  #head: Uint8Array | undefined
  #final: Uint8Array | undefined
  #finalMs = 0
  #result = 'expired'
  #usage: Usage = { in: 0, out: 0 }
  /** Output bytes so far: what an interrupted answer is charged by. */
  #payloadBytes = 0

  constructor(offer: Offer, world: AttemptWorld, nowMs: number) {
    this.offer = offer
    this.#world = world
    this.#offeredMs = nowMs
    this.#liveness = newLiveness(nowMs)
    const options = { reply: world.control }
    this.#window = new SendWindow((frame) => world.bus.publish(world.inbox, frame, options))
    this.#span = startSpan(`chat ${offer.model}`, {
      kind: 'client',
      parent: offer.trace,
      attributes: { 'gen_ai.operation.name': 'chat', 'gen_ai.provider.name': offer.prov, 'gen_ai.request.model': offer.model },
    })
    const { prov, account, model, billable } = offer
    this.#tell({ t: 'accept', w: world.worker, prov, account, model, billable })
  }

  get calling(): boolean {
    return this.#state === 'calling'
  }

  onControl(message: ControlMessage, nowMs: number): void {
    heard(this.#liveness, nowMs)
    switch (message.t) {
      case 'grant':
        if (this.#state !== 'offered') return
        // After a freeze the grant was waiting in the socket, and its sender has long gone elsewhere.
        if (nowMs - this.#offeredMs >= OFFER_KEPT_MS) return this.#expired(nowMs)
        return this.#begin(message.window, message.ttl_ms, nowMs)
      case 'deny':
        if (this.#state === 'offered') this.#over('denied', nowMs, false)
        return
      case 'cancel':
        return this.#cancel(message.why, nowMs)
      case 'ack':
        return this.#onAck(message, nowMs)
    }
  }

  onNobodyThere(nowMs: number): void {
    nobodyThere(this.#liveness, nowMs)
  }

  /** The bus was away: silence in that time means nothing. */
  onReconnected(nowMs: number): void {
    heard(this.#liveness, nowMs)
    if (this.#final) this.#finalMs = nowMs
  }

  /** Called every few milliseconds while the bus is connected. `grace`: just reconnected, the peer may be late. */
  tick(nowMs: number, grace: boolean): void {
    if (this.#state === 'offered') {
      if (nowMs - this.#offeredMs >= OFFER_KEPT_MS) this.#over('expired', nowMs, false)
      return
    }
    if (this.#state === 'calling') this.#checkTimers(nowMs)
    const verdict = weigh(this.#liveness, this.#world.patience, nowMs)
    if (verdict === 'silent' || (verdict === 'gone' && !grace)) return this.#orphaned(nowMs)
    if (this.#final && nowMs - this.#finalMs >= FINAL_REPEATED_FOR_MS) return this.#over(this.#result, nowMs, false)
    if (verdict === 'probe' || nowMs - this.#lastBeatMs >= BEAT_MS) {
      this.#lastBeatMs = nowMs
      if (this.#final) this.#publish(this.#final)
      else this.#tell({ t: 'hb', st: this.#stage(), seq: this.#window.sent })
    }
  }

  /** The process ends and will wait no longer. */
  abandon(nowMs: number): void {
    if (this.#state === 'calling') this.#fail({ phase: 'stream', status: 0, code: 'truncated', detail: 'worker shut down' }, nowMs)
    this.#over(this.#result, nowMs, false)
  }

  #begin(windowBytes: number, ttlMs: number, nowMs: number): void {
    this.#state = 'calling'
    this.#windowBytes = windowBytes
    this.#deadlineMs = nowMs + ttlMs
    this.#grantedMs = nowMs
    this.#lastDataMs = nowMs
    this.#lastBeatMs = nowMs
    this.#result = 'unknown'
    const answer = this.#world.answer(this.#sink())
    this.#answer = answer
    this.#call = this.#world.call({
      onSend: () => {
        this.#sent = true
        this.#sentMs = performance.now()
      },
      onHeaders: (status, headers) => answer.onHeaders(status, headers),
      onData: (bytes) => {
        this.#lastDataMs = performance.now()
        answer.onData(bytes)
      },
      onEnd: () => answer.onEnd(),
      onError: (error) => answer.onError(error, this.#sent),
    })
  }

  #sink(): AnswerSink {
    return {
      head: (framing, type, upstreamId) => {
        const nowMs = performance.now()
        this.#headMs = nowMs
        this.#span.event('first_chunk')
        this.#head = encode({
          t: 'head',
          status: 200,
          framing,
          type,
          provider: this.offer.prov,
          model: this.offer.model,
          upstream_id: upstreamId,
          worker_ms: round(this.#sentMs - this.#grantedMs),
          upstream_ms: round(nowMs - this.#sentMs),
        })
        this.#publish(this.#head)
      },
      payload: (bytes, whole) => {
        this.#payloadBytes += bytes.length
        this.#window.send(bytes, whole)
        if (!this.#paused && this.#window.unackedBytes >= this.#windowBytes) {
          this.#paused = true
          this.#call?.pause()
        }
      },
      end: ({ finish, usage, usageSource, upstreamId, flags }) => {
        this.#usage = usage
        this.#finish(
          'ok',
          { t: 'end', seq: this.#window.sent, finish, usage, usage_source: usageSource, upstream_id: upstreamId, flags },
          performance.now(),
        )
      },
      fail: (failure) => this.#fail(failure, performance.now()),
    }
  }

  #fail(failure: Pick<Fail, 'phase' | 'status' | 'code' | 'detail'> & Partial<Fail>, nowMs: number): void {
    this.#call?.abort()
    const { phase, status } = failure
    this.#span.fail(failure.code)
    this.#finish(
      phase === 'status' || phase === 'in_band' ? `rejected(${status})` : `failed(${phase})`,
      { t: 'fail', seq: this.#window.sent, sent: this.#sent, key_fault: false, ...failure },
      nowMs,
    )
  }

  #finish(result: string, message: object, nowMs: number): void {
    if (this.#state !== 'calling') return
    this.#state = 'ended'
    this.#result = result
    this.#final = encode(message)
    this.#finalMs = nowMs
    this.#lastBeatMs = nowMs
    this.#publish(this.#final)
  }

  #onAck({ s, resend, fin }: Extract<ControlMessage, { t: 'ack' }>, nowMs: number): void {
    this.#window.ack(s)
    if (fin && this.#final) return this.#over(this.#result, nowMs, false)
    if (resend && nowMs - this.#lastResendMs >= RESEND_AT_MOST_EVERY_MS) {
      this.#lastResendMs = nowMs
      if (this.#head) this.#publish(this.#head)
      this.#window.resend()
      if (this.#final) this.#publish(this.#final)
    }
    if (this.#paused && this.#window.unackedBytes < this.#windowBytes) {
      this.#paused = false
      this.#lastDataMs = nowMs
      this.#call?.resume()
    }
  }

  #checkTimers(nowMs: number): void {
    if (this.#paused) {
      // A slow client is no fault of the provider.
      this.#lastDataMs = nowMs
      return
    }
    const { first_byte_ms, stall_ms } = this.#world.provider
    const waitedMs = nowMs - this.#lastDataMs
    if (this.#headMs === undefined && nowMs - this.#grantedMs >= first_byte_ms) {
      return this.#fail({ phase: 'ttfb', status: 504, code: 'timeout', detail: `no answer within ${first_byte_ms} ms` }, nowMs)
    }
    if (this.#headMs !== undefined && waitedMs >= stall_ms) {
      return this.#fail({ phase: 'stream', status: 504, code: 'timeout', detail: `silent for ${stall_ms} ms` }, nowMs)
    }
    if (nowMs >= this.#deadlineMs) this.#fail({ phase: 'limit', status: 504, code: 'timeout', detail: 'deadline of the request' }, nowMs)
  }

  #cancel(why: CancelReason, nowMs: number): void {
    if (this.#state === 'offered') return this.#over('denied', nowMs, false)
    this.#call?.abort()
    this.#over(this.#final ? this.#result : `canceled(${why})`, nowMs, false)
  }

  #expired(nowMs: number): void {
    this.#tell({ t: 'fail', seq: 0, phase: 'expired', status: 0, code: 'expired', sent: false, key_fault: false, detail: 'attempt expired' })
    this.#over('expired', nowMs, false)
  }

  /** The owner is gone: nobody will read the answer, nobody else will settle the lease. */
  #orphaned(nowMs: number): void {
    this.#call?.abort()
    this.#over(this.#final ? this.#result : 'canceled(orphan)', nowMs, true)
  }

  #over(result: string, nowMs: number, orphan: boolean): void {
    if (this.#state === 'over') return
    this.#state = 'over'
    this.#answer?.stop()
    this.#letGo()
    const usage = this.#usage.out > 0 ? this.#usage : { in: this.#usage.in, out: Math.ceil(this.#payloadBytes / BYTES_PER_TOKEN) }
    this.#span.end()
    this.#world.onOver({
      result,
      sent: this.#sent,
      orphan,
      usage,
      ttfbMs: this.#headMs === undefined ? null : round(this.#headMs - this.#sentMs),
      durationMs: round(nowMs - this.#offeredMs),
    })
  }

  /** A provider that talks on after its end gets a moment, so that the connection can be used again, and no more. */
  #letGo(): void {
    const call = this.#call
    if (call && !call.ended) setTimeout(() => call.abort(), TALK_ON_MS)
  }

  #stage(): 'connecting' | 'waiting' | 'streaming' | 'paused' {
    if (!this.#sent) return 'connecting'
    if (this.#headMs === undefined) return 'waiting'
    return this.#paused ? 'paused' : 'streaming'
  }

  #tell(message: object): void {
    this.#publish(encode(message))
  }

  #publish(bytes: Uint8Array): void {
    this.#world.bus.publish(this.#world.inbox, bytes, { reply: this.#world.control })
  }
}

/** A streamed token with its envelope takes about this many bytes; only used where the provider has not counted. */
const BYTES_PER_TOKEN = 200

function round(ms: number): number {
  return Math.max(0, Math.round(ms * 100) / 100)
}
