import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, it } from 'vitest'
import { startOtlpSink } from '#test/support/otlp-sink.ts'
import { until } from '#test/support/until.ts'
import { exportSettings, openSpanExport, type SpanExportOptions } from './export.ts'
import type { EndedSpan } from './span-json.ts'

const traceId = '0af7651916cd43dd8448eb211c80319c'
const spanId = 'b7ad6b7169203331'

const span = (name: string, more: Partial<EndedSpan> = {}): EndedSpan => ({
  traceId,
  spanId,
  parentSpanId: undefined,
  tracestate: undefined,
  sampled: true,
  name,
  kind: 1,
  startMs: 1_760_000_000_005,
  endMs: 1_760_000_001_000,
  failed: false,
  fixed: undefined,
  attributes: {},
  links: [],
  events: [],
  ...more,
})

let dropped = 0
afterEach(() => {
  dropped = 0
})
const options = (url: string): SpanExportOptions => ({
  url: `${url}/v1/traces`,
  headers: {},
  resource: Promise.resolve({ 'service.name': 'freeway-router' }),
  scope: { name: 'freeway', version: '1' },
  flushMs: 5,
  timeoutMs: 1_000,
  onDropped: (count) => {
    dropped += count
  },
})

it('tells everything of a span as a collector reads it', async () => {
  await using sink = await startOtlpSink()
  const sending = openSpanExport(options(sink.url))
  const attributes = { text: 'a "quoted"\nword – ✓', count: 3, share: 0.5, yes: true, list: ['a', 'b'] }
  const events = [{ name: 'first_chunk', atMs: 1_760_000_000_007, attributes: { n: 1 } }]
  const links = [{ traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId }]
  sending.take(span('all of "it"', { kind: 5, parentSpanId: '00f067aa0ba902b7', failed: true, attributes, events, links }))
  sending.take(span('nothing'))
  await until('both are there', () => sink.spans.length === 2)
  expect(sink.spans).toEqual([
    {
      service: 'freeway-router',
      name: 'all of "it"',
      kind: 'CONSUMER',
      traceId,
      spanId,
      parentSpanId: '00f067aa0ba902b7',
      failed: true,
      attributes,
      events: ['first_chunk'],
      links: ['4bf92f3577b34da6a3ce929d0e0e4736'],
      startMs: 1_760_000_000_005,
      durationMs: 995,
    },
    expect.objectContaining({ name: 'nothing', kind: 'INTERNAL', parentSpanId: '', failed: false, attributes: {}, events: [], links: [] }),
  ])
  await sending.close()
})

it('what many spans share is told of each, with and without words of its own', async () => {
  await using sink = await startOtlpSink()
  const sending = openSpanExport(options(sink.url))
  const fixed = { system: 'nats', kind: 'send' }
  sending.take(span('a', { fixed, attributes: { n: 1 } }))
  sending.take(span('b', { fixed }))
  await sending.close()
  expect(sink.spans.map(({ attributes }) => attributes)).toEqual([{ ...fixed, n: 1 }, fixed])
})

it('sends what is left at the end, and many batches whole', async () => {
  await using sink = await startOtlpSink()
  const sending = openSpanExport({ ...options(sink.url), flushMs: 60_000 })
  for (let i = 0; i < 3_000; i++) sending.take(span(`span ${i}`, { attributes: { filling: 'x'.repeat(100) } }))
  await sending.close()
  expect(sink.spans.map(({ name }) => name)).toEqual(Array.from({ length: 3_000 }, (_, i) => `span ${i}`))
  expect(dropped).toBe(0)
})

it('comes again where a collector is busy, and counts what it does not take', async () => {
  let calls = 0
  const answers = [503, 200, 400]
  await using collector = await serve((_, response) => response.writeHead(answers[calls++] ?? 500).end())
  const sending = openSpanExport(options(collector.url))
  sending.take(span('a'))
  await until('it was sent again', () => calls === 2)
  expect(dropped).toBe(0)
  sending.take(span('b'))
  await sending.close()
  expect([calls, dropped]).toEqual([3, 1])
})

it('carries the headers that are asked for', async () => {
  const seen: unknown[] = []
  await using collector = await serve((request, response) => {
    seen.push(request.headers.authorization, request.headers['content-type'])
    response.end('{}')
  })
  const sending = openSpanExport({ ...options(collector.url), headers: { authorization: 'Bearer x' } })
  sending.take(span('a'))
  await sending.close()
  expect(seen).toEqual(['Bearer x', 'application/json'])
})

it.each([
  [{}, 'http://c:4318/v1/traces'],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c:4318/base/' }, 'http://c:4318/base/v1/traces'],
  [{ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://d/x' }, 'http://d/x'],
  [{ OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json' }, 'http://c:4318/v1/traces'],
])('settings %j lead to %s', (env, url) => {
  expect(exportSettings({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c:4318', ...env })?.url).toBe(url)
})

it('headers are read from the environment, those of traces alone first', () => {
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c', OTEL_EXPORTER_OTLP_HEADERS: 'a=1, authorization=Basic%20eA==' }
  expect(exportSettings(env)?.headers).toEqual({ a: '1', authorization: 'Basic eA==' })
  expect(exportSettings({ ...env, OTEL_EXPORTER_OTLP_TRACES_HEADERS: 'b=2' })?.headers).toEqual({ b: '2' })
})

it.each([
  { OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' },
  { OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'http/protobuf' },
  { OTEL_TRACES_EXPORTER: 'console' },
  { OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip' },
  { OTEL_EXPORTER_OTLP_CERTIFICATE: '/ca.pem' },
  { OTEL_CONFIG_FILE: '/otel.yaml' },
])('%j is left to the SDK', (env) => {
  expect(exportSettings({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c', ...env })).toBeUndefined()
})

async function serve(handle: Parameters<typeof createServer>[1] & {}): Promise<{ url: string; [Symbol.asyncDispose](): Promise<void> }> {
  const server: Server = createServer((request, response) => void request.resume().on('end', () => handle(request, response)))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
