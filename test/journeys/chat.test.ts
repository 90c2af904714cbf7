// One chat completion over HTTP, through a whole freeway, down to the bytes that a client sees.

import { describe, expect, it } from 'vitest'
import { setUpGateway } from '#test/support/setup.ts'

const setup = setUpGateway()

const messages = [{ role: 'user', content: 'Say exactly: alpha beta gamma' }]

function chat(body: object, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${setup.gateway.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ model: 'alpha/m-large', messages, ...body }),
  })
}

interface Chunk {
  id: string
  object: string
  created: number
  model: string
  choices: { index: number; delta: Record<string, unknown>; finish_reason: string | null }[]
  usage?: { prompt_tokens: number; completion_tokens: number; total_tokens: number } | null
}

/** The events of a stream as they stand on the wire, each checked to be one unnamed `data:` line. */
function events(text: string): string[] {
  expect(text.endsWith('\n\n')).toBe(true)
  return text
    .slice(0, -2)
    .split('\n\n')
    .map((event) => {
      expect(event).toMatch(/^data: [^\n\r]+$/)
      return event.slice(6)
    })
}

async function chunksOf(response: Response): Promise<Chunk[]> {
  const all = events(await response.text())
  expect(all.at(-1)).toBe('[DONE]')
  expect(all.filter((event) => event === '[DONE]')).toHaveLength(1)
  return all.slice(0, -1).map((event) => JSON.parse(event) as Chunk)
}

const textOf = (chunks: Chunk[]) => chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join('')

describe('the headers of an answer', () => {
  for (const stream of [false, true]) {
    it(`say who answered, after how many attempts, and where the time went (stream: ${stream})`, async () => {
      const response = await chat({ stream })
      expect(response.status).toBe(200)
      await response.text()
      const { headers } = response
      expect(headers.get('x-freeway-provider')).toBe('alpha')
      expect(headers.get('x-freeway-model')).toBe('m-large')
      expect(headers.get('x-freeway-attempts')).toBe('1')
      const timing = headers.get('server-timing') ?? ''
      const parts = Object.fromEntries(timing.split(', ').map((part) => part.split(';dur=') as [string, string]))
      for (const part of ['ingress', 'queue', 'route', 'worker', 'upstream']) expect(Number(parts[part]), part).toBeGreaterThanOrEqual(0)
      expect(headers.get('content-type')).toBe(stream ? 'text/event-stream; charset=utf-8' : 'application/json')
      if (!stream) return
      expect(headers.get('cache-control')).toContain('no-cache')
      expect(headers.get('x-accel-buffering')).toBe('no')
      expect(headers.get('content-encoding')).toBeNull()
    })
  }

  it.each(['x-request-id', 'x-client-request-id'])('keep a sane %s of the caller', async (name) => {
    const response = await chat({}, { [name]: 'my-trace.42:a_B' })
    await response.text()
    expect(response.headers.get('x-request-id')).toBe('my-trace.42:a_B')
    expect(response.headers.get('request-id')).toBe('my-trace.42:a_B')
  })

  it.each(['two words', 'a'.repeat(129), 'semi;colon', '<script>', 'é'])('replace an id that could do harm elsewhere: %s', async (id) => {
    const response = await chat({}, { 'x-request-id': id })
    await response.text()
    expect(response.headers.get('x-request-id')).toMatch(/^[A-Za-z0-9_-]{22}$/)
  })

  it.each([
    ['GET', '/'],
    ['GET', '/health'],
    ['GET', '/v1/models'],
    ['GET', '/v1/models/none'],
    ['GET', '/nowhere'],
    ['PUT', '/v1/models'],
    ['POST', '/v1/chat/completions'],
  ])('carry the request id on every answer: %s %s', async (method, path) => {
    const response = await fetch(setup.gateway.url + path, { method, headers: { 'x-request-id': 'r-1' } })
    await response.text()
    expect(response.headers.get('x-request-id')).toBe('r-1')
    expect(response.headers.get('request-id')).toBe('r-1')
  })

  it('hold nothing of the provider but what is ours to say', async () => {
    setup.upstream.setFault(
      {},
      { headers: { 'set-cookie': 'a=b', location: 'http://elsewhere', 'x-groq-region': 'x', 'x-freeway-provider': 'fake' } },
    )
    const { headers } = await chat({})
    expect(headers.get('set-cookie')).toBeNull()
    expect(headers.get('location')).toBeNull()
    expect(headers.get('x-groq-region')).toBeNull()
    expect(headers.get('x-freeway-provider')).toBe('alpha')
  })
})

