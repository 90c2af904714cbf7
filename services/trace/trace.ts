// Spans of one request across all services. Beside metrics.ts the only file that knows OpenTelemetry, which is loaded when an endpoint
// is set and costs nothing otherwise. Parents are handed over explicitly, in messages: there is no ambient context.

import process from 'node:process'
import type { Attributes, Context, SpanContext, SpanKind, Tracer } from '@opentelemetry/api'
import type { Role } from '#contracts/event.ts'
import { counter } from '../metrics.ts'
import { exportSettings, openSpanExport } from './export.ts'
import { type Parent, parentOf } from './parent.ts'
import { checkClock, epochMs, Recorded } from './recorded-span.ts'
import { isSampled, type SamplingRule, samplingRule } from './sampler.ts'
import { writtenSpans } from './written-span.ts'

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
  /** Called as lazy attributes are. Returns one object for many spans, which never changes: it is written down once. */
  fixed?: () => Readonly<Attributes>
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

/** `startMs`: since 1970. Whatever parent there is, is traced, unless the span is of kind `server`. */
export type SpanMaker = (name: string, options: SpanOptions, parent: Parent | undefined, startMs: number) => Span

let active: { bus: TracingOptions['bus']; makers: ReadonlyMap<Role, SpanMaker> } | undefined

/** How long a stop may wait for a collector that does not answer. */
const STOP_MS = 3000
const SAMPLED = 1
const dropped = counter('freeway.spans.dropped', { description: 'Spans that the collector did not take, or not soon enough.' })

/** One per process. `stop` sends what is left and turns tracing off. Rejects with SettingsError if the sampler is not one. */
export async function startTracing({ roles, endpoint, version, bus }: TracingOptions): Promise<{ stop(): Promise<void> }> {
  if (endpoint === undefined || roles.length === 0 || process.env.OTEL_SDK_DISABLED === 'true') return { stop: async () => {} }
  const rule = samplingRule(process.env.OTEL_TRACES_SAMPLER, process.env.OTEL_TRACES_SAMPLER_ARG)
  const [api, { startNodeSdk }] = await Promise.all([import('@opentelemetry/api'), import('@opentelemetry/sdk-node')])
  // The SDK is set up by its own variables; these are only defaults that suit a gateway.
  process.env.OTEL_EXPORTER_OTLP_ENDPOINT ||= endpoint
  process.env.OTEL_BSP_MAX_QUEUE_SIZE ||= '20000'
  process.env.OTEL_BSP_MAX_EXPORT_BATCH_SIZE ||= '4000'
  const settings = exportSettings(process.env)
  const makers = new Map<Role, SpanMaker>()
  const ends: (() => Promise<void>)[] = []
  for (const role of roles) {
    api.diag.disable()
    const sdk = startNodeSdk({
      resourceAttributes: { 'service.name': process.env.OTEL_SERVICE_NAME || `freeway-${role}`, 'service.version': version },
      metricReaders: [],
      logRecordProcessors: [],
      logLevel: process.env.OTEL_LOG_LEVEL || 'error',
      // Where spans are written by ourselves, the SDK finds out who we are, and has no spans but that one.
      ...(settings ? { sampler: recordAll, spanProcessors: [nowhere] } : { sampler: samplerOf(api, rule) }),
    })
    ends.push(() => sdk.shutdown())
    const tracer = api.trace.getTracerProvider().getTracer('freeway', version)
    if (settings) {
      const scope = { name: 'freeway', version }
      const sending = openSpanExport({ ...settings, resource: resourceOf(tracer), scope, onDropped: (spans) => dropped.add(spans) })
      ends.push(() => sending.close())
      makers.set(role, writtenSpans(rule, sending.take))
    } else makers.set(role, recordedSpans(api, tracer))
    // Nothing is looked up globally here, and the next one may take its place.
    for (const global of [api.trace, api.context, api.propagation]) global.disable()
  }
  active = { bus, makers }

  return {
    async stop() {
      active = undefined
      let timer: NodeJS.Timeout | undefined
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, STOP_MS)
      })
      // A collector that is gone must not hold up the end of the process.
      await Promise.race([Promise.all(ends.map((end) => end().catch(() => {}))), late])
      clearTimeout(timer)
    },
  }
}

