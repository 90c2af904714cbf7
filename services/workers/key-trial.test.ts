import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type CatalogProvider, catalog as catalogSchema } from '#contracts/catalog.ts'
import { tryKeys } from './key-trial.ts'

const key = 'gq-canary-tried-A8f3kD92mXqLw7'
interface Asked {
  method: string | undefined
  path: string | undefined
  authorization: string | undefined
  body: string
}

let server: Server
let asked: Asked[]
let answer: (asked: Asked) => { status: number; body?: unknown; headers?: Record<string, string> } | undefined
let base: string
beforeEach(async () => {
  asked = []
  answer = () => ({ status: 200, body: {} })
  server = createServer(async (request: IncomingMessage, response) => {
    let body = ''
    for await (const part of request) body += part
    const { method, url: path, headers } = request
    const one = { method, path, authorization: headers.authorization, body }
    asked.push(one)
    const said = answer(one)
    if (!said) return // never answers
    response.writeHead(said.status, { 'content-type': 'application/json', ...said.headers }).end(JSON.stringify(said.body ?? {}))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterEach(() => {
  server.closeAllConnections()
  return new Promise((resolve) => server.close(resolve))
})

function provider(own: object = {}): CatalogProvider {
  const models = [{ id: 'm1' }, { id: 'm2' }, { id: 'ears', capabilities: ['stt'] }]
  const entry = { name: 'groq', base_url: `${base}/openai/v1`, configured: true, models, ...own }
  return catalogSchema.parse({ providers: [entry], aliases: [] }).providers[0] as CatalogProvider
}
const checkedBy = (validate: object) => provider({ validate })

describe('a key is tried', () => {
  it('by the address that the catalogue names, without a body', async () => {
    const verdicts = await tryKeys(checkedBy({ method: 'GET', path: '/models?limit=1' }), [key])
    expect(verdicts).toEqual([
      { account: 'groq-1', ok: true, code: 'ok', status: 200, message: 'the provider takes the key', latency_ms: expect.any(Number) },
    ])
    expect(asked).toEqual([{ method: 'GET', path: '/openai/v1/models?limit=1', authorization: `Bearer ${key}`, body: '' }])
  })

  it('by a whole address with the account of the key in it, and by another one if that does not know it', async () => {
    answer = ({ path }) => ({ status: path === '/client/tokens/verify' ? 400 : 200 })
    const two = { method: 'GET', path: `${base}/client/tokens/verify`, alt: `${base}/accounts/{account_id}/verify`, bad_key: [400, 401] }
    const [verdict] = await tryKeys(provider({ validate: two, auth: { key_format: 'account_id:api_token' } }), [`acc/1:${key}`])
    expect(verdict).toMatchObject({ ok: true, status: 200 })
    expect(asked.map(({ path }) => path)).toEqual(['/client/tokens/verify', '/accounts/acc%2F1/verify'])
    expect(asked[0]?.authorization).toBe(`Bearer ${key}`)
  })

  it.each<[string, object, string]>([
    ['its default model', { default_model: 'm2' }, 'm2'],
    ['its first model that chats', { default_model: 'gone' }, 'm1'],
    ['the same where the catalogue asks for it', { validate: { method: 'POST', path: '/chat/completions' } }, 'm1'],
  ])('else by a chat of one token with %s', async (_, own, model) => {
    expect(await tryKeys(provider(own), [key])).toMatchObject([{ ok: true, code: 'ok' }])
    expect(asked).toMatchObject([{ method: 'POST', path: '/openai/v1/chat/completions', authorization: `Bearer ${key}` }])
    expect(JSON.parse(asked[0]?.body ?? '')).toMatchObject({ model, max_tokens: 1, stream: false })
  })

  it('and so is each of several', async () => {
    answer = ({ authorization }) => ({ status: authorization?.endsWith('2') ? 401 : 200 })
    expect(await tryKeys(provider(), ['key-1', 'key-2'])).toMatchObject([
      { account: 'groq-1', ok: true },
      { account: 'groq-2', ok: false, code: 'auth' },
    ])
  })
})

const quoting = { error: { message: `Incorrect API key provided: ${key}` } }

describe('what the provider says is told in our words', () => {
  it.each<[string, number, unknown, object]>([
    ['a wrong key', 401, quoting, { ok: false, code: 'auth', message: /refuses the key/ }],
    [
      'a wrong key, said with 400',
      400,
      { error: { message: 'API key not valid. Please pass a valid API key.' } },
      { ok: false, code: 'auth' },
    ],
    ['no credit', 402, { error: { message: 'Insufficient balance' } }, { ok: false, code: 'payment', message: /credit is spent/ }],
    ['a limit', 429, { error: { message: 'Rate limit reached' } }, { ok: true, code: 'rate_limited', message: /limit is reached/ }],
    ['a model that is gone', 404, { error: { message: 'model m1 does not exist' } }, { ok: true, code: 'model_not_found' }],
    ['a request it does not like', 400, { error: { message: 'max_tokens must be at least 16' } }, { ok: true, code: 'invalid_request' }],
    ['a fault of its own', 500, {}, { ok: false, code: 'server', message: /failed/ }],
    ['a country', 403, { error: { message: 'User location is not supported' } }, { ok: false, code: 'blocked' }],
    ['an error with status 200', 200, { error: { message: 'invalid api key' } }, { ok: false, code: 'auth' }],
  ])('%s', async (_, status, body, { message = /./, ...expected }: { message?: RegExp }) => {
    answer = () => ({ status, body })
    const [verdict] = await tryKeys(provider(), [key])
    expect(verdict).toMatchObject({ status, ...expected })
    expect(verdict?.message).toMatch(message)
    expect(JSON.stringify(verdict)).not.toContain('canary')
  })

  it.each<[string, number, number[], object]>([
    ['a status that the catalogue names', 400, [400], { ok: false, code: 'auth' }],
    ['a status that it does not name', 404, [401], { ok: false, code: 'model_not_found' }],
  ])('%s, of an address for keys', async (_, status, bad_key, expected) => {
    answer = () => ({ status })
    expect(await tryKeys(checkedBy({ method: 'GET', path: '/models', bad_key }), [key])).toMatchObject([expected])
  })

  it('that nobody is there', async () => {
    const nowhere = provider({ base_url: 'http://127.0.0.1:1/v1' })
    expect(await tryKeys(nowhere, [key])).toMatchObject([
      { ok: false, code: 'network', status: 0, message: 'the provider could not be reached' },
    ])
  })

  it('that it says nothing', async () => {
    answer = () => undefined
    expect(await tryKeys(provider(), [key], 50)).toMatchObject([{ ok: false, code: 'timeout', status: 0 }])
  })

  it('that there is no key, without a call', async () => {
    expect(await tryKeys(provider(), [])).toMatchObject([{ account: 'groq-1', ok: false, code: 'no_key' }])
    expect(asked).toEqual([])
  })

  it('that there is nothing to try it with', async () => {
    expect(await tryKeys(provider({ models: [{ id: 'ears', capabilities: ['stt'] }] }), [key])).toMatchObject([
      { ok: false, code: 'unsupported' },
    ])
  })
})
