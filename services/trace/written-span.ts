// Spans that are written down by ourselves: nothing but what OTLP says of them. A span of the SDK costs four times as much.

import { Buffer } from 'node:buffer'
import { randomFillSync } from 'node:crypto'
import { parentOf } from './parent.ts'
import { epochMs } from './recorded-span.ts'
import { isSampled, type SamplingRule } from './sampler.ts'
import type { EndedSpan, SpanEvent } from './span-json.ts'
import type { LazyAttributes, Span, SpanMaker, TraceContext } from './trace.ts'

/** As OTLP counts. */
const kinds = { internal: 1, server: 2, client: 3, producer: 4, consumer: 5 }

/** `take` gets each span that has ended and is sampled. */
export function writtenSpans(rule: SamplingRule, take: (span: EndedSpan) => void): SpanMaker {
  return (name, { kind, fixed, attributes, links, forced = false }, parent, startMs) => {
    const traceId = parent?.traceId ?? newId(TRACE_ID_BYTES)
    const isServer = kind === 'server'
    const sampled = forced || (parent !== undefined && !isServer) || isSampled(rule, traceId, parent?.sampled)
    const tracestate = parent?.tracestate
    // What a server tells can be kept in the end.
    if (!sampled && !isServer) return unwritten({ traceId, spanId: newId(SPAN_ID_BYTES), sampled, tracestate })
    const linked = links ? links.flatMap((link) => parentOf(link) ?? []) : none
    const start = {
      traceId,
      parentSpanId: parent?.spanId,
      tracestate,
      sampled,
      name,
      kind: kinds[kind],
      startMs,
      fixed: fixed?.(),
      links: linked,
    }
    return new Written(start, attributes, take)
  }
}

type Attributes = Exclude<LazyAttributes, () => unknown>
type Start = Pick<EndedSpan, 'traceId' | 'parentSpanId' | 'tracestate' | 'sampled' | 'name' | 'kind' | 'startMs' | 'fixed' | 'links'>

class Written implements Span, EndedSpan {
  readonly traceId: string
  readonly spanId = newId(SPAN_ID_BYTES)
  readonly parentSpanId: string | undefined
  readonly tracestate: string | undefined
  sampled: boolean
  readonly name: string
  readonly kind: number
  readonly startMs: number
  endMs = 0
  failed = false
  readonly fixed: EndedSpan['fixed']
  attributes: Attributes
  events: readonly SpanEvent[] = none
  readonly links: EndedSpan['links']
  readonly #take: (span: EndedSpan) => void
  #context: TraceContext | undefined

  constructor(start: Start, attributes: LazyAttributes | undefined, take: (span: EndedSpan) => void) {
    this.traceId = start.traceId
    this.parentSpanId = start.parentSpanId
    this.tracestate = start.tracestate
    this.sampled = start.sampled
    this.name = start.name
    this.kind = start.kind
    this.startMs = start.startMs
    this.fixed = start.fixed
    this.links = start.links
    this.#take = take
    this.attributes = typeof attributes === 'function' ? attributes() : { ...attributes }
  }

  get context(): TraceContext {
    this.#context ??= contextOf(this)
    return this.#context
  }

  set(attributes: LazyAttributes): void {
    Object.assign(this.attributes, typeof attributes === 'function' ? attributes() : attributes)
  }

  event(name: string, attributes?: Attributes): void {
    this.events = [...this.events, { name, atMs: epochMs(performance.now()), attributes }]
  }

  fail(type: string): void {
    this.attributes['error.type'] = type
    this.failed = true
  }

  keep(): void {
    this.sampled = true
  }

  end(): void {
    if (this.endMs > 0) return
    this.endMs = epochMs(performance.now())
    if (this.sampled) this.#take(this)
  }
}

const none: readonly never[] = []

function unwritten(start: Parameters<typeof contextOf>[0]): Span {
  return { context: contextOf(start), traceId: start.traceId, set() {}, event() {}, fail() {}, keep() {}, end() {} }
}

function contextOf({
  traceId,
  spanId,
  sampled,
  tracestate,
}: Pick<EndedSpan, 'traceId' | 'spanId' | 'sampled' | 'tracestate'>): TraceContext {
  const traceparent = `00-${traceId}-${spanId}-${sampled ? '01' : '00'}`
  return tracestate === undefined ? { traceparent } : { traceparent, tracestate }
}

const TRACE_ID_BYTES = 16
const SPAN_ID_BYTES = 8
/** Asking for randomness once for many ids costs a tenth of asking each time. */
const pool = Buffer.allocUnsafeSlow(512 * SPAN_ID_BYTES)
let used = pool.length

/** In hexadecimal. */
function newId(bytes: number): string {
  if (used + bytes > pool.length) {
    randomFillSync(pool)
    used = 0
  }
  used += bytes
  return pool.toString('hex', used - bytes, used)
}
