// Pure. A span's parent, as a header or a message tells it.

import type { TraceContext } from './trace.ts'

export interface Parent {
  traceId: string
  spanId: string
  sampled: boolean
  tracestate: string | undefined
}

/** Higher versions than 00 may have further fields; an id of nothing but zeros is none. */
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:$|-)/
const OUR_LENGTH = 55
const SAMPLED = 1

/** Undefined where there is none, or it is nonsense. `ours`: it comes from a span of ours, and needs no proof. */
export function parentOf(context: TraceContext | undefined, ours = false): Parent | undefined {
  if (!context || !(ours ? context.traceparent.length === OUR_LENGTH : TRACEPARENT.test(context.traceparent))) return undefined
  const { traceparent, tracestate } = context
  const sampled = (Number.parseInt(traceparent.charAt(54), 16) & SAMPLED) === SAMPLED
  return { traceId: traceparent.slice(3, 35), spanId: traceparent.slice(36, 52), sampled, tracestate }
}
