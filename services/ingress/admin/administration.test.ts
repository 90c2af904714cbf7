// Every route of the administration of providers and routing, and everything it refuses, over HTTP. One ingress, router and worker on
// an in-process bus; the provider is the simulator.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Backbone } from '#contracts/bus.ts'
import { catalogOverrides } from '#contracts/catalog-change.ts'
import { buckets, catalogOverridesKey } from '#contracts/subjects.ts'
import { type Broker, openMemoryBroker } from '#services/bus/memory.ts'
import { createLogger } from '#services/logger.ts'
import { openOutbox } from '#services/outbox.ts'
import { type Router, startRouter } from '#services/router/router.ts'
import { loadSettings } from '#services/settings.ts'
import { type Simulator, startSimulator } from '#services/simulator/simulator.ts'
import { createVault } from '#services/vault.ts'
import { startWorkers, type Workers } from '#services/workers/workers.ts'
import { type Ingress, startIngress } from '../ingress.ts'

const adminToken = 'Zk3vQ9xR7mW2pL5tN8bH'
const key = 'gq-canary-stored-A8f3kD92mXqLw7'

let stack: AsyncDisposableStack
let broker: Broker
let simulator: Simulator
let router: Router
let ingress: Ingress
let workers: Workers
let lines: string[]

async function open(): Promise<void> {
  stack = new AsyncDisposableStack()
  broker = await openMemoryBroker()
  stack.defer(() => broker.close())
  simulator = await startSimulator()
  stack.defer(() => simulator.close())
  lines = []
  const settings = {
    ...loadSettings({ PORT: '0', GROQ_API_KEY: 'of-the-settings', FREEWAY_LOCAL: 'off', FREEWAY_DEMO: 'off' }, '/nonexistent'),
    strategies: { written: { tags: ['fast'] } },
  }
  const of = (service: string, backbone: Backbone) => {
    const logger = createLogger({ service, write: (line) => void lines.push(line) })
    const outbox = openOutbox({ events: backbone.events, role: service as 'ingress', instance: service })
    stack.defer(() => outbox.close())
    return { backbone, settings, logger, instance: service, outbox, vault: createVault('n5Tq8RwZ2mK7vX4cB9pLd3Hs') }
  }
  router = await startRouter({ ...of('router', broker.connect('router')), demo: undefined })
  stack.defer(() => router.close())
  workers = await startWorkers({ ...of('worker', broker.connect('worker')), only: [] })
  stack.defer(() => workers.close())
  ingress = await startIngress({ ...of('ingress', broker.connect('ingress')), adminToken, version: '0.0.0' })
  stack.defer(() => ingress.close())
}
beforeAll(open)
afterAll(() => stack.disposeAsync())