const silent = { set() {}, event() {}, fail() {}, keep() {}, end() {} }
const noSpan: Span = Object.freeze({ context: undefined, traceId: undefined, ...silent })

export function startSpan(name: string, options: SpanOptions): Span {
  const make = active?.makers.get(options.role)
  if (!make) return noSpan
  const nowMs = performance.now()
  const parent = parentOf(options.parent, options.kind !== 'server')
  // Below a request that is not traced nothing is; what it hands on stays the same.
  if (parent && options.kind !== 'server' && !parent.sampled) return { context: options.parent, traceId: parent.traceId, ...silent }
  // In every service the first span of a request.
  if (options.kind === 'server' || options.kind === 'consumer') checkClock(nowMs)
  return make(name, options, parent, epochMs(options.startedMs ?? nowMs))
}

/** For attributes of spans that send or take messages. */
export function messagingSystem(): string | undefined {
  return active?.bus
}

// Spans of the SDK, for whoever asks for an exporter that it alone has ---------------------------

type Api = typeof import('@opentelemetry/api')

const kinds: Record<SpanOptions['kind'], SpanKind> = { internal: 0, server: 1, client: 2, producer: 3, consumer: 4 }
const FORCED = Symbol.for('freeway.forced')

function recordedSpans(api: Api, tracer: Tracer): SpanMaker {
  const spanContextOf = ({ traceId, spanId, sampled, tracestate }: Parent): SpanContext => ({
    traceId,
    spanId,
    traceFlags: sampled ? SAMPLED : 0,
    isRemote: true,
    ...(tracestate !== undefined && { traceState: api.createTraceState(tracestate) }),
  })
  return (name, { kind, fixed, attributes, links, forced = false }, parent, startTime) => {
    const root = parent ? api.trace.setSpanContext(api.ROOT_CONTEXT, spanContextOf(parent)) : api.ROOT_CONTEXT
    const options = {
      kind: kinds[kind],
      startTime,
      links: links?.flatMap((link) => parentOf(link) ?? []).map((other) => ({ context: spanContextOf(other) })),
    }
    const span = new Recorded(tracer.startSpan(name, options, forced ? root.setValue(FORCED, true) : root))
    if (fixed) span.set(fixed())
    if (attributes) span.set(attributes)
    return span
  }
}

/** Decisions of the SDK: what is recorded can be kept, what is sampled is sent. */
const NOT_RECORD = { decision: 0 }
const RECORD = { decision: 1 }
const RECORD_AND_SAMPLED = { decision: 2 }

function samplerOf({ trace }: Api, rule: SamplingRule) {
  return {
    shouldSample(context: Context, traceId: string, _name: string, kind: SpanKind) {
      const parent = trace.getSpanContext(context)
      const isServer = kind === kinds.server
      if (context.getValue(FORCED) === true || (parent && !isServer)) return RECORD_AND_SAMPLED
      if (isSampled(rule, traceId, parent && (parent.traceFlags & SAMPLED) === SAMPLED)) return RECORD_AND_SAMPLED
      return isServer ? RECORD : NOT_RECORD
    },
    toString: () => `freeway ${JSON.stringify(rule)}`,
  }
}

const recordAll = { shouldSample: () => RECORD, toString: () => 'freeway' }
const nowhere = { onStart() {}, onEnd() {}, forceFlush: async () => {}, shutdown: async () => {} }

/** What the SDK has found out about the process. */
async function resourceOf(tracer: Tracer): Promise<Attributes> {
  const { resource } = tracer.startSpan('') as unknown as { resource: { attributes: Attributes; waitForAsyncAttributes?(): Promise<void> } }
  await resource.waitForAsyncAttributes?.()
  return resource.attributes
}
