// The worker's half of an attempt: offered, granted once, called, streamed with credit, ended and confirmed.
// Nothing is written to the provider before the grant, and nothing is forgotten before the owner has confirmed it.

import type { CancelReason, ControlMessage, Fail, Head, Offer } from '#contracts/attempt.ts'
import type { Liveness } from '#contracts/liveness.ts'
import { excuse, heard, newLiveness, nobodyThere, weigh } from '#contracts/liveness.ts'
import type { Usage } from '#contracts/settlement.ts'
import { AttemptTrace } from './attempt-trace.ts'
import type { AttemptWorld } from './attempt-world.ts'
import type { CallTimes } from './call-times.ts'
import { overdueBy, rounded, timesOf, timeToFirstToken } from './call-times.ts'
import { endOf, headOf, Outgoing, tooLate } from './outgoing.ts'
import type { AnswerEnd, AnswerSink, Listener } from './sink.ts'
import type { UpstreamCall } from './upstream.ts'
import { estimatedUsage } from './usage.ts'

const OFFER_KEPT_MS = 1_000
const BEAT_MS = 500
const FINAL_REPEATED_FOR_MS = 3_000
/** An answer up to this size goes out as one message: it needs no window, and is repeated whole until it is confirmed. */
const MAX_WHOLE_BYTES = 64 * 1024

type State = 'offered' | 'calling' | 'ended' | 'over'

export class Attempt {
  readonly offer: Offer
  readonly #world: AttemptWorld
  readonly #out: Outgoing
  readonly #liveness: Liveness
  readonly #offeredMs: number
  #ownerHeardMs = 0
  readonly #trace: AttemptTrace
  #state: State = 'offered'
  #call: UpstreamCall | undefined
  #answer: Listener | undefined
  #paused = false
  /** As its grant said: a short answer may come as one message. */
  #takesWhole = false
  #sent = false
  #times: CallTimes
  #lastBeatMs = 0
  #finalMs = 0
  #result = 'expired'
  #usage: Usage | undefined
  #confirmed = false
  /** Output bytes so far: what an interrupted answer is charged by. */
  #payloadBytes = 0

  constructor(offer: Offer, world: AttemptWorld, nowMs: number) {
    this.offer = offer
    this.#world = world
    this.#offeredMs = nowMs
    this.#times = timesOf(nowMs, offer.ttl_ms)
    this.#liveness = newLiveness(nowMs)
    const options = { reply: world.control }
    this.#out = new Outgoing((bytes) => world.bus.publish(world.inbox, bytes, options))
    this.#trace = new AttemptTrace(offer, world.provider.base_url)
    const { prov, account, model, billable } = offer
    this.#out.tell({ t: 'accept', w: world.worker, prov, account, model, billable, fins: true })
  }