async function api(method: string, path: string, body?: unknown, headers: Record<string, string> = { 'x-admin-token': adminToken }) {
  const response = await fetch(`${ingress.url}/api${path}`, {
    method,
    headers: { 'content-type': 'application/json', ...headers },
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  const text = await response.text()
  expect(text).not.toContain('canary')
  return { status: response.status, body: JSON.parse(text) }
}
const mine = (more: object = {}) => ({
  name: 'mine',
  base_url: `${simulator.url}/v1`,
  models: [{ id: 'm-large' }, { id: 'm-small' }],
  ...more,
})
const stored = async () => {
  const entry = await (await broker.connect('ingress').keyValue(buckets.config)).get(catalogOverridesKey)
  return catalogOverrides.parse(entry?.value ? JSON.parse(new TextDecoder().decode(entry.value)) : {})
}
const withoutVersion = ({ version: _, resets: __, ...rest }: Awaited<ReturnType<typeof stored>>) => rest

describe('reading', () => {
  it('GET /api/providers tells of every provider of the catalogue, in one message', async () => {
    const { status, body } = await api('GET', '/providers')
    expect(status).toBe(200)
    expect(body.length).toBeGreaterThan(40)
    expect(body.find(({ name }: { name: string }) => name === 'groq')).toMatchObject({
      enabled: true,
      has_key: true,
      healthy: true,
      key_source: 'settings',
      status: 'active_free',
      terms: expect.any(String),
      as_of: expect.stringMatching(/^\d{4}-/),
      requests_today: 0,
      limits: expect.arrayContaining([expect.objectContaining({ unit: 'requests', used: 0, source: 'configured' })]),
    })
    expect(body.find(({ name }: { name: string }) => name === 'cerebras')).toMatchObject({
      has_key: false,
      configured: false,
      key_source: null,
    })
    expect(JSON.stringify(body)).not.toContain('of-the-settings')
  })

  it('GET /api/providers/{name} tells of one, and its models of theirs', async () => {
    expect((await api('GET', '/providers/groq')).body).toMatchObject({ name: 'groq' })
    const { body } = await api('GET', '/providers/groq/models')
    expect(body).toMatchObject({ provider: 'groq', models: expect.any(Array) })
    expect(body.models[0]).toMatchObject({ id: expect.any(String), context_window: expect.any(Number), capabilities: expect.any(Array) })
    expect(body.models[0]).toHaveProperty('note')
  })

  it('GET /api/tags, /api/config and /api/strategies', async () => {
    expect((await api('GET', '/tags')).body).toContainEqual({ tag: expect.any(String), providers: expect.arrayContaining(['groq']) })
    expect((await api('GET', '/config')).body).toEqual({
      default_strategy: 'auto',
      enable_fallback: true,
      available_strategies: ['auto', 'fast', 'quality', 'code', 'reasoning', 'cheap', 'vision', 'long', 'random', 'written'],
      available_providers: expect.arrayContaining(['groq']),
    })
    const { body } = await api('GET', '/strategies')
    expect(body[0]).toEqual({ name: 'auto', definition: null, description: expect.any(String), is_builtin: true })
    expect(body.at(-1)).toMatchObject({ name: 'written', is_builtin: false, read_only: true })
  })

  it('GET /api/health needs no token', async () => {
    expect(await api('GET', '/health', undefined, {})).toMatchObject({
      status: 200,
      body: {
        status: expect.stringMatching(/ok|degraded/),
        providers_configured: expect.any(Number),
        clients_configured: 0,
        auth_required: false,
      },
    })
  })

  it.each([
    ['GET', '/providers'],
    ['GET', '/providers/groq'],
    ['PATCH', '/providers/groq'],
    ['POST', '/providers'],
    ['POST', '/providers/groq/reset'],
    ['POST', '/providers/groq/test'],
    ['DELETE', '/providers/groq'],
    ['GET', '/tags'],
    ['GET', '/config'],
    ['PUT', '/config/strategy'],
    ['PUT', '/config/fallback'],
    ['GET', '/strategies'],
    ['POST', '/strategies'],
    ['POST', '/strategies/preview'],
    ['PATCH', '/strategies/x'],
    ['DELETE', '/strategies/x'],
    ['GET', '/aliases'],
    ['PUT', '/aliases/x'],
    ['DELETE', '/aliases/x'],
  ])('%s %s is for the admin alone', async (method, path) => {
    const before = await stored()
    const answer = await api(method, path, method === 'GET' ? undefined : {}, {})
    expect(answer).toMatchObject({ status: 401, body: { error: { code: 'invalid_api_key' } } })
    expect(await stored()).toEqual(before)
  })
})

describe('a provider', () => {
  beforeEach(async () => expect((await api('POST', '/providers', mine())).status).toBe(201))
  afterEach(async () => expect((await api('DELETE', '/providers/mine')).status).toBe(200))

  it('of one’s own is there at once, and gone at once', async () => {
    expect((await api('GET', '/providers/mine')).body).toMatchObject({ custom: true, has_key: false, models: 2 })
    expect((await api('POST', '/providers', mine())).status).toBe(409)
    await api('DELETE', '/providers/mine')
    expect((await api('GET', '/providers/mine')).status).toBe(404)
    await api('POST', '/providers', mine())
  })

  it.each<[object, object]>([
    [{ enabled: false }, { enabled: false }],
    [{ weight: 1.5 }, { weight: 1.5 }],
    [{ weight: 0 }, { weight: 0 }],
    [
      { rpm_limit: 30, rpd_limit: 14_400 },
      { rpm_limit: 30, rpd_limit: 14_400 },
    ],
    [
      { tpm_limit: 6_000, tpd_limit: 500_000 },
      { tpm_limit: 6_000, tpd_limit: 500_000 },
    ],
    [{ tags: ['fast', 'cheap'] }, { tags: ['fast', 'cheap'] }],
    [{ tags: [] }, { tags: [] }],
    [{ default_model: 'm-small' }, { default_model: 'm-small' }],
    [{ api_key: key }, { has_key: true, key_source: 'stored', configured: true }],
    [{ api_key: ` ${key}\n` }, { has_key: true }],
    [{ api_keys: [key, `${key}2`] }, { has_key: true, accounts: ['mine-1', 'mine-2'] }],
    [{}, { weight: 1 }],
  ])('PATCH %j changes that and nothing else', async (change, expected) => {
    const before = (await api('GET', '/providers/mine')).body
    const { status, body } = await api('PATCH', '/providers/mine', change)
    expect(status).toBe(200)
    expect(body).toEqual({ provider: expect.objectContaining(expected), model_warning: null, model_suggestions: [] })
    const { limits: _, ...rest } = { ...before, ...expected, limits: 0 }
    const secondary = Object.keys(change).some((field) => field.startsWith('api_key'))
      ? ['has_key', 'configured', 'key_source', 'accounts']
      : []
    for (const [field, value] of Object.entries(rest))
      if (!secondary.includes(field)) expect([field, body.provider[field]]).toEqual([field, value])
  })

  it('whatever freeway.json may say can be said while it runs, models one by one', async () => {
    const models = async () => (await api('GET', '/providers/groq/models')).body.models as { id: string; context_window: number }[]
    const shipped = await models()
    const small = shipped[1] as { id: string }
    const known = async (id: string) => (await models()).find((one) => one.id === id)?.context_window
    await api('PATCH', '/providers/groq', { models: { 'brand-new': { context_window: 9_000 } }, base_url: `${simulator.url}/v1` })
    await api('PATCH', '/providers/groq', { models: { [small.id]: null, 'another-one': { tier: 'pro' } } })
    await expect
      .poll(async () => [await known('brand-new'), await known('another-one'), await known(small.id)])
      .toEqual([9_000, 8_192, undefined])
    expect((await api('GET', '/providers/groq')).body.base_url).toBe(`${simulator.url}/v1`)
    await api('PATCH', '/providers/groq', { models: null, base_url: null })
    await expect.poll(models).toEqual(shipped)
    expect(withoutVersion(await stored()).providers).toEqual({})
  })

  it('of one’s own shows its models as they were changed, and a default model that comes with the change is known', async () => {
    const change = { models: { 'm-small': { enabled: false }, 'm-new': {} }, default_model: 'm-new' }
    expect((await api('PATCH', '/providers/mine', change)).body).toMatchObject({ model_warning: null, model_suggestions: [] })
    const models = async () => (await api('GET', '/providers/mine/models')).body.models as { id: string; enabled: boolean }[]
    await expect
      .poll(async () => (await models()).map(({ id, enabled }) => [id, enabled]))
      .toEqual([
        ['m-large', true],
        ['m-small', false],
        ['m-new', true],
      ])
  })

  it('null takes away what was set, "" clears the key', async () => {
    await api('PATCH', '/providers/groq', { weight: 7, rpm_limit: 3, api_key: key })
    const cleared = (await api('PATCH', '/providers/groq', { weight: null, rpm_limit: null, api_key: '' })).body.provider
    expect(cleared).toMatchObject({ weight: 1, has_key: false, configured: false, key_source: 'stored' })
    expect(cleared.rpm_limit).not.toBe(3)
    expect((await api('PATCH', '/providers/groq', { api_key: null })).body.provider).toMatchObject({
      has_key: true,
      key_source: 'settings',
    })
    expect(withoutVersion(await stored())).toMatchObject({ providers: {}, keys: {} })
  })

  it('an unknown default model is accepted with a warning and what may have been meant', async () => {
    expect((await api('PATCH', '/providers/mine', { default_model: 'm-larg' })).body).toMatchObject({
      provider: { default_model: 'm-larg' },
      model_warning: expect.stringContaining('no such model'),
      model_suggestions: ['m-large'],
    })
  })

  it('saving makes the router forget what it has learned, and so does reset', async () => {
    await api('PATCH', '/providers/mine', { api_key: key })
    for (const forget of [() => api('PATCH', '/providers/mine', { weight: 2 }), () => api('POST', '/providers/mine/reset')]) {
      simulator.setFault({}, { status: 401, body: { error: { message: 'invalid api key' } } }, 1)
      await chat('mine/m-large')
      await expect.poll(async () => (await api('GET', '/providers/mine')).body.healthy).toBe(false)
      expect((await forget()).status).toBe(200)
      expect((await api('GET', '/providers/mine')).body).toMatchObject({ healthy: true, cooldowns: [], total_failures: 0 })
    }
  })

  it('what a provider has said of its limits is forgotten as well', async () => {
    await api('PATCH', '/providers/mine', { api_key: key, rpm_limit: 30 })
    const message = 'Rate limit reached: limit 2 requests per minute'
    simulator.setFault({}, { status: 429, headers: { 'retry-after': '40' }, body: { error: { message } } }, 1)
    await chat('mine/m-large')
    const limit = async () => (await api('GET', '/providers/mine')).body.limits[0]
    await expect.poll(limit).toMatchObject({ max: 30, source: 'learned', learned_max: 2, remaining: 0 })
    await api('POST', '/providers/mine/reset')
    expect(await limit()).toMatchObject({ max: 30, source: 'configured', remaining: expect.toSatisfy((left) => left > 20) })
  })

  it('POST test tells what the provider says', async () => {
    expect(await api('POST', '/providers/mine/test')).toMatchObject({ status: 200, body: { ok: false, message: 'there is no key' } })
    await api('PATCH', '/providers/mine', { api_key: key })
    expect((await api('POST', '/providers/mine/test')).body).toMatchObject({
      provider: 'mine',
      ok: true,
      keys: [{ account: 'mine-1', code: 'ok' }],
    })
  })

  it('what was counted goes with the key, to whatever place; another key in its place begins anew', async () => {
    const usedBy = async (change: object) => {
      const { limits } = (await api('PATCH', '/providers/mine', change)).body.provider
      return limits.map(({ account, used }: { account: string; used: number }) => [account, used])
    }
    await api('PATCH', '/providers/mine', { api_key: key, rpm_limit: 50 })
    await chat('mine/m-large')
    expect(await usedBy({ api_key: key })).toEqual([['mine-1', 1]])
    expect(await usedBy({ api_keys: [`${key}2`, key] })).toEqual([
      ['mine-1', 0],
      ['mine-2', 1],
    ])
    expect(await usedBy({ api_key: `${key}2` })).toEqual([['mine-1', 0]])
  })

  it('is recorded with every change, without its key', async () => {
    await api('PATCH', '/providers/mine', { api_key: key, weight: 3 })
    const [entry] = (await api('GET', '/audit?limit=1')).body
    expect(entry).toMatchObject({
      actor: 'admin',
      action: 'provider.change',
      target: 'mine',
      before: { models: 2 },
      after: { models: 2, weight: 3, stored_keys: 1 },
    })
    expect(JSON.stringify(entry)).not.toContain('fwk1.')
    expect(lines.join()).not.toContain('canary')
    expect((await stored()).keys['mine']?.[0]).toMatch(/^fwk1\./)
  })

  it('fields that nobody knows are ignored and named, but not if there is nothing else', async () => {
    expect((await api('PATCH', '/providers/mine', { weight: 2, colour: 'red' })).body).toMatchObject({ ignored_fields: ['colour'] })
    expect(await api('PATCH', '/providers/mine', { weigth: 2 })).toMatchObject({ status: 400, body: { error: { param: 'weigth' } } })
  })
})

describe('what is refused changes nothing', () => {
  const refused = async (method: string, path: string, body: unknown, status: number, param: string | null, words = /./) => {
    const before = [
      await stored(),
      (await api('GET', '/config')).body,
      (await api('GET', '/strategies')).body,
      (await api('GET', '/audit?limit=1')).body,
    ]
    const answer = await api(method, path, body)
    expect([answer.status, answer.body.error?.param ?? null]).toEqual([status, param])
    expect(answer.body.error.message).toMatch(words)
    const after = [
      await stored(),
      (await api('GET', '/config')).body,
      (await api('GET', '/strategies')).body,
      (await api('GET', '/audit?limit=1')).body,
    ]
    expect(after).toEqual(before)
  }

  it.each<[unknown, string | null]>([
    ['{"weight":', null],
    ['[]', null],
    ['"weight"', null],
    [{ enabled: 'yes' }, 'enabled'],
    [{ weight: '1.5' }, 'weight'],
    [{ weight: -1 }, 'weight'],
    [{ rpm_limit: 0 }, 'rpm_limit'],
    [{ rpd_limit: 1.5 }, 'rpd_limit'],
    [{ tpm_limit: '6000' }, 'tpm_limit'],
    [{ tpd_limit: -5 }, 'tpd_limit'],
    [{ tags: 'fast' }, 'tags'],
    [{ tags: ['fast', 'no good'] }, 'tags[1]'],
    [{ default_model: 5 }, 'default_model'],
    [{ api_key: 5 }, 'api_key'],
    [{ api_key: `${key} ${key}` }, 'api_key'],
    [{ api_key: `${key}\u0000` }, 'api_key'],
    [{ api_key: 'x'.repeat(5_000) }, 'api_key'],
    [{ api_keys: key }, 'api_keys'],
    [{ api_keys: [key, ''] }, 'api_keys[1]'],
    [{ api_keys: [key, key] }, 'api_keys[1]'],
    [{ api_key: key, api_keys: [key] }, 'api_keys'],
    [{ weight: 2, rpm_limit: 0, api_key: key }, 'rpm_limit'],
    [{ base_url: 'ftp://x' }, 'base_url'],
    [{ models: [] }, 'models'],
    [{ models: [{ id: 'm' }, { id: 'm' }] }, 'models[1].id'],
    [{ models: { m: { context_window: 'much' } } }, 'models.m.context_window'],
    [{ weight: 2, models: { m: { contextwindow: 5 } } }, 'models.m.contextwindow'],
    [{ limits: [{ unit: 'requests', max: -1 }] }, 'limits[0].max'],
    [{ request_policy: { dorp: ['n'] } }, 'request_policy.dorp'],
  ])('PATCH /api/providers/groq %j', (body, param) => refused('PATCH', '/providers/groq', body, 400, param))

  it('a key without its account, where the provider needs both', () =>
    refused('PATCH', '/providers/cloudflare', { api_key: 'token-alone' }, 400, 'api_key', /account_id:api_token/))

  it.each([
    ['PATCH', '/providers/nobody'],
    ['PATCH', '/providers/constructor'],
    ['PATCH', '/providers/groq/more'],
    ['GET', '/providers/nobody'],
    ['GET', '/providers/nobody/models'],
    ['DELETE', '/providers/nobody'],
    ['POST', '/providers/nobody/reset'],
    ['POST', '/providers/nobody/test'],
  ])('%s %s', (method, path) => refused(method, path, method === 'GET' ? undefined : { weight: 1 }, 404, 'name', /unknown provider/))

  it.each([
    ['POST', '/providers/groq/dance'],
    ['POST', '/providers/groq/reset/now'],
    ['GET', '/providers/groq/dance'],
  ])('%s %s', (method, path) => refused(method, path, method === 'GET' ? undefined : {}, 404, null, /unknown route/))

  const whole = { name: 'fresh', base_url: 'http://127.0.0.1:9/v1', models: [{ id: 'm' }] }
  it.each<[object, number, string | null]>([
    [{}, 400, 'name'],
    [{ ...whole, name: 'No Good' }, 400, 'name'],
    [{ ...whole, name: undefined }, 400, 'name'],
    [{ ...whole, base_url: undefined }, 400, 'base_url'],
    [{ ...whole, base_url: 'ftp://x' }, 400, 'base_url'],
    [{ ...whole, models: [] }, 400, 'models'],
    [{ ...whole, models: [{ id: 'm' }, { id: '' }] }, 400, 'models[1].id'],
    [{ ...whole, models: [{ id: 'm' }, { id: 'm' }] }, 400, 'models[1].id'],
    [{ ...whole, rpm_limt: 5 }, 400, 'rpm_limt'],
    [{ ...whole, api_key: 5 }, 400, 'api_key'],
    [{ ...whole, name: 'groq' }, 409, 'name'],
  ])('POST /api/providers %j', (body, status, param) => refused('POST', '/providers', body, status, param))

  it('more than the store takes', () => {
    const models = Array.from({ length: 9_000 }, (_, i) => ({ id: `m${i}`, note: 'n'.repeat(100) }))
    return refused('POST', '/providers', { ...whole, models }, 413, null)
  })

  it('DELETE of a provider of the catalogue', () => refused('DELETE', '/providers/groq', undefined, 409, 'name', /PATCH/))

  const rule = { field: 'tags', op: 'contains', value: 'fast' }
  it.each<[object, number, string | null]>([
    [{ definition: null }, 400, 'name'],
    [{ name: 'No', definition: null }, 400, 'name'],
    [{ name: 'x'.repeat(33), definition: null }, 400, 'name'],
    [{ name: 'auto', definition: null }, 409, 'name'],
    [{ name: 'best_quality', definition: null }, 409, 'name'],
    [{ name: 'written', definition: null }, 409, 'name'],
    [{ name: 'fine' }, 422, 'definition'],
    [{ name: 'fine', definition: 'fast' }, 422, 'definition'],
    [{ name: 'fine', definition: { require: [{ ...rule, field: 'colour' }] } }, 422, 'definition.require[0].field'],
    [{ name: 'fine', definition: { require: [{ ...rule, op: 'eq' }] } }, 422, 'definition.require[0].op'],
    [{ name: 'fine', definition: { prefer: [rule, { ...rule, weight: 'x' }] } }, 422, 'definition.prefer[1].weight'],
    [{ name: 'fine', definition: { wish: [] } }, 422, 'definition.wish'],
    [{ name: 'fine', definition: null, description: 5 }, 400, 'description'],
  ])('POST /api/strategies %j', (body, status, param) => refused('POST', '/strategies', body, status, param))

  it.each<[string, string, unknown, number, string | null]>([
    ['PATCH', 'auto', { definition: null }, 400, 'name'],
    ['PATCH', 'written', { definition: null }, 400, 'name'],
    ['PATCH', 'nobody', { definition: null }, 404, 'name'],
    ['DELETE', 'fastest', undefined, 400, 'name'],
    ['DELETE', 'written', undefined, 400, 'name'],
    ['DELETE', 'nobody', undefined, 404, 'name'],
  ])('%s /api/strategies/%s', (method, name, body, status, param) => refused(method, `/strategies/${name}`, body, status, param))

  it.each<[string, string, unknown, number, string | null]>([
    ['POST', '/strategies/preview', {}, 422, 'definition'],
    ['POST', '/strategies/preview', { definition: { require: [{}] } }, 422, 'definition.require[0].field'],
    ['PUT', '/config/strategy', {}, 400, 'default_strategy'],
    ['PUT', '/config/strategy', { default_strategy: 'fst' }, 400, 'default_strategy'],
    ['PUT', '/config/strategy', { default_strategy: null }, 400, 'default_strategy'],
    ['PUT', '/config/fallback', {}, 400, 'enable_fallback'],
    ['PUT', '/config/fallback', { enable_fallback: 'no' }, 400, 'enable_fallback'],
    ['PUT', '/aliases/full', { targets: 'groq/x' }, 400, 'alias'],
    ['PUT', '/aliases/nick', {}, 400, 'targets'],
    ['PUT', '/aliases/nick', { targets: 'groq' }, 400, 'targets'],
    ['PUT', '/aliases/%ff', { targets: 'groq/x' }, 400, 'alias'],
    ['DELETE', '/aliases/nobody', undefined, 404, 'alias'],
  ])('%s %s %j', (method, path, body, status, param) => refused(method, path, body, status, param))
})

describe('strategies and defaults', () => {
  const definition = {
    require: [{ field: 'tags', op: 'contains', value: 'fast' }],
    prefer: [{ field: 'weight', op: 'gte', value: 2, weight: 3 }],
  }

  it('are stored, changed, used as the default and removed', async () => {
    expect(await api('POST', '/strategies', { name: 'mine', definition, description: 'for me' })).toEqual({
      status: 201,
      body: { name: 'mine', definition, description: 'for me', is_builtin: false },
    })
    expect((await api('POST', '/strategies', { name: 'mine', definition: null })).status).toBe(409)
    expect((await api('PATCH', '/strategies/mine', { name: 'mine', definition: null })).body).toMatchObject({
      definition: null,
      description: 'for me',
    })
    expect(await api('PATCH', '/strategies/mine', { name: 'other', definition })).toMatchObject({
      status: 400,
      body: { error: { param: 'name' } },
    })
    expect((await api('PUT', '/config/strategy', { default_strategy: 'mine' })).body).toMatchObject({
      default_strategy: 'mine',
      available_strategies: expect.arrayContaining(['mine']),
    })
    expect((await api('PUT', '/config/fallback', { enable_fallback: false })).body).toMatchObject({ enable_fallback: false })
    expect((await api('PUT', '/config/fallback', { enable_fallback: true })).body).toMatchObject({ enable_fallback: true })
    expect((await api('DELETE', '/strategies/mine')).body).toEqual({ ok: true, default_strategy: 'auto' })
    expect((await api('GET', '/config')).body).toMatchObject({ default_strategy: 'auto' })
  })

  it.each(['fast', 'fastest', 'random', 'written'])('the default may be %s', async (default_strategy) => {
    expect((await api('PUT', '/config/strategy', { default_strategy })).body).toMatchObject({ default_strategy })
    await api('PUT', '/config/strategy', { default_strategy: 'auto' })
  })

  it('a misspelt default is told the likest', async () => {
    expect((await api('PUT', '/config/strategy', { default_strategy: 'qualty' })).body.error.message).toContain('did you mean quality?')
  })

  it('a preview says who would be chosen, who is shut out, and what may be wrong', async () => {
    const { body } = await api('POST', '/strategies/preview', {
      definition: { require: [{ field: 'tags', op: 'contains', value: 'blue' }] },
    })
    expect(body.candidates).toEqual([])
    expect(body.excluded).toContainEqual({ name: 'groq', reason: 'requires tags contains blue' })
    expect(body.warnings).toEqual(['no provider has the tag blue', 'no provider matches this definition'])
  })
})

describe('aliases', () => {
  it('are set, followed and taken away, whatever is in their names', async () => {
    const path = `/aliases/${encodeURIComponent('opc/mine:free')}`
    expect((await api('PUT', path, { targets: ['mine/m-large', 'groq/nothing'] })).body).toMatchObject({
      alias: 'opc/mine:free',
      targets: ['mine/m-large', 'groq/nothing'],
      warnings: ['there is no model mine/m-large at present', 'there is no model groq/nothing at present'],
    })
    await api('POST', '/providers', mine({ api_key: key }))
    await expect.poll(() => chat('opc/mine:free')).toBe(200)
    expect((await api('GET', '/aliases')).body).toContainEqual({
      alias: 'opc/mine:free',
      targets: ['mine/m-large', 'groq/nothing'],
      stored: true,
    })
    expect((await api('DELETE', path)).body).toEqual({ ok: true })
    await expect.poll(() => chat('opc/mine:free')).toBe(400)
    await api('DELETE', '/providers/mine')
  })
})

describe('without those who know', () => {
  it('a change is made and answered all the same, and questions say who is missing', async () => {
    await workers.close()
    expect(await api('POST', '/providers/groq/test')).toMatchObject({
      status: 503,
      body: { error: { message: expect.stringContaining('no worker') } },
    })
    await router.close()
    expect(await api('GET', '/providers')).toMatchObject({
      status: 503,
      body: { error: { message: expect.stringContaining('no router') } },
    })
    expect(await api('PATCH', '/providers/groq', { weight: 4 })).toMatchObject({
      status: 200,
      body: { provider: { name: 'groq', weight: 4 }, warning: expect.stringContaining('no router') },
    })
    expect((await stored()).providers).toMatchObject({ groq: { weight: 4 } })
  })

  it('what a newer version has written is left as it is, with word of when to come again', async () => {
    const config = await broker.connect('ingress').keyValue(buckets.config)
    const newer = new TextEncoder().encode('{"format":99}')
    await config.put(catalogOverridesKey, newer)
    const headers = { 'x-admin-token': adminToken }
    const { status, headers: told } = await fetch(`${ingress.url}/api/providers/groq`, { method: 'PATCH', body: '{"weight":5}', headers })
    expect([status, told.get('retry-after'), told.get('x-should-retry')]).toEqual([503, '60', 'false'])
    expect((await config.get(catalogOverridesKey))?.value).toEqual(newer)
  })
})

async function chat(model: string): Promise<number> {
  const body = JSON.stringify({ model, messages: [{ role: 'user', content: 'hello' }] })
  const response = await fetch(`${ingress.url}/v1/chat/completions`, {
    method: 'POST',
    body,
    headers: { authorization: `Bearer ${adminToken}` },
  })
  await response.text()
  return response.status
}
