// The official Anthropic client, pointed at freeway and at nothing else changed.

import Anthropic from '@anthropic-ai/sdk'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { setUpGateway } from '#test/support/setup.ts'

const KEY = 'fw-sdk-key-9aZ'
const setup = setUpGateway({ keys: { sdk: KEY } })
let client: Anthropic

beforeAll(() => {
  client = new Anthropic({ baseURL: setup.gateway.url, apiKey: KEY, maxRetries: 0 })
})

const model = 'alpha/m-large'
const ask = (content: string) => [{ role: 'user' as const, content }]
const asked = { model, max_tokens: 1000, messages: ask('Say exactly: alpha beta gamma') }

const tool = (name: string) => ({
  name,
  description: `Tells the ${name} of a city.`,
  input_schema: { type: 'object' as const, properties: { city: { type: 'string' } }, required: ['city'] },
})
const failure = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'no error',
    (error: unknown) => error,
  )

describe('a message', () => {
  it('comes whole', async () => {
    const message = await client.messages.create(asked)
    expect(message).toMatchObject({
      id: expect.stringMatching(/^msg_/),
      type: 'message',
      role: 'assistant',
      content: [{ type: 'text', text: 'alpha beta gamma' }],
      stop_reason: 'end_turn',
      stop_sequence: null,
      usage: { input_tokens: expect.any(Number), output_tokens: expect.any(Number) },
    })
    expect(message.usage.output_tokens).toBeGreaterThan(0)
    expect(message._request_id).toMatch(/^[\w-]{22}$/)
  })

  it('comes as a stream, the same as whole', async () => {
    const stream = client.messages.stream(asked)
    const deltas: string[] = []
    const types: string[] = []
    stream.on('text', (delta) => deltas.push(delta)).on('streamEvent', ({ type }) => types.push(type))
    const message = await stream.finalMessage()
    expect(deltas.join('')).toBe('alpha beta gamma')
    const { id: _, _request_id: __, ...whole } = await client.messages.create(asked)
    expect(message).toMatchObject(whole)
    expect([...new Set(types)]).toEqual([
      'message_start',
      'content_block_start',
      'content_block_delta',
      'content_block_stop',
      'message_delta',
      'message_stop',
    ])
    expect(stream.request_id).toMatch(/^[\w-]{22}$/)
  })

  it('is asked for with whatever an agent sends along', async () => {
    const message = await client.beta.messages.create({
      ...asked,
      betas: ['context-management-2025-06-27', 'interleaved-thinking-2025-05-14'],
      system: [
        { type: 'text', text: 'x-anthropic-billing-header: cc_version=2.1' },
        { type: 'text', text: 'Be brief.', cache_control: { type: 'ephemeral' } },
      ],
      metadata: { user_id: 'u1' },
      context_management: { edits: [{ type: 'clear_tool_uses_20250919' }] },
    })
    expect(message.content).toEqual([{ type: 'text', text: 'alpha beta gamma' }])
    const sent = JSON.stringify(setup.upstream.calls[0]?.body)
    expect(sent).toContain('Be brief.')
    for (const kept of ['billing', 'cache_control', 'context_management', 'x_freeway']) expect(sent).not.toContain(kept)
  })

  it('tells its thoughts when they are wanted, in its stream too', async () => {
    const thinking = { ...asked, model: 'alpha/m-reasoner', max_tokens: 4000, thinking: { type: 'enabled' as const, budget_tokens: 2000 } }
    for (const message of [await client.messages.create(thinking), await client.messages.stream(thinking).finalMessage()]) {
      expect(message.content).toEqual([
        { type: 'thinking', thinking: expect.stringMatching(/./), signature: expect.any(String) },
        { type: 'text', text: 'alpha beta gamma' },
      ])
    }
    const unwanted = await client.messages.create({ ...thinking, thinking: { type: 'disabled' } })
    expect(unwanted.content.map(({ type }) => type)).toEqual(['text'])
    // What was thought comes back with the next turn, and is in nobody's way.
    const [thought, said] = (await client.messages.create(thinking)).content
    const content = [thought, said] as Anthropic.ContentBlockParam[]
    const again = await client.messages.create({
      ...thinking,
      messages: [...asked.messages, { role: 'assistant', content }, ...asked.messages],
    })
    expect(again.content).toHaveLength(2)
  })

  it('is cut at a stop sequence, and says at which', async () => {
    const whole = await client.messages.create({ ...asked, stop_sequences: ['never'] })
    expect(whole).toMatchObject({ content: [{ text: 'alpha beta gamma' }], stop_reason: 'end_turn', stop_sequence: null })
    for (const stop_sequences of [['beta'], ['1', '2', '3', '4', 'beta']]) {
      const message = await client.messages.stream({ ...asked, stop_sequences }).finalMessage()
      expect(message).toMatchObject({ content: [{ text: 'alpha ' }], stop_reason: 'stop_sequence', stop_sequence: 'beta' })
    }
  })

  it('is cut at its limit', async () => {
    expect((await client.messages.create({ ...asked, max_tokens: 1 })).stop_reason).toBe('max_tokens')
  })

  it('continues what was said already', async () => {
    const messages = [...ask('Count from 1 to 5.'), { role: 'assistant' as const, content: '1, 2,' }]
    const message = await client.messages.create({ ...asked, messages })
    const [block] = message.content
    expect(block?.type === 'text' && block.text).not.toContain('1, 2,')
    expect(setup.upstream.calls[0]?.body).toMatchObject({ messages })
  })

  it('may show pictures', async () => {
    const source = { type: 'base64' as const, media_type: 'image/png' as const, data: 'iVBORw0KGgo=' }
    const content = [
      { type: 'image' as const, source },
      { type: 'text' as const, text: 'What do you see?' },
    ]
    const message = await client.messages.create({ ...asked, messages: [{ role: 'user', content }] })
    expect(message.content).toEqual([{ type: 'text', text: expect.stringContaining('picture') }])
    expect(JSON.stringify(setup.upstream.calls[0]?.body)).toContain('data:image/png;base64,iVBORw0KGgo=')
  })
})

