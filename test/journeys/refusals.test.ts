// What a provider refuses, and what becomes of the request: the next key, the same model with a field less, another model.

import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { type Gateway, startGateway } from '#test/support/gateway.ts'

interface Call {
  path: string
  headers: IncomingHttpHeaders
  body: Record<string, unknown> & { model: string }
}
type Refusal = { status: number; headers?: Record<string, string>; body: unknown }

/** A provider that answers everything but what `refuse` refuses. */
let refuse: (call: Call) => Refusal | undefined
let calls: Call[]
let provider: Server
let gateway: Gateway

beforeAll(async () => {
  provider = createServer(async (request, response) => {
    const parts: Buffer[] = []
    for await (const part of request) parts.push(part)
    const call = { path: request.url ?? '', headers: request.headers, body: JSON.parse(Buffer.concat(parts).toString()) }
    calls.push(call)
    const refusal = refuse(call)
    const choices = [{ index: 0, message: { role: 'assistant', content: `by ${call.body.model}` }, finish_reason: 'stop' }]
    const whole = { id: 'c', object: 'chat.completion', created: 1, model: call.body.model, choices }
    response.writeHead(refusal?.status ?? 200, { 'content-type': 'application/json', ...refusal?.headers })
    response.end(JSON.stringify(refusal?.body ?? whole))
  })
  provider.listen(0, '127.0.0.1')
  await once(provider, 'listening')
  const origin = `http://127.0.0.1:${(provider.address() as AddressInfo).port}`
  const models = (...ids: string[]) => ids.map((id) => ({ id, max_output: 1000 }))
  gateway = await startGateway({
    env: { TWO_KEYS: 'k-first, k-second', FREEWAY_DEMO: 'off' },
    config: {
      providers: {
        keyed: { base_url: `${origin}/v1`, env: ['TWO_KEYS'], models: models('k') },
        limited: { base_url: `${origin}/v1`, api_keys: ['l-first', 'env:TWO_KEYS'], limit_scope: 'model', models: models('l1', 'l2') },
        picky: { base_url: `${origin}/v1`, api_key: 'p', models: models('p') },
        // Its own account stands in the address.
        located: {
          base_url: `${origin}/accounts/{account_id}/v1`,
          api_key: 'acc:tok',
          auth: { key_format: 'account_id:api_token' },
          models: models('a'),
        },
        habitual: {
          base_url: `${origin}/v1`,
          api_key: 'h',
          auth: { style: 'header', header: 'X-Api-Key' },
          request_policy: {
            drop: ['user'],
            rename: { seed: 'random_seed' },
            role_map: { developer: 'system' },
            headers: { 'X-Title': '{app_name}' },
          },
          models: models('h'),
        },
      },
    },
  })
})
afterAll(async () => {
  await gateway?.[Symbol.asyncDispose]()
  provider?.closeAllConnections()
  await new Promise((closed) => provider?.close(closed))
})
beforeEach(() => {
  calls = []
  refuse = () => undefined
})

async function ask(model: string, more: object = {}) {
  const body = JSON.stringify({ model, messages: [{ role: 'user', content: 'hi' }], ...more })
  const response = await fetch(`${gateway.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  })
  const answer = (await response.json()) as { choices?: { message: { content: string } }[]; error?: { type: string } }
  return {
    status: response.status,
    attempts: response.headers.get('x-freeway-attempts'),
    text: answer.choices?.[0]?.message.content,
    error: answer.error?.type,
  }
}
const keysUsed = () => calls.map(({ headers }) => headers.authorization?.replace('Bearer ', ''))

it('a key that is refused gives way to the next of the same provider, and is not asked again', async () => {
  refuse = ({ headers }) =>
    headers.authorization === 'Bearer k-first' ? { status: 401, body: { error: { message: 'Invalid API Key' } } } : undefined
  const attempts: (string | null)[] = []
  for (let i = 0; i < 5; i++) {
    const answer = await ask('keyed/k')
    expect(answer).toMatchObject({ status: 200, text: 'by k' })
    attempts.push(answer.attempts)
  }
  const used = keysUsed()
  // Which key is asked first is left to chance.
  expect(attempts.filter((n) => n !== '1')).toEqual(used.includes('k-first') ? ['2'] : [])
  expect(used.filter((key) => key === 'k-first').length).toBeLessThanOrEqual(1)
  expect(used.filter((key) => key === 'k-second')).toHaveLength(5)
})

it('a limit of one key does not touch the others', async () => {
  const limited = new Set<string>()
  refuse = ({ headers }) => {
    const key = String(headers.authorization)
    if (limited.size === 2 && !limited.has(key)) return undefined
    limited.add(key)
    return {
      status: 429,
      headers: { 'retry-after': '60' },
      body: { error: { message: 'Rate limit reached for model l1: Limit 5 requests per minute' } },
    }
  }
  expect(await ask('limited/l1')).toMatchObject({ status: 200, attempts: '3', text: 'by l1' })
  expect(new Set(keysUsed())).toEqual(new Set(['l-first', 'k-first', 'k-second']))
  expect(await ask('limited/l1')).toMatchObject({ status: 200, attempts: '1' })
})

it('what a provider does not know is left out, and from then on at once', async () => {
  refuse = ({ body }) =>
    'logit_bias' in body ? { status: 400, body: { error: { message: "property 'logit_bias' is unsupported" } } } : undefined
  const odd = { logit_bias: { 5: 1 }, temperature: 0.5 }
  expect(await ask('picky/p', odd)).toMatchObject({ status: 200, attempts: '2', text: 'by p' })
  expect(calls.map(({ body }) => 'logit_bias' in body)).toEqual([true, false])
  expect(calls[1]?.body).toMatchObject({ model: 'p', temperature: 0.5 })
  calls = []
  expect(await ask('picky/p', odd)).toMatchObject({ status: 200, attempts: '1' })
  expect(calls).toHaveLength(1)
})

it('a provider that refuses again what it asked for is not asked for ever', async () => {
  refuse = () => ({ status: 400, body: { error: { message: "property 'seed' is unsupported" } } })
  expect(await ask('picky/p', { seed: 1 })).toMatchObject({ status: 400, error: 'invalid_request_error' })
  expect(calls).toHaveLength(2)
})

it('the client that wants one attempt gets one, whatever could be changed', async () => {
  refuse = ({ body }) => ('seed' in body ? { status: 400, body: { error: { message: "property 'seed' is unsupported" } } } : undefined)
  expect(await ask('picky/p', { seed: 1, fallback: false })).toMatchObject({ status: 400 })
  expect(calls).toHaveLength(1)
})

it('the account of a key stands in the address, and only its token in the header', async () => {
  expect(await ask('located/a')).toMatchObject({ status: 200 })
  expect(calls[0]).toMatchObject({ path: '/accounts/acc/v1/chat/completions', headers: { authorization: 'Bearer tok' } })
})

it('a provider gets what it takes, in the header and the words that it knows', async () => {
  const messages = [
    { role: 'developer', content: 'be kind' },
    { role: 'user', content: 'hi' },
  ]
  expect(await ask('habitual/h', { messages, seed: 7, user: 'u', max_completion_tokens: 900 })).toMatchObject({ status: 200 })
  expect(calls[0]?.headers).toMatchObject({ 'x-api-key': 'h', 'x-title': 'freeway' })
  expect(calls[0]?.headers).not.toHaveProperty('authorization')
  expect(calls[0]?.body).toEqual({
    model: 'h',
    stream: false,
    max_tokens: 900,
    random_seed: 7,
    messages: [{ role: 'system', content: 'be kind' }, messages[1]],
  })
})
