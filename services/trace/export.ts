// Spans on their way to the collector, as OTLP in JSON over HTTP. The SDK's own exporters take twice the time for it that everything
// else about a span takes together, so they are left to whoever asks for another protocol.

import { Buffer } from 'node:buffer'
import { Agent as HttpAgent, request as httpRequest } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { type Attributes, attributesJson, type EndedSpan, spanJson } from './span-json.ts'

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
  /** What tells all of these spans: the same for a whole process. */
  resource: Promise<Attributes>
  scope: { name: string; version: string }
  flushMs: number
  timeoutMs: number
  onDropped(spans: number): void
}

/** Sent when so much has come together, or `flushMs` have passed. */
const BATCH_BYTES = 512 * 1024
/** Batches that wait for the collector; what comes after that is dropped. */
const MAX_BATCHES = 32
const RETRIES = 2
const RETRY_MS = 1_000
const END = Buffer.from(']}]}]}')

interface Batch {
  buffer: Buffer
  used: number
  spans: number
}

export function openSpanExport({ url, headers, resource, scope, flushMs, timeoutMs, onDropped }: SpanExportOptions): SpanExport {
  // A span is written down the moment it ends: thousands of them, kept as objects until they are sent, would cost more to collect than to write.
  let buffer: Buffer = Buffer.allocUnsafeSlow(BATCH_BYTES)
  let used = 0
  let spans = 0
  /** Of a batch that was sent. */
  let spare: Buffer | undefined
  const post = openPost(url, { 'content-type': 'application/json', ...headers }, timeoutMs)
  let beginning: Buffer | undefined
  const waiting: Batch[] = []
  let timer: ReturnType<typeof setTimeout> | undefined
  let sending: Promise<void> | undefined
  let closing = false

  function take(span: EndedSpan): void {
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
    if (waiting.length < MAX_BATCHES) {
      waiting.push({ buffer, used, spans })
      buffer = spare ?? Buffer.allocUnsafeSlow(BATCH_BYTES)
      spare = undefined
    } else onDropped(spans)
    used = 0
    spans = 0
    sending ??= sendAll().finally(() => {
      sending = undefined
    })
  }

  async function sendAll(): Promise<void> {
    beginning ??= await beginningOf()
    for (let batch = waiting[0]; batch; batch = waiting[0]) {
      const sent = await send([beginning, batch.buffer.subarray(0, batch.used), END])
      waiting.shift()
      spare = batch.buffer
      if (!sent) onDropped(batch.spans)
    }
  }

  async function beginningOf(): Promise<Buffer> {
    const attributes = attributesJson(await resource)
    return Buffer.from(
      `{"resourceSpans":[{"resource":{"attributes":${attributes}},"scopeSpans":[{"scope":${JSON.stringify(scope)},"spans":[`,
    )
  }

  /** False if the collector does not take it, or is not there. */
  async function send(body: readonly Buffer[]): Promise<boolean> {
    for (let tries = 0; ; tries++) {
      try {
        const status = await post(body)
        if (status < 300) return true
        if (status !== 429 && status < 502) return false
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
      post.close()
    },
  }
}

const COMMA = 0x2c

/** One request after the other on one connection, without a copy of what is sent: `fetch` makes three. Resolves with the status. */
function openPost(url: string, headers: Record<string, string>, timeoutMs: number) {
  const secure = url.startsWith('https:')
  const agent = secure ? new HttpsAgent({ keepAlive: true, maxSockets: 1 }) : new HttpAgent({ keepAlive: true, maxSockets: 1 })
  const post = (body: readonly Buffer[]) =>
    new Promise<number>((resolve, reject) => {
      const length = body.reduce((sum, { length }) => sum + length, 0)
      const options = { method: 'POST', agent, headers: { ...headers, 'content-length': length }, signal: AbortSignal.timeout(timeoutMs) }
      const request = (secure ? httpsRequest : httpRequest)(url, options, (response) => {
        response.resume()
        response.once('end', () => resolve(response.statusCode ?? 0)).once('error', reject)
      })
      request.once('error', reject)
      for (const part of body) request.write(part)
      request.end()
    })
  return Object.assign(post, { close: () => agent.destroy() })
}

/** What the SDK alone can do. */
const left = ['OTEL_EXPORTER_OTLP_CERTIFICATE', 'OTEL_EXPORTER_OTLP_CLIENT_KEY', 'OTEL_EXPORTER_OTLP_COMPRESSION'].flatMap((name) => [
  name,
  name.replace('OTLP_', 'OTLP_TRACES_'),
])
type Environment = Readonly<Record<string, string | undefined>>

/** From OpenTelemetry's variables. Undefined where they ask for what only the SDK's own exporters do. */
export function exportSettings(env: Environment): Omit<SpanExportOptions, 'resource' | 'scope' | 'onDropped'> | undefined {
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
