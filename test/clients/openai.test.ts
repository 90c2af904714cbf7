// The official OpenAI client, pointed at freeway and at nothing else changed.

import OpenAI from 'openai'
import { beforeAll, describe, expect, it } from 'vitest'
import { setUpGateway } from '#test/support/setup.ts'

const KEY = 'fw-sdk-key-9aZ'
const setup = setUpGateway({ keys: { sdk: KEY } })
let client: OpenAI

beforeAll(() => {
  client = new OpenAI({ baseURL: `${setup.gateway.url}/v1`, apiKey: KEY, maxRetries: 0 })
})

const model = 'alpha/m-large'
const ask = (content: string) => [{ role: 'user' as const, content }]
const messages = ask('Say exactly: alpha beta gamma')

const tool = (name: string) => ({
  type: 'function' as const,
  function: {
    name,
    description: `Tells the ${name} of a city.`,
    parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  },
})

describe('a completion', () => {
  it('comes whole', async () => {
    const answer = await client.chat.completions.create({ model, messages })
    expect(answer.choices[0]?.message.content).toBe('alpha beta gamma')
    expect(answer.choices[0]?.finish_reason).toBe('stop')
    expect(answer.usage?.total_tokens).toBeGreaterThan(0)
    expect(answer._request_id).toMatch(/^[\w-]{22}$/)
  })

  it('comes as a stream', async () => {
    let text = ''
    let finish: string | null | undefined
    for await (const chunk of await client.chat.completions.create({ model, messages, stream: true })) {
      text += chunk.choices[0]?.delta.content ?? ''
      finish = chunk.choices[0]?.finish_reason ?? finish
      expect(chunk.usage).toBeUndefined()
    }
    expect(text).toBe('alpha beta gamma')
    expect(finish).toBe('stop')
  })

  it('comes as a stream that the SDK puts together', async () => {
    const stream = client.chat.completions.stream({ model, messages, stream_options: { include_usage: true } })
    const deltas: string[] = []
    stream.on('content', (delta) => deltas.push(delta))
    const answer = await stream.finalChatCompletion()
    expect(deltas.join('')).toBe('alpha beta gamma')
    expect(answer.choices[0]?.message).toMatchObject({ role: 'assistant', content: 'alpha beta gamma' })
    expect((await stream.totalUsage()).total_tokens).toBeGreaterThan(0)
  })

  it('says its usage once, in the last chunk, when asked', async () => {
    const usages = []
    for await (const chunk of await client.chat.completions.create({
      model,
      messages,
      stream: true,
      stream_options: { include_usage: true },
    })) {
      usages.push(chunk.usage)
    }
    expect(usages.at(-1)?.completion_tokens).toBeGreaterThan(0)
    expect(usages.slice(0, -1).every((usage) => usage === null)).toBe(true)
  })

  it('has as many choices as asked for', async () => {
    const whole = await client.chat.completions.create({ model, messages, n: 2 })
    expect(whole.choices.map(({ index, message }) => [index, message.content])).toEqual([
      [0, 'alpha beta gamma'],
      [1, 'alpha beta gamma'],
    ])
    const streamed = await client.chat.completions.stream({ model, messages, n: 2 }).finalChatCompletion()
    expect(streamed.choices.map(({ message }) => message.content)).toEqual(['alpha beta gamma', 'alpha beta gamma'])
  })

  it('follows a schema', async () => {
    const schema = { type: 'object', properties: { answer: { type: 'string' }, score: { type: 'integer' } }, required: ['answer', 'score'] }
    const response_format = { type: 'json_schema' as const, json_schema: { name: 'verdict', strict: true, schema } }
    const whole = await client.chat.completions.parse({ model, messages, response_format })
    expect(whole.choices[0]?.message.parsed).toEqual({ answer: expect.any(String), score: expect.any(Number) })
    const streamed = await client.chat.completions.stream({ model, messages, response_format }).finalChatCompletion()
    expect(streamed.choices[0]?.message.parsed).toEqual({ answer: expect.any(String), score: expect.any(Number) })
  })

  it('may be left to freeway, and its raw answer says who it was', async () => {
    const { data, response } = await client.chat.completions.create({ model: 'freeai-auto', messages }).withResponse()
    expect(data.choices[0]?.message.content).toBe('alpha beta gamma')
    expect(response.headers.get('x-freeway-provider')).toBe('alpha')
  })
})

