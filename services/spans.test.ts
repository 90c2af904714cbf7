import { expect, it, vi } from 'vitest'
import { startOtlpSink } from '#test/support/otlp-sink.ts'
import { answered, callSpan, decided, requestSpan } from './spans.ts'
import { startTracing } from './trace/trace.ts'

const target = (prov: string, model = 'm') => ({ target: { prov, model, account: `${prov}-1`, billable: false } })

it.each([
  ['auto', 'code', 'code'],
  ['auto', 'auto', undefined],
  ['auto', 'named', undefined],
  ['fast', 'fast', undefined],
])('strategy %s with reason %s was a decision for intent %s', (strategy, reason, intent) => {
  expect(decided({ strategy, reason, order: [target('groq')] })['freeway.intent']).toBe(intent)
})

it('of many candidates it tells the best, and how many there were', () => {
  const order = Array.from({ length: 30 }, (_, i) => target(`p${i}`, 'large'))
  expect(decided({ strategy: 'auto', reason: 'auto', order })).toMatchObject({
    'freeway.candidates': ['p0/large', 'p1/large', 'p2/large', 'p3/large', 'p4/large', 'p5/large', 'p6/large', 'p7/large'],
    'freeway.candidate_count': 30,
  })
})

it('an answer says how it ended and what it cost, and leaves out what nobody reported', () => {
  expect(answered({ finish: 'stop', usage: { in: 9, out: 4 }, upstreamId: undefined }, null)).toStrictEqual({
    'gen_ai.response.finish_reasons': ['stop'],
    'gen_ai.usage.input_tokens': 9,
    'gen_ai.usage.output_tokens': 4,
  })
  expect(answered({ finish: 'stop', usage: { in: 9, out: 4, cached: 0, reasoning: 2 }, upstreamId: 'c1' }, 410)).toMatchObject({
    'gen_ai.usage.cache_read.input_tokens': 0,
    'gen_ai.usage.reasoning.output_tokens': 2,
    'gen_ai.response.id': 'c1',
    'gen_ai.response.time_to_first_chunk': 0.41,
  })
})

it('a call says whom it asks for what, in the words of the conventions', async () => {
  await using sink = await startOtlpSink()
  vi.stubEnv('OTEL_EXPORTER_OTLP_PROTOCOL', 'http/json')
  vi.stubEnv('OTEL_EXPORTER_OTLP_ENDPOINT', '')
  const { stop } = await startTracing({ roles: ['ingress', 'worker'], endpoint: sink.url, version: '1', bus: 'nats' })
  const parent = requestSpan({
    route: '/v1/embeddings',
    id: 'r1',
    publicId: 'mine',
    receivedMs: performance.now(),
    parent: undefined,
    forced: true,
  })
  const call = (prov: string, model: string, baseUrl: string) =>
    callSpan(parent.context, { kind: 'embedding', prov, model, stream: false }, baseUrl).end()
  call('gemini', 'embed-1', 'https://gemini.example/v1')
  call('mistral', 'embed-2', 'http://local.example/v1')
  call('groq', 'embed-3', 'http://127.0.0.1:9001/v1')
  parent.end()
  await stop()
  vi.unstubAllEnvs()

  const told = (provider: string, model: string, address: string, port: number) => ({
    name: `embeddings ${model}`,
    kind: 'CLIENT',
    attributes: {
      'gen_ai.operation.name': 'embeddings',
      'gen_ai.provider.name': provider,
      'gen_ai.request.model': model,
      'gen_ai.request.stream': false,
      'server.address': address,
      'server.port': port,
    },
  })
  expect(sink.spans.filter(({ kind }) => kind === 'CLIENT')).toMatchObject([
    told('gcp.gemini', 'embed-1', 'gemini.example', 443),
    told('mistral_ai', 'embed-2', 'local.example', 80),
    told('groq', 'embed-3', '127.0.0.1', 9001),
  ])
  expect(sink.spans.find(({ kind }) => kind === 'SERVER')?.attributes).toMatchObject({
    'freeway.request_id': 'r1',
    'freeway.client_request_id': 'mine',
    'freeway.trace.forced': true,
  })
})
