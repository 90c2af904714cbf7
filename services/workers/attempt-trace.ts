// An attempt as its trace tells it: the offer from its arrival to its end, and in it the call, if there was one.

import type { Offer } from '#contracts/attempt.ts'
import { type Answered, answered, callSpan, workSpan } from '#services/spans.ts'
import type { Span } from '#services/trace/trace.ts'

export class AttemptTrace {
  readonly #offer: Offer
  readonly #baseUrl: string
  readonly #work: Span
  #call: Span | undefined

  constructor(offer: Offer, baseUrl: string) {
    this.#offer = offer
    this.#baseUrl = baseUrl
    this.#work = workSpan(offer)
  }

  called(): void {
    this.#call = callSpan(this.#work.context, this.#offer, this.#baseUrl)
  }

  firstChunk(): void {
    this.#call?.event('first_chunk')
  }

  /** `firstTokenMs`: see `answered` in spans.ts. */
  answered(end: Answered, firstTokenMs: number | null): void {
    this.#call?.set(() => answered(end, firstTokenMs))
    this.#endCall()
  }

  /** `status`: 0 if there was none. */
  failed(code: string, status: number): void {
    this.#call?.fail(code)
    if (status > 0) this.#call?.set({ 'http.response.status_code': status })
    this.#endCall()
  }

  /** A call that is still open was given up: that is no fault of its provider. */
  over(result: string): void {
    this.#call?.set({ 'freeway.result': result })
    this.#endCall()
    this.#work.set({ 'freeway.result': result })
    this.#work.end()
  }

  #endCall(): void {
    this.#call?.end()
    this.#call = undefined
  }
}
