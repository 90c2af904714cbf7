// A collector for traces on a real socket: reads OTLP/HTTP in JSON and keeps the spans.

import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface SinkSpan {
  service: string
  name: string
  kind: string
  traceId: string
  spanId: string
  /** Empty for a root. */
  parentSpanId: string
  failed: boolean
  attributes: Record<string, unknown>
  events: string[]
  /** Trace ids. */
  links: string[]
  /** Since 1970. */
  startMs: number
  durationMs: number
}

export interface OtlpSink extends AsyncDisposable {
  url: string
  spans: SinkSpan[]
}

export async function startOtlpSink(): Promise<OtlpSink> {
  const spans: SinkSpan[] = []
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

/** One line for each span, indented below its parent, in the order in which they began. */
export function tree(spans: readonly SinkSpan[], parent = '', depth = 0): string[] {
  return spans
    .filter((span) => span.parentSpanId === parent)
    .sort((a, b) => a.startMs - b.startMs)
    .flatMap((span) => [
      `${'  '.repeat(depth)}${span.service} ${span.kind} ${span.name}${span.failed ? ' [ERROR]' : ''}`,
      ...tree(spans, span.spanId, depth + 1),
    ])
}

interface OtlpAttribute {
  key: string
  value: Record<string, unknown>
}
interface OtlpBody {
  resourceSpans: {
    resource: { attributes: OtlpAttribute[] }
    scopeSpans: {
      spans: {
        name: string
        kind: number
        traceId: string
        spanId: string
        parentSpanId?: string
        status: { code?: number }
        attributes: OtlpAttribute[]
        events?: { name: string }[]
        links?: { traceId: string }[]
        startTimeUnixNano: string
        endTimeUnixNano: string
      }[]
    }[]
  }[]
}

const kinds = ['UNSPECIFIED', 'INTERNAL', 'SERVER', 'CLIENT', 'PRODUCER', 'CONSUMER']
const ERROR = 2

function spansOf(body: OtlpBody): SinkSpan[] {
  return body.resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap((scope) =>
      scope.spans.map((span) => ({
        service: String(record(resource.attributes)['service.name']),
        name: span.name,
        kind: kinds[span.kind] ?? '',
        traceId: span.traceId,
        spanId: span.spanId,
        parentSpanId: span.parentSpanId ?? '',
        failed: span.status.code === ERROR,
        attributes: record(span.attributes),
        events: (span.events ?? []).map(({ name }) => name),
        links: (span.links ?? []).map(({ traceId }) => traceId),
        startMs: Number(span.startTimeUnixNano) / 1e6,
        durationMs: Number(BigInt(span.endTimeUnixNano) - BigInt(span.startTimeUnixNano)) / 1e6,
      })),
    ),
  )
}

function record(attributes: OtlpAttribute[]): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, plain(value)]))
}

function plain(value: Record<string, unknown>): unknown {
  const list = (value.arrayValue as { values: Record<string, unknown>[] } | undefined)?.values
  return list ? list.map(plain) : Object.values(value)[0]
}