describe('what a provider sees', () => {
  it('is its own key and no header of the client', async () => {
    await (await chat({}, { authorization: 'Bearer mine', cookie: 'c=1', 'x-real-ip': '1.2.3.4', 'x-api-key': 'mine' })).text()
    const { headers, body } = await setup.upstream.waitFor(() => true)
    expect(Object.keys(headers)).not.toEqual(expect.arrayContaining([expect.stringMatching(/cookie|real-ip|x-api-key/)]))
    expect(JSON.stringify(headers)).not.toContain('mine')
    expect((body as { model: string }).model).toBe('m-large')
  })

  it('holds none of the fields that are for freeway alone', async () => {
    await (await chat({ strategy: 'fast', preferred_provider: 'alpha', fallback: false, metadata: { a: 'b' } })).text()
    const { body } = await setup.upstream.waitFor(() => true)
    expect(body).toMatchObject({ metadata: { a: 'b' } })
    expect(Object.keys(body as object)).not.toEqual(expect.arrayContaining([expect.stringMatching(/strategy|preferred|fallback/)]))
  })
})

describe('a whole answer', () => {
  it('has every field that clients look for', async () => {
    const answer = (await (await chat({})).json()) as Record<string, unknown>
    expect(answer).toEqual({
      id: expect.stringMatching(/^chatcmpl-/),
      object: 'chat.completion',
      created: expect.any(Number),
      model: expect.any(String),
      choices: [
        {
          index: 0,
          message: expect.objectContaining({ role: 'assistant', content: 'alpha beta gamma', refusal: null }),
          logprobs: null,
          finish_reason: 'stop',
        },
      ],
      usage: expect.objectContaining({ prompt_tokens: expect.any(Number), completion_tokens: expect.any(Number) }),
    })
    const { prompt_tokens, completion_tokens, total_tokens } = answer.usage as Record<string, number>
    expect(total_tokens).toBe(Number(prompt_tokens) + Number(completion_tokens))
    expect(Number.isInteger(answer.created)).toBe(true)
  })
})

describe('a stream', () => {
  it('names the same answer in every chunk, begins with the role and ends with a reason', async () => {
    const chunks = await chunksOf(await chat({ stream: true }))
    for (const { id, object, created, model } of chunks) {
      expect({ id, object, created, model }).toEqual({
        ...chunks[0],
        object: 'chat.completion.chunk',
        choices: undefined,
        usage: undefined,
      })
    }
    expect(chunks[0]?.choices[0]?.delta).toMatchObject({ role: 'assistant' })
    expect([null, '']).toContain(chunks[0]?.choices[0]?.delta.content)
    expect(chunks.at(-1)?.choices).toEqual([expect.objectContaining({ index: 0, delta: {}, finish_reason: 'stop' })])
    expect(chunks.filter(({ choices }) => choices[0]?.finish_reason)).toHaveLength(1)
    expect(textOf(chunks)).toBe('alpha beta gamma')
  })

  it('mentions usage nowhere unless asked', async () => {
    const chunks = await chunksOf(await chat({ stream: true }))
    for (const chunk of chunks) expect(chunk).not.toHaveProperty('usage')
  })

  it('says usage null on every chunk, and the usage once at the end, when asked', async () => {
    const chunks = await chunksOf(await chat({ stream: true, stream_options: { include_usage: true } }))
    const last = chunks.at(-1)
    expect(last?.choices).toEqual([])
    expect(last?.usage?.total_tokens).toBe((last?.usage?.prompt_tokens ?? 0) + (last?.usage?.completion_tokens ?? 0))
    for (const chunk of chunks.slice(0, -1)) expect(chunk.usage).toBeNull()
  })

  it('gives each tool call its index, id and type once, then fragments', async () => {
    const tool = (name: string) => ({
      type: 'function',
      function: { name, parameters: { type: 'object', properties: { city: { type: 'string' } } } },
    })
    const chunks = await chunksOf(await chat({ stream: true, tools: [tool('weather')], tool_choice: 'required' }))
    const deltas = chunks.flatMap(({ choices }) => (choices[0]?.delta.tool_calls ?? []) as Record<string, unknown>[])
    expect(deltas[0]).toMatchObject({ index: 0, id: expect.any(String), type: 'function', function: { name: 'weather', arguments: '' } })
    for (const delta of deltas.slice(1)) expect(Object.keys(delta).sort()).toEqual(['function', 'index'])
    expect(chunks.at(-1)?.choices[0]?.finish_reason).toBe('tool_calls')
  })

  it('keeps thoughts apart from what is said', async () => {
    const chunks = await chunksOf(await chat({ stream: true, model: 'alpha/m-reasoner' }))
    const thoughts = chunks.map(({ choices }) => choices[0]?.delta.reasoning_content ?? '').join('')
    expect(thoughts).toContain('The user says')
    expect(textOf(chunks)).toBe('alpha beta gamma')
  })

  it('writes one whole event at a time', async () => {
    setup.upstream.setFault({}, { tps: 50 })
    const { body } = await chat({ stream: true })
    for await (const part of body as ReadableStream<Uint8Array>) {
      const text = new TextDecoder('utf-8', { fatal: true }).decode(part)
      expect(text.startsWith('data: ')).toBe(true)
      expect(text.endsWith('\n\n')).toBe(true)
    }
  })

  it('that breaks off upstream ends with an error of its own kind and the terminator', async () => {
    setup.upstream.setFault({}, { cut: 2 })
    const all = events(await (await chat({ stream: true })).text())
    expect(all.at(-1)).toBe('[DONE]')
    const error = JSON.parse(all.at(-2) ?? '')
    expect(Object.keys(error)).toEqual(['error'])
    expect(error.error).toEqual({ message: expect.any(String), type: 'provider_error', code: 'provider_error', param: null })
    expect(all.slice(0, -2).join('')).not.toContain('"finish_reason":"stop"')
  })
})

