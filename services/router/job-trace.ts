// A job as its trace tells it on its way through a router: who could have it, how long it waited for quota, and who got it.

import type { Noroute, Submit } from '#contracts/attempt.ts'
import { type Choice, decided, offerSpan, quotaSpan, routeSpan } from '#services/spans.ts'
import type { Span } from '#services/trace/trace.ts'

export class JobTrace {
  readonly #job: Submit
  readonly #span: Span
  #waiting: Span | undefined
  #over = false

  constructor(job: Submit) {
    this.#job = job
    this.#span = routeSpan(job)
  }

  waits(reason: Noroute['reason'], opensInMs: number): void {
    this.#waiting ??= quotaSpan(this.#span.context, reason, opensInMs)
  }

  /** What the offer carries: the worker's spans hang on it. */
  offered(choice: Choice, provider: string): Submit['trace'] {
    this.#span.set(() => ({ ...decided(choice), 'freeway.chosen': provider }))
    const span = offerSpan(this.#span.context, this.#job.id, provider)
    span.end()
    this.#end()
    return span.context ? { ...span.context, sent_at: Date.now() } : this.#job.trace
  }

  refused(reason: Noroute['reason']): void {
    this.#span.fail(reason)
    this.#end()
  }

  /** Its owner wants it no more, or asks another router. May be called after any other end. */
  left(): void {
    if (this.#over) return
    this.#span.set({ 'freeway.withdrawn': true })
    this.#end()
  }

  #end(): void {
    this.#over = true
    this.#waiting?.end()
    this.#span.end()
  }
}
