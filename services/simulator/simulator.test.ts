import OpenAI from 'openai'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Simulator, startSimulator } from './simulator.ts'

let simulator: Simulator
beforeEach(async () => {
  simulator = await startSimulator()
})
afterEach(() => simulator.close())

const client = () => new OpenAI({ baseURL: `${simulator.url}/v1`, apiKey: 'k', maxRetries: 0 })
const messages = [{ role: 'user' as const, content: 'Say exactly: alpha beta gamma' }]

function post(model: string, more: object = {}, init: RequestInit = {}): Promise<Response> {
  return fetch(`${simulator.url}/v1/chat/completions`, { method: 'POST', body: JSON.stringify({ model, messages, ...more }), ...init })
}

test('the official client gets an answer under the very name it asked for', async () => {
  const reply = await client().chat.completions.create({ model: 'demo/chat', messages })
  expect(reply).toMatchObject({ model: 'demo/chat', choices: [{ message: { content: 'alpha beta gamma' }, finish_reason: 'stop' }] })
  expect(reply.usage?.total_tokens).toBe((reply.usage?.prompt_tokens ?? 0) + 3)
})

test('the official client accumulates a stream with its usage', async () => {
  const stream = client().chat.completions.stream({ model: 'demo/reasoner', messages, stream_options: { include_usage: true } })
  const completion = await stream.finalChatCompletion()
  expect(completion.choices[0]?.message.content).toBe('alpha beta gamma')
  expect(completion.usage?.completion_tokens_details?.reasoning_tokens).toBeGreaterThan(3)
})

test('the official client accumulates two tool calls and log probabilities', async () => {
  const city = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] }
  const tools = ['get_weather', 'get_time'].map((name) => ({ type: 'function' as const, function: { name, parameters: city } }))
  const content = "What's the weather and the time in Tokyo?"
  const called = await client()
    .chat.completions.stream({ model: 'm', tools, messages: [{ role: 'user', content }] })
    .finalChatCompletion()
  expect(called.choices[0]?.message.tool_calls?.map((call) => 'function' in call && call.function.arguments)).toEqual([
    '{"city":"Tokyo"}',
    '{"city":"Tokyo"}',
  ])
  const weighed = await client().chat.completions.create({ model: 'm', messages, logprobs: true, n: 2 })
  expect(weighed.choices.map((choice) => choice.logprobs?.content?.map((entry) => entry.token).join(''))).toEqual([
    'alpha beta gamma',
    'alpha beta gamma',
  ])
})

test('an invalid request is 400 with the field at fault, an unknown path 404', async () => {
  await expect(client().chat.completions.create({ model: 'm', messages: [] })).rejects.toMatchObject({ status: 400, param: 'messages' })
  expect((await fetch(`${simulator.url}/v1/nothing`, { method: 'POST', body: '{}' })).status).toBe(404)
})

test('models are listed and found', async () => {
  const ids = (await client().models.list()).data.map((model) => model.id)
  expect(ids).toEqual(expect.arrayContaining(['demo/chat', 'demo/echo', 'demo/reasoner']))
  expect(await client().models.retrieve('demo/echo')).toMatchObject({ id: 'demo/echo', object: 'model' })
  await expect(client().models.retrieve('demo/none')).rejects.toMatchObject({ status: 404, code: 'model_not_found' })
})

test('with a key of its own it refuses others with 401', async () => {
  await using guarded = Object.assign(await startSimulator({ apiKey: 'right' }), {
    async [Symbol.asyncDispose]() {
      await guarded.close()
    },
  })
  const statusFor = async (key: string) => (await fetch(`${guarded.url}/v1/models`, { headers: { authorization: `Bearer ${key}` } })).status
  expect([await statusFor('wrong'), await statusFor('right')]).toEqual([401, 200])
})

test('every call is logged with its attempt, its body and no key', async () => {
  const seen: (string | undefined)[] = []
  simulator.onCall((call) => seen.push(call.model))
  await (await post('m', {}, { headers: { authorization: 'Bearer secret-key', 'x-freeway-attempt': '2' } })).text()
  const call = await simulator.waitFor((one) => one.completed)
  expect(call).toMatchObject({
    id: 1,
    path: '/v1/chat/completions',
    model: 'm',
    body: { messages },
    attempt: { 'x-freeway-attempt': '2' },
    closedBy: 'us',
    status: 200,
  })
  expect(call.headers['authorization']).toMatch(/^Bearer sha256:[0-9a-f]{12}$/)
  expect(JSON.stringify(simulator.calls)).not.toContain('secret-key')
  expect(seen).toEqual(['m'])
})

test('a reader that leaves is seen at once, before and after the first event', async () => {
  for (const [model, early] of [
    ['m?ttft=60000', true],
    ['m?chunks=1000&tps=1', false],
  ] as const) {
    const abort = new AbortController()
    // Rejects where the abort comes before the status line.
    const answer = post(model, { stream: true }, { signal: abort.signal }).catch(() => undefined)
    const call = await simulator.waitFor((one) => one.model === model && (early || one.eventsSent > 0))
    expect(simulator.openCalls).toBe(1)
    abort.abort()
    await answer
    await simulator.waitFor((one) => one === call && one.closedBy === 'peer')
    expect([call.completed, simulator.openCalls]).toEqual([false, 0])
  }
})

test('a fault is set for a model and a number of calls', async () => {
  simulator.setFault({ model: 'm' }, { status: 429, headers: { 'retry-after': '7' } }, 1)
  const first = await post('m')
  expect([first.status, first.headers.get('retry-after'), (await post('m')).status]).toEqual([429, '7', 200])
  simulator.setFault({}, { sample: 'groq-429-tpm' })
  const sampled = await post('other')
  expect([sampled.status, sampled.headers.get('retry-after'), await sampled.json()]).toMatchObject([
    429,
    '8',
    { error: { type: 'tokens' } },
  ])
  simulator.reset()
  expect([(await post('m')).status, simulator.calls.length]).toEqual([200, 1])
})

test('a fault comes with the model name or a header', async () => {
  expect((await post('m?status=503')).status).toBe(503)
  const answer = await post(
    'm',
    {},
    { headers: { 'x-sim-fault': JSON.stringify({ status: 200, body: '<html>', headers: { 'content-type': 'text/html' } }) } },
  )
  expect([answer.status, answer.headers.get('content-type'), await answer.text()]).toEqual([200, 'text/html', '<html>'])
  const unknown = await post('m?ttf=1')
  expect([unknown.status, await unknown.json()]).toMatchObject([400, { error: { code: 'invalid_fault' } }])
})

test('it is controlled over HTTP like from inside', async () => {
  const sim = (method: string, path: string, body?: object) =>
    fetch(`${simulator.url}/sim/${path}`, { method, body: body && JSON.stringify(body) }).then((response) => response.json())
  await sim('PUT', 'faults', [{ match: { model: 'm' }, fault: { status: 500 }, times: 1 }, { fault: { status: 418 } }])
  expect([(await post('m')).status, (await post('m')).status]).toEqual([500, 418])
  await sim('DELETE', 'faults')
  expect((await post('m')).status).toBe(200)
  expect(await sim('GET', 'calls')).toMatchObject([{ status: 500 }, { status: 418 }, { status: 200 }])
  await sim('DELETE', 'calls')
  expect(await sim('GET', 'calls')).toEqual([])
  expect(await sim('GET', 'stats')).toMatchObject({ openCalls: 0, calls: 3, openSockets: expect.any(Number) })
  expect(await sim('PUT', 'faults', [{ fault: { cut: 'never' } }])).toMatchObject({ error: { code: 'invalid_fault' } })
})
