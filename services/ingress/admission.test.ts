import { request as send } from 'node:http'
import { connect } from 'node:net'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { catalog as catalogSchema } from '#contracts/catalog.ts'
import { buckets, catalogKey } from '#contracts/subjects.ts'
import { type Broker, openMemoryBroker } from '#services/bus/memory.ts'
import { hashOfKey, newClientKey } from '#services/client-key.ts'
import { createLogger } from '#services/logger.ts'
import { openOutbox } from '#services/outbox.ts'
import { loadSettings } from '#services/settings.ts'
import { createVault } from '#services/vault.ts'
import { setupCode } from './access/setup.ts'
import { type Ingress, startIngress } from './ingress.ts'

// One ingress without any router: whoever is admitted is told 503 that there is none.

const adminToken = 'Zk3vQ9xR7mW2pL5tN8bH'
const admin = { 'x-admin-token': adminToken }

interface World {
  broker: Broker
  lines: string[]
  /** The connection to the broker of all ingresses so far is down, until the returned function is called. */
  cutOff(): () => void
  start(env?: Record<string, string>): Promise<Ingress>
  [Symbol.asyncDispose](): Promise<void>
}

async function openWorld(): Promise<World> {
  const stack = new AsyncDisposableStack()
  const broker = await openMemoryBroker()
  stack.defer(() => broker.close())
  const config = await broker.connect('router').keyValue(buckets.config)
  const models = [
    { id: 'open', model_id: 1 },
    { id: 'locked', model_id: 2, tier: 'verified' },
    { id: 'reserved', model_id: 3 },
  ]
  const alpha = { name: 'alpha', base_url: 'http://127.0.0.1:1/v1', configured: true, models }
  const published = catalogSchema.parse({ providers: [alpha], aliases: [['nick/locked', 'alpha/locked']] })
  await config.put(catalogKey, new TextEncoder().encode(JSON.stringify(published)))
  const lines: string[] = []
  let count = 0
  const backbones: ReturnType<Broker['connect']>[] = []
  return {
    broker,
    lines,
    cutOff() {
      for (const backbone of backbones) broker.faults(backbone).disconnect()
      return () => {
        for (const backbone of backbones) broker.faults(backbone).reconnect()
      }
    },
    async start(env = {}) {
      const backbone = broker.connect('ingress')
      backbones.push(backbone)
      const instance = `ingress-${++count}`
      const settings = loadSettings({ PORT: '0', ...env }, '/nonexistent')
      const outbox = openOutbox({ events: backbone.events, role: 'ingress', instance })
      stack.defer(() => outbox.close())
      const logger = createLogger({ service: 'ingress', write: (line) => void lines.push(line) })
      const ingress = await startIngress({
        backbone,
        settings,
        logger,
        instance,
        outbox,
        adminToken,
        vault: createVault(adminToken),
        version: '0.0.0',
      })
      stack.defer(() => ingress.close())
      return ingress
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

let world: World
let url: string

async function call(method: string, path: string, body?: unknown, headers: Record<string, string> = admin, base = url) {
  const response = await fetch(base + path, {
    method,
    headers: { 'content-type': 'application/json', ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  return { status: response.status, headers: response.headers, body: await response.json() }
}

const bearer = (key: string) => ({ authorization: `Bearer ${key}` })
const hello = { model: 'alpha/open', messages: [{ role: 'user', content: 'hello' }] }
const chat = (key: string, change: object = {}, headers: Record<string, string> = {}, base = url) =>
  call('POST', '/v1/chat/completions', { ...hello, ...change }, { ...bearer(key), ...headers }, base)

async function client(fields: object = {}): Promise<{ api_key: string; key_hash: string; id: string }> {
  const { status, body } = await call('POST', '/api/clients', { name: 'my-app', rpm_limit: null, ...fields })
  expect(status).toBe(201)
  return body
}

/** Admitted, and then no router is there. */
const ADMITTED = 503

describe('a gateway with clients', () => {
  beforeAll(async () => {
    world = await openWorld()
    url = (await world.start({ SITE_KEY: 'site.example', FREEWAY_TRUSTED_PROXIES: '127.0.0.1,::1' })).url
  })
  afterAll(() => world[Symbol.asyncDispose]())
  beforeEach(async () => {
    await call('DELETE', '/api/settings')
    for (const { id } of (await call('GET', '/api/bans')).body) await call('DELETE', `/api/bans/${id}`)
  })

  it('issues a key, shows it once, and keeps its digest alone', async () => {
    const { status, headers, body } = await call('POST', '/api/clients', { name: 'my-app' })
    expect([status, headers.get('cache-control')]).toEqual([201, 'no-store'])
    expect(body).toMatchObject({ api_key: expect.stringMatching(/^fai_[0-9A-Za-z]{49}$/), name: 'my-app', rpm_limit: 60 })
    expect(body.key_hash).toBe(hashOfKey(body.api_key))
    expect((await chat(body.api_key)).status).toBe(ADMITTED)
    const listed = JSON.stringify((await call('GET', '/api/clients')).body)
    expect(listed).toContain(body.key_hash)
    expect(listed).not.toContain(body.api_key)
  })

  it.each([
    ['Authorization', (key: string) => ({ authorization: `Bearer ${key}` })],
    ['x-api-key', (key: string) => ({ 'x-api-key': key })],
  ])('takes a key by %s', async (_, headers) => {
    const { api_key } = await client()
    expect((await call('GET', '/v1/models', undefined, headers(api_key))).status).toBe(200)
    expect((await call('GET', '/v1/models', undefined, headers(adminToken))).status).toBe(200)
  })

  it('takes keys that were issued elsewhere, and their digests', async () => {
    const key = `freellmapi-${'7c'.repeat(24)}`
    const imported = await call('POST', '/api/clients', { name: 'old', api_key: key })
    expect(imported.status).toBe(201)
    expect(imported.body).not.toHaveProperty('api_key')
    expect((await chat(key)).status).toBe(ADMITTED)
    expect((await call('POST', '/api/clients', { name: 'again', api_key: key })).status).toBe(409)
    const other = newClientKey('fta_')
    await client({ key_hash: hashOfKey(other) })
    expect((await chat(other)).status).toBe(ADMITTED)
  })

  it('kills the old key when it is rotated, and keeps id, limits and history', async () => {
    const old = await client({ daily_limit: 5 })
    const { status, headers, body } = await call('POST', `/api/clients/${old.key_hash}/rotate`)
    expect([status, headers.get('cache-control')]).toEqual([200, 'no-store'])
    expect(body).toMatchObject({ id: old.id, daily_limit: 5, former_keys: [{ key_hash: old.key_hash }] })
    expect((await chat(old.api_key)).status).toBe(401)
    expect((await chat(body.api_key)).status).toBe(ADMITTED)
  })

  it('changes only the fields that are sent; null takes a limit away', async () => {
    const { key_hash } = await client({ rpm_limit: 30, daily_limit: 9, roles: ['member'] })
    const { body } = await call('PATCH', `/api/clients/${key_hash}`, { daily_limit: null, name: 'other' })
    expect(body).toMatchObject({ name: 'other', rpm_limit: 30, daily_limit: null, roles: ['member'] })
    expect((await call('GET', `/api/clients/${key_hash}`)).body).toEqual(body)
  })

  it.each([
    [{}, 'name'],
    [{ name: '' }, 'name'],
    [{ name: 'x'.repeat(65) }, 'name'],
    [{ name: 'x', rpm_limit: 0 }, 'rpm_limit'],
    [{ name: 'x', rpm_limit: 10_001 }, 'rpm_limit'],
    [{ name: 'x', rpm_limit: '60' }, 'rpm_limit'],
    [{ name: 'x', daily_limit: 1.5 }, 'daily_limit'],
    [{ name: 'x', roles: ['ok', 'Not OK'] }, 'roles[1]'],
    [{ name: 'x', key_hash: 'abc' }, 'key_hash'],
    [{ name: 'x', api_key: 'short' }, 'api_key'],
    [{ name: 'x', api_key: newClientKey('fai_').slice(0, -1) }, 'api_key'],
  ])('refuses the client %j with the path of the field', async (body, param) => {
    const answer = await call('POST', '/api/clients', body)
    expect(answer.status).toBe(400)
    expect(answer.body.error).toMatchObject({ type: 'invalid_request_error', param, message: expect.stringMatching(/^[\w[\]]+: /) })
  })

  it.each(['GET', 'PATCH', 'DELETE'])('has no client of an unknown hash: %s', async (method) => {
    const { status, body } = await call(method, `/api/clients/${'0'.repeat(64)}`, method === 'PATCH' ? {} : undefined)
    expect([status, body.error.type]).toEqual([404, 'invalid_request_error'])
  })

  describe('refuses', () => {
    const rows: [string, (key: string, hash: string) => Promise<Awaited<ReturnType<typeof call>>>, number, string][] = [
      ['no key', () => call('POST', '/v1/chat/completions', hello, {}), 401, 'invalid_api_key'],
      ['a wrong key', () => chat(newClientKey('fai_'), {}, { 'x-forwarded-for': '192.0.2.1' }), 401, 'invalid_api_key'],
      ['an empty key', () => call('POST', '/v1/chat/completions', hello, { authorization: 'Bearer ' }), 401, 'invalid_api_key'],
      ['a key in the URL', (key) => call('GET', `/v1/models?key=${key}`, undefined, {}), 401, 'invalid_api_key'],
      [
        'a revoked key',
        async (key, hash) => {
          await call('DELETE', `/api/clients/${hash}`)
          return chat(key, {}, { 'x-forwarded-for': '192.0.2.2' })
        },
        401,
        'invalid_api_key',
      ],
      [
        'a disabled key',
        async (key, hash) => {
          await call('PATCH', `/api/clients/${hash}`, { enabled: false })
          return chat(key, {}, { 'x-forwarded-for': '192.0.2.3' })
        },
        401,
        'invalid_api_key',
      ],
      [
        'a paused account',
        async (key, hash) => {
          await call('PATCH', `/api/clients/${hash}`, { paused: true })
          return chat(key)
        },
        403,
        'user_paused',
      ],
      ['an account that is paused from the start', async () => chat((await client({ paused: true })).api_key), 403, 'user_paused'],
      [
        'a banned address',
        async (key) => {
          await call('POST', '/api/bans', { address: '203.0.113.9' })
          return chat(key, {}, { 'x-forwarded-for': '203.0.113.9' })
        },
        403,
        'ip_blacklisted',
      ],
      [
        'a banned range',
        async (key) => {
          await call('POST', '/api/bans', { range: '2001:db8::/32', reason: 'abuse', expires_in: 3600 })
          return chat(key, {}, { 'x-forwarded-for': '2001:db8:7::1' })
        },
        403,
        'ip_blacklisted',
      ],
      [
        'banned software',
        async (key) => {
          await call('POST', '/api/bans', { user_agent: 'BadBot/*' })
          return chat(key, {}, { 'user-agent': 'badbot/2.0' })
        },
        403,
        'client_signature_banned',
      ],
      [
        'a banned header',
        async (key) => {
          await call('POST', '/api/bans', { header: 'x-title', pattern: '*resell*' })
          return chat(key, {}, { 'x-title': 'API Resellers' })
        },
        403,
        'client_signature_banned',
      ],
      [
        'whoever has not checked in',
        async (key) => {
          await call('PATCH', '/api/settings', { checkin_required: true })
          return chat(key)
        },
        403,
        'daily_checkin_required',
      ],
      [
        'whoever has left',
        async (key, hash) => {
          await call('PATCH', `/api/clients/${hash}`, { owner: 'someone' })
          await call('PATCH', '/api/members/someone', { membership: 'left' })
          await call('PATCH', '/api/settings', { membership_required: true })
          const answer = await chat(key)
          await call('PATCH', `/api/clients/${hash}`, { owner: null })
          return answer
        },
        403,
        'discord_membership_required',
      ],
      ['a model of another tier', (key) => chat(key, { model: 'alpha/locked' }), 403, 'model_access_denied'],
      ['its alias', (key) => chat(key, { model: 'nick/locked' }), 403, 'model_access_denied'],
      [
        'a name that is reserved to a tier',
        async (key) => {
          await call('PATCH', '/api/tiers', { models: { 'alpha/reserved': 'vip' } })
          return chat(key, { model: 'alpha/reserved' })
        },
        403,
        'model_access_denied',
      ],
      [
        'a request without a model where one is required',
        async (key) => {
          await call('PATCH', '/api/settings', { require_model: true })
          return chat(key, { model: undefined })
        },
        400,
        'invalid_request_error',
      ],
    ]
    it.each(rows)('%s', async (_, act, status, type) => {
      const { api_key, key_hash } = await client()
      const answer = await act(api_key, key_hash)
      expect([answer.status, answer.body.error?.type]).toEqual([status, type])
      expect(answer.body.error).toEqual({
        message: expect.any(String),
        type,
        code: type,
        param: status === 401 || !/model/.test(answer.body.error.message) ? null : 'model',
      })
      expect(answer.headers.get('www-authenticate')).toBe(status === 401 ? 'Bearer' : null)
      expect(JSON.stringify(answer.body)).not.toContain(api_key)
    })
  })

  it('opens a model to the roles that may use it', async () => {
    const { api_key, key_hash } = await client({ roles: ['verified'] })
    expect((await chat(api_key, { model: 'alpha/locked' })).status).toBe(ADMITTED)
    await call('PATCH', `/api/clients/${key_hash}`, { roles: ['vip'] })
    expect((await chat(api_key, { model: 'alpha/locked' })).status).toBe(403)
    await call('POST', '/api/tiers', { model: 'alpha/reserved', tier: 'vip' })
    expect((await chat(api_key, { model: 'alpha/reserved' })).status).toBe(ADMITTED)
    expect((await call('DELETE', '/api/tiers/alpha%2Freserved')).body.models).toEqual({})
  })

  it('lets in whoever has checked in today', async () => {
    await call('PATCH', '/api/settings', { checkin_required: true })
    const { api_key } = await client({ owner: 'checker' })
    await call('PATCH', '/api/members/checker', { checked_in: new Date().toISOString().slice(0, 10) })
    expect((await chat(api_key)).status).toBe(ADMITTED)
  })

  it('says when to ask again whether it is ready', async () => {
    const { status, headers, body } = await call('GET', '/ready', undefined, {})
    expect([status, headers.get('retry-after'), body.missing]).toEqual([503, '1', ['router']])
  })

  it('says how much room is left, on every answer of a client route', async () => {
    const { api_key } = await client({ rpm_limit: 3, daily_limit: 10, max_concurrency: 2 })
    const answers = [await chat(api_key), await chat(api_key), await chat(api_key), await chat(api_key)]
    expect(answers.map(({ status }) => status)).toEqual([ADMITTED, ADMITTED, ADMITTED, 429])
    expect(answers.map(({ headers }) => headers.get('x-ratelimit-remaining'))).toEqual(['2', '1', '0', '0'])
    const [first, , , last] = answers
    // Nothing came of the requests: neither the day nor a place is used up.
    expect(Object.fromEntries(first?.headers ?? [])).toMatchObject({
      'x-ratelimit-limit': '3',
      'x-ratelimit-limit-requests': '3',
      'x-ratelimit-remaining-requests': '2',
      'x-ratelimit-reset-requests': expect.stringMatching(/^(\d+m)?[\d.]+m?s$/),
      'x-dailylimit-limit': '10',
      'x-dailylimit-remaining': '10',
      'x-concurrency-limit': '2',
      'x-concurrency-remaining': '2',
    })
    const untilReset = Number(first?.headers.get('x-dailylimit-reset')) - Date.now() / 1000
    expect(untilReset).toBeGreaterThan(0)
    expect(untilReset).toBeLessThanOrEqual(86_400)
    expect(last?.body.error).toMatchObject({ type: 'rate_limit_error', message: 'the limit of 3 requests per minute is reached' })
    const wait = Number(last?.headers.get('retry-after'))
    expect(wait).toBeGreaterThan(50)
    expect(wait).toBeLessThanOrEqual(64)
    expect((await call('GET', '/v1/models', undefined, bearer(api_key))).headers.get('x-ratelimit-remaining')).toBe('0')
  })

  it('refuses a key that comes twice, in whatever way', async () => {
    const { api_key } = await client()
    const { port } = new URL(url)
    const twice = (headers: [string, string][]) =>
      new Promise<number>((resolve, reject) => {
        const raw = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')
        const socket = connect(Number(port), '127.0.0.1', () =>
          socket.write(`GET /v1/models HTTP/1.1\r\nhost: a\r\nconnection: close\r\n${raw}\r\n`),
        )
        socket.once('data', (data) => resolve(Number(String(data).split(' ')[1]))).once('error', reject)
      })
    expect(await twice([['Authorization', `Bearer ${api_key}`]])).toBe(200)
    expect(
      await twice([
        ['Authorization', `Bearer ${api_key}`],
        ['authorization', 'Bearer other'],
      ]),
    ).toBe(401)
    expect(
      await twice([
        ['Authorization', 'Bearer other'],
        ['authorization', `Bearer ${api_key}`],
      ]),
    ).toBe(401)
    expect(
      await twice([
        ['x-api-key', api_key],
        ['X-Api-Key', api_key],
      ]),
    ).toBe(401)
    expect(await twice([['authorization', `Bearer ${api_key}, Bearer ${api_key}`]])).toBe(401)
  })

  it('does not believe an address that a client made up behind a proxy', async () => {
    const { api_key } = await client()
    await call('POST', '/api/bans', { address: '203.0.113.9' })
    expect((await chat(api_key, {}, { 'x-forwarded-for': '203.0.113.9, 198.51.100.1' })).status).toBe(ADMITTED)
    expect((await chat(api_key, {}, { 'x-forwarded-for': '1.2.3.4, 203.0.113.9' })).status).toBe(403)
  })

  it('lifts a ban, lets it expire, and refuses one that says nothing', async () => {
    const { api_key } = await client()
    const from = { 'x-forwarded-for': '203.0.113.77' }
    const { body } = await call('POST', '/api/bans', { address: '203.0.113.77' })
    expect(body).toMatchObject({ kind: 'address', address: '203.0.113.77', reason: null, expires: null })
    expect((await chat(api_key, {}, from)).status).toBe(403)
    await call('PATCH', `/api/bans/${body.id}`, { expires: 1_000_000, reason: 'long ago' })
    expect((await chat(api_key, {}, from)).status).toBe(ADMITTED)
    await call('PATCH', `/api/bans/${body.id}`, { expires: null })
    expect((await chat(api_key, {}, from)).status).toBe(403)
    expect((await call('DELETE', `/api/bans/${body.id}`)).body).toEqual({ ok: true })
    expect((await chat(api_key, {}, from)).status).toBe(ADMITTED)
    for (const [wrong, param] of [
      [{}, 'pattern'],
      [{ address: '1.2.3' }, 'address'],
      [{ range: '10.0.0.1/8' }, 'range'],
      [{ header: 'A B', pattern: 'x' }, 'header'],
    ] as const) {
      const answer = await call('POST', '/api/bans', wrong)
      expect([answer.status, answer.body.error.param]).toEqual([400, param])
    }
  })

  it('shows who changed what, without any key', async () => {
    const { api_key, key_hash, id } = await client({ rpm_limit: 10 })
    await call('PATCH', `/api/clients/${key_hash}`, { rpm_limit: 20 })
    await call('DELETE', `/api/clients/${key_hash}`)
    const { body } = await call('GET', '/api/audit?limit=3')
    expect(body).toMatchObject([
      { actor: 'admin', action: 'client.delete', target: id, before: { rpm_limit: 20 } },
      { action: 'client.change', target: id, before: { rpm_limit: 10 }, after: { rpm_limit: 20 } },
      { action: 'client.create', target: id, after: { rpm_limit: 10 } },
    ])
    expect(JSON.stringify(body)).not.toContain(api_key)
    expect((await call('GET', '/api/audit?limit=x')).status).toBe(400)
  })

  it('lets its web site see the whole catalogue, and tells others in its own words', async () => {
    const full = (headers: Record<string, string>) =>
      call('GET', '/v1/models/full', undefined, { 'x-forwarded-for': '192.0.2.60', ...headers })
    const { api_key } = await client()
    for (const headers of [bearer('site.example'), bearer(api_key), admin]) expect((await full(headers)).status).toBe(200)
    const wrong = await full(bearer('wrong.example'))
    expect([wrong.status, wrong.body.error]).toEqual([
      401,
      { message: 'invalid site catalog key', type: 'invalid_request_error', code: 'invalid_request_error', param: null },
    ])
    // It opens nothing else.
    for (const path of ['/api/clients', '/v1/models']) {
      expect((await call('GET', path, undefined, { ...bearer('site.example'), 'x-forwarded-for': '192.0.2.60' })).status).toBe(401)
    }
  })

  it.each([
    ['/v1/messages', 401, 'authentication_error', 'invalid_api_key', async () => 'none'],
    ['/v1/messages', 403, 'permission_error', 'model_access_denied', async () => (await client()).api_key],
    ['/v1/messages', 429, 'rate_limit_error', 'rate_limit_error', spentKey],
  ])('says it in the words of the format: %s %d %s', async (path, status, type, code, key) => {
    const model = code === 'model_access_denied' ? 'alpha/locked' : 'alpha/open'
    const body = { model, max_tokens: 9, messages: [{ role: 'user', content: 'hello' }] }
    const answer = await call('POST', path, body, { 'x-api-key': await key(), 'x-forwarded-for': '192.0.2.70' })
    expect(answer.status).toBe(status)
    expect(answer.body).toEqual({
      type: 'error',
      error: { type, code, message: expect.any(String) },
      request_id: answer.headers.get('request-id'),
    })
    if (status === 429) expect(answer.headers.get('retry-after')).toMatch(/^\d+$/)
  })

  it.each([
    ['/v1/chat/completions', hello],
    ['/v1/messages', { ...hello, max_tokens: 9 }],
    ['/v1/responses', { model: 'alpha/open', input: 'hello', store: false }],
    ['/v1/completions', { model: 'alpha/open', prompt: 'hello' }],
    ['/v1/embeddings', { model: 'alpha/open', input: 'hello' }],
    ['/v1/images/generations', { model: 'alpha/open', prompt: 'hello' }],
    ['/v1/audio/speech', { model: 'alpha/open', input: 'hello', voice: 'alloy' }],
    ['/api/chat.php', { model_id: 1, messages: hello.messages, stream: false }],
  ])('tells of a part of its own that is missing, in every format: %s', async (path, body) => {
    const answer = await call('POST', path, body, bearer((await client()).api_key))
    const { error, code } = answer.body
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '1'])
    expect(typeof error === 'string' ? [error, code] : [error.message, error.code]).toEqual([
      'no router is running',
      typeof error === 'string' ? 503 : 'server_error',
    ])
  })

  async function spentKey(): Promise<string> {
    const { api_key } = await client({ rpm_limit: 1 })
    await chat(api_key)
    return api_key
  }

  it('stops a key that is used from too many addresses at once, where the operator wants that', async () => {
    const { api_key } = await client()
    const from = (i: number) => chat(api_key, {}, { 'x-forwarded-for': `192.0.2.${i}` })
    expect((await Promise.all([1, 2, 3].map(from))).map(({ status }) => status)).toEqual([ADMITTED, ADMITTED, ADMITTED])
    await call('PATCH', '/api/settings', { overlap_addresses: 2 })
    expect([(await from(1)).status, (await from(2)).status]).toEqual([ADMITTED, ADMITTED])
    const third = await from(3)
    expect([third.status, third.body.error.type]).toEqual([429, 'rate_limit_error'])
    expect(Number(third.headers.get('retry-after'))).toBeGreaterThan(500)
  })

  it('has members, who are the owners of keys, with all their keys', async () => {
    const added = await call('POST', '/api/members', { name: 'ann-1', owner: 'ann', roles: ['member'] })
    expect([added.status, added.body.owner]).toEqual([201, 'ann'])
    expect((await call('POST', '/api/members', { name: 'ann-2', owner: 'ann' })).status).toBe(409)
    expect((await call('POST', '/api/members', { name: 'x' })).body.error.param).toBe('owner')
    const { body } = await call('PATCH', '/api/members/ann', { paused: true, roles: ['verified'] })
    expect(body).toMatchObject({ owner: 'ann', paused: true, clients: [{ name: 'ann-1', paused: true, roles: ['verified'] }] })
    expect((await chat(added.body.api_key)).body.error.type).toBe('user_paused')
    expect((await call('DELETE', '/api/members/ann')).body).toEqual({ ok: true })
    expect((await chat(added.body.api_key)).status).toBe(401)
    expect((await call('GET', '/api/members/ann')).status).toBe(404)
  })

  it('finds a member whose name has to be encoded in a path', async () => {
    await call('POST', '/api/members', { name: 'eve', owner: 'eve@example.org' })
    const path = `/api/members/${encodeURIComponent('eve@example.org')}`
    expect((await call('GET', path)).body.owner).toBe('eve@example.org')
    expect((await call('PATCH', path, { paused: true })).body.paused).toBe(true)
    expect((await call('DELETE', path)).body).toEqual({ ok: true })
  })

  it('refuses settings and tiers that mean nothing, with the path', async () => {
    for (const [path, body, param] of [
      ['/api/settings', { overlap_addresses: -1 }, 'overlap_addresses'],
      ['/api/settings', { require_model: 'yes' }, 'require_model'],
      ['/api/tiers', { models: { m: 'Not OK' } }, 'models.m'],
      ['/api/tiers', { kinds: { video: 'member' } }, 'kinds.video'],
    ] as const) {
      const answer = await call('PATCH', path, body)
      expect([answer.status, answer.body.error.param]).toEqual([400, param])
    }
    expect((await call('PATCH', '/api/settings', ['x'])).status).toBe(400)
    for (const name of ['nothing', '%zz', '%E0%A4']) expect((await call('DELETE', `/api/tiers/${name}`)).status).toBe(404)
  })

  it('replaces all settings, or changes some', async () => {
    await call('PATCH', '/api/settings', { require_model: true })
    expect((await call('PATCH', '/api/settings', { overlap_addresses: 7 })).body).toMatchObject({
      require_model: true,
      overlap_addresses: 7,
    })
    expect((await call('POST', '/api/settings', { resetkey: true })).body).toMatchObject({
      require_model: false,
      overlap_addresses: 0,
      resetkey: true,
    })
    expect((await call('GET', '/api/audit?limit=1')).body).toMatchObject([
      { action: 'settings.replace', before: { overlap_addresses: 7 }, after: { overlap_addresses: 0 } },
    ])
  })

  it('revokes a key everywhere within a second', async () => {
    const other = await world.start()
    const { api_key, key_hash } = await client()
    expect((await chat(api_key, {}, {}, other.url)).status).toBe(ADMITTED)
    await call('DELETE', `/api/clients/${key_hash}`)
    const startedMs = performance.now()
    while ((await chat(api_key, {}, {}, other.url)).status !== 401) expect(performance.now() - startedMs).toBeLessThan(1_000)
  })

  it('counts a limit over all ingresses together', async () => {
    const other = await world.start()
    const { api_key } = await client({ rpm_limit: 20 })
    const answers = await Promise.all(Array.from({ length: 60 }, (_, i) => chat(api_key, {}, {}, i % 2 ? other.url : url)))
    expect(answers.filter(({ status }) => status === ADMITTED)).toHaveLength(20)
  })

  it('gives ten random models an hour to one key, over all ingresses together', async () => {
    const other = await world.start()
    const { api_key } = await client()
    const draw = (i: number) => call('GET', '/v1/models/random', undefined, bearer(api_key), i % 2 ? other.url : url)
    const answers = await Promise.all(Array.from({ length: 14 }, (_, i) => draw(i)))
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(10)
    const refused = await draw(0)
    expect([refused.status, refused.body.error]).toEqual([
      429,
      { message: 'the limit of 10 random models per hour is reached', type: 'rate_limit_error', code: 'rate_limit_error', param: null },
    ])
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(3_500)
    expect(refused.headers.get('x-should-retry')).toBe('false')
    expect((await call('GET', '/v1/models/random')).status).toBe(200)
    expect((await call('GET', '/v1/models/random', undefined, bearer((await client()).api_key))).status).toBe(200)
  })

  it('lists to a key what it may use', async () => {
    const ids = async (key: string) =>
      (await call('GET', '/v1/models', undefined, bearer(key))).body.data.map(({ id }: { id: string }) => id)
    const [all, open] = [await ids((await client({ roles: ['verified'] })).api_key), await ids((await client()).api_key)]
    expect(all.filter((id: string) => !open.includes(id))).toEqual(['alpha/locked', 'nick/locked'])
    expect(await ids(adminToken)).toEqual(all)
  })

  it('goes on with what it knows while the broker is away; changes have to wait', async () => {
    const { api_key } = await client({ rpm_limit: 100, max_concurrency: 5 })
    await chat(api_key)
    const restore = world.cutOff()
    try {
      const listed = await call('GET', '/v1/models', undefined, bearer(api_key))
      expect([listed.status, listed.headers.get('x-ratelimit-limit')]).toEqual([200, '100'])
      for (const [method, path, body] of [
        ['POST', '/api/clients', { name: 'x' }],
        ['POST', '/api/bans', { address: '1.2.3.4' }],
        ['PATCH', '/api/settings', { require_model: true }],
        ['PATCH', '/api/tiers', { models: { m: 'vip' } }],
      ] as const) {
        const { status, headers, body: answer } = await call(method, path, body)
        expect([path, status, answer.error.type, headers.get('retry-after')]).toEqual([path, 503, 'server_error', '1'])
      }
    } finally {
      restore()
    }
    await expect.poll(async () => (await call('POST', '/api/clients', { name: 'x' })).status).toBe(201)
  })

  it('slows down who guesses, and lets in who knows', async () => {
    const from = (i: number) => ({ 'x-forwarded-for': `198.18.0.${i}` })
    const { api_key } = await client()
    const guesses = []
    for (let i = 0; i < 12; i++)
      guesses.push((await call('GET', '/api/clients', undefined, { 'x-admin-token': `wrong-${i}`, ...from(i) })).status)
    expect(guesses.slice(-2)).toEqual([429, 429])
    expect((await call('GET', '/api/clients', undefined, { ...admin, ...from(1) })).status).toBe(200)
    const keys = []
    for (let i = 0; i < 12; i++) keys.push(await chat(`wrong-${i}`, {}, from(200)))
    expect(keys.at(-1)?.status).toBe(429)
    expect(keys.at(-1)?.headers.get('retry-after')).toMatch(/^\d+$/)
    expect((await chat(api_key, {}, from(200))).status).toBe(ADMITTED)
  })

  it('writes no key into its log', async () => {
    expect(world.lines.join('\n')).not.toMatch(/fai_[0-9A-Za-z]{8}/)
    expect(world.lines.join('\n')).not.toContain(adminToken)
  })
})

describe('a gateway without any client', () => {
  beforeAll(async () => {
    world = await openWorld()
    url = (await world.start({ FREEWAY_TRUSTED_PROXIES: '127.0.0.1,::1' })).url
  })
  afterAll(() => world[Symbol.asyncDispose]())
  const outside = { 'x-forwarded-for': '192.0.2.9' }

  it('is open to this machine alone, and not to other people’s pages in its browser', async () => {
    expect((await call('POST', '/v1/chat/completions', hello, {})).status).toBe(ADMITTED)
    expect((await call('POST', '/v1/chat/completions', hello, { origin: 'http://localhost:3000' })).status).toBe(ADMITTED)
    expect((await call('POST', '/v1/chat/completions', hello, { origin: 'https://evil.example' })).status).toBe(401)
    expect((await call('POST', '/v1/chat/completions', hello, outside)).status).toBe(401)
    expect((await call('GET', '/api/clients', undefined, {})).status).toBe(401)
  })

  it('says that no key is needed', async () => {
    const { body } = await call('GET', '/api/health', undefined, {})
    expect(body).toEqual({ status: 'ok', providers_configured: 1, clients_configured: 0, auth_required: false })
  })

  it('lets the first client in by the code it has printed, once', async () => {
    const code = setupCode(adminToken)
    expect(world.lines.join('\n')).toContain(code)
    const wrong = await call('POST', '/api/setup', { code: 'AAAAA-AAAAA-AAAAA-AAAAA' }, outside)
    expect([wrong.status, wrong.body.error.type]).toEqual([401, 'invalid_api_key'])
    const tries = await Promise.all(
      [1, 2, 3].map((i) => call('POST', '/api/setup', { code: code.toLowerCase(), name: `app-${i}` }, outside)),
    )
    expect(tries.map(({ status }) => status).sort()).toEqual([201, 409, 409])
    const { api_key, key_hash } = tries.find(({ status }) => status === 201)?.body ?? {}
    expect((await chat(api_key, {}, outside)).status).toBe(ADMITTED)
    expect((await call('GET', '/api/health', undefined, {})).body).toMatchObject({ clients_configured: 1, auth_required: true })
    await call('DELETE', `/api/clients/${key_hash}`)
    expect((await call('POST', '/api/setup', { code }, outside)).status).toBe(409)
    // Revoking the last key closes the gateway, also to this machine.
    expect((await call('GET', '/v1/models', undefined, {})).status).toBe(401)
  })
})

it('every client route takes a key by either header and the admin token, no admin route takes a key, and neither is open', async () => {
  await using here = await openWorld()
  url = (await here.start()).url
  const { api_key } = await client()
  interface Operation {
    security: Record<string, unknown>[]
  }
  const { paths } = (await call('GET', '/openapi.json')).body as { paths: Record<string, Record<string, Operation>> }
  const routes = Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, { security }]) => ({
      method: method.toUpperCase(),
      path: path.replaceAll(/\{[^}]+\}/g, 'none'),
      schemes: security.flatMap(Object.keys),
    })),
  )
  const status = async ({ method, path }: (typeof routes)[number], headers: Record<string, string>) => {
    const leaving = new AbortController()
    const response = await fetch(url + path, { method, headers, signal: leaving.signal, ...(method === 'GET' ? {} : { body: '{}' }) })
    // The live feed never ends by itself.
    leaving.abort()
    return response.status
  }
  const refused = [401, 429]
  const open: string[] = []
  const shut: string[] = []
  const [forClients, forAdmins] = [
    routes.filter(({ schemes }) => schemes.includes('clientKey')),
    routes.filter(({ schemes }) => schemes[0] === 'adminToken'),
  ]
  for (const route of [...forClients, ...forAdmins])
    if (!refused.includes(await status(route, {}))) open.push(`${route.method} ${route.path}`)
  for (const route of forAdmins)
    if (!refused.includes(await status(route, bearer(api_key)))) open.push(`${route.method} ${route.path} to a key`)
  for (const route of forClients)
    for (const headers of [bearer(api_key), { 'x-api-key': api_key }, bearer(adminToken), admin] as Record<string, string>[])
      if (refused.includes(await status(route, headers))) shut.push(`${route.method} ${route.path} ${Object.keys(headers)}`)
  expect({ open, shut }).toEqual({ open: [], shut: [] })
  expect(forClients.length).toBeGreaterThan(20)
  expect(forAdmins.length).toBeGreaterThan(30)
})

