// Cases where formats differ that only show over the whole way, numbered as in the list they are from; the others stand beside the formats.

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Simulator, startSimulator } from '#services/simulator/simulator.ts'
import { type Gateway, startGateway } from '#test/support/gateway.ts'

// biome-ignore lint/suspicious/noExplicitAny: answers are looked into at will
type Json = any

let upstream: Simulator
let gateway: Gateway

const statuses = [400, 401, 403, 404, 413, 429, 500, 503, 529]
/** What goes wrong at a provider whose only model is this one. */
const faults: Record<string, string> = {
  ...Object.fromEntries(statuses.map((status) => [`refuses-${status}`, `m?status=${status}`])),
  nothing: 'm?chunks=0',
  unended: 'm?chunks=3&omit=finish,done',
  ...Object.fromEntries(['garbled-page', 'garbled-nothing', 'garbled-an', 'thinks', 'id-late', 'id-missing'].map((name) => [name, 'm'])),
}

beforeAll(async () => {
  upstream = await startSimulator()
  const base_url = `${upstream.url}/v1`
  const capabilities = ['chat', 'tools', 'reasoning']
  const provider = (id: string, more: object = {}) => ({ base_url, needs_key: false, models: [{ id, capabilities, ...more }] })
  const failing = Object.entries(faults).map(([name, id]) => [name, provider(id)])
  const twins = ['nothing', 'role', 'error'].flatMap((name) => [
    [
      `${name}-first`,
      { ...provider(`t?${name === 'nothing' ? 'chunks=0' : name === 'role' ? 'end=1' : 'error=0'}`, { canonical: name }), weight: 2 },
    ],
    [`${name}-second`, provider('good', { canonical: name })],
  ])
  const sees = provider('m-eye', { capabilities: ['chat', 'vision'] })
  const inline = { ...sees, request_policy: { images: 'inline_only' } }
  const providers = Object.fromEntries([...failing, ...twins, ['usual', provider('m-large')], ['sees', sees], ['inline', inline]])
  gateway = await startGateway({ config: { providers } })
})
afterAll(async () => {
  await gateway?.[Symbol.asyncDispose]()
  await upstream?.close()
})
beforeEach(() => upstream.reset())

