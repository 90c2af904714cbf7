import { execFile } from 'node:child_process'
import process from 'node:process'
import { promisify } from 'node:util'
import { afterEach, expect, it, vi } from 'vitest'
import { startOtlpSink, tree } from '#test/support/otlp-sink.ts'
import { startSpan, startTracing } from './trace.ts'

afterEach(() => void vi.unstubAllEnvs())

function tracingTo(url: string) {
  vi.stubEnv('OTEL_EXPORTER_OTLP_PROTOCOL', 'http/json')
  // Set by a start and seen by the next one otherwise.
  for (const name of ['OTEL_EXPORTER_OTLP_ENDPOINT', 'OTEL_TRACES_SAMPLER', 'OTEL_TRACES_SAMPLER_ARG']) vi.stubEnv(name, '')
  return startTracing({ service: 'freeway-ingress', endpoint: url, version: '0.1.0' })
}

it('costs nothing when it is off: one frozen span for everybody', async () => {
  const { stop } = await startTracing({ service: 'freeway-ingress', endpoint: undefined, version: '0.1.0' })
  const span = startSpan('POST /v1/chat/completions', { kind: 'server' })
  expect(span).toBe(startSpan('other', { kind: 'internal' }))
  expect(Object.isFrozen(span)).toBe(true)
  expect(span.context).toBeUndefined()
  expect(span.traceId).toBeUndefined()
  span.set({ a: 1 })
  span.event('b')
  span.fail('c')
  span.end()
  await stop()
})

it('does not load the SDK when it is off', async () => {
  const code = `
    import { registerHooks } from 'node:module'
    registerHooks({ resolve(name, context, next) { if (name.includes('opentelemetry')) console.log(name); return next(name, context) } })
    const { startTracing } = await import('${new URL('./trace.ts', import.meta.url)}')
    console.log('off')
    await startTracing({ service: 'x', endpoint: undefined, version: '1' })
    console.log('on')
    await (await startTracing({ service: 'x', endpoint: 'http://127.0.0.1:9', version: '1' })).stop()`
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', code])
  expect(stdout).toMatch(/^off\non\n.*opentelemetry/)
})

it('makes one tree of a request that crosses three services', async () => {
  await using sink = await startOtlpSink()
  const { stop } = await tracingTo(sink.url)

  // Each step knows of the one before only what travels with the job.
  const request = startSpan('POST /v1/chat/completions', { kind: 'server', attributes: { 'http.route': '/v1/chat/completions' } })
  const submit = startSpan('publish job', { kind: 'producer', parent: request.context })
  submit.end()
  const route = startSpan('process job', { kind: 'consumer', parent: submit.context })
  const offer = startSpan('publish work', { kind: 'producer', parent: route.context })
  offer.end()
  route.end()
  const call = startSpan('chat m-large', { kind: 'client', parent: offer.context, attributes: { 'gen_ai.request.model': 'm-large' } })
  call.event('first_chunk')
  call.fail('rate_limited')
  call.end()
  request.set({ 'http.response.status_code': 200 })
  request.end()
  await stop()

  expect(tree(sink.spans)).toEqual([
    'freeway-ingress SERVER POST /v1/chat/completions',
    '  freeway-ingress PRODUCER publish job',
    '    freeway-ingress CONSUMER process job',
    '      freeway-ingress PRODUCER publish work',
    '        freeway-ingress CLIENT chat m-large [ERROR]',
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
  expect(startSpan('late', { kind: 'internal' }).context).toBeUndefined()
})

it('keeps service names apart over processes', async () => {
  await using sink = await startOtlpSink()
  const code = (service: string, parent: string) => `
    import { startSpan, startTracing } from '${new URL('./trace.ts', import.meta.url)}'
    const { stop } = await startTracing({ service: '${service}', endpoint: '${sink.url}', version: '1' })
    const span = startSpan('${service} work', { kind: 'consumer', parent: ${parent} })
    console.log(JSON.stringify(span.context))
    span.end()
    await stop()`
  const env = { ...process.env, OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json', OTEL_EXPORTER_OTLP_ENDPOINT: '' }
  const run = async (service: string, parent: string) =>
    (await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', code(service, parent)], { env })).stdout.trim()

  const router = await run('freeway-router', 'undefined')
  await run('freeway-worker', router)
  expect(tree(sink.spans)).toEqual(['freeway-router CONSUMER freeway-router work', '  freeway-worker CONSUMER freeway-worker work'])
})

it.each([
  ['a parent of a later version', '01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-new', '0af7651916cd43dd8448eb211c80319c'],
  ['no all-zero parent', '00-00000000000000000000000000000000-b7ad6b7169203331-01', undefined],
  ['no forbidden version', 'ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', undefined],
  ['no nonsense', 'hello', undefined],
])('takes %s', async (_, traceparent, traceId) => {
  await using sink = await startOtlpSink()
  const { stop } = await tracingTo(sink.url)
  const span = startSpan('x', { kind: 'server', parent: { traceparent, tracestate: 'vendor=1' } })
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
  const span = startSpan('x', { kind: 'server', parent: { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00' } })
  expect(span.context?.traceparent).toMatch(/^00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-00$/)
  span.end()
  await stop()
  expect(sink.spans).toEqual([])
})

it('does not hold up the end when the collector is gone', async () => {
  const sink = await startOtlpSink()
  const { stop } = await tracingTo(sink.url)
  startSpan('x', { kind: 'server' }).end()
  await sink[Symbol.asyncDispose]()
  const startedAt = performance.now()
  await stop()
  expect(performance.now() - startedAt).toBeLessThan(6000)
})
