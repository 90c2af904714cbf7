// The talk with the worker of the current attempt: grant it, credit its frames, call it off.

import type { CancelReason } from '#contracts/attempt.ts'
import { Message } from '#contracts/message.ts'
import { inbox } from '#contracts/subjects.ts'
import type { Attempt } from './attempt.ts'
import { newAttempt } from './attempt.ts'
import type { Desk } from './desk.ts'
import { Intake } from './intake.ts'
import type { Order } from './order.ts'
import { Reporter } from './reporter.ts'

const WINDOW_BYTES = 256 * 1024
/** Until one of those that are full may have room again. */
const PAUSE_MS = 40

export class Talk {
  attempt: Attempt
  readonly intake: Intake
  readonly report: Reporter
  readonly #order: Order
  readonly #desk: Desk
  /** How many attempts were granted, and the number of the last one. */
  #granted = 0
  #grantedAttempt = 0
  /** Whose failures were paid for. */
  readonly #paid: string[] = []
  readonly #client: string
  /** When each attempt number was submitted; undefined where a router kept it, so that its worker is not to blame for the wait. */
  readonly #submittedMs: (number | undefined)[] = []

  constructor(order: Order, desk: Desk) {
    this.#order = order
    this.#desk = desk
    this.#client = order.admitted.account?.id ?? ''
    this.intake = new Intake(order.delivery, this)
    this.report = new Reporter(order, desk, this.intake)
    this.attempt = this.#numbered(0, order.receivedMs)
  }

  /** Whether there may be another attempt after this provider has failed. */
  affordRetry(provider: string, nowMs: number): boolean {
    const affordable = this.#desk.retries.spend(this.#client, provider, nowMs)
    if (affordable) this.#paid.push(provider)
    return affordable
  }

  /** The request has its answer. */
  answered(nowMs: number): void {
    if (this.#paid.length > 0) this.#desk.retries.refund(this.#client, this.#paid, nowMs)
  }

  get overloaded(): boolean {
    return this.#desk.overloaded
  }

  get granted(): number {
    return this.#granted
  }

  /** The body of a granted attempt, for the worker that was granted it, until the first byte has been delivered. */
  bodyFor(n: number): Uint8Array | undefined {
    return n === this.#grantedAttempt && !this.#order.delivery.delivered ? this.#order.job.body : undefined
  }

  /** Turns to the next attempt number. */
  next(nowMs: number): Attempt {
    this.report.next()
    this.attempt = this.#numbered(this.attempt.n + 1, nowMs)
    this.intake.reset()
    return this.attempt
  }

  /** A worker has taken attempt `n`, in time or too late: how long that took, if it was up to the worker. */
  acceptedAfter(n: number, nowMs: number): number | undefined {
    const submittedMs = this.#submittedMs[n]
    return submittedMs === undefined ? undefined : nowMs - submittedMs
  }

  /** A router keeps the job; may be repeated. */
  waits(): void {
    this.#submittedMs[this.attempt.n] = undefined
    this.report.waits()
  }

  /** This attempt has come to nothing; its timer brings the next one in a moment. */
  pause(nowMs: number): void {
    this.attempt.waitingSinceMs = nowMs + PAUSE_MS - this.#desk.patience.acceptMs
  }

  /** May be repeated: an attempt is granted once. */
  grant(nowMs: number): void {
    const { control, n, target } = this.attempt
    if (!control || !target) return
    if (this.#grantedAttempt !== n) {
      this.#grantedAttempt = n
      this.#granted++
      if (this.#granted === 1) this.#desk.retries.called(this.#client, target.prov, nowMs)
      this.report.granted(this.attempt, target, control)
    }
    this.attempt.lastAckMs = nowMs
    this.tell({ t: 'grant', window: WINDOW_BYTES, ttl_ms: this.#order.deadlineMs - nowMs, whole: true })
  }

  /** A granted worker is told to stop; an offer is left to be denied. */
  callOff(why: CancelReason): void {
    const { stage } = this.attempt
    if (stage === 'granted' || stage === 'open') {
      this.tell({ t: 'cancel', why })
      this.report.canceled(this.attempt, why)
    } else if (stage === 'submitted') {
      this.report.releasedOf(this.attempt)
      const router = this.attempt.parked?.router
      if (router) this.#desk.bus.publish(router, new Message({ t: 'withdraw' }))
    }
    this.attempt.stage = 'over'
  }

  /** The worker may forget the attempt. */
  confirm(): void {
    const { control, n, target } = this.attempt
    if (control && target?.fins) this.#desk.confirmations.add(control, `${this.#order.id}.${n}`)
    else this.tell({ t: 'ack', s: this.attempt.next - 1, fin: true })
  }

  tell(message: object): void {
    const { control, inbox } = this.attempt
    if (control) this.#desk.bus.publish(control, new Message(message), { reply: inbox })
  }

  #numbered(n: number, nowMs: number): Attempt {
    this.#submittedMs[n] = nowMs
    return newAttempt(n, inbox(this.#desk.ingress, this.#order.id, n), nowMs)
  }
}
