// Owns a job: submits it, and again without those that failed, until a first byte, the deadline or the end.
// The only place that retries. Its wits are in attempt.ts and retry.ts; here they meet the bus.

import type { CancelReason, InboxMessage, Target } from '#contracts/attempt.ts'
import { errorIdOf, type FreewayError, type Outcome } from '#contracts/failure.ts'
import type { Frame } from '#contracts/frame.ts'
import type { Job } from '#contracts/job.ts'
import type { Subject } from '#contracts/subjects.ts'
import { jobs } from '#contracts/subjects.ts'
import { INLINE_BODY_BYTES } from '#services/blob.ts'
import type { Step } from './attempt.ts'
import { onAbsence, onMessage, onNobodyThere, onReconnected, onTick } from './attempt.ts'
import type { Delivery } from './delivery.ts'
import type { Desk } from './desk.ts'
import type { Order } from './order.ts'
import type { Ending } from './reporter.ts'
import type { RequestSoFar, Verdict } from './retry.ts'
import { afterFail, afterLoss, afterNoroute, brokerDown, noRouter, notPlaced, outcomeOf, shuttingDown, tooLate } from './retry.ts'
import type { Search } from './search.ts'
import { giveUpAdapted, learnFrom, newSearch, passOver } from './search.ts'
import { writeSubmission } from './submission.ts'
import { Talk } from './talk.ts'

const PLACING_MS = 1_000
const MAX_ATTEMPTS = 32

export class Failover {
  readonly id: string
  readonly #job: Job
  readonly #delivery: Delivery
  readonly #desk: Desk
  readonly #order: Order
  readonly #search: Search
  readonly #talk: Talk
  #placingSinceMs: number
  #waitingForBus = false
  #last: FreewayError | undefined
  #over = false

  constructor(order: Order, desk: Desk, nowMs: number) {
    this.id = order.id
    this.#job = order.job
    this.#search = newSearch(order.job.need)
    this.#delivery = order.delivery
    this.#desk = desk
    this.#order = order
    this.#placingSinceMs = nowMs
    this.#talk = new Talk(order, desk)
  }

  get unsentBytes(): number {
    return this.#delivery.unsentBytes
  }

  /** The body of a granted attempt, for the worker that was granted it. */
  bodyFor(n: number): Uint8Array | undefined {
    return this.#over ? undefined : this.#talk.bodyFor(n)
  }

