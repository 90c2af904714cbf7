// One request, one trace: the spans of an ingress, a router and workers, each a process of its own, as a person sees them in a trace viewer.

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { chat } from '#test/support/chat.ts'
import { natsBinaries } from '#test/support/nats.ts'
import { type OtlpSink, type SinkSpan, startOtlpSink, tree } from '#test/support/otlp-sink.ts'
import { type Stack, startStack } from '#test/support/stack.ts'
import { until } from '#test/support/until.ts'

describe.skipIf(natsBinaries().length === 0)('a trace', () => {
  let sink: OtlpSink
  let stack: Stack
  beforeAll(async () => {
    sink = await startOtlpSink()
    stack = await startStack({
      workers: [['alpha'], ['beta']],
      providers: { alpha: { weight: 2 }, beta: {} },
      env: { OTEL_EXPORTER_OTLP_ENDPOINT: sink.url, OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json', OTEL_BSP_SCHEDULE_DELAY: '50' },
    })
  })
  afterAll(async () => {
    await stack?.[Symbol.asyncDispose]()
    await sink?.[Symbol.asyncDispose]()
  })
  beforeEach(() => stack.reset())

  /** All spans of the trace, once so many have come in. */
  async function spansOf(traceId: string | undefined, count: number): Promise<SinkSpan[]> {
    const spans = () => sink.spans.filter((span) => span.traceId === traceId)
    await until(`${count} spans have come in`, () => spans().length >= count, { state: () => tree(spans()) })
    return spans()
  }
  const named = (spans: SinkSpan[], name: string) => spans.filter((span) => span.name === name)

  it('of a streamed request is one tree through all three services', async () => {
    const reply = await chat(stack.url, { model: 'm' })
    expect(reply).toMatchObject({ status: 200, done: true })
    const spans = await spansOf(reply.headers['x-freeway-trace-id'], 4)
    expect(tree(spans)).toEqual([
      'freeway-ingress SERVER POST /v1/chat/completions',
      '  freeway-ingress PRODUCER publish fw.v1.job',
      '    freeway-router CONSUMER process fw.v1.job',
      '      freeway-worker CLIENT chat m',
    ])
    expect(named(spans, 'POST /v1/chat/completions')[0]).toMatchObject({
      attributes: {
        'http.route': '/v1/chat/completions',
        'http.response.status_code': 200,
        'freeway.attempts': 1,
        'freeway.request_id': expect.stringMatching(/^[\w-]{22}$/),
      },
    })
    expect(named(spans, 'publish fw.v1.job')[0]?.attributes).toMatchObject({ 'freeway.attempt': 1 })
    expect(named(spans, 'process fw.v1.job')[0]?.attributes).toMatchObject({ 'freeway.attempt': 1, 'freeway.chosen': 'alpha' })
    expect(named(spans, 'chat m')[0]).toMatchObject({
      attributes: {
        'gen_ai.operation.name': 'chat',
        'gen_ai.provider.name': 'alpha',
        'gen_ai.request.model': 'm',
        'gen_ai.request.stream': true,
        'gen_ai.usage.input_tokens': expect.any(Number),
        'gen_ai.usage.output_tokens': expect.any(Number),
        'gen_ai.response.time_to_first_chunk': expect.any(Number),
        'server.address': '127.0.0.1',
        'server.port': stack.simulator.port,
      },
      events: ['first_chunk'],
    })
  })

  it('shows a failover as two attempts side by side, of which only the failed one is red', async () => {
    stack.simulator.setFault({}, { status: 429 }, 1)
    const reply = await chat(stack.url, { model: 'm' })
    expect(reply).toMatchObject({ status: 200, done: true, headers: { 'x-freeway-attempts': '2' } })
    const spans = await spansOf(reply.headers['x-freeway-trace-id'], 7)
    expect(tree(spans).sort()).toEqual(
      [
        'freeway-ingress SERVER POST /v1/chat/completions',
        '  freeway-ingress PRODUCER publish fw.v1.job',
        '    freeway-router CONSUMER process fw.v1.job',
        '      freeway-worker CLIENT chat m [ERROR]',
        '  freeway-ingress PRODUCER publish fw.v1.job',
        '    freeway-router CONSUMER process fw.v1.job',
        '      freeway-worker CLIENT chat m',
      ].sort(),
    )
    expect(
      named(spans, 'publish fw.v1.job')
        .map(({ attributes }) => Number(attributes['freeway.attempt']))
        .sort(),
    ).toEqual([1, 2])
    const failed = named(spans, 'chat m').find((span) => span.failed)
    expect(failed?.attributes).toMatchObject({
      'gen_ai.provider.name': 'alpha',
      'error.type': 'rate_limited',
      'http.response.status_code': 429,
    })
  })

  it('of a caller is gone on with, and is the caller’s', async () => {
    const traceId = '0af7651916cd43dd8448eb211c80319c'
    const response = await fetch(`${stack.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', traceparent: `00-${traceId}-b7ad6b7169203331-01` },
      body: JSON.stringify({ model: 'beta/m', messages: [{ role: 'user', content: 'secret words' }] }),
    })
    expect(response.headers.get('x-freeway-trace-id')).toBe(traceId)
    await response.text()
    const spans = await spansOf(traceId, 4)
    expect(tree(spans, 'b7ad6b7169203331')).toHaveLength(4)
    expect(JSON.stringify(spans)).not.toContain('secret words')
  })

  it('of a request that fails everywhere is red at its root', async () => {
    stack.simulator.setFault({}, { status: 500 })
    const reply = await chat(stack.url, { model: 'beta/m' })
    expect(reply.status).toBe(502)
    const spans = await spansOf(reply.headers['x-freeway-trace-id'], 4)
    expect(tree(spans)[0]).toBe('freeway-ingress SERVER POST /v1/chat/completions [ERROR]')
    expect(named(spans, 'POST /v1/chat/completions')[0]?.attributes).toMatchObject({
      'http.response.status_code': 502,
      'error.type': 'provider_error',
    })
  })
})
