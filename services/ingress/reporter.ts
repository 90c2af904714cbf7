// What is told of a request: to the routers (leases), to telemetry (events) and to the client (headers).

import type { End, Fail, InboxMessage, Target } from '#contracts/attempt.ts'
import type { Explained } from '#contracts/explained.ts'
import type { Outcome } from '#contracts/failure.ts'
import type { AttemptOutcome, Usage } from '#contracts/settlement.ts'
import type { Subject } from '#contracts/subjects.ts'
import type { Attempt } from './attempt.ts'
import type { Desk } from './desk.ts'
import { explainedHeader } from './explained.ts'
import { Facts } from './facts.ts'
import type { Intake } from './intake.ts'
import { measure } from './measures.ts'
import type { Order } from './order.ts'
import { serverTiming, type Timing } from './server-timing.ts'

/** A streamed token with its envelope takes about this many bytes; only used where the provider has not counted. */
const BYTES_PER_TOKEN = 200

/** A speed is told from so many tokens and so much time on. */
const LEAST_TOKENS = 8
const LEAST_MS = 20

type Told = Pick<Fail, 'status' | 'key_fault'> &
  Partial<Pick<Fail, 'retry_after_ms' | 'code' | 'scope' | 'learned'>> & { phase: Fail['phase'] | null }

export interface Ending {
  usage?: Usage | undefined
  error?: string | undefined
  /** What its message calls it. */
  errorId?: string | undefined
}

export class Reporter {
  readonly #order: Order
  readonly #desk: Desk
  readonly #intake: Intake
  readonly #facts: Facts
  #target: Target | undefined
  #strategy: string | undefined
  #firstByteMs: number | undefined
  #timing: Timing | undefined
  #explained: Explained | undefined

  constructor(order: Order, desk: Desk, intake: Intake) {
    this.#order = order
    this.#desk = desk
    this.#intake = intake
    this.#facts = new Facts(order, desk)
  }

  /** For a window of quota; may be repeated. */
  waits(): void {
    this.#facts.waits()
  }

  /** Another attempt follows. */
  next(): void {
    this.#facts.goesOn()
  }

  granted({ n }: Attempt, target: Target, control: Subject): void {
    this.#target = target
    this.#firstByteMs = undefined
    this.#facts.granted(n, target, control)
  }

  /** The times of the answer's worker. */
  began(timing: Timing): void {
    this.#timing = timing
  }