const messages = [{ role: 'user', content: 'Say exactly: alpha beta gamma' }]
const ask = (path: string, body: object) =>
  fetch(`${gateway.url}${path}`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
const askMessages = (model: string, more: object = {}) => ask('/v1/messages', { model, max_tokens: 100, messages, ...more })
const modelOf = (name: string) => `${name}/${faults[name]}`

describe('Messages', () => {
  it('13: a stream is asked for with its usage', async () => {
    await (await askMessages('usual/m-large', { stream: true })).text()
    expect(upstream.calls[0]?.body).toMatchObject({ stream: true, stream_options: { include_usage: true } })
  })

  it.each([false, true])('21: an answer of nothing is an error (stream: %s)', async (stream) => {
    const answer = await askMessages(modelOf('nothing'), { stream })
    expect(answer.status).toBe(502)
    expect(await answer.json()).toMatchObject({ type: 'error', error: { type: 'api_error', code: 'provider_error' } })
  })

  it.each(['nothing', 'role', 'error'])('21, 23b, 62: is answered by another provider where the first sent %s', async (name) => {
    const text = await (await askMessages(name, { stream: true })).text()
    expect(text).toContain('event: message_stop')
    expect(text).not.toContain('event: error')
    expect(upstream.calls).toHaveLength(2)
  })

  it('23a: an answer without an end is an error in the stream', async () => {
    const text = await (await askMessages(modelOf('unended'), { stream: true })).text()
    expect(text.trimEnd().split('\n\n').at(-1)).toMatch(/^event: error\ndata: \{"type":"error","error":\{"type":"api_error"/)
    expect(text).not.toContain('message_stop')
  })

  // What is the provider's own affair is 502 for the caller; a prompt that is too large is said in the words by which agents shorten it.
  it.each([
    [400, 400, 'invalid_request_error'],
    [401, 502, 'api_error'],
    [403, 502, 'api_error'],
    [404, 502, 'api_error'],
    [413, 400, 'invalid_request_error'],
    [429, 429, 'rate_limit_error'],
    [500, 502, 'api_error'],
    [503, 502, 'api_error'],
    [529, 502, 'api_error'],
  ])('25: a provider’s %i in plain words is a %i, %s', async (given, status, type) => {
    upstream.setFault({}, { status: given, body: 'the words of a proxy' })
    const answer = await askMessages(modelOf(`refuses-${given}`))
    const { error, ...rest } = (await answer.json()) as Json
    expect(rest).toMatchObject({ type: 'error', request_id: expect.any(String) })
    expect([answer.status, error.type]).toEqual([status, type])
    expect(error.message).not.toContain('the words of a proxy')
  })

  it.each([
    ['a page', '<html><body>Bad gateway</body></html>'],
    ['nothing', ''],
    ['half an answer', '{"id":"chatcmpl-1","choices":[{"index":0,"mess'],
  ])('55: %s with status 200 is an error that says so', async (what, body) => {
    upstream.setFault({}, { status: 200, body })
    const answer = await askMessages(modelOf(`garbled-${what.split(' ')[1] ?? what}`))
    expect(answer.status).toBe(502)
    expect(await answer.json()).toMatchObject({ error: { type: 'api_error', message: expect.stringMatching(/cannot be read|failed/) } })
  })
})

describe('a picture by address', () => {
  const picture = { type: 'image_url', image_url: { url: `http://127.0.0.1:1/never.png` } }
  const body = { messages: [{ role: 'user', content: [{ type: 'text', text: 'What is it?' }, picture] }] }

  it('is passed on as it is, and not fetched by the gateway', async () => {
    expect((await ask('/v1/chat/completions', { ...body, model: 'sees/m-eye' })).status).toBe(200)
    expect(upstream.calls[0]?.body).toMatchObject(body)
  })

  it('is refused in clear words where the provider takes data only', async () => {
    const answer = await ask('/v1/chat/completions', { ...body, model: 'inline/m-eye' })
    expect(answer.status).toBe(400)
    expect(await answer.json()).toMatchObject({
      error: { type: 'invalid_request_error', message: expect.stringContaining('data URLs only') },
    })
    expect(upstream.calls).toHaveLength(0)
  })

  it('is fetched for such a provider where the operator has switched it on, but never from here', async () => {
    const inline = {
      base_url: `${upstream.url}/v1`,
      needs_key: false,
      request_policy: { images: 'inline_only' },
      models: [{ id: 'm-eye', capabilities: ['chat', 'vision'] }],
    }
    await using fetching = await startGateway({ config: { providers: { inline } }, env: { FREEWAY_FETCH_IMAGES: 'on' } })
    const answer = await fetch(`${fetching.url}/v1/chat/completions`, {
      method: 'POST',
      body: JSON.stringify({ ...body, model: 'inline/m-eye' }),
    })
    expect(answer.status).toBe(400)
    expect(await answer.json()).toMatchObject({ error: { message: expect.stringContaining('its address is not public') } })
    expect(upstream.calls).toHaveLength(0)
  })
})

describe('Responses', () => {
  const chunk = (delta: object, finish_reason: string | null = null) =>
    `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [{ index: 0, delta, finish_reason }] })}\n\n`
  const events = async (name: string, chunks: string[]): Promise<Json[]> => {
    upstream.setFault({}, { status: 200, body: chunks.join('') })
    const text = await (await ask('/v1/responses', { model: modelOf(name), input: 'Hello', stream: true })).text()
    return text.split('\n').flatMap((line) => (line.startsWith('data: {') ? [JSON.parse(line.slice(6))] : []))
  }

  it('49: thoughts without an answer are no completed response', async () => {
    const told = await events('thinks', [chunk({ role: 'assistant', reasoning_content: 'hm' }), 'data: [DONE]\n\n'])
    const types = told.map(({ type }) => type)
    expect(types).toContain('response.reasoning_summary_text.done')
    expect(types.slice(-2)).toEqual(['error', 'response.failed'])
    expect(types).not.toContain('response.completed')
  })

  it.each([
    ['late', 'call_late'],
    ['missing', undefined],
  ])('50: a call whose id is %s has one name from its first event to its last', async (what, id) => {
    const call = (more: object) => chunk({ tool_calls: [{ index: 0, ...more }] })
    const told = await events(`id-${what}`, [
      call({ type: 'function', function: { name: 'add', arguments: '{"a"' } }),
      call({ id, function: { arguments: ':1}' } }),
      chunk({}, 'tool_calls'),
      'data: [DONE]\n\n',
    ])
    const items = told.flatMap(({ item }) => (item ? [item] : []))
    expect(items).toHaveLength(2)
    expect(new Set(items.map(({ id }) => id)).size).toBe(1)
    expect(new Set(items.map(({ call_id }) => call_id)).size).toBe(1)
    expect(items[1]).toMatchObject({ name: 'add', arguments: '{"a":1}', call_id: id ?? expect.stringMatching(/^call_/) })
    expect(items[1].id).not.toContain(items[1].call_id)
    const arguments_ = told.flatMap(({ type, delta }) => (type === 'response.function_call_arguments.delta' ? [delta] : [])).join('')
    expect(arguments_).toBe('{"a":1}')
  })
})
