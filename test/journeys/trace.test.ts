// One request, one trace: the spans of an ingress, a router and a worker as a person sees them in a trace viewer, whether they are
// processes of their own or share one.

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Simulator, startSimulator } from '#services/simulator/simulator.ts'
import { chat, openChat } from '#test/support/chat.ts'
import { denoBinary } from '#test/support/deno.ts'
import { type GatewayOptions, runFreeway, startGateway } from '#test/support/gateway.ts'
import { natsBinaries } from '#test/support/nats.ts'
import { type OtlpSink, type SinkSpan, startOtlpSink, tree } from '#test/support/otlp-sink.ts'
import { load, type Service, type Stack, startStack } from '#test/support/stack.ts'
import { until } from '#test/support/until.ts'

const limited = { limits: [{ unit: 'requests', max: 1, per: 'second' }] } as const
const tracing = (sink: OtlpSink) => ({
  OTEL_EXPORTER_OTLP_ENDPOINT: sink.url,
  OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
  OTEL_BSP_SCHEDULE_DELAY: '50',
})

/** A freeway that is traced, whatever it is made of. */
interface House {
  url: string
  simulator: Simulator
  stack?: Stack
  close(): Promise<void>
}

async function oneProcess(sink: OtlpSink, env: Record<string, string> = {}, options: GatewayOptions = {}): Promise<House> {
  const simulator = await startSimulator()
  const provider = (model: string, more: object = {}) => ({
    base_url: `${simulator.url}/v1`,
    api_key: 'sk-canary',
    models: [{ id: model, capabilities: ['chat'], context_window: 100_000 }],
    ...more,
  })
  const providers = { alpha: provider('m', { weight: 2 }), beta: provider('m'), gamma: provider('m-second', limited) }
  const gateway = await startGateway({ config: { providers }, env: { FREEWAY_DEMO: 'off', ...tracing(sink), ...env }, ...options })
  return {
    url: gateway.url,
    simulator,
    async close() {
      await gateway[Symbol.asyncDispose]()
      await simulator.close()
    },
  }
}

async function manyProcesses(sink: OtlpSink): Promise<House> {
  const providers = { alpha: { weight: 2 }, beta: {}, gamma: { ...limited, limits: [...limited.limits], model: 'm-second' } }
  const stack = await startStack({ workers: [['alpha'], ['beta', 'gamma']], providers, env: tracing(sink) })
  await stack.start('telemetry')
  return { url: stack.url, simulator: stack.simulator, stack, close: () => stack[Symbol.asyncDispose]() }
}

/** All spans of the trace, once so many have come in, and the last of all, its root. */
async function spansOf(sink: OtlpSink, traceId: string | undefined, count: number): Promise<SinkSpan[]> {
  const spans = () => sink.spans.filter((span) => span.traceId === traceId)
  const complete = () => spans().length >= count && spans().some(({ kind }) => kind === 'SERVER')
  await until(`${count} spans have come in`, complete, { state: () => tree(spans()) })
  return spans()
}
const named = (spans: SinkSpan[], name: string) => spans.filter((span) => span.name === name)
const root = 'POST /v1/chat/completions'

/** Of one attempt: until it is offered, and with its call. `chat`: of the last span, its model and whether it failed. */
const placed = [
  '  freeway-ingress PRODUCER publish fw.v1.job',
  '    freeway-router CONSUMER process fw.v1.job',
  '      freeway-router PRODUCER publish fw.v1.work.{provider}',
]
const called = (chat = 'm') => [
  ...placed,
  '        freeway-worker CONSUMER process fw.v1.work.{provider}',
  `          freeway-worker CLIENT chat ${chat}`,
]

