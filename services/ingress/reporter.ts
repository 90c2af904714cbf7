// What is told of a request: to the routers (leases), to telemetry (events) and to the client (headers).

import type { Fail, Target } from '#contracts/attempt.ts'
import type { Outcome } from '#contracts/failure.ts'
import type { AttemptOutcome, Usage } from '#contracts/settlement.ts'
import type { Subject } from '#contracts/subjects.ts'
import type { Attempt } from './attempt.ts'
import type { Desk } from './desk.ts'
import type { Intake } from './intake.ts'
import type { Order } from './order.ts'

/** A streamed token with its envelope takes about this many bytes; only used where the provider has not counted. */
const BYTES_PER_TOKEN = 200

interface Timing {
  worker_ms: number
  upstream_ms: number
}

export class Reporter {
  readonly #order: Order
  readonly #desk: Desk
  readonly #intake: Intake
  #target: Target | undefined
  #firstByteMs: number | undefined
  #timing: Timing | undefined

  constructor(order: Order, desk: Desk, intake: Intake) {
    this.#order = order
    this.#desk = desk
    this.#intake = intake
    const { id, job } = order
    desk.outbox.record({
      id: `${id}.0.req.start.ingress`,
      at: Date.now(),
      name: 'req.start',
      request: id,
      model: job.model ?? null,
      stream: job.stream,
    })
  }