  onFrame(n: number, frame: Frame, nowMs: number): boolean {
    if (this.#over || n !== this.#talk.attempt.n) return false
    const tooMuch = this.#talk.intake.take(this.#talk.attempt, frame, nowMs)
    if (tooMuch) {
      this.#talk.callOff('superseded')
      this.#finish(tooMuch, nowMs)
    }
    return true
  }

  /** False if the attempt is not the current one: the caller tells its worker. */
  onMessage(n: number, message: InboxMessage, control: Subject | undefined, nowMs: number): boolean {
    if (message.t === 'accept') this.#desk.accepted(this.#talk.acceptedAfter(n, nowMs))
    if (this.#over || n !== this.#talk.attempt.n) return false
    if (message.t === 'accept' && this.#talk.attempt.stage !== 'submitted' && control !== this.#talk.attempt.control) return false
    this.#talk.report.heard(message)
    // All that are left are full: at once they would only say so again.
    if (message.t === 'busy' && this.#search.avoid.includes(message.prov)) this.#talk.pause(nowMs)
    else this.#act(onMessage(this.#talk.attempt, message, control, this.#desk.justReconnected(nowMs), nowMs), nowMs)
    return true
  }

  onNobodyThere(n: number, nowMs: number): void {
    if (this.#over || n !== this.#talk.attempt.n) return
    // Routers move from one server of a cluster to another: for a moment nobody may be there.
    const moving = this.#desk.bus.topology === 'cluster' || this.#desk.justReconnected(nowMs)
    this.#act(onNobodyThere(this.#talk.attempt, moving, nowMs), nowMs)
  }

  onReconnected(nowMs: number): void {
    if (this.#over) return
    if (this.#waitingForBus) {
      this.#waitingForBus = false
      this.#placingSinceMs = nowMs
      return this.submit(nowMs)
    }
    if (this.#talk.attempt.stage === 'submitted') this.#placingSinceMs = nowMs
    this.#act(onReconnected(this.#talk.attempt, nowMs), nowMs)
  }

  /** This process was blocked or stopped for so long. */
  onAbsence(absentMs: number): void {
    this.#placingSinceMs += absentMs
    onAbsence(this.#talk.attempt, absentMs)
  }

  tick(nowMs: number, connected: boolean, grace: boolean): void {
    if (this.#over) return
    if (nowMs >= this.#order.deadlineMs) {
      this.#talk.callOff('deadline')
      return this.#finish(this.#last ?? tooLate(), nowMs)
    }
    if (this.#talk.intake.stalled(nowMs)) return this.cancel('client_stalled', nowMs)
    this.#delivery.tick(nowMs, () => this.#headers(nowMs))
    this.#talk.intake.tick(this.#talk.attempt, nowMs)
    if (!connected) {
      const notGranted = this.#waitingForBus || this.#talk.attempt.stage === 'submitted'
      if (notGranted && nowMs - this.#placingSinceMs >= PLACING_MS) this.#finish(brokerDown(), nowMs)
    } else if (!this.#waitingForBus) this.#act(onTick(this.#talk.attempt, this.#desk.patience, grace, nowMs), nowMs)
  }

  /** Nobody wants the answer any more: the client left, stalled, or the process ends. */
  cancel(why: CancelReason, nowMs: number): void {
    if (this.#over) return
    this.#talk.callOff(why)
    if (why === 'shutdown') return this.#finish(shuttingDown(), nowMs)
    this.#delivery.drop()
    this.#close('client_canceled', 499, nowMs)
  }

  /** Looks for a place, and once more after an attempt that came to nothing. */
  submit(nowMs: number): void {
    if (this.#talk.attempt.n >= MAX_ATTEMPTS) return this.#finish(this.#last ?? notPlaced(), nowMs)
    const { n, inbox } = this.#talk.next(nowMs)
    const { deadlineMs, receivedMs, maxWaitMs, admitted } = this.#order
    const span = this.#order.trace.submitted(n)
    const message = writeSubmission({
      id: this.id,
      n,
      ttlMs: deadlineMs - nowMs,
      maxWaitMs: receivedMs + maxWaitMs - nowMs,
      job: this.#job,
      admitted,
      search: this.#search,
      blob: this.#job.body.length > INLINE_BODY_BYTES ? this.#desk.blobOf(this.id, this.#job.body) : undefined,
      trace: span.context,
    })
    const sent = this.#desk.bus.publish(jobs, message, { reply: inbox })
    span.end()
    if (!sent) this.#waitingForBus = true
  }

  #act(step: Step, nowMs: number): void {
    switch (step.do) {
      case 'nothing':
        return
      case 'wait':
        this.#placingSinceMs = nowMs
        return this.#talk.waits()
      case 'grant':
        return this.#talk.grant(nowMs)
      case 'open':
        this.#talk.report.began(step.head)
        this.#delivery.open(step.head, this.#talk.granted, () => this.#headers(nowMs))
        return this.#talk.report.opened(nowMs)
      case 'resend':
        return this.#talk.intake.ack(this.#talk.attempt, true, nowMs)
      case 'probe':
      case 'beat':
        return this.#talk.intake.beat(this.#talk.attempt, nowMs)
      case 'complete':
        return this.#complete(step.end, nowMs)
      case 'failed':
        return this.#failed(step.fail, nowMs)
      case 'noroute':
        if (giveUpAdapted(this.#search)) return this.submit(nowMs)
        return this.#finish(afterNoroute(step.noroute, this.#last, this.#job), nowMs)
      case 'no_router':
        return this.#finish(noRouter(), nowMs)
      case 'replace':
        return this.#replace(step.why, step.prov, nowMs)
      case 'lost':
        return this.#lost(step.why, nowMs)
    }
  }

  #complete(end: Extract<InboxMessage, { t: 'end' }>, nowMs: number): void {
    this.#talk.confirm()
    this.#talk.report.settled(this.#talk.attempt, end, nowMs)
    this.#talk.answered(nowMs)
    const refusal = this.#delivery.end(() => this.#headers(nowMs))
    this.#close(refusal ? outcomeOf(refusal, false) : 'ok', refusal?.status ?? 200, nowMs, { usage: end.usage, error: refusal?.type })
  }

  #failed(fail: Extract<InboxMessage, { t: 'fail' }>, nowMs: number): void {
    const { target } = this.#talk.attempt
    this.#talk.confirm()
    this.#talk.report.failed(this.#talk.attempt, fail)
    if (target) this.#decide(afterFail(fail, target, this.#soFar(target)), target, nowMs)
  }

  #lost(why: string, nowMs: number): void {
    const { target } = this.#talk.attempt
    this.#talk.tell({ t: 'cancel', why: 'unknown' })
    this.#talk.report.lost(this.#talk.attempt, why)
    if (target) this.#decide(afterLoss(target, this.#soFar(target)), target, nowMs)
  }

  #decide(verdict: Verdict, target: Target, nowMs: number): void {
    this.#last = verdict.error
    if (!verdict.again || (verdict.spends && !this.#talk.affordRetry(target.prov, nowMs))) return this.#finish(verdict.error, nowMs)
    learnFrom(this.#search, verdict, target, this.#desk.contextWindowOf(target.prov, target.model))
    this.#placingSinceMs = nowMs
    this.submit(nowMs)
  }

  /** Nothing was called: the next number, without whom we waited for. */
  #replace(why: string, prov: string | undefined, nowMs: number): void {
    const { attempt, report } = this.#talk
    passOver(this.#search, attempt.n, why, prov ?? attempt.target?.prov)
    if (why === 'accept_timeout') report.releasedOf(attempt)
    if (why === 'waiting_timeout') this.#placingSinceMs = nowMs
    if (nowMs - this.#placingSinceMs >= PLACING_MS) return this.#finish(this.#last ?? notPlaced(), nowMs)
    this.submit(nowMs)
  }

  #soFar({ prov }: Target): RequestSoFar {
    const { delivered } = this.#delivery
    const { widened, adapted } = this.#search
    const asked = { id: this.#order.trace.publicId, job: this.#job, granted: this.#talk.granted }
    return { ...asked, delivered, widened, adapted: adapted?.adapt, accounts: this.#desk.accountsOf(prov) }
  }

  #finish(failure: FreewayError, nowMs: number): void {
    const error = this.#order.admitted.named(failure)
    const outcome = outcomeOf(error, this.#delivery.delivered)
    this.#delivery.fail(error, this.#headers(nowMs))
    this.#close(outcome, error.status, nowMs, { error: error.type, errorId: errorIdOf(error.message) })
  }

  #close(outcome: Outcome, status: number, nowMs: number, ending?: Ending): void {
    this.#over = true
    this.#desk.finished(this)
    this.#order.admitted.finished(outcome, this.#delivery.delivered)
    this.#talk.report.ended(outcome, status, this.#talk.granted, nowMs, ending)
  }

  #headers(nowMs: number): Record<string, string> {
    return this.#talk.report.headers(this.#talk.attempt, this.#talk.granted, nowMs)
  }
}