describe('tools', () => {
  it.each([false, true])('are called one at a time (stream: %s)', async (stream) => {
    const body = { model, messages: ask('What is the weather in Paris?'), tools: [tool('weather')], tool_choice: 'required' as const }
    const answer = stream ? await client.chat.completions.stream(body).finalChatCompletion() : await client.chat.completions.create(body)
    const calls = answer.choices[0]?.message.tool_calls ?? []
    expect(calls).toEqual([{ id: expect.any(String), type: 'function', function: expect.objectContaining({ name: 'weather' }) }])
    const [call] = calls
    expect(JSON.parse(call?.type === 'function' ? call.function.arguments : '')).toHaveProperty('city')
    expect(answer.choices[0]?.finish_reason).toBe('tool_calls')
    expect(answer.choices[0]?.message.content).toBeNull()
  })

  it.each([false, true])('are called in parallel, each with its own id (stream: %s)', async (stream) => {
    const body = {
      model,
      messages: ask('Use weather and use time for Paris, both at once.'),
      tools: [tool('weather'), tool('time')],
      parallel_tool_calls: true,
      tool_choice: 'required' as const,
    }
    const answer = stream ? await client.chat.completions.stream(body).finalChatCompletion() : await client.chat.completions.create(body)
    const calls = (answer.choices[0]?.message.tool_calls ?? []).filter((call) => call.type === 'function')
    expect(calls.map((call) => call.function.name)).toEqual(['weather', 'time'])
    expect(new Set(calls.map(({ id }) => id)).size).toBe(2)
    for (const call of calls) expect(JSON.parse(call.function.arguments)).toHaveProperty('city')
  })

  it('are run by the SDK, and their results come back into the answer', async () => {
    const runner = client.chat.completions.runTools({
      model,
      messages: ask('What is the weather in Paris?'),
      tools: [
        {
          type: 'function',
          function: {
            ...tool('weather').function,
            parse: (text: string) => JSON.parse(text) as object,
            function: () => 'sunny, 21 degrees',
          },
        },
      ],
    })
    expect(await runner.finalContent()).toContain('sunny, 21 degrees')
  })
})

describe('leaving', () => {
  it('in the midst of a stream ends the call to the provider', async () => {
    setup.upstream.setFault({}, { tps: 50, chunks: 1_000, size: 10 })
    const controller = new AbortController()
    const stream = await client.chat.completions.create({ model, messages, stream: true }, { signal: controller.signal })
    for await (const chunk of stream) if (chunk.choices[0]?.delta.content) controller.abort()
    const call = await setup.upstream.waitFor(({ closedAt }) => closedAt !== undefined)
    expect(call).toMatchObject({ closedBy: 'peer', completed: false })
  })

  it('by breaking out of the loop ends it as well', async () => {
    setup.upstream.setFault({}, { tps: 50, chunks: 1_000, size: 10 })
    for await (const chunk of await client.chat.completions.create({ model, messages, stream: true })) {
      if (chunk.choices[0]?.delta.content) break
    }
    expect((await setup.upstream.waitFor(({ closedAt }) => closedAt !== undefined)).closedBy).toBe('peer')
  })

  it('before the answer ends it, and is the SDK’s own error', async () => {
    setup.upstream.setFault({}, { ttft: 20_000 })
    const controller = new AbortController()
    const answer = client.chat.completions.create({ model, messages }, { signal: controller.signal })
    const refused = expect(answer).rejects.toBeInstanceOf(OpenAI.APIUserAbortError)
    await setup.upstream.waitFor(({ body }) => body !== undefined)
    controller.abort()
    await refused
    expect((await setup.upstream.waitFor(({ closedAt }) => closedAt !== undefined)).closedBy).toBe('peer')
  })
})

