// The worker's half of an attempt: offered, granted once, called, streamed with credit, ended and confirmed.
// Nothing is written to the provider before the grant, and nothing is forgotten before the owner has confirmed it.

import type { CancelReason, ControlMessage, Offer } from '#contracts/attempt.ts'
import type { Liveness } from '#contracts/liveness.ts'
import { excuse, heard, newLiveness, nobodyThere, weigh } from '#contracts/liveness.ts'
import { AttemptTrace } from './attempt-trace.ts'
import type { AttemptWorld } from './attempt-world.ts'
import { Call, type Caller } from './call.ts'
import { rounded } from './call-times.ts'
import { Outgoing, tooLate } from './outgoing.ts'
import { estimatedUsage } from './usage.ts'

const OFFER_KEPT_MS = 1_000
const BEAT_MS = 500
const FINAL_REPEATED_FOR_MS = 3_000

type State = 'offered' | 'calling' | 'ended' | 'over'
/** What is said to one attempt. */
export type Control = Exclude<ControlMessage, { t: 'fins' }>

export class Attempt implements Caller {
  readonly offer: Offer
  readonly #world: AttemptWorld
  readonly #out: Outgoing
  readonly #liveness: Liveness
  readonly #offeredMs: number
  #ownerHeardMs = 0
  readonly #trace: AttemptTrace
  #state: State = 'offered'
  #call: Call | undefined
  #lastBeatMs = 0
  #finalMs = 0
  #result = 'expired'
  #confirmed = false

  constructor(offer: Offer, world: AttemptWorld, nowMs: number) {
    this.offer = offer
    this.#world = world
    this.#offeredMs = nowMs
    this.#liveness = newLiveness(nowMs)
    this.#out = new Outgoing(world)
    this.#trace = new AttemptTrace(offer, world.provider.base_url)
    const { prov, account, model, billable } = offer
    this.#out.tell({ t: 'accept', w: world.worker, prov, account, model, billable, fins: true })
  }

  onControl(message: Control, nowMs: number): void {
    heard(this.#liveness, nowMs)
    this.#ownerHeardMs = nowMs
    switch (message.t) {
      case 'grant':
        return this.#onGrant(message, nowMs)
      case 'deny':
        if (this.#state === 'offered') this.#over('denied', nowMs, false)
        return
      case 'cancel':
        return this.#cancel(message.why, nowMs)
      case 'ack':
        return this.#onAck(message, nowMs)
    }
  }

  /** Its owner has the end. */
  onConfirmed(nowMs: number): void {
    heard(this.#liveness, nowMs)
    if (this.#state !== 'ended') return
    this.#confirmed = true
    this.#over(this.#result, nowMs, false)
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
    this.#call?.onAbsence(absentMs)
  }

  /** Called every few milliseconds while the bus is connected. `grace`: just reconnected, the peer may be late. */
  tick(nowMs: number, grace: boolean): void {
    if (this.#state === 'offered') {
      if (nowMs - this.#offeredMs >= OFFER_KEPT_MS) this.#over('expired', nowMs, false)
      return
    }
    if (this.#state === 'calling') this.#call?.checkTimers(nowMs)
    const verdict = weigh(this.#liveness, this.#world.patience, nowMs)
    if (verdict === 'silent' || (verdict === 'gone' && !grace)) return this.#orphaned(nowMs)
    if (this.#out.waits) this.#finalMs = nowMs
    if (this.#state === 'ended' && nowMs - this.#finalMs >= FINAL_REPEATED_FOR_MS) return this.#over(this.#result, nowMs, false)
    if (verdict === 'probe' || nowMs - this.#lastBeatMs >= BEAT_MS) {
      this.#lastBeatMs = nowMs
      if (!this.#out.repeatFinal()) this.#out.tell({ t: 'hb', st: this.#call?.stage ?? 'connecting', seq: this.#out.sent })
    }
  }

  /** The process ends and will wait no longer. */
  abandon(nowMs: number): void {
    if (this.#state === 'calling') this.#call?.fail({ phase: 'stream', status: 0, code: 'truncated', detail: 'worker shut down' }, nowMs)
    this.#over(this.#result, nowMs, false)
  }

  isGivenUp(nowMs: number): boolean {
    return nowMs - this.#ownerHeardMs >= OFFER_KEPT_MS
  }

  finish(result: string, message: object, nowMs: number, body?: Uint8Array): void {
    if (this.#state !== 'calling') return
    this.#state = 'ended'
    this.#world.onCalled(result)
    this.#result = result
    this.#finalMs = nowMs
    this.#lastBeatMs = nowMs
    this.#out.final(message, body)
  }

  #onGrant({ window, ttl_ms: ttlMs, whole = false }: Extract<Control, { t: 'grant' }>, nowMs: number): void {
    if (this.#state !== 'offered') return
    // After a freeze the grant was waiting in the socket, and its sender has long gone elsewhere.
    if (nowMs - this.#offeredMs >= OFFER_KEPT_MS) {
      this.#out.tell(tooLate('expired'))
      return this.#over('expired', nowMs, false)
    }
    this.#state = 'calling'
    this.#out.windowBytes = window
    this.#lastBeatMs = nowMs
    this.#result = 'unknown'
    this.#call = new Call(this, this.#world, this.#out, this.#trace, { ttlMs, whole }, nowMs)
  }

  #onAck({ s, resend, fin }: Extract<Control, { t: 'ack' }>, nowMs: number): void {
    this.#out.ack(s)
    if (fin && this.#state === 'ended') return this.onConfirmed(nowMs)
    if (resend) this.#out.resend(nowMs)
    this.#call?.onRoom(nowMs)
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
    if (this.#state !== 'ended') this.#world.onCalled(result)
    this.#state = 'over'
    const call = this.#call
    call?.letGo()
    this.#trace.over(result)
    this.#world.onOver({
      result,
      sent: call?.sent ?? false,
      orphan,
      confirmed: this.#confirmed,
      usage: call?.usage ?? estimatedUsage(this.offer.est.in, 0),
      ttfbMs: call?.ttfbMs ?? null,
      durationMs: rounded(nowMs - this.#offeredMs),
    })
  }
}
