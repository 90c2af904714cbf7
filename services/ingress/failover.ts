// Owns a job: submits it, and again without those that failed, until a first byte, the deadline or the end.
// The only place that retries. Its wits are in attempt.ts and retry.ts; here they meet the bus.

import type { CancelReason, InboxMessage, Target, Usage } from '#contracts/attempt.ts'
import { virtualModelOf } from '#contracts/catalog.ts'
import type { FreewayError, Outcome } from '#contracts/failure.ts'
import type { Frame } from '#contracts/frame.ts'
import type { Job } from '#contracts/job.ts'
import { encode } from '#contracts/message.ts'
import type { Subject } from '#contracts/subjects.ts'
import { inbox, jobs } from '#contracts/subjects.ts'
import { INLINE_BODY_BYTES } from '#services/blob.ts'
import type { Span } from '#services/trace.ts'
import { startSpan } from '#services/trace.ts'
import type { Attempt, Step } from './attempt.ts'
import { newAttempt, onMessage, onNobodyThere, onReconnected, onTick } from './attempt.ts'
import type { Delivery } from './delivery.ts'
import type { Desk } from './desk.ts'
import type { Intake } from './intake.ts'
import { createIntake } from './intake.ts'
import { Reporter } from './reporter.ts'
import type { RequestSoFar, Verdict } from './retry.ts'
import { afterFail, afterLoss, afterNoroute, brokerDown, noRouter, notPlaced, outcomeOf, shuttingDown, tooLate } from './retry.ts'
import type { Search } from './search.ts'
import { learnFrom, newSearch, passOver } from './search.ts'
import { writeSubmission } from './submission.ts'

const PLACING_MS = 1_000
const BUS_WAIT_MS = 1_000
const MAX_ATTEMPTS = 32
const WINDOW_BYTES = 256 * 1024

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
  readonly #intake: Intake
  readonly #search: Search
  #attempt: Attempt
  #granted = 0
  #grantedAttempt = 0
  #placingSinceMs: number
  #waitingForBus = false
  #last: FreewayError | undefined
  #over = false

  constructor(order: Order, desk: Desk) {
    this.id = order.id
    this.#job = order.job
    this.#search = newSearch(order.job.need)
    this.#delivery = order.delivery
    this.#desk = desk
    this.#order = order
    this.#placingSinceMs = order.receivedMs
    this.#intake = createIntake(
      order.delivery,
      (message) => this.#tell(message),
      () => desk.overloaded,
    )
    this.#report = new Reporter(order, desk, this.#intake)
    this.#attempt = newAttempt(0, inbox(desk.ingress, order.id, 0), order.receivedMs)
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
    const tooMuch = this.#intake.take(this.#attempt, frame, nowMs)
    if (tooMuch) {
      this.#cancelAttempt('superseded', nowMs)
      this.#finish(tooMuch, nowMs)
    }
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
    if (this.#intake.stalled(nowMs)) return this.cancel('client_stalled', nowMs)
    this.#delivery.tick(nowMs, () => this.#headers(nowMs))
    this.#intake.tick(this.#attempt, nowMs)
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
    if (why === 'shutdown') this.#delivery.fail(shuttingDown(), this.#headers(nowMs))
    else this.#delivery.drop()
    this.#close(outcome, 499, nowMs)
  }

  #submit(nowMs: number): void {
    const { id } = this
    const n = this.#attempt.n + 1
    if (n > MAX_ATTEMPTS) return this.#finish(this.#last ?? notPlaced(), nowMs)
    this.#attempt = newAttempt(n, inbox(this.#desk.ingress, id, n), nowMs)
    this.#intake.reset()
    const span = startSpan('publish fw.v1.job', {
      kind: 'producer',
      parent: this.#order.span.context,
      attributes: { 'freeway.attempt': n },
    })
    const message = writeSubmission({
      id,
      n,
      ttlMs: this.#order.deadlineMs - nowMs,
      job: this.#job,
      search: this.#search,
      blob: this.#job.body.length > INLINE_BODY_BYTES ? this.#desk.blobOf(id, this.#job.body) : undefined,
      trace: span.context,
    })
    const sent = this.#desk.bus.publish(jobs, message, { reply: this.#attempt.inbox })
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
        return this.#intake.ack(this.#attempt, true, nowMs)
      case 'probe':
      case 'beat':
        return this.#intake.beat(this.#attempt, nowMs)
      case 'complete':
        return this.#complete(step.end, nowMs)
      case 'failed':
        return this.#failed(step.fail, nowMs)
      case 'noroute':
        return this.#finish(afterNoroute(step.noroute, this.#last), nowMs)
      case 'no_router':
        return this.#finish(noRouter(), nowMs)
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
    if (!verdict.again) return this.#finish(verdict.error, nowMs)
    learnFrom(this.#search, verdict, this.#desk.contextWindowOf(target.prov, target.model))
    this.#placingSinceMs = nowMs
    this.#submit(nowMs)
  }

  /** Nothing was called: the next number, without whom we waited for. */
  #replace(why: string, nowMs: number): void {
    const { target } = this.#attempt
    if (target) passOver(this.#search, target, why)
    if (why === 'accept_timeout') this.#report.releasedOf(this.#attempt)
    if (nowMs - this.#placingSinceMs >= PLACING_MS) return this.#finish(this.#last ?? notPlaced(), nowMs)
    this.#submit(nowMs)
  }

  #soFar(): RequestSoFar {
    const { model, fallback } = this.#job
    return {
      id: this.id,
      fallback,
      exact: model !== undefined && virtualModelOf(model) === undefined,
      granted: this.#granted,
      delivered: this.#delivery.delivered,
      widened: this.#search.widened,
    }
  }

  #expire(nowMs: number): void {
    this.#cancelAttempt('deadline', nowMs)
    this.#finish(this.#last ?? tooLate(), nowMs)
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
    const { control, inbox } = this.#attempt
    if (control) this.#desk.bus.publish(control, encode(message), { reply: inbox })
  }

  #headers(nowMs: number, head?: Extract<InboxMessage, { t: 'head' }>): Record<string, string> {
    return this.#report.headers(this.#attempt, this.#granted, nowMs, head)
  }
}