describe('tools', () => {
  const weather = {
    ...asked,
    messages: ask('What is the weather in Paris?'),
    tools: [tool('weather')],
    tool_choice: { type: 'any' as const },
  }

  it.each([false, true])('are called, and their results come back into the answer (stream: %s)', async (stream) => {
    const message = stream ? await client.messages.stream(weather).finalMessage() : await client.messages.create(weather)
    expect(message.stop_reason).toBe('tool_use')
    const [use] = message.content
    expect(use).toEqual({
      type: 'tool_use',
      id: expect.stringMatching(/^toolu_[\w-]+$/),
      name: 'weather',
      input: { city: expect.any(String) },
    })
    const result = { type: 'tool_result' as const, tool_use_id: use?.type === 'tool_use' ? use.id : '', content: 'sunny, 21 degrees' }
    const messages = [
      ...weather.messages,
      { role: 'assistant' as const, content: message.content },
      { role: 'user' as const, content: [result] },
    ]
    const answer = await client.messages.create({ ...weather, tool_choice: { type: 'auto' }, messages })
    expect(answer.content).toEqual([{ type: 'text', text: expect.stringContaining('sunny, 21 degrees') }])
    // The provider gets back its own id, in the call and in the result.
    const sent = setup.upstream.calls.at(-1)?.body as { messages: { tool_calls?: { id: string }[]; tool_call_id?: string }[] }
    expect(sent.messages[1]?.tool_calls?.[0]?.id).toBe(sent.messages[2]?.tool_call_id)
    expect(sent.messages[2]?.tool_call_id).not.toContain('toolu_')
  })

  it.each([false, true])('are called in parallel, one block after the other (stream: %s)', async (stream) => {
    const both = { ...weather, messages: ask('Use weather and use time for Paris, both at once.'), tools: [tool('weather'), tool('time')] }
    const message = stream ? await client.messages.stream(both).finalMessage() : await client.messages.create(both)
    const uses = message.content.filter((block) => block.type === 'tool_use')
    expect(uses.map(({ name }) => name)).toEqual(['weather', 'time'])
    expect(new Set(uses.map(({ id }) => id)).size).toBe(2)
    const one = await client.messages.create({ ...both, tool_choice: { type: 'any', disable_parallel_tool_use: true } })
    expect(one.content.filter(({ type }) => type === 'tool_use')).toHaveLength(1)
  })
})

describe('counting tokens', () => {
  it('grows with the conversation, and comes near to what is counted in the end', async () => {
    const { model, messages } = asked
    const { input_tokens: first } = await client.messages.countTokens({ model, messages })
    const more = [...messages, { role: 'assistant' as const, content: 'alpha' }, ...messages]
    const { input_tokens: second } = await client.messages.countTokens({ model, messages: more, tools: [tool('weather')] })
    expect(second).toBeGreaterThan(first)
    const { usage } = await client.messages.create({ ...asked, messages: more, tools: [tool('weather')] })
    expect(Math.abs(usage.input_tokens - second)).toBeLessThanOrEqual(second / 10)
    expect(setup.upstream.calls).toHaveLength(1)
  })
})