it('REQUIRE_AUTH closes a gateway without any client, and it prints no code', async () => {
  await using closed = await openWorld()
  const ingress = await closed.start({ REQUIRE_AUTH: 'true', HOST: '127.0.0.1' })
  expect((await call('POST', '/v1/chat/completions', hello, {}, ingress.url)).status).toBe(401)
  expect((await call('POST', '/api/setup', { code: setupCode(adminToken) }, {}, ingress.url)).status).toBe(409)
  expect(closed.lines.join('\n')).not.toContain(setupCode(adminToken))
})

it('a proxy beside us that nobody told us of does not make the world local', async () => {
  await using local = await openWorld()
  const ingress = await local.start()
  expect((await call('GET', '/v1/models', undefined, {}, ingress.url)).status).toBe(200)
  expect((await call('GET', '/v1/models', undefined, { 'x-forwarded-for': '192.0.2.9' }, ingress.url)).status).toBe(401)
})

it('a proxy is known by a range that is written as a machine tells of its network', async () => {
  await using behind = await openWorld()
  url = (await behind.start({ FREEWAY_TRUSTED_PROXIES: '127.0.0.1/8' })).url
  const { api_key } = await client()
  await call('POST', '/api/bans', { address: '203.0.113.9' })
  expect((await chat(api_key, {}, { 'x-forwarded-for': '203.0.113.9' })).status).toBe(403)
})

it('a place is free again when its client leaves before there is an answer', async () => {
  await using here = await openWorld()
  // A router that never answers: the request stays open until the client leaves.
  here.broker.connect('router').bus.subscribe((await import('#contracts/subjects.ts')).jobs, () => {})
  const ingress = await here.start()
  url = ingress.url
  const { api_key } = await client({ max_concurrency: 1 })
  const { port } = new URL(url)
  const body = JSON.stringify(hello)
  const headers = { authorization: `Bearer ${api_key}`, 'content-type': 'application/json', 'content-length': body.length }
  const first = send({ port, path: '/v1/chat/completions', method: 'POST', headers })
  // The answer that never comes ends in the error of the closed socket.
  first.on('error', () => {})
  first.end(body)
  const remaining = async () => (await call('GET', '/v1/models', undefined, bearer(api_key))).headers.get('x-concurrency-remaining')
  await expect.poll(remaining).toBe('0')
  const refused = await chat(api_key)
  expect([refused.status, refused.body.error.type, refused.headers.get('x-concurrency-limit')]).toEqual([
    429,
    'concurrency_limit_error',
    '1',
  ])
  expect(refused.headers.get('retry-after')).toBe('1')
  first.destroy()
  await expect.poll(remaining).toBe('1')
})
