// What a client may do, over whole requests: what counts against its day, and which models are chosen for it.

import { afterEach, beforeEach, expect, it } from 'vitest'
import type { Simulator } from '#services/simulator/simulator.ts'
import { type Gateway, startGateway } from '#test/support/gateway.ts'
import { configWith, startUpstream } from '#test/support/upstream.ts'

const FREEWAY_ADMIN_TOKEN = 'Zk3vQ9xR7mW2pL5tN8bH'
let stack: AsyncDisposableStack
let gateway: Gateway
let upstream: Simulator

beforeEach(async () => {
  stack = new AsyncDisposableStack()
  upstream = await startUpstream()
  stack.defer(() => upstream.close())
  gateway = stack.use(await startGateway({ config: configWith(upstream), env: { FREEWAY_ADMIN_TOKEN } }))
})
afterEach(() => stack.disposeAsync())

async function admin(method: string, path: string, body: object): Promise<Record<string, string>> {
  const headers = { 'x-admin-token': FREEWAY_ADMIN_TOKEN, 'content-type': 'application/json' }
  const response = await fetch(`${gateway.url}${path}`, { method, headers, body: JSON.stringify(body) })
  expect(response.ok).toBe(true)
  return (await response.json()) as Record<string, string>
}

const client = async (fields: object) => (await admin('POST', '/api/clients', { name: 'app', rpm_limit: null, ...fields })).api_key ?? ''

function chat(key: string, body: object = {}, signal?: AbortSignal): Promise<Response> {
  return fetch(`${gateway.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'alpha/m-large', messages: [{ role: 'user', content: 'Say exactly: alpha beta gamma' }], ...body }),
    signal: signal ?? null,
  })
}

it('successes count against the day, errors do not', async () => {
  const key = await client({ daily_limit: 2 })
  for (let i = 0; i < 4; i++) expect((await chat(key, { model: 'no such model' })).status).toBe(400)
  expect((await chat(key)).status).toBe(200)
  await (await chat(key, { stream: true })).text()
  const refused = await chat(key)
  const { error } = (await refused.json()) as { error: { type: string; message: string } }
  expect([refused.status, error.type]).toEqual([429, 'rate_limit_error'])
  expect(refused.headers.get('x-should-retry')).toBe('false')
  expect(refused.headers.get('x-dailylimit-remaining')).toBe('0')
  const untilMidnight = 86_400 - (Math.floor(Date.now() / 1000) % 86_400)
  expect(Math.abs(Number(refused.headers.get('retry-after')) - untilMidnight)).toBeLessThan(3)
})

it('an answer of which something was read counts, also if its reader hangs up before the end', async () => {
  const key = await client({ daily_limit: 1, max_concurrency: 1 })
  const leaving = new AbortController()
  const long = { stream: true, messages: [{ role: 'user', content: 'Say exactly: '.concat('word '.repeat(2_000)) }] }
  const reader = (await chat(key, long, leaving.signal)).body?.getReader()
  let text = ''
  while (!text.includes('word')) text += new TextDecoder().decode((await reader?.read())?.value)
  leaving.abort()
  const answer = async () => {
    const response = await chat(key)
    return ((await response.json()) as { error: { message: string } }).error.message
  }
  await expect.poll(answer, { timeout: 5_000 }).toContain('daily limit')
})

it('a place among the parallel requests is free again, whatever became of the one that had it', async () => {
  const key = await client({ max_concurrency: 1 })
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
  const free = async () => (await fetch(`${gateway.url}/v1/models`, { headers })).headers.get('x-concurrency-remaining')
  const read = async (response: Response): Promise<string> => {
    // The connection of a stream that breaks off may break as well.
    const text = await response.text().catch(() => '')
    return `${response.status}${text.includes('"error"') ? ' error' : ''}`
  }
  const post = (path: string, body: object) => fetch(gateway.url + path, { method: 'POST', headers, body: JSON.stringify(body) })
  const endless = { chunks: 100_000, size: 24, tps: 50 }

  async function leave(body: object): Promise<string> {
    const leaving = new AbortController()
    const calls = upstream.calls.length
    const asked = chat(key, body, leaving.signal).then((response) => response.body?.getReader().read())
    await expect.poll(() => upstream.calls.length).toBeGreaterThan(calls)
    expect(await free()).toBe('0')
    leaving.abort()
    return asked.then(
      () => 'left',
      () => 'left',
    )
  }

  const ways: [string, object | undefined, () => Promise<string>, string][] = [
    ['a whole answer', undefined, async () => read(await chat(key)), '200'],
    ['a stream to its end', undefined, async () => read(await chat(key, { stream: true })), '200'],
    ['a refusal before any provider', undefined, async () => read(await chat(key, { model: 'no such model' })), '400 error'],
    ['an unreadable body', undefined, async () => read(await chat(key, { messages: 7 })), '400 error'],
    [
      'a request that the provider refuses',
      { status: 400, body: { error: { message: 'no' } } },
      async () => read(await chat(key)),
      '400 error',
    ],
    ['a stream that breaks off', { chunks: 20, size: 24, cut: 5 }, async () => read(await chat(key, { stream: true })), '200 error'],
    ['a client that leaves before the first byte', { stall: 'head' }, () => leave({ stream: true }), 'left'],
    ['a client that leaves while it waits for the whole', { stall: 'head' }, () => leave({ stream: false }), 'left'],
    ['a client that leaves in mid-stream', endless, () => leave({ stream: true }), 'left'],
    [
      'a response in the background that is called off',
      endless,
      async () => {
        const started = await post('/v1/responses', { model: 'alpha/m-large', input: 'hello', background: true })
        const { id } = (await started.json()) as { id: string }
        expect(await free()).toBe('0')
        return read(await post(`/v1/responses/${id}/cancel`, {}))
      },
      '200 error',
    ],
  ]
  for (const [way, fault, act, expected] of ways) {
    upstream.setFault({}, fault)
    expect([way, await act()]).toEqual([way, expected])
    await expect.poll(free, { message: way }).toBe('1')
  }
})

it('a model is chosen among those that are open to the client', async () => {
  await admin('PATCH', '/api/tiers', { models: { 'alpha/m-large': 'vip' } })
  const key = await client({})
  expect((await chat(key)).status).toBe(403)
  expect((await chat(key, { model: 'alpha/echo' })).status).toBe(200)
  for (let i = 0; i < 5; i++) {
    const { status, headers } = await chat(key, { model: undefined })
    expect(status).toBe(200)
    expect(headers.get('x-freeway-model')).not.toBe('m-large')
  }
  for (const model of ['m-reasoner', 'echo', 'deep/seek-v4:free']) await admin('POST', '/api/tiers', { model, tier: 'vip' })
  // The routers are told a moment later than the ingress.
  await expect.poll(async () => (await chat(key, { model: 'auto' })).status).toBe(503)
  expect((await chat(await client({ roles: ['vip'] }))).status).toBe(200)
  expect((await chat(FREEWAY_ADMIN_TOKEN)).status).toBe(200)
})