describe('leaving', () => {
  it('in the midst of a stream ends the call to the provider', async () => {
    setup.upstream.setFault({}, { tps: 50, chunks: 1_000, size: 10 })
    const stream = client.messages.stream(asked)
    const over = expect(stream.finalMessage()).rejects.toBeInstanceOf(Anthropic.APIUserAbortError)
    stream.once('text', () => stream.abort())
    await over
    expect(await setup.upstream.waitFor(({ closedAt }) => closedAt !== undefined)).toMatchObject({ closedBy: 'peer', completed: false })
  })

  it('by breaking out of the loop ends it as well', async () => {
    setup.upstream.setFault({}, { tps: 50, chunks: 1_000, size: 10 })
    for await (const event of await client.messages.create({ ...asked, stream: true })) if (event.type === 'content_block_delta') break
    expect((await setup.upstream.waitFor(({ closedAt }) => closedAt !== undefined)).closedBy).toBe('peer')
  })

  it('before the answer ends it', async () => {
    setup.upstream.setFault({}, { ttft: 20_000 })
    const controller = new AbortController()
    const refused = expect(client.messages.create(asked, { signal: controller.signal })).rejects.toBeInstanceOf(Anthropic.APIUserAbortError)
    await setup.upstream.waitFor(({ body }) => body !== undefined)
    controller.abort()
    await refused
    expect((await setup.upstream.waitFor(({ closedAt }) => closedAt !== undefined)).closedBy).toBe('peer')
  })
})

describe('an error', () => {
  const shown = (type: string, code: string) => ({
    requestID: expect.any(String),
    error: { type: 'error', error: { type, code, message: expect.any(String) }, request_id: expect.any(String) },
  })

  it('for an unknown model is a NotFoundError, which agents do not repeat', async () => {
    const error = await failure(client.messages.create({ ...asked, model: 'nobody/none' }))
    expect(error).toBeInstanceOf(Anthropic.NotFoundError)
    expect(error).toMatchObject(shown('not_found_error', 'model_not_found'))
    const { error: body, requestID } = error as { error: { request_id: string }; requestID: string }
    expect(body.request_id).toBe(requestID)
  })

  it('for a bad field is a BadRequestError that names it', async () => {
    const error = await failure(client.messages.create({ ...asked, max_tokens: 0 }))
    expect(error).toBeInstanceOf(Anthropic.BadRequestError)
    expect(error).toMatchObject(shown('invalid_request_error', 'invalid_request_error'))
    expect(String(error)).toContain('max_tokens')
  })

  it('for a wrong key is an AuthenticationError', async () => {
    const stranger = client.withOptions({ apiKey: 'fw-wrong' })
    const counted = { model, messages: asked.messages }
    for (const attempt of [() => stranger.messages.create(asked), () => stranger.messages.countTokens(counted)]) {
      const error = await failure(attempt())
      expect(error).toBeInstanceOf(Anthropic.AuthenticationError)
      expect(error).toMatchObject(shown('authentication_error', 'invalid_api_key'))
    }
    expect(setup.upstream.calls).toHaveLength(0)
  })

  it('in the midst of a stream is thrown out of the loop', async () => {
    setup.upstream.setFault({}, { cut: 2 })
    const error = await failure(client.messages.stream(asked).finalMessage())
    expect(error).toBeInstanceOf(Anthropic.APIError)
    expect(error).not.toBeInstanceOf(Anthropic.APIConnectionError)
    expect(String(error)).toContain('api_error')
  })
})