  onControl(message: Exclude<ControlMessage, { t: 'fins' }>, nowMs: number): void {
    heard(this.#liveness, nowMs)
    this.#ownerHeardMs = nowMs
    switch (message.t) {
      case 'grant':
        if (this.#state !== 'offered') return
        // After a freeze the grant was waiting in the socket, and its sender has long gone elsewhere.
        if (nowMs - this.#offeredMs >= OFFER_KEPT_MS) {
          this.#out.tell(tooLate('expired'))
          return this.#over('expired', nowMs, false)
        }
        this.#takesWhole = message.whole === true
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
    this.#finalMs = nowMs
  }

  /** This process was blocked or stopped: its owner was not silent for that, nor the provider. */
  onAbsence(absentMs: number): void {
    excuse(this.#liveness, absentMs)
    this.#times.lastDataMs += absentMs
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
    if (this.#state === 'ended' && nowMs - this.#finalMs >= FINAL_REPEATED_FOR_MS) return this.#over(this.#result, nowMs, false)
    if (verdict === 'probe' || nowMs - this.#lastBeatMs >= BEAT_MS) {
      this.#lastBeatMs = nowMs
      if (!this.#out.repeatFinal()) this.#out.tell({ t: 'hb', st: this.#stage(), seq: this.#out.sent })
    }
  }

  /** The process ends and will wait no longer. */
  abandon(nowMs: number): void {
    if (this.#state === 'calling') this.#fail({ phase: 'stream', status: 0, code: 'truncated', detail: 'worker shut down' }, nowMs)
    this.#over(this.#result, nowMs, false)
  }

  #begin(windowBytes: number, ttlMs: number, nowMs: number): void {
    this.#state = 'calling'
    this.#out.windowBytes = windowBytes
    this.#times = timesOf(nowMs, ttlMs)
    this.#lastBeatMs = nowMs
    this.#result = 'unknown'
    const answer = this.#world.answer(this.#sink())
    this.#answer = answer
    this.#trace.called()
    this.#call = this.#world.call({
      onSend: () => {
        const nowMs = performance.now()
        // Frozen meanwhile, whatever absence excuses: the owner has given this call up. What is thrown here keeps it from being written.
        if (nowMs - this.#ownerHeardMs >= OFFER_KEPT_MS) throw new Error('given up before it was sent')
        this.#sent = true
        this.#times.sentMs = nowMs
      },
      onHeaders: (status, headers) => answer.onHeaders(status, headers),
      onData: (bytes) => {
        this.#times.lastDataMs = performance.now()
        answer.onData(bytes)
      },
      onEnd: () => answer.onEnd(),
      onError: (error) => answer.onError(error, this.#sent),
    })
  }

  #sink(): AnswerSink {
    const head: AnswerSink['head'] = (framing, type, upstreamId) => {
      this.#opened()
      this.#out.head(headOf(this.offer, framing, type, upstreamId, this.#times))
    }
    return {
      head,
      whole: (type, upstreamId, bytes, end) => {
        if (!this.#takesWhole || bytes.length > MAX_WHOLE_BYTES) {
          head('bytes', type, upstreamId)
          this.#payload(bytes, false)
          return this.#complete(end)
        }
        this.#opened()
        this.#payloadBytes += bytes.length
        this.#complete(end, headOf(this.offer, 'bytes', type, upstreamId, this.#times), bytes)
      },
      payload: (bytes, whole) => this.#payload(bytes, whole),
      end: (end) => this.#complete(end),
      fail: (failure) => this.#fail(failure, performance.now()),
    }
  }

  #opened(): void {
    this.#times.headMs = performance.now()
    this.#trace.firstChunk()
  }

  #payload(bytes: Uint8Array, whole: boolean): void {
    this.#payloadBytes += bytes.length
    this.#out.send(bytes, whole)
    if (!this.#paused && this.#out.full) {
      this.#paused = true
      this.#call?.pause()
    }
  }

  /** With `head`, nothing of the answer was sent before. */
  #complete(end: AnswerEnd, head?: Head, body?: Uint8Array): void {
    this.#usage = end.usage
    this.#trace.answered(end, timeToFirstToken(this.#times))
    const nowMs = performance.now()
    if (head) this.#finish('ok', { t: 'whole', head, end: endOf(end, 1) }, nowMs, body)
    else this.#finish('ok', endOf(end, this.#out.sent), nowMs)
  }

  #fail(failure: Pick<Fail, 'phase' | 'status' | 'code' | 'detail'> & Partial<Fail>, nowMs: number): void {
    this.#call?.abort()
    const { phase, status } = failure
    this.#trace.failed(failure.code, status)
    this.#finish(
      phase === 'status' || phase === 'in_band' ? `rejected(${status})` : `failed(${phase})`,
      { t: 'fail', seq: this.#out.sent, sent: this.#sent, key_fault: false, ...failure },
      nowMs,
    )
  }

  #finish(result: string, message: object, nowMs: number, body?: Uint8Array): void {
    if (this.#state !== 'calling') return
    this.#state = 'ended'
    this.#world.onCalled()
    this.#result = result
    this.#finalMs = nowMs
    this.#lastBeatMs = nowMs
    this.#out.final(message, body)
  }

  /** Its owner has the end. */
  onConfirmed(nowMs: number): void {
    heard(this.#liveness, nowMs)
    if (this.#state !== 'ended') return
    this.#confirmed = true
    this.#over(this.#result, nowMs, false)
  }

  #onAck({ s, resend, fin }: Extract<ControlMessage, { t: 'ack' }>, nowMs: number): void {
    this.#out.ack(s)
    if (fin && this.#state === 'ended') return this.onConfirmed(nowMs)
    if (resend) this.#out.resend(nowMs)
    if (this.#paused && !this.#out.full) {
      this.#paused = false
      this.#times.lastDataMs = nowMs
      this.#call?.resume()
    }
  }

  #checkTimers(nowMs: number): void {
    if (this.#paused) {
      // A slow client is no fault of the provider.
      this.#times.lastDataMs = nowMs
      return
    }
    const overdue = overdueBy(this.#times, this.#world.provider, nowMs)
    if (overdue) this.#fail(overdue, nowMs)
  }

  #cancel(why: CancelReason, nowMs: number): void {
    if (this.#state === 'offered') return this.#over('denied', nowMs, false)
    this.#call?.abort()
    this.#over(this.#state === 'ended' ? this.#result : `canceled(${why})`, nowMs, false)
  }

  /** The owner is gone: nobody will read the answer, nobody else will settle the lease. */
  #orphaned(nowMs: number): void {
    this.#call?.abort()
    this.#over(this.#state === 'ended' ? this.#result : 'canceled(orphan)', nowMs, true)
  }

  #over(result: string, nowMs: number, orphan: boolean): void {
    if (this.#state === 'over') return
    if (this.#state !== 'ended') this.#world.onCalled()
    this.#state = 'over'
    this.#answer?.stop()
    this.#call?.letGo()
    this.#trace.over(result)
    this.#world.onOver({
      result,
      sent: this.#sent,
      orphan,
      confirmed: this.#confirmed,
      usage: this.#usage ?? estimatedUsage(this.offer.est.in, this.#payloadBytes),
      ttfbMs: timeToFirstToken(this.#times),
      durationMs: rounded(nowMs - this.#offeredMs),
    })
  }

  #stage(): 'connecting' | 'waiting' | 'streaming' | 'paused' {
    if (!this.#sent) return 'connecting'
    if (this.#times.headMs === undefined) return 'waiting'
    return this.#paused ? 'paused' : 'streaming'
  }
}
