// Spans of one request across all services. The only file that knows OpenTelemetry, which is loaded when an endpoint is set and costs nothing otherwise.
// Parents are handed over explicitly, in messages: there is no ambient context.

import process from 'node:process'
import type { Attributes, Context, Span as OtelSpan, SpanKind, Tracer } from '@opentelemetry/api'

/** As in the W3C headers of the same names. */
export interface TraceContext {
  traceparent: string
  tracestate?: string
}

/** A function is called only if the span is recorded: what costs something to find out belongs there. */
export type LazyAttributes = Attributes | (() => Attributes)

export interface SpanOptions {
  kind: 'server' | 'client' | 'producer' | 'consumer' | 'internal'
  parent?: TraceContext | undefined
  attributes?: LazyAttributes
}

export interface Span {
  /** What a child in another service needs; undefined when tracing is off. */
  readonly context: TraceContext | undefined
  readonly traceId: string | undefined
  set(attributes: LazyAttributes): void
  event(name: string, attributes?: Attributes): void
  /** `type` is a low-cardinality word such as `rate_limited`, never a message. */
  fail(type: string): void
  end(): void
}

export interface TracingOptions {
  /** service.name of every span; OTEL_SERVICE_NAME goes first. */
  service: string
  /** Base address of an OTLP/HTTP collector; undefined: tracing stays off. */
  endpoint: string | undefined
  version: string
}

let active:
  | { tracer: Tracer; parentOf: (context: TraceContext | undefined) => Context; kinds: Record<SpanOptions['kind'], SpanKind> }
  | undefined

/** How long a stop may wait for a collector that does not answer. */
const STOP_MS = 3000

/** One per process. `stop` sends what is left and turns tracing off. */
export async function startTracing({ service, endpoint, version }: TracingOptions): Promise<{ stop(): Promise<void> }> {
  if (endpoint === undefined) return { stop: async () => {} }
  const [api, { startNodeSdk }] = await Promise.all([import('@opentelemetry/api'), import('@opentelemetry/sdk-node')])
  const { trace, context, propagation, SpanKind } = api

  // The SDK is set up by its own variables; these are only defaults that suit a gateway.
  process.env.OTEL_EXPORTER_OTLP_ENDPOINT ||= endpoint
  process.env.OTEL_TRACES_SAMPLER ||= 'parentbased_traceidratio'
  process.env.OTEL_TRACES_SAMPLER_ARG ||= '1'
  process.env.OTEL_BSP_MAX_QUEUE_SIZE ||= '20000'
  process.env.OTEL_BSP_MAX_EXPORT_BATCH_SIZE ||= '4000'
  const sdk = startNodeSdk({
    resourceAttributes: { 'service.name': process.env.OTEL_SERVICE_NAME || service, 'service.version': version },
    metricReaders: [],
    logRecordProcessors: [],
    logLevel: process.env.OTEL_LOG_LEVEL || 'error',
  })

  active = {
    tracer: trace.getTracer('freeway', version),
    parentOf(parent) {
      const [, traceId, spanId, flags] = TRACEPARENT.exec(parent?.traceparent ?? '') ?? []
      if (!traceId || !spanId || !flags) return api.ROOT_CONTEXT
      const traceState = parent?.tracestate === undefined ? undefined : api.createTraceState(parent.tracestate)
      // An all-zero id is invalid; the SDK then begins a new trace.
      return trace.setSpanContext(api.ROOT_CONTEXT, {
        traceId,
        spanId,
        traceFlags: Number.parseInt(flags, 16) & 1,
        isRemote: true,
        traceState,
      })
    },
    kinds: {
      server: SpanKind.SERVER,
      client: SpanKind.CLIENT,
      producer: SpanKind.PRODUCER,
      consumer: SpanKind.CONSUMER,
      internal: SpanKind.INTERNAL,
    },
  }

  return {
    async stop() {
      active = undefined
      let timer: NodeJS.Timeout | undefined
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, STOP_MS)
      })
      // A collector that is gone must not hold up the end of the process.
      await Promise.race([sdk.shutdown().catch(() => {}), late])
      clearTimeout(timer)
      trace.disable()
      context.disable()
      propagation.disable()
    },
  }
}

/** Higher versions than 00 may have further fields. */
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:$|-)/

const noSpan: Span = Object.freeze({ context: undefined, traceId: undefined, set() {}, event() {}, fail() {}, end() {} })

export function startSpan(name: string, options: SpanOptions): Span {
  if (!active) return noSpan
  const { kind, parent } = options
  const attributes = options.attributes && found(options.attributes)
  return recorded(active.tracer.startSpan(name, { kind: active.kinds[kind], attributes }, active.parentOf(parent)))
}

function found(attributes: LazyAttributes): Attributes {
  return typeof attributes === 'function' ? attributes() : attributes
}

const ERROR_STATUS = 2

function recorded(span: OtelSpan): Span {
  const { traceId, spanId, traceFlags, traceState } = span.spanContext()
  const tracestate = traceState?.serialize()
  const context: TraceContext = { traceparent: `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}` }
  if (tracestate) context.tracestate = tracestate
  return {
    context,
    traceId,
    set: (attributes) => void span.setAttributes(found(attributes)),
    event: (name, attributes) => void span.addEvent(name, attributes),
    fail: (type) => void span.setAttribute('error.type', type).setStatus({ code: ERROR_STATUS }),
    end: () => span.end(),
  }
}
