import { Buffer } from 'node:buffer'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import process from 'node:process'
import { promisify } from 'node:util'
import { afterEach, expect, it, vi } from 'vitest'
import type { Role } from '#contracts/event.ts'
import { startOtlpSink, tree } from '#test/support/otlp-sink.ts'
import { startSpan, startTracing, type TraceContext } from './trace.ts'

const roles: Role[] = ['ingress', 'router', 'worker']

afterEach(() => void vi.unstubAllEnvs())

function tracingTo(url: string) {
  vi.stubEnv('OTEL_EXPORTER_OTLP_PROTOCOL', 'http/json')
  // Set by a start, and seen by the next one otherwise.
  vi.stubEnv('OTEL_EXPORTER_OTLP_ENDPOINT', '')
  return startTracing({ roles, endpoint: url, version: '0.1.0', bus: 'in_process' })
}

it('costs nothing when it is off: one frozen span for everybody', async () => {
  const { stop } = await startTracing({ roles, endpoint: undefined, version: '0.1.0', bus: 'in_process' })
  const span = startSpan('POST /v1/chat/completions', { role: 'ingress', kind: 'server' })
  expect(span).toBe(startSpan('other', { role: 'router', kind: 'internal' }))
  expect(Object.isFrozen(span)).toBe(true)
  expect(span.context).toBeUndefined()
  expect(span.traceId).toBeUndefined()
  span.set({ a: 1 })
  span.event('b')
  span.fail('c')
  span.keep()
  span.end()
  await stop()
})

it('does not load the SDK when it is off', async () => {
  const code = `
    import { registerHooks } from 'node:module'
    registerHooks({ resolve(name, context, next) { if (name.includes('opentelemetry')) console.log(name); return next(name, context) } })
    const { startTracing } = await import('${new URL('./trace.ts', import.meta.url)}')
    console.log('off')
    await startTracing({ roles: ['router'], endpoint: undefined, version: '1', bus: 'nats' })
    console.log('on')
    await (await startTracing({ roles: ['router'], endpoint: 'http://127.0.0.1:9', version: '1', bus: 'nats' })).stop()`
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', code])
  expect(stdout).toMatch(/^off\non\n.*opentelemetry/)
})

it('makes one tree of a request that crosses three services', async () => {
  await using sink = await startOtlpSink()
  const { stop } = await tracingTo(sink.url)

  // Each step knows of the one before only what travels with the job.
  const request = startSpan('POST /v1/chat/completions', {
    role: 'ingress',
    kind: 'server',
    attributes: { 'http.route': '/v1/chat/completions' },
  })
  const submit = startSpan('publish job', { role: 'ingress', kind: 'producer', parent: request.context })
  submit.end()
  const route = startSpan('process job', { role: 'router', kind: 'consumer', parent: submit.context })
  const offer = startSpan('publish work', { role: 'router', kind: 'producer', parent: route.context })
  offer.end()
  route.end()
  const attributes = () => ({ 'gen_ai.request.model': 'm-large' })
  const call = startSpan('chat m-large', { role: 'worker', kind: 'client', parent: offer.context, attributes })
  call.event('first_chunk')
  call.fail('rate_limited')
  call.end()
  request.set({ 'http.response.status_code': 200 })
  request.end()
  await stop()

  expect(tree(sink.spans)).toEqual([
    'freeway-ingress SERVER POST /v1/chat/completions',
    '  freeway-ingress PRODUCER publish job',
    '    freeway-router CONSUMER process job',
    '      freeway-router PRODUCER publish work',
    '        freeway-worker CLIENT chat m-large [ERROR]',
  ])
  expect(new Set(sink.spans.map(({ traceId }) => traceId))).toEqual(new Set([request.traceId]))
  expect(sink.spans.find(({ name }) => name === 'chat m-large')).toMatchObject({
    attributes: { 'gen_ai.request.model': 'm-large', 'error.type': 'rate_limited' },
    events: ['first_chunk'],
  })
  expect(sink.spans.find(({ kind }) => kind === 'SERVER')?.attributes).toEqual({
    'http.route': '/v1/chat/completions',
    'http.response.status_code': 200,
  })
  expect(startSpan('late', { role: 'router', kind: 'internal' }).context).toBeUndefined()
})

it('is one service where its name is given, and none for a role that the process does not have', async () => {
  await using sink = await startOtlpSink()
  vi.stubEnv('OTEL_SERVICE_NAME', 'mine')
  const { stop } = await tracingTo(sink.url)
  startSpan('a', { role: 'ingress', kind: 'internal' }).end()
  startSpan('b', { role: 'router', kind: 'internal' }).end()
  startSpan('c', { role: 'telemetry', kind: 'internal' }).end()
  await stop()
  expect(sink.spans.map(({ service, name }) => `${service} ${name}`).sort()).toEqual(['mine a', 'mine b'])
})

