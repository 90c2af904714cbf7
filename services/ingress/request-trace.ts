// One request as its trace tells it: the root, and what only the ingress sees of its attempts and of the way of its answer.

import type { Fail, Target } from '#contracts/attempt.ts'
import type { Outcome } from '#contracts/failure.ts'
import { delivered, deliverySpan, lostSpan, type RequestSpan, requestSpan, submitSpan } from '#services/spans.ts'
import type { Span, TraceContext } from '#services/trace/trace.ts'
import type { Attempt } from './attempt.ts'

/** A request whose answer took so long to begin is kept, whatever the sampling says; so is one that failed. */
const SLOW_MS = 10_000

export interface TracedEnd {
  outcome: Outcome
  status: number
  /** Granted ones. */
  attempts: number
  /** Until the answer began, or until the end if it never did. */
  firstByteMs: number
  /** What was handed on to the client. */
  frames: number
  bytes: number
  target: Target | undefined
  /** The error's type, and the id that the client was told, if there were. */
  error: string | undefined
  errorId: string | undefined
}

export class RequestTrace {
  readonly #span: Span
  readonly #id: string
  #submitted: TraceContext | undefined
  #delivery: Span | undefined

  constructor(request: RequestSpan) {
    this.#span = requestSpan(request)
    this.#id = request.id
  }

  /** Undefined when tracing is off. */
  get traceId(): string | undefined {
    return this.#span.traceId
  }

  /** What an error's id is made of: whoever looks it up finds the trace, where there is one. */
  get publicId(): string {
    return this.#span.traceId?.slice(-12) ?? this.#id
  }

  /** Of the root: what a caller that is traced itself is told. */
  get context(): TraceContext | undefined {
    return this.#span.context
  }

  /** Undefined where the trace is not sampled. */
  get traceparent(): string | undefined {
    const traceparent = this.#span.context?.traceparent
    return traceparent?.endsWith('-01') ? traceparent : undefined
  }

  /** The caller ends it, and hands its context on. */
  submitted(n: number): Span {
    const span = submitSpan(this.#span.context, this.#id, n)
    this.#submitted = span.context
    return span
  }

  /** The first byte of a streamed answer. */
  opened(nowMs: number): void {
    this.#delivery ??= deliverySpan(this.#span.context, nowMs)
  }

  /** The span of the call says the same, but only where the trace is sampled. */
  failed({ n, target }: Attempt, { code, status }: Pick<Fail, 'code' | 'status'>): void {
    this.#span.event('attempt failed', {
      'freeway.attempt': n,
      'error.type': code,
      ...(target && { 'freeway.provider': target.prov, 'gen_ai.request.model': target.model }),
      ...(status > 0 && { 'http.response.status_code': status }),
    })
  }

  lost({ n, target, acceptedMs, submittedMs }: Attempt, why: string): void {
    if (!target) return
    const span = lostSpan(this.#submitted, n, target, acceptedMs ?? submittedMs)
    span.fail('worker_lost')
    span.set({ 'freeway.result': `unknown(${why})` })
    span.end()
    this.#span.event('attempt lost', { 'freeway.attempt': n, 'freeway.provider': target.prov })
  }

  ended({ outcome, status, attempts, firstByteMs, frames, bytes, target, error, errorId }: TracedEnd): void {
    const left = outcome === 'client_canceled'
    const red = outcome !== 'ok' && !left
    if (this.#delivery) {
      this.#delivery.set(delivered(frames, bytes, left))
      this.#delivery.end()
    }
    // Who leaves gets no error.
    if (red) this.#span.fail(error ?? outcome)
    this.#span.set({
      'http.response.status_code': status,
      'freeway.outcome': outcome,
      'freeway.attempts': attempts,
      ...(target && { 'freeway.provider': target.prov, 'freeway.model': target.model }),
      ...(errorId !== undefined && { 'freeway.error_id': errorId }),
    })
    if (red || firstByteMs >= SLOW_MS) this.#span.keep()
    this.#span.end()
  }
}
