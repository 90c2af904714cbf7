// Owns a job: submits it, and again without those that failed, until a first byte, the deadline or the end.
// The only place that retries. Its wits are in attempt.ts and retry.ts; here they meet the bus.

import type { CancelReason, InboxMessage, Target, Usage } from '#contracts/attempt.ts'
import { encode } from '#contracts/attempt.ts'
import { virtualModelOf } from '#contracts/catalog.ts'
import type { Outcome } from '#contracts/failure.ts'
import { FreewayError } from '#contracts/failure.ts'
import type { Frame } from '#contracts/frame.ts'
import type { Job } from '#contracts/job.ts'
import type { Subject } from '#contracts/subjects.ts'
import { inbox, jobs } from '#contracts/subjects.ts'
import { blobReference, INLINE_BODY_BYTES } from '#services/blob.ts'
import type { Span } from '#services/trace.ts'
import { startSpan } from '#services/trace.ts'
import type { Attempt, Step } from './attempt.ts'
import { acknowledge, newAttempt, onFrame, onMessage, onNobodyThere, onReconnected, onTick, wantsAck } from './attempt.ts'
import type { Delivery } from './delivery.ts'
import { MAX_UNSENT_BYTES } from './delivery.ts'
import type { Desk } from './desk.ts'
import { Reporter } from './reporter.ts'
import type { Verdict } from './retry.ts'
import { afterFail, afterLoss, afterNoroute, outcomeOf } from './retry.ts'

const PLACING_MS = 1_000
const BUS_WAIT_MS = 1_000
const MAX_ATTEMPTS = 32
const WINDOW_BYTES = 256 * 1024
const MAX_EVENT_BYTES = 1024 * 1024
const CLIENT_STALL_MS = 60_000

export interface Order {
  id: string
  /** What the client calls the request: its own id, if it sent a sane one. */
  publicId: string
  job: Job
  delivery: Delivery
  receivedMs: number
  deadlineMs: number
  span: Span
}

export class Failover {
  readonly id: string
  readonly #job: Job
  readonly #delivery: Delivery
  readonly #desk: Desk
  readonly #order: Order
  readonly #report: Reporter
  readonly #exclude: string[] = []
  readonly #avoid: string[] = []
  #need: Job['need']
  #attempt: Attempt
  #granted = 0
  #grantedAttempt = 0
  #widened = false
  #placingSinceMs: number
  #waitingForBus = false
  #last: FreewayError | undefined
  /** Frames of an event that is not complete yet. */
  #held: Uint8Array[] = []
  #heldBytes = 0
  #ackWithheld = false
  #progress = { unsentBytes: 0, atMs: 0 }
  #over = false

  constructor(order: Order, desk: Desk) {
    this.id = order.id
    this.#job = order.job
    this.#need = order.job.need
    this.#delivery = order.delivery
    this.#desk = desk
    this.#order = order
    this.#placingSinceMs = order.receivedMs
    this.#report = new Reporter(order, desk)
    this.#attempt = newAttempt(0, order.receivedMs)
  }

  get unsentBytes(): number {
    return this.#delivery.unsentBytes
  }

  start(nowMs: number): void {
    this.#submit(nowMs)
  }

  /** The body of a granted attempt, for the worker that was granted it. */
  bodyFor(n: number): Uint8Array | undefined {
    return !this.#over && n === this.#grantedAttempt && !this.#delivery.delivered ? this.#job.body : undefined
  }