const houses = [
  { name: 'in one process', system: 'in_process', skip: false, open: oneProcess },
  { name: 'over NATS', system: 'nats', skip: natsBinaries().length === 0, open: manyProcesses },
]
for (const { name, system, skip, open } of houses) {
  // On a busy machine an offer may be taken too late: then it is made again, and the trace shows that too.
  describe.skipIf(skip)(`a trace ${name}`, { retry: 2 }, () => {
    let sink: OtlpSink
    let house: House
    beforeAll(async () => {
      sink = await startOtlpSink()
      house = await open(sink)
    })
    afterAll(async () => {
      await house?.close()
      await sink?.[Symbol.asyncDispose]()
    })
    beforeEach(() => {
      house.stack?.reset()
      house.simulator.reset()
      house.simulator.setFault({}, load)
    })

    it('of a streamed request is one tree through all services', async () => {
      const reply = await chat(house.url, { model: 'm' })
      expect(reply).toMatchObject({ status: 200, done: true })
      const traceId = reply.headers['x-trace-id']
      expect(reply.headers['x-freeway-trace-id']).toBe(traceId)
      const spans = await spansOf(sink, traceId, 7)
      expect(tree(spans)).toEqual([
        `freeway-ingress SERVER ${root}`,
        '  freeway-ingress PRODUCER publish fw.v1.job',
        '    freeway-router CONSUMER process fw.v1.job',
        '      freeway-router PRODUCER publish fw.v1.work.{provider}',
        '        freeway-worker CONSUMER process fw.v1.work.{provider}',
        '          freeway-worker CLIENT chat m',
        '  freeway-ingress INTERNAL stream response',
      ])
      const id = named(spans, root)[0]?.attributes['freeway.request_id']
      const messaging = { 'messaging.system': system, 'messaging.message.conversation_id': id }
      const publish = { ...messaging, 'messaging.operation.name': 'publish', 'messaging.operation.type': 'send' }
      const process = { ...messaging, 'messaging.operation.name': 'process', 'messaging.operation.type': 'process' }
      const toJob = { 'messaging.destination.name': 'fw.v1.job' }
      const toWork = { 'messaging.destination.name': 'fw.v1.work.alpha', 'messaging.destination.template': 'fw.v1.work.{provider}' }
      const said = Object.fromEntries(spans.map((span) => [span.name, span.attributes]))
      expect(reply.headers.traceresponse).toBe(`00-${traceId}-${named(spans, root)[0]?.spanId}-01`)
      expect(said).toEqual({
        [root]: {
          'http.request.method': 'POST',
          'http.route': '/v1/chat/completions',
          'http.response.status_code': 200,
          'freeway.attempts': 1,
          'freeway.outcome': 'ok',
          'freeway.provider': 'alpha',
          'freeway.model': 'm',
          'freeway.request_id': expect.stringMatching(/^[\w-]{22}$/),
        },
        'publish fw.v1.job': { ...publish, ...toJob, 'freeway.attempt': 1 },
        'process fw.v1.job': {
          ...process,
          ...toJob,
          'messaging.consumer.group.name': 'router',
          'freeway.attempt': 1,
          'freeway.reason': 'named',
          'freeway.strategy': 'auto',
          'freeway.candidates': ['alpha/m', 'beta/m'],
          'freeway.candidate_count': 2,
          'freeway.chosen': 'alpha',
        },
        'publish fw.v1.work.{provider}': { ...publish, ...toWork },
        'process fw.v1.work.{provider}': {
          ...process,
          ...toWork,
          'messaging.consumer.group.name': 'w',
          'freeway.attempt': 1,
          'freeway.provider': 'alpha',
          'freeway.account': expect.stringMatching(/^alpha/),
          'freeway.queue_ms': expect.any(Number),
          'freeway.result': 'ok',
        },
        'chat m': {
          'gen_ai.operation.name': 'chat',
          'gen_ai.provider.name': 'alpha',
          'gen_ai.request.model': 'm',
          'gen_ai.request.stream': true,
          'gen_ai.response.id': expect.any(String),
          'gen_ai.response.finish_reasons': ['stop'],
          'gen_ai.response.time_to_first_chunk': expect.any(Number),
          'gen_ai.usage.input_tokens': expect.any(Number),
          'gen_ai.usage.output_tokens': expect.any(Number),
          'server.address': '127.0.0.1',
          'server.port': house.simulator.port,
        },
        'stream response': {
          'freeway.chunks': expect.any(Number),
          'freeway.bytes': expect.any(Number),
          'freeway.client_aborted': false,
        },
      })
      expect(named(spans, 'chat m')[0]?.events).toEqual(['first_chunk'])
      expect(Number(named(spans, 'stream response')[0]?.attributes['freeway.bytes'])).toBeGreaterThan(load.chunks * load.size)
    })

    it('of a plain request ends with the call', async () => {
      const reply = await chat(house.url, { model: 'auto', stream: false })
      expect(reply.status).toBe(200)
      const spans = await spansOf(sink, reply.headers['x-trace-id'], 6)
      expect(tree(spans)).toEqual([
        `freeway-ingress SERVER ${root}`,
        ...placed,
        '        freeway-worker CONSUMER process fw.v1.work.{provider}',
        expect.stringMatching(/^ {10}freeway-worker CLIENT chat m/),
      ])
      const { 'freeway.intent': intent, 'freeway.strategy': strategy } = named(spans, 'process fw.v1.job')[0]?.attributes ?? {}
      expect(strategy).toBe('auto')
      expect(['code', 'reasoning', 'general']).toContain(intent)
    })

    it('shows a failover as two attempts side by side, of which only the failed call is red', async () => {
      house.simulator.setFault({}, { status: 503 }, 1)
      const reply = await chat(house.url, { model: 'm' })
      expect(reply).toMatchObject({ status: 200, done: true, headers: { 'x-freeway-attempts': '2' } })
      const spans = await spansOf(sink, reply.headers['x-trace-id'], 12)
      expect(tree(spans)).toEqual([
        `freeway-ingress SERVER ${root}`,
        ...called('m [ERROR]'),
        ...called(),
        '  freeway-ingress INTERNAL stream response',
      ])
      const failed = named(spans, 'chat m').find((span) => span.failed)
      expect(failed?.attributes).toMatchObject({
        'gen_ai.provider.name': 'alpha',
        'error.type': 'overloaded',
        'http.response.status_code': 503,
      })
      const second = named(spans, 'process fw.v1.job').find((span) => span.attributes['freeway.attempt'] === 2)
      expect(second?.attributes).toMatchObject({
        'freeway.chosen': 'beta',
        'freeway.excluded': ['alpha'],
        'freeway.candidates': ['beta/m'],
      })
      expect(named(spans, root)[0]?.events).toEqual(['attempt failed'])
    })

    it('of a request that its client leaves is not red: nobody got an error', async () => {
      house.simulator.setFault({}, { chunks: 1_000, size: 10, tps: 50 })
      const open = openChat(house.url, { model: 'beta/m' })
      await open.untilText(50)
      open.hangUp()
      const { headers } = await open.ended
      const spans = await spansOf(sink, headers['x-trace-id'], 7)
      expect(tree(spans)).toEqual([`freeway-ingress SERVER ${root}`, ...called(), '  freeway-ingress INTERNAL stream response'])
      expect(named(spans, root)[0]?.attributes).toMatchObject({ 'freeway.outcome': 'client_canceled', 'http.response.status_code': 499 })
      expect(named(spans, 'stream response')[0]?.attributes).toMatchObject({ 'freeway.client_aborted': true })
      expect(named(spans, 'chat m')[0]?.attributes).toMatchObject({ 'freeway.result': 'canceled(client_canceled)' })
    })

    it('shows how long a request waited for quota', async () => {
      const ask = () =>
        fetch(`${house.url}/v1/chat/completions`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', 'x-freeway-max-wait': '20' },
          body: JSON.stringify({ model: 'm-second', messages: [{ role: 'user', content: 'Hello' }] }),
        })
      // More than fit into the windows that they meet.
      const replies = await Promise.all([ask(), ask(), ask()])
      expect(replies.map(({ status }) => status)).toEqual([200, 200, 200])
      const ids = replies.map(({ headers }) => headers.get('x-trace-id'))
      await Promise.all(replies.map((reply) => reply.text()))
      await until('a wait has come in', () => sink.spans.some(({ traceId, name }) => ids.includes(traceId) && name === 'wait for quota'))
      const waited = sink.spans.find(({ traceId, name }) => ids.includes(traceId) && name === 'wait for quota')
      const spans = await spansOf(sink, waited?.traceId, 7)
      expect(tree(spans)).toEqual([
        `freeway-ingress SERVER ${root}`,
        '  freeway-ingress PRODUCER publish fw.v1.job',
        '    freeway-router CONSUMER process fw.v1.job',
        '      freeway-router INTERNAL wait for quota',
        '      freeway-router PRODUCER publish fw.v1.work.{provider}',
        '        freeway-worker CONSUMER process fw.v1.work.{provider}',
        '          freeway-worker CLIENT chat m-second',
      ])
      expect(waited?.attributes).toEqual({ 'freeway.reason': 'quota', 'freeway.opens_in_ms': expect.any(Number) })
      // The answer comes after the wait, and the wait is most of the time.
      const whole = named(spans, root)[0]
      expect(waited?.durationMs).toBeGreaterThan(50)
      expect(waited?.durationMs).toBeLessThanOrEqual((whole?.durationMs ?? 0) + 1)
    })

    it('of a caller is gone on with, and tells neither what was said nor with which key', async () => {
      const traceId = '0af7651916cd43dd8448eb211c80319c'
      const response = await fetch(`${house.url}/v1/chat/completions`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          authorization: 'Bearer sk-of-the-client',
          traceparent: `00-${traceId}-b7ad6b7169203331-01`,
        },
        body: JSON.stringify({ model: 'beta/m', messages: [{ role: 'user', content: 'secret words' }] }),
      })
      expect(response.headers.get('x-trace-id')).toBe(traceId)
      const { choices } = (await response.json()) as { choices: { message: { content: string } }[] }
      const spans = await spansOf(sink, traceId, 6)
      expect(tree(spans, 'b7ad6b7169203331')).toHaveLength(6)
      for (const secret of ['secret words', 'sk-of-the-client', 'sk-canary', choices[0]?.message.content ?? '?'])
        expect(JSON.stringify(spans)).not.toContain(secret)
    })

    it('of a request that fails everywhere is red at its root, and is found by the id of its error', async () => {
      house.simulator.setFault({}, { status: 500 })
      const reply = await chat(house.url, { model: 'beta/m' })
      expect(reply.status).toBe(502)
      const traceId = reply.headers['x-trace-id'] ?? ''
      const spans = await spansOf(sink, traceId, 8)
      expect(tree(spans)).toEqual([
        `freeway-ingress SERVER ${root} [ERROR]`,
        ...called('m [ERROR]'),
        '  freeway-ingress PRODUCER publish fw.v1.job',
        '    freeway-router CONSUMER process fw.v1.job [ERROR]',
      ])
      const errorId = `beta-${traceId.slice(-12)}`
      expect(reply.error?.message).toContain(`Error id: ${errorId}`)
      expect(named(spans, root)[0]?.attributes).toMatchObject({
        'http.response.status_code': 502,
        'error.type': 'provider_error',
        'freeway.error_id': errorId,
      })
    })

    it('is linked to by the batch that stores what happened', async () => {
      const reply = await chat(house.url, { model: 'm' })
      const linked = () => sink.spans.filter(({ links }) => links.includes(reply.headers['x-trace-id'] ?? ''))
      await until('the batch has come in', () => linked().length > 0)
      expect(linked()[0]).toMatchObject({
        service: 'freeway-telemetry',
        kind: 'CONSUMER',
        name: 'process fw.v1.evt.{role}.batch.v1',
        parentSpanId: '',
        failed: false,
        attributes: { 'messaging.consumer.group.name': 'telemetry', 'freeway.facts': expect.any(Number) },
      })
      expect(linked()[0]?.traceId).not.toBe(reply.headers['x-trace-id'])
    })

    it.runIf(open === manyProcesses)('shows that a worker died, though it cannot tell any more', async () => {
      house.simulator.setFault({}, { stall: 'head' }, 1)
      const stack = house.stack as Stack
      const open = openChat(house.url, { model: 'm' })
      await house.simulator.waitFor(({ body }) => JSON.stringify(body ?? '').includes(open.marker))
      const alpha = stack.workers.findLast(({ name }) => name === 'worker alpha') as Service
      alpha.kill('SIGKILL')
      try {
        const reply = await open.ended
        expect(reply).toMatchObject({ status: 200, done: true, headers: { 'x-freeway-provider': 'beta' } })
        const spans = await spansOf(sink, reply.headers['x-trace-id'], 11)
        expect(tree(spans)).toEqual([
          `freeway-ingress SERVER ${root}`,
          ...placed,
          '    freeway-ingress INTERNAL attempt lost [ERROR]',
          ...called(),
          '  freeway-ingress INTERNAL stream response',
        ])
        expect(named(spans, 'attempt lost')[0]?.attributes).toMatchObject({
          'freeway.provider': 'alpha',
          'error.type': 'worker_lost',
          'freeway.result': expect.stringMatching(/^unknown\((gone|silent)\)$/),
        })
      } finally {
        // Also for the next try.
        await stack.start('worker', ['alpha'])
      }
    })
  })
}