  opened(nowMs: number): void {
    this.#firstByteMs = nowMs
    if (this.#order.job.stream) this.#order.trace.opened(nowMs)
  }

  settled(attempt: Attempt, { usage, usage_source, learned }: End, nowMs: number): void {
    const speed = this.#tokensPerSecond(usage.out, nowMs)
    const outcome = this.#outcome(attempt, { status: 200, phase: null, key_fault: false, learned })
    if (outcome && speed !== undefined) outcome.tokens_per_second = speed
    this.#settle(attempt, usage, usage_source === 'provider' ? 'actual' : 'estimate', outcome)
    this.#attemptEnded(attempt, 'ok', true, usage)
  }

  failed(attempt: Attempt, fail: Fail): void {
    this.#order.trace.failed(attempt, fail)
    const usage = fail.usage ?? this.#estimate()
    const outcome = this.#outcome(attempt, fail)
    const rejected = fail.phase === 'status' || fail.phase === 'in_band'
    if (!fail.sent || (rejected && fail.status < 500)) this.releasedOf(attempt, outcome)
    else this.#settle(attempt, usage, 'estimate', outcome)
    this.#attemptEnded(attempt, rejected ? `rejected(${fail.status})` : `failed(${fail.phase})`, fail.sent, usage)
  }

  lost(attempt: Attempt, why: string): void {
    this.#order.trace.lost(attempt, why)
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

  /** What has to be told on of what routers and workers say. */
  heard(message: InboxMessage): void {
    if (message.t === 'busy') this.released(message.account, message.lease)
    // Also where a worker's accept has overtaken it.
    if (message.t === 'routed') this.#strategy = message.strategy
    if (message.t === 'routed' || message.t === 'noroute') this.#explained = message.explained ?? this.#explained
  }

  released(account: string, lease: string): void {
    this.#desk.settlements.report(account, { t: 'release', lease })
  }

  releasedOf(attempt: Attempt, outcome?: AttemptOutcome): void {
    if (attempt.target) this.#desk.settlements.report(attempt.target.account, { t: 'release', lease: this.#lease(attempt), outcome })
  }

  /** `error`: its type, if the request did not end well. */
  ended(
    outcome: Outcome,
    status: number,
    attempts: number,
    nowMs: number,
    { usage = this.#estimate(), error, errorId }: Ending = {},
  ): void {
    const { receivedMs, trace, job } = this.#order
    const durationMs = nowMs - receivedMs
    const firstTokenMs = this.#firstByteMs === undefined ? undefined : this.#firstByteMs - receivedMs
    const { bytes, parts: frames } = this.#intake
    const firstByteMs = firstTokenMs ?? durationMs
    trace.ended({ outcome, status, attempts, firstByteMs, frames, bytes, target: this.#target, error, errorId })
    const counts = { attempts, in: usage.in, out: usage.out, duration_ms: durationMs, ttfb_ms: firstTokenMs }
    this.#facts.ended({ outcome, status, ...counts, strategy: this.#strategy, error })
    const { kind, stream, model: asked } = job
    measure({ kind, stream, asked, target: this.#target, outcome, durationMs, firstTokenMs, attempts, usage })
  }

  headers(attempt: Attempt, granted: number, nowMs: number): Record<string, string> {
    const headers: Record<string, string> = {
      'x-request-id': this.#order.publicId,
      'request-id': this.#order.publicId,
      'x-freeway-attempts': String(granted),
    }
    const { traceId, context } = this.#order.trace
    if (traceId && context) {
      headers['x-trace-id'] = traceId
      headers['x-freeway-trace-id'] = traceId
      headers.traceresponse = context.traceparent
    }
    if (this.#target) {
      headers['x-freeway-provider'] = this.#target.prov
      headers['x-freeway-model'] = headerText(this.#target.model)
    }
    if (this.#explained) headers['x-freeway-explained'] = explainedHeader(this.#explained)
    headers['server-timing'] = serverTiming(attempt, this.#timing, this.#order.receivedMs, nowMs)
    return headers
  }

  #settle(attempt: Attempt, usage: Usage, mode: 'actual' | 'estimate', outcome: AttemptOutcome | undefined): void {
    if (attempt.target)
      this.#desk.settlements.report(attempt.target.account, { t: 'settle', lease: this.#lease(attempt), mode, usage, outcome })
  }

  #outcome(attempt: Attempt, told: Told): AttemptOutcome | undefined {
    if (!attempt.target) return undefined
    const { prov, account, model } = attempt.target
    const { status, phase, key_fault, retry_after_ms = null, code, scope, learned } = told
    const ttfb_ms = this.#firstByteMs === undefined || attempt.acceptedMs === undefined ? null : this.#firstByteMs - attempt.acceptedMs
    return { prov, account, model, status, phase, code, scope, key_fault, retry_after_ms, learned, ttfb_ms }
  }

  /** A few tokens say nothing, and what came in one piece was written before it came. */
  #tokensPerSecond(tokens: number, nowMs: number): number | undefined {
    const sinceMs = this.#order.job.stream ? this.#firstByteMs : undefined
    if (sinceMs === undefined || tokens < LEAST_TOKENS || nowMs - sinceMs < LEAST_MS) return undefined
    return Math.round((tokens / (nowMs - sinceMs)) * 10_000) / 10
  }

  #attemptEnded(attempt: Attempt, result: string, sent: boolean, usage: Usage): void {
    this.#facts.attemptEnded(attempt, { result, sent, in: usage.in, out: usage.out }, this.#firstByteMs)
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
