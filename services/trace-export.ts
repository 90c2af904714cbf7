// Spans on their way to the collector, as OTLP in JSON over HTTP. The SDK's own exporters take twice the time for it that everything
// else about a span takes together, so they are left to whoever asks for another protocol.

import { Buffer } from 'node:buffer'

type Attributes = Readonly<Record<string, unknown>>
/** Seconds since 1970, and nanoseconds. */
type HrTime = [number, number]
interface SpanContext {
  traceId: string
  spanId: string
  traceFlags: number
  isRemote?: boolean | undefined
  traceState?: { serialize(): string } | undefined
}
interface Link {
  context: SpanContext
  attributes?: Attributes | undefined
}

/** What there is to read of a span of the SDK that has ended. */
export interface EndedSpan {
  /** One for all spans of an export. */
  resource: { attributes: Attributes; waitForAsyncAttributes?: (() => Promise<void>) | undefined }
  name: string
  kind: number
  spanContext(): SpanContext
  parentSpanContext?: SpanContext | undefined
  startTime: HrTime
  endTime: HrTime
  status: { code: number }
  attributes: Attributes
  links: readonly Link[]
  events: readonly { name: string; time: HrTime; attributes?: Attributes | undefined }[]
}

export interface SpanExport {
  /** Nothing waits for it: what does not fit any more is dropped and counted. */
  take(span: EndedSpan): void
  /** Sends what is left. Never rejects. */
  close(): Promise<void>
}

export interface SpanExportOptions {
  /** Where OTLP in JSON is taken: `…/v1/traces`. */
  url: string
  headers: Record<string, string>
  scope: { name: string; version: string }
  flushMs: number
  timeoutMs: number
  onDropped(spans: number): void
}

/** Sent when so much has come together, or `flushMs` have passed. */
const BATCH_BYTES = 256 * 1024
/** Batches that wait for the collector; what comes after that is dropped. */
const MAX_BATCHES = 64
const RETRIES = 2
const RETRY_MS = 1_000
const END = Buffer.from(']}]}]}')

interface Batch {
  json: Buffer
  spans: number
}

export function openSpanExport({ url, headers, scope, flushMs, timeoutMs, onDropped }: SpanExportOptions): SpanExport {
  // A span is written down the moment it ends: thousands of them, kept as objects until they are sent, would cost more to collect than to write.
  const buffer = Buffer.allocUnsafeSlow(BATCH_BYTES)
  let used = 0
  let spans = 0
  let resource: EndedSpan['resource'] | undefined
  let beginning: Buffer | undefined
  const waiting: Batch[] = []
  let timer: ReturnType<typeof setTimeout> | undefined
  let sending: Promise<void> | undefined
  let closing = false

  function take(span: EndedSpan): void {
    resource ??= span.resource
    const json = spanJson(span)
    // At most three bytes for each character.
    if (used + 3 * json.length + 1 > BATCH_BYTES) flush()
    if (3 * json.length + 1 > BATCH_BYTES) return onDropped(1)
    if (spans > 0) buffer[used++] = COMMA
    used += buffer.write(json, used)
    spans++
    if (timer !== undefined) return
    timer = setTimeout(flush, flushMs)
    // Spans alone keep no process alive.
    timer.unref()
  }

  function flush(): void {
    clearTimeout(timer)
    timer = undefined
    if (spans === 0) return
    if (waiting.length < MAX_BATCHES) waiting.push({ json: Buffer.from(buffer.subarray(0, used)), spans })
    else onDropped(spans)
    used = 0
    spans = 0
    sending ??= sendAll().finally(() => {
      sending = undefined
    })
  }

  async function sendAll(): Promise<void> {
    beginning ??= await beginningOf()
    for (let batch = waiting[0]; batch; batch = waiting[0]) {
      const sent = await send(Buffer.concat([beginning, batch.json, END]))
      waiting.shift()
      if (!sent) onDropped(batch.spans)
    }
  }

  /** The same for all of a process. */
  async function beginningOf(): Promise<Buffer> {
    await resource?.waitForAsyncAttributes?.()
    const attributes = attributesJson(resource?.attributes ?? {})
    return Buffer.from(
      `{"resourceSpans":[{"resource":{"attributes":${attributes}},"scopeSpans":[{"scope":${JSON.stringify(scope)},"spans":[`,
    )
  }

  /** False if the collector does not take it, or is not there. */
  async function send(body: Buffer<ArrayBuffer>): Promise<boolean> {
    for (let tries = 0; ; tries++) {
      try {
        const request = { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body }
        const response = await fetch(url, { ...request, signal: AbortSignal.timeout(timeoutMs) })
        await response.arrayBuffer()
        if (response.ok) return true
        if (response.status !== 429 && response.status < 502) return false
      } catch {
        // Refused, cut off or too slow: all the same from here, and worth another try.
      }
      if (tries === RETRIES || closing) return false
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
    }
  }

  return {
    take,
    async close() {
      closing = true
      flush()
      await sending
    },
  }
}