it('tells when a span began and ended, to fractions of a millisecond, and links to other traces', async () => {
  await using sink = await startOtlpSink()
  const { stop } = await tracingTo(sink.url)
  const other = startSpan('other', { role: 'ingress', kind: 'server' })
  const startedMs = performance.now() - 250
  const span = startSpan('x', { role: 'ingress', kind: 'internal', startedMs, links: [other.context as TraceContext] })
  span.end()
  other.end()
  await stop()
  const [told] = sink.spans.filter(({ name }) => name === 'x')
  expect(told?.links).toEqual([other.traceId])
  expect(told?.durationMs).toBeGreaterThanOrEqual(250)
  expect(told?.durationMs).toBeLessThan(1_000)
  expect(Math.abs((told?.startMs ?? 0) - (Date.now() - 250))).toBeLessThan(1_000)
})

it.each([
  ['a parent of a later version', '01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-new', '0af7651916cd43dd8448eb211c80319c'],
  ['no all-zero parent', '00-00000000000000000000000000000000-b7ad6b7169203331-01', undefined],
  ['no forbidden version', 'ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', undefined],
  ['no nonsense', 'hello', undefined],
])('takes %s', async (_, traceparent, traceId) => {
  await using sink = await startOtlpSink()
  const { stop } = await tracingTo(sink.url)
  const span = startSpan('x', { role: 'ingress', kind: 'server', parent: { traceparent, tracestate: 'vendor=1' } })
  if (traceId) expect(span).toMatchObject({ traceId, context: { tracestate: 'vendor=1' } })
  else expect(span.traceId).not.toBe(traceparent.split('-')[1])
  expect(span.context?.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/)
  span.end()
  await stop()
  expect(sink.spans).toHaveLength(1)
})

it('does not record what the caller has not sampled, but hands the decision on', async () => {
  await using sink = await startOtlpSink()
  const { stop } = await tracingTo(sink.url)
  const span = startSpan('x', {
    role: 'ingress',
    kind: 'server',
    parent: { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00' },
  })
  expect(span.context?.traceparent).toMatch(/^00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-00$/)
  span.end()
  await stop()
  expect(sink.spans).toEqual([])
})

it('of a share only that share is sent; but what is forced is, and what is kept in the end, at least by its root', async () => {
  await using sink = await startOtlpSink()
  vi.stubEnv('OTEL_TRACES_SAMPLER_ARG', '0')
  const { stop } = await tracingTo(sink.url)
  const request = (name: string, forced: boolean) => startSpan(name, { role: 'ingress', kind: 'server', forced })
  const below = (name: string, parent: TraceContext | undefined) => startSpan(name, { role: 'router', kind: 'consumer', parent })

  const left = request('left out', false)
  below('of left out', left.context).end()
  left.end()
  const forced = request('forced', true)
  below('of forced', forced.context).end()
  forced.end()
  const failed = request('failed', false)
  const child = below('of failed', failed.context)
  expect(child.context).toEqual(failed.context)
  child.set(() => {
    throw new Error('must not be called')
  })
  child.end()
  failed.set({ 'freeway.outcome': 'provider_error' })
  failed.keep()
  failed.end()
  await stop()

  expect(left.traceId).toMatch(/^[0-9a-f]{32}$/)
  expect(left.context?.traceparent.endsWith('-00')).toBe(true)
  expect(sink.spans.map(({ name }) => name).sort()).toEqual(['failed', 'forced', 'of forced'])
  expect(sink.spans.find(({ name }) => name === 'failed')).toMatchObject({
    traceId: failed.traceId,
    attributes: { 'freeway.outcome': 'provider_error' },
  })
})

it('leaves it to the SDK where another protocol is asked for', async () => {
  const bodies: Buffer[] = []
  const server = createServer((request, response) => {
    request.on('data', (part: Buffer) => bodies.push(part)).on('end', () => response.writeHead(200).end())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  vi.stubEnv('OTEL_EXPORTER_OTLP_PROTOCOL', 'http/protobuf')
  vi.stubEnv('OTEL_EXPORTER_OTLP_ENDPOINT', '')
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const { stop } = await startTracing({ roles, endpoint, version: '0.1.0', bus: 'in_process' })
  const request = startSpan('the request', { role: 'ingress', kind: 'server', attributes: { a: 'of the request' } })
  const fixed = { b: 'of many' }
  const below = startSpan('the job', { role: 'router', kind: 'consumer', parent: request.context, fixed: () => fixed })
  expect(below.traceId).toBe(request.traceId)
  below.end()
  request.end()
  await stop()
  server.close()
  const sent = Buffer.concat(bodies)
  for (const word of ['the request', 'of the request', 'the job', 'of many', 'freeway-router']) expect(sent.includes(word)).toBe(true)
  expect(sent.includes(Buffer.from(request.traceId ?? '', 'hex'))).toBe(true)
})

it('is not started with a sampler that there is not', async () => {
  vi.stubEnv('OTEL_TRACES_SAMPLER', 'sometimes')
  await expect(startTracing({ roles, endpoint: 'http://127.0.0.1:9', version: '1', bus: 'nats' })).rejects.toThrow('OTEL_TRACES_SAMPLER:')
})

it('does not hold up the end when the collector is gone', async () => {
  const sink = await startOtlpSink()
  const { stop } = await tracingTo(sink.url)
  startSpan('x', { role: 'ingress', kind: 'server' }).end()
  await sink[Symbol.asyncDispose]()
  const startedAt = performance.now()
  await stop()
  expect(performance.now() - startedAt).toBeLessThan(6000)
})