describe('an error', () => {
  const failure = async (promise: Promise<unknown>): Promise<unknown> =>
    promise.then(
      () => 'no error',
      (error: unknown) => error,
    )

  it('for an unknown model is a BadRequestError with its code', async () => {
    const error = await failure(client.chat.completions.create({ model: 'nobody/none', messages }))
    expect(error).toBeInstanceOf(OpenAI.BadRequestError)
    expect(error).toMatchObject({
      status: 400,
      code: 'model_not_found',
      param: 'model',
      type: 'invalid_request_error',
      requestID: expect.any(String),
    })
  })

  it('for a bad field is a BadRequestError that names it', async () => {
    const error = await failure(client.chat.completions.create({ model, messages, temperature: 3 }))
    expect(error).toBeInstanceOf(OpenAI.BadRequestError)
    expect(error).toMatchObject({ param: 'temperature' })
  })

  it('for a wrong key is an AuthenticationError', async () => {
    const stranger = client.withOptions({ apiKey: 'fw-wrong' })
    for (const attempt of [() => stranger.chat.completions.create({ model, messages }), () => stranger.models.retrieve(model)]) {
      const error = await failure(attempt())
      expect(error).toBeInstanceOf(OpenAI.AuthenticationError)
      expect(error).toMatchObject({ status: 401, code: 'invalid_api_key', requestID: expect.any(String) })
    }
    expect(setup.upstream.calls).toHaveLength(0)
  })

  it('in the midst of a stream is thrown out of the loop', async () => {
    setup.upstream.setFault({}, { cut: 2 })
    const error = await failure(
      (async () => {
        for await (const _ of await client.chat.completions.create({ model, messages, stream: true }));
      })(),
    )
    expect(error).toBeInstanceOf(OpenAI.APIError)
    expect(error).not.toBeInstanceOf(OpenAI.APIConnectionError)
    expect(error).toMatchObject({ type: 'provider_error', code: 'provider_error' })
  })
})

describe('models', () => {
  it('are listed, virtual ones and aliases too', async () => {
    const ids = []
    for await (const entry of client.models.list()) {
      expect(entry).toMatchObject({ object: 'model', created: expect.any(Number), owned_by: expect.any(String) })
      ids.push(entry.id)
    }
    expect(ids).toEqual(expect.arrayContaining(['freeai-auto', 'alpha/m-large', 'alpha/deep/seek-v4:free', 'opc/large']))
    expect(new Set(ids).size).toBe(ids.length)
  })

  it.each(['alpha/m-large', 'alpha/deep/seek-v4:free', 'freeai-auto', 'opc/large'])('are found by id: %s', async (id) => {
    expect(await client.models.retrieve(id)).toMatchObject({ id, object: 'model' })
  })

  it('that do not exist are a NotFoundError', async () => {
    await expect(client.models.retrieve('nobody/none')).rejects.toMatchObject({ status: 404, code: 'model_not_found' })
    await expect(client.models.retrieve('nobody/none')).rejects.toBeInstanceOf(OpenAI.NotFoundError)
  })
})

// Last, because the provider rests for a while afterwards.
describe('a limit', () => {
  it('of a provider is a RateLimitError that says when to come again, and the SDK does', async () => {
    setup.upstream.setFault({}, { status: 429, headers: { 'retry-after': '1' } }, 1)
    const error = await client.chat.completions.create({ model, messages }).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(OpenAI.RateLimitError)
    const { headers } = error as InstanceType<typeof OpenAI.RateLimitError>
    expect(Number(headers?.get('retry-after'))).toBeGreaterThanOrEqual(1)
    // The SDK waits that long and is served.
    const answer = await client.withOptions({ maxRetries: 2 }).chat.completions.create({ model, messages })
    expect(answer.choices[0]?.message.content).toBe('alpha beta gamma')
  })
})