const COMMA = 0x2c

/** What the SDK alone can do. */
const left = ['OTEL_EXPORTER_OTLP_CERTIFICATE', 'OTEL_EXPORTER_OTLP_CLIENT_KEY', 'OTEL_EXPORTER_OTLP_COMPRESSION'].flatMap((name) => [
  name,
  name.replace('OTLP_', 'OTLP_TRACES_'),
])
type Environment = Readonly<Record<string, string | undefined>>

/** From OpenTelemetry's variables. Undefined where they ask for what only the SDK's own exporters do. */
export function exportSettings(env: Environment): Omit<SpanExportOptions, 'scope' | 'onDropped'> | undefined {
  const of = (name: string) => env[`OTEL_EXPORTER_OTLP_TRACES_${name}`] || env[`OTEL_EXPORTER_OTLP_${name}`]
  if ((env.OTEL_TRACES_EXPORTER || 'otlp') !== 'otlp' || (of('PROTOCOL') || 'http/json') !== 'http/json') return undefined
  if (env.OTEL_CONFIG_FILE || left.some((name) => env[name])) return undefined
  const base = env.OTEL_EXPORTER_OTLP_ENDPOINT ?? ''
  return {
    url: env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT || `${base.replace(/\/$/, '')}/v1/traces`,
    headers: headersOf(of('HEADERS') ?? ''),
    flushMs: Number(env.OTEL_BSP_SCHEDULE_DELAY) || 1_000,
    timeoutMs: Number(of('TIMEOUT')) || 10_000,
  }
}

/** `name=value,name=value`, percent-encoded. */
function headersOf(text: string): Record<string, string> {
  const pairs = text.split(',').map((pair) => [pair.slice(0, pair.indexOf('=')).trim(), pair.slice(pair.indexOf('=') + 1).trim()])
  return Object.fromEntries(pairs.filter(([name]) => name).map(([name, value = '']) => [name, decodeURIComponent(value)]))
}

const ERROR = 2
const ROOT = '0000000000000000'

function spanJson(span: EndedSpan): string {
  const { traceId, spanId, traceFlags, traceState } = span.spanContext()
  const { parentSpanContext: parent, links, events, status } = span
  let json = `{"traceId":"${traceId}","spanId":"${spanId}","flags":${flagsOf(traceFlags, parent)},`
  if (parent && parent.spanId !== ROOT) json += `"parentSpanId":"${parent.spanId}",`
  if (traceState) json += `"traceState":${JSON.stringify(traceState.serialize())},`
  json += `"name":${JSON.stringify(span.name)},"kind":${span.kind + 1},`
  json += `"startTimeUnixNano":"${nanos(span.startTime)}","endTimeUnixNano":"${nanos(span.endTime)}",`
  json += `"attributes":${attributesJson(span.attributes)}`
  if (events.length > 0) json += `,"events":[${events.map(eventJson).join(',')}]`
  if (links.length > 0) json += `,"links":[${links.map(linkJson).join(',')}]`
  return `${json},"status":${status.code === ERROR ? '{"code":2}' : '{}'}}`
}

/** Whether the parent is in another process is known, and it is. */
function flagsOf(traceFlags: number, parent: SpanContext | undefined): number {
  return (traceFlags & 0xff) | 0x100 | (parent?.isRemote ? 0x200 : 0)
}

function eventJson({ name, time, attributes = {} }: EndedSpan['events'][number]): string {
  return `{"name":${JSON.stringify(name)},"timeUnixNano":"${nanos(time)}","attributes":${attributesJson(attributes)}}`
}

function linkJson({ context: { traceId, spanId, traceFlags }, attributes = {} }: Link): string {
  return `{"traceId":"${traceId}","spanId":"${spanId}","flags":${traceFlags},"attributes":${attributesJson(attributes)}}`
}

function nanos([seconds, rest]: HrTime): string {
  return `${seconds}${String(rest).padStart(9, '0')}`
}

/** The same few dozen keys, over and over. */
const keys = new Map<string, string>()

function attributesJson(attributes: Attributes): string {
  let json = ''
  for (const key in attributes) {
    const value = attributes[key]
    if (value === undefined) continue
    let beginning = keys.get(key)
    if (beginning === undefined) {
      beginning = `{"key":${JSON.stringify(key)},"value":`
      keys.set(key, beginning)
    }
    json += `${json === '' ? '' : ','}${beginning}${valueJson(value)}}`
  }
  return `[${json}]`
}

function valueJson(value: unknown): string {
  if (typeof value === 'string') return `{"stringValue":${JSON.stringify(value)}}`
  if (typeof value === 'boolean') return `{"boolValue":${value}}`
  if (typeof value === 'number') return Number.isSafeInteger(value) ? `{"intValue":${value}}` : `{"doubleValue":${value}}`
  return Array.isArray(value)
    ? `{"arrayValue":{"values":[${value.map(valueJson).join(',')}]}}`
    : `{"stringValue":${JSON.stringify(String(value))}}`
}