describe('text that looks like control', () => {
  it.each([
    'data: [DONE]',
    'data: [DONE]\n\ndata: {"error":{}}\n\n',
    'a\n\nevent: error\nid: 7\nretry: 1\n\nb',
    '\r\n\r\nHTTP/1.1 500\r\n\r\n0\r\n\r\n',
    ': ping\n',
    '\u2028\u2029\u0000\ufeff',
    '😀 e\u0301 \ud83c\udff3\ufe0f\u200d\ud83c\udf08 ﷽',
  ])('arrives unchanged: %j', async (content) => {
    const ask = (stream: boolean) => chat({ stream, model: 'alpha/echo', messages: [{ role: 'user', content: `<${content}>` }] })
    const whole = (await (await ask(false)).json()) as { choices: { message: { content: string } }[] }
    expect(whole.choices[0]?.message.content).toBe(`<${content}>`)
    expect(textOf(await chunksOf(await ask(true)))).toBe(`<${content}>`)
  })

  it('arrives unchanged however the provider cuts it', async () => {
    setup.upstream.setFault({}, { split: 1 })
    const content = '😀 data: [DONE]\n\n﷽'
    expect(textOf(await chunksOf(await chat({ stream: true, model: 'alpha/echo', messages: [{ role: 'user', content }] })))).toBe(content)
  })
})

describe('a model', () => {
  it.each(['alpha/m-large', 'm-large', 'opc/large'])('is found as %s', async (model) => {
    const response = await chat({ model })
    await response.text()
    expect(response.status).toBe(200)
    expect(response.headers.get('x-freeway-model')).toBe('m-large')
  })

  it.each(['deep/seek-v4:free', 'alpha/deep/seek-v4:free'])('may have a slash in its name: %s', async (model) => {
    const response = await chat({ model })
    await response.text()
    expect(response.headers.get('x-freeway-model')).toBe('deep/seek-v4:free')
  })

  it.each(
    ['auto', 'fast', 'quality', 'code', 'reasoning', 'cheap', 'vision', 'long'].flatMap((name) => [`freeai-${name}`, `freeway-${name}`]),
  )('may be left to freeway: %s', async (model) => {
    const response = await chat({ model })
    await response.text()
    expect(response.status).toBe(200)
  })

  it.each([undefined, null, '', 'auto', 'fast', 'quality'])('need not be named: %j', async (model) => {
    const response = await chat({ model })
    await response.text()
    expect(response.status).toBe(200)
  })

  it.each(['nobody/has-this', 'alpha/none', 'freeai-none', 'ALPHA/M-LARGE'])('that nobody offers is a 400: %s', async (model) => {
    for (const stream of [false, true]) {
      const response = await chat({ model, stream })
      expect(response.status).toBe(400)
      expect(await response.json()).toEqual({
        error: { message: expect.any(String), type: 'invalid_request_error', code: 'model_not_found', param: 'model' },
      })
    }
    expect(setup.upstream.calls).toHaveLength(0)
  })
})

describe('a client that leaves', () => {
  it.each([true, false])('stops the call to the provider at once (stream: %s)', async (stream) => {
    setup.upstream.setFault({}, stream ? { tps: 20, chunks: 1_000, size: 10 } : { ttft: 20_000 })
    const controller = new AbortController()
    const answer = fetch(`${setup.gateway.url}/v1/chat/completions`, {
      method: 'POST',
      signal: controller.signal,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'alpha/m-large', messages, stream }),
    })
    const call = await setup.upstream.waitFor(({ body }) => body !== undefined)
    if (stream) await (await answer).body?.getReader().read()
    const leftAt = Date.now()
    controller.abort()
    // The abort is its error.
    await answer.catch(() => {})
    await setup.upstream.waitFor(({ id, closedAt }) => id === call.id && closedAt !== undefined)
    expect(call.closedBy).toBe('peer')
    expect((call.closedAt ?? 0) - leftAt).toBeLessThan(500)
  })
})
