// A span of the SDK that is recorded: what is set, what happens, and when, to fractions of a millisecond.

import type { LazyAttributes, Span, TraceContext } from './trace.ts'

type Attributes = Exclude<LazyAttributes, () => unknown>

/** What is needed of the SDK's span. */
interface SdkSpan {
  /** Of a span that is recorded. */
  readonly attributes?: Attributes
  spanContext(): { traceId: string; spanId: string; traceFlags: number; traceState?: { serialize(): string } | undefined }
  addEvent(name: string, attributes: Attributes | undefined, atMs: number): unknown
  setStatus(status: { code: number }): unknown
  end(atMs: number): void
}

const ERROR_STATUS = 2
const SAMPLED = 1

export class Recorded implements Span {
  readonly #span: SdkSpan
  /** The span's own; undefined if it is not recorded. Checking each one of them, as the SDK does, is half of what a span costs. */
  readonly #attributes: Attributes | undefined
  #context: TraceContext | undefined

  constructor(span: SdkSpan) {
    this.#span = span
    this.#attributes = span.attributes
  }

  get context(): TraceContext {
    this.#context ??= contextOf(this.#span.spanContext())
    return this.#context
  }

  get traceId(): string {
    return this.#span.spanContext().traceId
  }

  set(attributes: LazyAttributes): void {
    if (this.#attributes) Object.assign(this.#attributes, found(attributes))
  }

  event(name: string, attributes?: Attributes): void {
    this.#span.addEvent(name, attributes, epochMs(performance.now()))
  }

  fail(type: string): void {
    this.set({ 'error.type': type })
    this.#span.setStatus({ code: ERROR_STATUS })
  }

  keep(): void {
    // Read when the span ends: whether it is sent.
    this.#span.spanContext().traceFlags |= SAMPLED
  }

  end(): void {
    this.#span.end(epochMs(performance.now()))
  }
}

function found(attributes: LazyAttributes): Attributes {
  return typeof attributes === 'function' ? attributes() : attributes
}

function contextOf({ traceId, spanId, traceFlags, traceState }: ReturnType<SdkSpan['spanContext']>): TraceContext {
  const traceparent = `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`
  const tracestate = traceState?.serialize()
  return tracestate ? { traceparent, tracestate } : { traceparent }
}

/** Fractions of a millisecond tell who came first, and the clock of the machine has none: it is only asked whether it was set. */
let originMs = performance.timeOrigin
const MAX_DRIFT_MS = 2

/** Of a time on the clock of `performance.now()`: ms since 1970. */
export function epochMs(atMs: number): number {
  return originMs + atMs
}

/** Once for each request is often enough. */
export function checkClock(nowMs: number): void {
  const nowOriginMs = Date.now() - nowMs
  if (Math.abs(nowOriginMs - originMs) > MAX_DRIFT_MS) originMs = nowOriginMs
}