  granted(n: number, target: Target, control: Subject): void {
    this.#target = target
    this.#firstByteMs = undefined
    const { id } = this.#order
    this.#desk.outbox.record({
      id: `${id}.${n}.att.granted.ingress`,
      at: Date.now(),
      name: 'att.granted',
      request: id,
      n,
      provider: target.prov,
      worker: control.split('.')[4] ?? '',
    })
  }

  opened(nowMs: number): void {
    this.#firstByteMs = nowMs
  }

  settled(attempt: Attempt, usage: Usage, mode: 'actual' | 'estimate'): void {
    this.#settle(attempt, usage, mode, this.#outcome(attempt, { status: 200, phase: null, key_fault: false }))
    this.#attemptEnded(attempt, 'ok', true, usage)
  }

  failed(attempt: Attempt, fail: Fail): void {
    const usage = fail.usage ?? this.#estimate()
    const outcome = this.#outcome(attempt, fail)
    const rejected = fail.phase === 'status' || fail.phase === 'in_band'
    if (!fail.sent || (rejected && fail.status < 500)) this.releasedOf(attempt, outcome)
    else this.#settle(attempt, usage, 'estimate', outcome)
    this.#attemptEnded(attempt, rejected ? `rejected(${fail.status})` : `failed(${fail.phase})`, fail.sent, usage)
  }

  lost(attempt: Attempt, why: string): void {
    const usage = this.#estimate()
    // A worker's death says nothing about its provider.
    this.#settle(attempt, usage, 'estimate', undefined)
    this.#attemptEnded(attempt, `unknown(${why})`, true, usage)
  }

  canceled(attempt: Attempt, why: string): void {
    const usage = this.#estimate()
    this.#settle(attempt, usage, 'estimate', undefined)
    this.#attemptEnded(attempt, `canceled(${why})`, true, usage)
  }

  released(account: string, lease: string): void {
    this.#desk.settlements.report(account, { t: 'release', lease })
  }

  releasedOf(attempt: Attempt, outcome?: AttemptOutcome): void {
    if (attempt.target) this.#desk.settlements.report(attempt.target.account, { t: 'release', lease: this.#lease(attempt), outcome })
  }

  ended(outcome: Outcome, status: number, attempts: number, nowMs: number, usage: Usage = this.#estimate()): void {
    const { id, receivedMs, span } = this.#order
    if (outcome !== 'ok') span.fail(outcome)
    span.set({ 'http.response.status_code': status, 'freeway.attempts': attempts })
    span.end()
    this.#desk.outbox.record({
      id: `${id}.0.req.end.ingress`,
      at: Date.now(),
      name: 'req.end',
      request: id,
      outcome,
      status,
      provider: this.#target?.prov ?? null,
      model: this.#target?.model ?? null,
      attempts,
      in: usage.in,
      out: usage.out,
      duration_ms: nowMs - receivedMs,
    })
  }

  headers(attempt: Attempt, granted: number, nowMs: number, head?: Timing): Record<string, string> {
    this.#timing = head ?? this.#timing
    const headers: Record<string, string> = {
      'x-request-id': this.#order.publicId,
      'request-id': this.#order.publicId,
      'x-freeway-attempts': String(granted),
    }
    const { traceId } = this.#order.span
    if (traceId) headers['x-freeway-trace-id'] = traceId
    if (this.#target) {
      headers['x-freeway-provider'] = this.#target.prov
      headers['x-freeway-model'] = headerText(this.#target.model)
    }
    headers['server-timing'] = this.#serverTiming(attempt, nowMs)
    return headers
  }

  #serverTiming({ submittedMs, routedMs, acceptedMs }: Attempt, nowMs: number): string {
    const { receivedMs } = this.#order
    const parts = [`ingress;dur=${ms(submittedMs - receivedMs)}`]
    if (routedMs !== undefined) parts.push(`route;dur=${ms(routedMs - submittedMs)}`)
    if (acceptedMs !== undefined) parts.push(`queue;dur=${ms(acceptedMs - (routedMs ?? submittedMs))}`)
    if (this.#timing) parts.push(`worker;dur=${ms(this.#timing.worker_ms)}`, `upstream;dur=${ms(this.#timing.upstream_ms)}`)
    parts.push(`total;dur=${ms(nowMs - receivedMs)}`)
    return parts.join(', ')
  }

  #settle(attempt: Attempt, usage: Usage, mode: 'actual' | 'estimate', outcome: AttemptOutcome | undefined): void {
    if (attempt.target)
      this.#desk.settlements.report(attempt.target.account, { t: 'settle', lease: this.#lease(attempt), mode, usage, outcome })
  }

  #outcome(
    attempt: Attempt,
    { status, phase, key_fault, retry_after_ms }: Pick<Fail, 'status' | 'key_fault' | 'retry_after_ms'> & { phase: Fail['phase'] | null },
  ): AttemptOutcome | undefined {
    if (!attempt.target) return undefined
    const { prov, account, model } = attempt.target
    const ttfb_ms = this.#firstByteMs === undefined || attempt.acceptedMs === undefined ? null : this.#firstByteMs - attempt.acceptedMs
    return { prov, account, model, status, phase, key_fault, retry_after_ms: retry_after_ms ?? null, ttfb_ms }
  }

  #attemptEnded(attempt: Attempt, result: string, sent: boolean, usage: Usage): void {
    if (!attempt.target) return
    const { id } = this.#order
    const nowMs = performance.now()
    this.#desk.outbox.record({
      id: `${id}.${attempt.n}.att.end.ingress`,
      at: Date.now(),
      name: 'att.end',
      request: id,
      n: attempt.n,
      provider: attempt.target.prov,
      model: attempt.target.model,
      result,
      sent,
      in: usage.in,
      out: usage.out,
      ttfb_ms: this.#firstByteMs === undefined ? null : this.#firstByteMs - attempt.submittedMs,
      duration_ms: nowMs - attempt.submittedMs,
    })
  }

  #lease(attempt: Attempt): string {
    return `${this.#order.id}.${attempt.n}`
  }

  #estimate(): Usage {
    return { in: this.#target ? this.#order.job.estimate.in : 0, out: Math.ceil(this.#intake.bytes / BYTES_PER_TOKEN) }
  }
}

/** A header from outside text: anything but printable ASCII would make the server throw after success. */
function headerText(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]/g, '?')
}

function ms(duration: number): number {
  return Math.max(0, Math.round(duration * 100) / 100)
}