  onFrame(n: number, frame: Frame, nowMs: number): boolean {
    if (this.#over || n !== this.#attempt.n) return false
    const verdict = onFrame(this.#attempt, frame, nowMs)
    if (verdict === 'resend') this.#sendAck(true, nowMs)
    if (verdict === 'deliver') this.#deliver(frame, nowMs)
    return true
  }

  /** False if the attempt is not the current one: the caller tells its worker. */
  onMessage(n: number, message: InboxMessage, control: Subject | undefined, nowMs: number): boolean {
    if (this.#over || n !== this.#attempt.n) return false
    if (message.t === 'accept' && this.#attempt.stage !== 'submitted' && control !== this.#attempt.control) return false
    if (message.t === 'busy') this.#report.released(message.account, message.lease)
    this.#act(onMessage(this.#attempt, message, control, nowMs), nowMs)
    return true
  }

  onNobodyThere(n: number, nowMs: number): void {
    if (this.#over || n !== this.#attempt.n) return
    this.#act(onNobodyThere(this.#attempt, nowMs), nowMs)
  }

  onReconnected(nowMs: number): void {
    if (this.#over) return
    if (this.#waitingForBus) {
      this.#waitingForBus = false
      this.#placingSinceMs = nowMs
      return this.#submit(nowMs)
    }
    if (this.#attempt.stage === 'submitted') this.#placingSinceMs = nowMs
    this.#act(onReconnected(this.#attempt, nowMs), nowMs)
  }

  tick(nowMs: number, connected: boolean, grace: boolean): void {
    if (this.#over) return
    if (nowMs >= this.#order.deadlineMs) return this.#expire(nowMs)
    if (this.#clientStalled(nowMs)) return this.cancel('client_stalled', nowMs)
    this.#delivery.tick(nowMs, () => this.#headers(nowMs))
    if (this.#ackWithheld && this.#delivery.unsentBytes < MAX_UNSENT_BYTES) this.#sendAck(false, nowMs)
    if (!connected) {
      const notGranted = this.#waitingForBus || this.#attempt.stage === 'submitted'
      if (notGranted && nowMs - this.#placingSinceMs >= BUS_WAIT_MS) this.#finish(brokerDown(), nowMs)
      return
    }
    if (!this.#waitingForBus) this.#act(onTick(this.#attempt, this.#desk.patience, grace, nowMs), nowMs)
  }

  /** Nobody wants the answer any more: the client left, stalled, or the process ends. */
  cancel(why: CancelReason, nowMs: number): void {
    if (this.#over) return
    this.#cancelAttempt(why, nowMs)
    const outcome: Outcome = why === 'shutdown' ? 'truncated' : 'client_canceled'
    if (why === 'shutdown') {
      this.#delivery.fail(
        new FreewayError('server_error', 'the gateway is shutting down', { status: 503, retryAfterMs: 1_000 }),
        this.#headers(nowMs),
      )
    } else this.#delivery.drop()
    this.#close(outcome, 499, nowMs)
  }

  #submit(nowMs: number): void {
    const { job, id } = { job: this.#job, id: this.id }
    if (this.#attempt.n >= MAX_ATTEMPTS) return this.#finish(this.#last ?? notPlaced(), nowMs)
    this.#attempt = newAttempt(this.#attempt.n + 1, nowMs)
    const span = startSpan('publish fw.v1.job', {
      kind: 'producer',
      parent: this.#order.span.context,
      attributes: { 'freeway.attempt': this.#attempt.n },
    })
    const inline = job.body.length <= INLINE_BODY_BYTES
    const message = encode(
      {
        v: 1,
        t: 'submit',
        id,
        n: this.#attempt.n,
        ttl_ms: this.#order.deadlineMs - nowMs,
        kind: job.kind,
        stream: job.stream,
        include_usage: job.includeUsage,
        model: job.model,
        strategy: job.strategy,
        preferred: job.preferred,
        fallback: job.fallback,
        billable_ok: true,
        need: this.#need,
        est: job.estimate,
        exclude: this.#exclude,
        avoid: this.#avoid,
        blob: inline ? undefined : this.#desk.blobOf(this.id, () => blobReference(job.body)),
        trace: span.context,
      },
      inline ? job.body : undefined,
    )
    const sent = this.#desk.bus.publish(jobs, message, { reply: inbox(this.#desk.ingress, id, this.#attempt.n) })
    span.end()
    if (!sent) this.#waitingForBus = true
  }

  #act(step: Step, nowMs: number): void {
    switch (step.do) {
      case 'nothing':
        return
      case 'grant':
        return this.#grant(nowMs)
      case 'open':
        this.#delivery.open(step.head, this.#headers(nowMs, step.head))
        return this.#report.opened(nowMs)
      case 'resend':
        return this.#sendAck(true, nowMs)
      case 'probe':
      case 'beat':
        return this.#sendBeat(nowMs)
      case 'complete':
        return this.#complete(step.end, nowMs)
      case 'failed':
        return this.#failed(step.fail, nowMs)
      case 'noroute':
        return this.#finish(afterNoroute(step.noroute, this.#last), nowMs)
      case 'no_router':
        return this.#finish(new FreewayError('server_error', 'no router is running', { status: 503, retryAfterMs: 1_000 }), nowMs)
      case 'replace':
        return this.#replace(step.why, nowMs)
      case 'lost':
        return this.#lost(step.why, nowMs)
    }
  }

  #grant(nowMs: number): void {
    const { control, n, target } = this.#attempt
    if (!control || !target) return
    if (this.#grantedAttempt !== n) {
      this.#grantedAttempt = n
      this.#granted++
      this.#report.granted(n, target, control)
    }
    this.#attempt.lastAckMs = nowMs
    this.#tell({ t: 'grant', window: WINDOW_BYTES, ttl_ms: this.#order.deadlineMs - nowMs })
  }

  #deliver(frame: Frame, nowMs: number): void {
    let payload = frame.payload
    if (frame.continues || this.#held.length > 0) {
      this.#held.push(payload)
      this.#heldBytes += payload.length
      if (this.#heldBytes > MAX_EVENT_BYTES) return this.#tooMuch('one event of the provider is too long', nowMs)
      if (frame.continues) return this.#creditFor(nowMs)
      payload = concat(this.#held, this.#heldBytes)
      this.#held = []
      this.#heldBytes = 0
    }
    this.#report.payload(payload.length)
    if (!this.#delivery.write(payload)) return this.#tooMuch('the answer of the provider is too long', nowMs)
    this.#creditFor(nowMs)
  }

  #tooMuch(message: string, nowMs: number): void {
    this.#cancelAttempt('superseded', nowMs)
    this.#finish(new FreewayError('provider_error', message), nowMs)
  }

  /** A response that holds too much unsent gets no credit until it drains. */
  #creditFor(nowMs: number): void {
    if (!wantsAck(this.#attempt)) return
    if (this.#delivery.unsentBytes < MAX_UNSENT_BYTES && !this.#desk.overloaded) this.#sendAck(false, nowMs)
    else this.#ackWithheld = true
  }

  #sendAck(resend: boolean, nowMs: number): void {
    this.#ackWithheld = false
    const s = acknowledge(this.#attempt, nowMs)
    this.#tell(resend ? { t: 'ack', s, resend } : { t: 'ack', s })
  }

  /** Says that we are here; credits only what the client has room for. */
  #sendBeat(nowMs: number): void {
    if (!this.#ackWithheld) return this.#sendAck(false, nowMs)
    this.#attempt.lastAckMs = nowMs
    this.#tell({ t: 'ack', s: this.#attempt.next - 1 - this.#attempt.unackedFrames })
  }

  #complete(end: Extract<InboxMessage, { t: 'end' }>, nowMs: number): void {
    this.#tell({ t: 'ack', s: end.seq - 1, fin: true })
    this.#report.settled(this.#attempt, end.usage, end.usage_source === 'provider' ? 'actual' : 'estimate')
    this.#delivery.end(this.#headers(nowMs))
    this.#close('ok', 200, nowMs, end.usage)
  }

  #failed(fail: Extract<InboxMessage, { t: 'fail' }>, nowMs: number): void {
    const { target } = this.#attempt
    this.#tell({ t: 'ack', s: this.#attempt.next - 1, fin: true })
    this.#report.failed(this.#attempt, fail)
    if (target) this.#decide(afterFail(fail, target, this.#soFar()), target, nowMs)
  }

  #lost(why: string, nowMs: number): void {
    const { target } = this.#attempt
    this.#tell({ t: 'cancel', why: 'unknown' })
    this.#report.lost(this.#attempt, why)
    if (target) this.#decide(afterLoss(target, this.#soFar()), target, nowMs)
  }

  #decide(verdict: Verdict, target: Target, nowMs: number): void {
    this.#last = verdict.error
    this.#held = []
    this.#heldBytes = 0
    if (!verdict.again) return this.#finish(verdict.error, nowMs)
    if (verdict.exclude) this.#exclude.push(verdict.exclude)
    if (verdict.avoid) this.#avoid.push(verdict.avoid)
    if (verdict.wider) {
      this.#widened = true
      this.#need = { ...this.#need, ctx: this.#desk.contextWindowOf(target.prov, target.model) + 1 }
    }
    this.#placingSinceMs = nowMs
    this.#submit(nowMs)
  }

  /** Nothing was called: the next number, without whom we waited for. */
  #replace(why: string, nowMs: number): void {
    const { target } = this.#attempt
    if (target) {
      if (why === 'accept_timeout') this.#report.releasedOf(this.#attempt)
      const list = this.#avoid.includes(target.prov) || why === 'refused' ? this.#exclude : this.#avoid
      list.push(target.prov)
    }
    if (nowMs - this.#placingSinceMs >= PLACING_MS) return this.#finish(this.#last ?? notPlaced(), nowMs)
    this.#submit(nowMs)
  }

  #soFar() {
    const { model, fallback } = this.#job
    return {
      id: this.id,
      fallback,
      exact: model !== undefined && virtualModelOf(model) === undefined,
      granted: this.#granted,
      delivered: this.#delivery.delivered,
      widened: this.#widened,
    }
  }

  #clientStalled(nowMs: number): boolean {
    const unsentBytes = this.#delivery.unsentBytes
    if (unsentBytes === 0 || unsentBytes !== this.#progress.unsentBytes) this.#progress = { unsentBytes, atMs: nowMs }
    return nowMs - this.#progress.atMs >= CLIENT_STALL_MS
  }

  #expire(nowMs: number): void {
    this.#cancelAttempt('deadline', nowMs)
    this.#finish(this.#last ?? new FreewayError('provider_timeout', 'the request took too long'), nowMs)
  }

  #cancelAttempt(why: CancelReason, nowMs: number): void {
    const { stage } = this.#attempt
    if (stage === 'granted' || stage === 'open') {
      this.#tell({ t: 'cancel', why })
      this.#report.canceled(this.#attempt, why, nowMs)
    } else if (stage === 'submitted') this.#report.releasedOf(this.#attempt)
    this.#attempt.stage = 'over'
  }

  #finish(error: FreewayError, nowMs: number): void {
    const { delivered } = this.#delivery
    this.#delivery.fail(error, this.#headers(nowMs))
    this.#close(outcomeOf(error, delivered), error.status, nowMs)
  }

  #close(outcome: Outcome, status: number, nowMs: number, usage?: Usage): void {
    this.#over = true
    this.#desk.finished(this)
    this.#report.ended(outcome, status, this.#granted, nowMs, usage)
  }

  #tell(message: object): void {
    const { control, n } = this.#attempt
    if (control) this.#desk.bus.publish(control, encode(message), { reply: inbox(this.#desk.ingress, this.id, n) })
  }

  #headers(nowMs: number, head?: Extract<InboxMessage, { t: 'head' }>): Record<string, string> {
    return this.#report.headers(this.#attempt, this.#granted, nowMs, head)
  }
}

function notPlaced(): FreewayError {
  return new FreewayError('provider_unavailable', 'no worker took the request in time', { retryAfterMs: 1_000 })
}

function brokerDown(): FreewayError {
  return new FreewayError('server_error', 'the message broker is not reachable', { status: 503, retryAfterMs: 1_000 })
}

function concat(parts: readonly Uint8Array[], bytes: number): Uint8Array {
  const whole = new Uint8Array(bytes)
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}