describe('the address', () => {
  const post = (path: string, headers: Record<string, string>, body: unknown = asked) =>
    fetch(`${setup.gateway.url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    })

  it.each(['/v1/messages', '/v1/messages?beta=true', '/v1/v1/messages', '/v1/v1/messages?beta=true'])('may be %s', async (path) => {
    expect((await post(path, { 'x-api-key': KEY })).status).toBe(200)
  })

  it('takes the key either way, and needs no version', async () => {
    expect((await post('/v1/messages', { authorization: `Bearer ${KEY}` })).status).toBe(200)
    const counted = await post('/v1/messages/count_tokens?beta=true', { authorization: `Bearer ${KEY}` })
    expect(await counted.json()).toEqual({ input_tokens: expect.any(Number) })
  })

  it.each([
    ['an unknown route', 'POST', '/v1/messages/batches', 404, 'not_found_error'],
    ['a wrong method', 'GET', '/v1/messages', 405, 'invalid_request_error'],
  ])('answers %s in Anthropic’s words', async (_, method, path, status, type) => {
    const answer = await fetch(`${setup.gateway.url}${path}`, {
      method,
      headers: { 'x-api-key': KEY },
      ...(method === 'POST' && { body: '{}' }),
    })
    expect([answer.status, await answer.json()]).toEqual([
      status,
      { type: 'error', error: expect.objectContaining({ type }), request_id: answer.headers.get('request-id') },
    ])
  })

  it('answers whatever is sent there, and never with a fault of its own', async () => {
    const blocks = fc.array(
      fc.record({ type: fc.constantFrom('text', 'image', 'tool_use', 'tool_result', 'document', 'x'), text: fc.jsonValue() }),
    )
    const fields = fc.record(
      {
        model: fc.constantFrom<unknown>(model, null, 1),
        max_tokens: fc.oneof(fc.integer(), fc.jsonValue()),
        messages: fc.oneof(fc.jsonValue(), fc.array(fc.record({ role: fc.constantFrom('user', 'assistant', 'system'), content: blocks }))),
        system: fc.jsonValue(),
        tools: fc.jsonValue(),
        stream: fc.boolean(),
      },
      { requiredKeys: [] },
    )
    const path = fc.constantFrom('/v1/messages', '/v1/messages/count_tokens')
    await fc.assert(
      fc.asyncProperty(path, fields, async (path, body) => {
        const answer = await post(path, { 'x-api-key': KEY }, { ...asked, ...body })
        expect([200, 400, 404]).toContain(answer.status)
        if (answer.status !== 200) expect(await answer.json()).toMatchObject({ type: 'error', error: { type: expect.any(String) } })
        else await answer.text()
      }),
      { numRuns: 80 },
    )
  })

  it('answers a body that is no JSON, or too large, in the same words', async () => {
    const broken = await fetch(`${setup.gateway.url}/v1/messages`, { method: 'POST', headers: { 'x-api-key': KEY }, body: '{' })
    expect([broken.status, await broken.json()]).toMatchObject([400, { type: 'error', error: { type: 'invalid_request_error' } }])
    const zipped = await fetch(`${setup.gateway.url}/v1/messages`, {
      method: 'POST',
      headers: { 'x-api-key': KEY, 'content-encoding': 'gzip' },
      body: 'x',
    })
    expect([zipped.status, await zipped.json()]).toMatchObject([415, { type: 'error', error: { type: 'invalid_request_error' } }])
  })
})

// Last, because the provider rests for a while afterwards.
describe('a provider’s own trouble', () => {
  it('with its limit is a RateLimitError that says when to come again, and the SDK does', async () => {
    setup.upstream.setFault({}, { status: 429, headers: { 'retry-after': '1' } }, 1)
    const error = await failure(client.messages.create(asked))
    expect(error).toBeInstanceOf(Anthropic.RateLimitError)
    expect(Number((error as InstanceType<typeof Anthropic.RateLimitError>).headers?.get('retry-after'))).toBeGreaterThanOrEqual(1)
    const message = await client.withOptions({ maxRetries: 2 }).messages.create(asked)
    expect(message.content).toEqual([{ type: 'text', text: 'alpha beta gamma' }])
  })

  it('an answer of nothing is an error, not an empty message', async () => {
    setup.upstream.setFault({}, { end: 1 })
    const error = await failure(client.messages.stream(asked).finalMessage())
    expect(error).toBeInstanceOf(Anthropic.InternalServerError)
    expect(error).toMatchObject({ status: 502, error: { error: { type: 'api_error', code: 'provider_error' } } })
  })

  it('a provider that refuses freeway’s key is no AuthenticationError: the caller’s key is good', async () => {
    setup.upstream.setFault({}, { status: 401, body: 'go away' })
    const error = await failure(client.messages.create(asked))
    expect(error).toBeInstanceOf(Anthropic.InternalServerError)
    expect(error).toMatchObject({ status: 502, error: { error: { type: 'api_error', code: 'provider_error' } } })
    expect(String(error)).not.toContain('go away')
  })
})
