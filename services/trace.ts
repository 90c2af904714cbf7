// Spans of one request across all services. Beside metrics.ts the only file that knows OpenTelemetry, which is loaded when an endpoint
// is set and costs nothing otherwise. Parents are handed over explicitly, in messages: there is no ambient context.

import process from 'node:process'
import type { Attributes, Context, SpanContext, SpanKind, Tracer } from '@opentelemetry/api'
import type { Role } from '#contracts/event.ts'
import { counter } from './metrics.ts'
import { checkClock, epochMs, Recorded } from './recorded-span.ts'
import { type EndedSpan, exportSettings, openSpanExport, type SpanExport } from './trace-export.ts'
import { isSampled, type SamplingRule, samplingRule } from './trace-sampler.ts'

/** As in the W3C headers of the same names. */
export interface TraceContext {
  traceparent: string
  tracestate?: string | undefined
}

/** A function is called only if the span is recorded: what costs something to find out belongs there. */
export type LazyAttributes = Attributes | (() => Attributes)

export interface SpanOptions {
  /** Which service tells it; a process may hold several. */
  role: Role
  kind: 'server' | 'client' | 'producer' | 'consumer' | 'internal'
  parent?: TraceContext | undefined
  attributes?: LazyAttributes
  /** When it began, on the clock of `performance.now()`; without it, now. */
  startedMs?: number | undefined
  /** Of other traces that this one has to do with. */
  links?: readonly TraceContext[]
  /** Traced whatever the sampling says. */
  forced?: boolean | undefined
}

export interface Span {
  /** What a child in another service needs; undefined when tracing is off. */
  readonly context: TraceContext | undefined
  readonly traceId: string | undefined
  set(attributes: LazyAttributes): void
  event(name: string, attributes?: Attributes): void
  /** `type` is a low-cardinality word such as `rate_limited`, never a message. */
  fail(type: string): void
  /** Sends it even though its trace is not sampled. Works for spans of kind `server` alone: they are always recorded. */
  keep(): void
  end(): void
}

export interface TracingOptions {
  /** Services of this process: each is a `service.name` of its own, `freeway-router`, unless OTEL_SERVICE_NAME says otherwise. */
  roles: readonly Role[]
  /** Base address of an OTLP/HTTP collector; undefined: tracing stays off. */
  endpoint: string | undefined
  version: string
  /** What carries messages from one service to the next. */
  bus: 'nats' | 'in_process'
}

interface Tracing {
  bus: TracingOptions['bus']
  tracers: ReadonlyMap<Role, Tracer>
  kinds: Record<SpanOptions['kind'], SpanKind>
  contextOf(parent: SpanContext | undefined, forced: boolean): Context
  spanContextOf(context: TraceContext | undefined): SpanContext | undefined
}

let active: Tracing | undefined

/** How long a stop may wait for a collector that does not answer. */
const STOP_MS = 3000
const SAMPLED = 1
const dropped = counter('freeway.spans.dropped', { description: 'Spans that the collector did not take, or not soon enough.' })