describe('of requests of which none is sampled', () => {
  let sink: OtlpSink
  let house: House
  beforeAll(async () => {
    sink = await startOtlpSink()
    house = await oneProcess(sink, { OTEL_TRACES_SAMPLER_ARG: '0' })
  })
  afterAll(async () => {
    await house?.close()
    await sink?.[Symbol.asyncDispose]()
  })
  beforeEach(() => house.simulator.reset())

  const ask = (headers: Record<string, string> = {}) =>
    fetch(`${house.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ model: 'beta/m', messages: [{ role: 'user', content: 'Hello' }] }),
    })

  it('whoever may ask for a trace gets all of it, the others none, and a failure leaves its root', async () => {
    const silent = await ask()
    const forced = await ask({ 'x-freeway-trace': '1' })
    house.simulator.setFault({}, { status: 500 })
    const failed = await ask()
    expect([silent.status, forced.status, failed.status]).toEqual([200, 200, 502])
    const id = ({ headers }: Response) => headers.get('x-trace-id') ?? ''
    expect(tree(await spansOf(sink, id(forced), 6))).toHaveLength(6)
    const [kept] = await spansOf(sink, id(failed), 1)
    expect(kept).toMatchObject({
      name: root,
      failed: true,
      events: ['attempt failed'],
      attributes: { 'freeway.error_id': `beta-${id(failed).slice(-12)}` },
    })
    expect(sink.spans.filter(({ traceId }) => traceId === id(failed))).toHaveLength(1)
    expect(id(silent)).toMatch(/^[0-9a-f]{32}$/)
    expect(sink.spans.filter(({ traceId }) => traceId === id(silent))).toEqual([])
  })
})

it('freeway on Deno tells the same', async () => {
  await using sink = await startOtlpSink()
  const house = await oneProcess(sink, {}, { runtime: [denoBinary(), 'run', '-A'] })
  try {
    const response = await fetch(`${house.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'beta/m', stream: true, messages: [{ role: 'user', content: 'Hello' }] }),
    })
    await response.text()
    const spans = await spansOf(sink, response.headers.get('x-trace-id') ?? '', 7)
    expect(tree(spans)).toEqual([`freeway-ingress SERVER ${root}`, ...called(), '  freeway-ingress INTERNAL stream response'])
  } finally {
    await house.close()
  }
})

it('freeway trace shows a failover as a waterfall, without anything else running', async () => {
  await using run = await runFreeway(['trace'])
  expect(await run.exited).toEqual({ code: 0, signal: null })
  const lines = run.stdout.split('\n')
  expect(lines[0]).toMatch(/^trace [0-9a-f]{32}$/)
  expect(lines.slice(2, 14).map((line) => line.replace(/ *\|[=. |]*.*$/, '').replace(/ +/g, ' '))).toEqual([
    `freeway-ingress SERVER ${root}`,
    'freeway-ingress PRODUCER publish fw.v1.job',
    'freeway-router CONSUMER process fw.v1.job',
    'freeway-router PRODUCER publish fw.v1.work.{provider}',
    'freeway-worker CONSUMER process fw.v1.work.{provider}',
    'freeway-worker CLIENT chat swift-1 [ERROR]',
    'freeway-ingress PRODUCER publish fw.v1.job',
    'freeway-router CONSUMER process fw.v1.job',
    'freeway-router PRODUCER publish fw.v1.work.{provider}',
    'freeway-worker CONSUMER process fw.v1.work.{provider}',
    'freeway-worker CLIENT chat steady-1',
    'freeway-ingress INTERNAL stream response',
  ])
})
