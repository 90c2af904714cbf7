// A collector for traces in this process: reads OTLP in JSON over HTTP and keeps the spans, for tests and for `freeway trace`.

import { Buffer } from 'node:buffer'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** Times are ms since 1970. */
export interface ToldSpan {
  service: string
  name: string
  /** `SERVER`, `CLIENT`, … */
  kind: string
  traceId: string
  spanId: string
  /** Empty for a root. */
  parentSpanId: string
  failed: boolean
  attributes: Record<string, unknown>
  events: { name: string; atMs: number }[]
  /** Trace ids. */
  links: string[]
  startMs: number
  durationMs: number
}

export interface OtlpSink extends AsyncDisposable {
  url: string
  spans: ToldSpan[]
}

/** On a free port of this machine. */
export async function openOtlpSink(): Promise<OtlpSink> {
  const spans: ToldSpan[] = []
  const server = createServer(async (request, response) => {
    const parts: Buffer[] = []
    for await (const part of request) parts.push(part)
    spans.push(...spansOf(JSON.parse(Buffer.concat(parts).toString())))
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

interface OtlpAttribute {
  key: string
  value: Record<string, unknown>
}
interface OtlpSpan {
  name: string
  kind: number
  traceId: string
  spanId: string
  parentSpanId?: string
  status: { code?: number }
  attributes: OtlpAttribute[]
  events?: { name: string; timeUnixNano: string }[]
  links?: { traceId: string }[]
  startTimeUnixNano: string
  endTimeUnixNano: string
}
interface OtlpBody {
  resourceSpans: { resource: { attributes: OtlpAttribute[] }; scopeSpans: { spans: OtlpSpan[] }[] }[]
}

const kinds = ['UNSPECIFIED', 'INTERNAL', 'SERVER', 'CLIENT', 'PRODUCER', 'CONSUMER']
const ERROR = 2

function spansOf(body: OtlpBody): ToldSpan[] {
  return body.resourceSpans.flatMap(({ resource, scopeSpans }) => {
    const service = String(record(resource.attributes)['service.name'])
    return scopeSpans.flatMap(({ spans }) => spans.map((span) => spanOf(service, span)))
  })
}

function spanOf(service: string, span: OtlpSpan): ToldSpan {
  const { name, kind, traceId, spanId, parentSpanId = '', status, attributes, events = [], links = [] } = span
  return {
    service,
    name,
    kind: kinds[kind] ?? '',
    traceId,
    spanId,
    parentSpanId,
    failed: status.code === ERROR,
    attributes: record(attributes),
    events: events.map(({ name, timeUnixNano }) => ({ name, atMs: Number(timeUnixNano) / 1e6 })),
    links: links.map((link) => link.traceId),
    startMs: Number(span.startTimeUnixNano) / 1e6,
    durationMs: Number(BigInt(span.endTimeUnixNano) - BigInt(span.startTimeUnixNano)) / 1e6,
  }
}

function record(attributes: OtlpAttribute[]): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, plain(value)]))
}

function plain(value: Record<string, unknown>): unknown {
  const list = (value.arrayValue as { values: Record<string, unknown>[] } | undefined)?.values
  return list ? list.map(plain) : Object.values(value)[0]
}