/** One per process. `stop` sends what is left and turns tracing off. Rejects with SettingsError if the sampler is not one. */
export async function startTracing({ roles, endpoint, version, bus }: TracingOptions): Promise<{ stop(): Promise<void> }> {
  if (endpoint === undefined || roles.length === 0) return { stop: async () => {} }
  const rule = samplingRule(process.env.OTEL_TRACES_SAMPLER, process.env.OTEL_TRACES_SAMPLER_ARG)
  const [api, { startNodeSdk }] = await Promise.all([import('@opentelemetry/api'), import('@opentelemetry/sdk-node')])
  const { trace, SpanKind } = api
  // The SDK is set up by its own variables; these are only defaults that suit a gateway.
  process.env.OTEL_EXPORTER_OTLP_ENDPOINT ||= endpoint
  process.env.OTEL_BSP_MAX_QUEUE_SIZE ||= '20000'
  process.env.OTEL_BSP_MAX_EXPORT_BATCH_SIZE ||= '4000'

  const forcedKey = api.createContextKey('freeway.forced')
  const sampler = samplerOf(rule, (context) => ({
    parent: trace.getSpanContext(context),
    forced: context.getValue(forcedKey) === true,
  }))
  const sending = exportSettings(process.env)
  const sdks: { shutdown(): Promise<void> }[] = []
  const tracers = new Map<Role, Tracer>()
  for (const role of roles) {
    api.diag.disable()
    sdks.push(
      startNodeSdk({
        resourceAttributes: { 'service.name': process.env.OTEL_SERVICE_NAME || `freeway-${role}`, 'service.version': version },
        metricReaders: [],
        logRecordProcessors: [],
        logLevel: process.env.OTEL_LOG_LEVEL || 'error',
        sampler,
        ...(sending && {
          spanProcessors: [
            processorOf(openSpanExport({ ...sending, scope: { name: 'freeway', version }, onDropped: (spans) => dropped.add(spans) })),
          ],
        }),
      }),
    )
    tracers.set(role, trace.getTracerProvider().getTracer('freeway', version))
    // Nothing is looked up globally here, and the next one may take its place.
    for (const global of [trace, api.context, api.propagation]) global.disable()
  }
  active = {
    bus,
    tracers,
    kinds: {
      server: SpanKind.SERVER,
      client: SpanKind.CLIENT,
      producer: SpanKind.PRODUCER,
      consumer: SpanKind.CONSUMER,
      internal: SpanKind.INTERNAL,
    },
    contextOf(parent, forced) {
      const context = parent ? trace.setSpanContext(api.ROOT_CONTEXT, parent) : api.ROOT_CONTEXT
      return forced ? context.setValue(forcedKey, true) : context
    },
    spanContextOf(context) {
      if (!context || !TRACEPARENT.test(context.traceparent)) return undefined
      const { traceparent, tracestate } = context
      const traceState = tracestate === undefined ? undefined : api.createTraceState(tracestate)
      const traceFlags = Number.parseInt(traceparent.slice(53, 55), 16) & SAMPLED
      return { traceId: traceparent.slice(3, 35), spanId: traceparent.slice(36, 52), traceFlags, isRemote: true, traceState }
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
      await Promise.race([Promise.all(sdks.map((sdk) => sdk.shutdown().catch(() => {}))), late])
      clearTimeout(timer)
    },
  }
}

function processorOf(sending: SpanExport) {
  return {
    onStart() {},
    onEnd(span: EndedSpan) {
      if (span.spanContext().traceFlags & SAMPLED) sending.take(span)
    },
    forceFlush: async () => {},
    shutdown: () => sending.close(),
  }
}

/** Decisions of the SDK: what is recorded can be kept, what is sampled is sent. */
const NOT_RECORD = { decision: 0 }
const RECORD = { decision: 1 }
const RECORD_AND_SAMPLED = { decision: 2 }

function samplerOf(rule: SamplingRule, factsOf: (context: Context) => { parent: SpanContext | undefined; forced: boolean }) {
  return {
    shouldSample(context: Context, traceId: string, _name: string, kind: SpanKind) {
      const { parent, forced } = factsOf(context)
      const isServer = kind === active?.kinds.server
      if (forced || (parent && !isServer)) return RECORD_AND_SAMPLED
      if (isSampled(rule, traceId, parent && (parent.traceFlags & SAMPLED) === SAMPLED)) return RECORD_AND_SAMPLED
      return isServer ? RECORD : NOT_RECORD
    },
    toString: () => `freeway ${JSON.stringify(rule)}`,
  }
}

/** Higher versions than 00 may have further fields; an id of nothing but zeros is none. */
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:$|-)/

const silent = { set() {}, event() {}, fail() {}, keep() {}, end() {} }
const noSpan: Span = Object.freeze({ context: undefined, traceId: undefined, ...silent })

export function startSpan(name: string, options: SpanOptions): Span {
  const tracer = active?.tracers.get(options.role)
  if (!active || !tracer) return noSpan
  const { kind, attributes, links, forced = false } = options
  const nowMs = performance.now()
  const parent = active.spanContextOf(options.parent)
  // Below a request that is not traced nothing is; what it hands on stays the same.
  if (parent && kind !== 'server' && (parent.traceFlags & SAMPLED) === 0) {
    return { context: options.parent, traceId: parent.traceId, ...silent }
  }
  // In every service the first span of a request.
  if (kind === 'server' || kind === 'consumer') checkClock(nowMs)
  const otelOptions = {
    kind: active.kinds[kind],
    startTime: epochMs(options.startedMs ?? nowMs),
    links: links?.flatMap((link) => active?.spanContextOf(link) ?? []).map((context) => ({ context })),
  }
  const span = new Recorded(tracer.startSpan(name, otelOptions, active.contextOf(parent, forced)))
  if (attributes) span.set(attributes)
  return span
}

/** For attributes of spans that send or take messages. */
export function messagingSystem(): string | undefined {
  return active?.bus
}
