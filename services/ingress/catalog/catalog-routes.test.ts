import { describe, expect, it } from 'vitest'
import { tierSettings } from '#contracts/account.ts'
import { catalog as catalogSchema, virtualModels } from '#contracts/catalog.ts'
import { FreewayError } from '#contracts/failure.ts'
import { modelTiers, viewOf } from '../access/tier.ts'
import type { CatalogRoutesOptions } from './catalog-routes.ts'
import { catalogRoutes } from './catalog-routes.ts'
import type { Row } from './models.ts'

const limits = [
  { unit: 'requests', max: 30, per: 'minute' },
  { unit: 'tokens', max: 6000, per: 'minute' },
]
const catalog = catalogSchema.parse({
  providers: [
    {
      name: 'groq',
      base_url: 'http://127.0.0.1:1/v1',
      configured: true,
      limits,
      limit_scope: 'model',
      models: [
        {
          id: 'llama-3.3-70b-versatile',
          model_id: 1,
          display_name: 'Llama 3.3 70B',
          context_window: 131_072,
          max_output: 32_768,
          intelligence_rank: 9,
          speed_rank: 2,
          size_label: 'Medium',
          as_of: '2026-09-06',
        },
        {
          id: 'qwen/qwen3:free',
          model_id: 2,
          capabilities: ['chat', 'vision', 'code'],
          tier: 'verified',
          limits: [{ unit: 'tokens', max: 5, per: 'day' }],
        },
        { id: 'whisper', model_id: 3, capabilities: ['stt'] },
      ],
    },
    { name: 'off', base_url: 'http://127.0.0.1:1/v1', configured: false, models: [{ id: 'm', model_id: 4 }] },
  ],
  aliases: [['text-basic', 'groq/llama-3.3-70b-versatile']],
})

const seenBy = (roles: readonly string[] | undefined, tiers: object = {}) => {
  const view = viewOf(roles, tierSettings.parse(tiers), modelTiers(catalog))
  return () => view
}
const works =
  (worksNow: (row: Row) => boolean): CatalogRoutesOptions['working'] =>
  async () =>
    worksNow

function get(path: string, options: Partial<CatalogRoutesOptions> = {}, headers: Record<string, string> = {}) {
  const routes = catalogRoutes({
    catalog: () => catalog,
    viewOf: seenBy(undefined),
    draw: () => {},
    working: works(() => true),
    ...options,
  })
  const { pathname } = new URL(path, 'http://freeway.test')
  const route =
    routes.find(({ path }) => path === pathname) ?? routes.find(({ path }) => path.endsWith('*') && pathname.startsWith(path.slice(0, -1)))
  if (!route) throw new Error(`no route for ${path}`)
  return route.handle(new Request(new URL(path, 'http://freeway.test'), { headers }), pathname.slice(route.path.length - 1))
}
const body = async (...args: Parameters<typeof get>) => (await get(...args)).json()
const anthropic = { 'anthropic-version': '2023-06-01' }
const count = virtualModels.length + 4

describe('GET /v1/models', () => {
  it('is OpenAI’s list, aliases and virtual models included', async () => {
    const { object, data } = await body('/v1/models')
    expect(object).toBe('list')
    expect(data).toHaveLength(count)
    expect(data.at(-1)).toMatchObject({
      id: 'text-basic',
      object: 'model',
      owned_by: 'groq',
      context_window: 131_072,
      capabilities: ['chat'],
    })
    for (const { created } of data) expect(Number.isInteger(created)).toBe(true)
  })

  const ids = async (...[roles, tiers]: Parameters<typeof seenBy>) =>
    (await body('/v1/models', { viewOf: seenBy(roles, tiers) })).data.map(({ id }: { id: string }) => id)

  it('holds what this key may use, and nothing else', async () => {
    expect(await ids(['verified'])).toHaveLength(count)
    const open = await ids([])
    expect(open).toHaveLength(count - 1)
    expect(open).not.toContain('groq/qwen/qwen3:free')
    const reserved = { models: { 'text-basic': 'gold', quality: 'gold' }, kinds: { transcription: 'gold' } }
    const left = await ids([], reserved)
    expect(open.filter((id: string) => !left.includes(id))).toEqual(['freeai-quality', 'groq/whisper', 'text-basic'])
    expect(await ids(['gold', 'verified'], reserved)).toHaveLength(count)
  })

  it('is Anthropic’s list for their clients', async () => {
    const { data, ...page } = await body('/v1/models?beta=true', {}, anthropic)
    expect(page).toEqual({ has_more: false, first_id: 'freeai-auto', last_id: 'text-basic' })
    expect(data[0]).toMatchObject({ id: 'freeai-auto', display_name: 'freeai-auto' })
    expect(data).toContainEqual({
      type: 'model',
      id: 'groq/llama-3.3-70b-versatile',
      display_name: 'Llama 3.3 70B',
      created_at: '2026-09-06T00:00:00Z',
    })
  })

  it('is read page by page to the end, forwards and backwards', async () => {
    const forwards: string[] = []
    for (let query = 'limit=5', more = true; more; ) {
      const { data, has_more, last_id } = await body(`/v1/models?${query}`, {}, anthropic)
      forwards.push(...data.map(({ id }: { id: string }) => id))
      query = `limit=5&after_id=${encodeURIComponent(last_id)}`
      more = has_more
    }
    const { data } = await body('/v1/models', {}, anthropic)
    expect(forwards).toEqual(data.map(({ id }: { id: string }) => id))
    expect(await body('/v1/models?limit=2&before_id=freeai-code', {}, anthropic)).toMatchObject({
      first_id: 'freeai-fast',
      last_id: 'freeai-quality',
      has_more: true,
    })
    expect(await body('/v1/models?limit=9&before_id=freeai-code', {}, anthropic)).toMatchObject({
      first_id: 'freeai-auto',
      has_more: false,
    })
  })

  it.each(['limit=0', 'limit=x', 'after_id=unknown'])('ignores a page that makes no sense: %s', async (query) => {
    expect((await body(`/v1/models?${query}`, {}, anthropic)).data).toHaveLength(count)
  })
})

describe('GET /v1/models/{id}', () => {
  it.each([
    ['groq/qwen/qwen3:free', 'groq/qwen/qwen3:free'],
    ['groq%2Fqwen%2Fqwen3%3Afree', 'groq/qwen/qwen3:free'],
    ['text-basic', 'text-basic'],
    ['freeai-auto', 'freeai-auto'],
    ['freeway-code', 'freeway-code'],
  ])('%s is one entry', async (path, id) => expect(await body(`/v1/models/${path}`)).toMatchObject({ id, object: 'model' }))

  it('speaks Anthropic’s words to their clients', async () => {
    expect(await body('/v1/models/text-basic', {}, anthropic)).toMatchObject({ type: 'model', id: 'text-basic' })
  })

  it.each(['unknown', 'off/m', '%zz'])('%s is not there', (path) => {
    expect(() => get(`/v1/models/${path}`)).toThrow(expect.objectContaining({ status: 404, code: 'model_not_found' }))
  })
})

describe('GET /v1/models/full', () => {
  const full = async (roles: readonly string[] | undefined, tiers: object = {}) => {
    const { data } = await body('/v1/models/full', { viewOf: seenBy(roles, tiers) })
    return (id: string) => data.find((entry: { id: string }) => entry.id === id)
  }

  it('says more of each', async () => {
    const of = await full([])
    expect(of('groq/llama-3.3-70b-versatile')).toMatchObject({ max_output: 32_768, image_support: false, tier: 'public', access: 'open' })
    expect(of('freeai-auto')).toMatchObject({ max_output: null, image_support: true, tier: 'public', access: 'open', object: 'model' })
  })

  it.each([
    [[], 'denied'],
    [['verified'], 'granted'],
    [undefined, 'granted'],
  ])('says to a caller with the tiers %j what it may use: %s', async (roles, access) => {
    expect((await full(roles))('groq/qwen/qwen3:free')).toMatchObject({ tier: 'verified', access, image_support: true })
  })

  it('knows the tiers that the operator gave', async () => {
    expect((await full([], { models: { 'text-basic': 'gold' } }))('text-basic')).toMatchObject({ tier: 'gold', access: 'denied' })
  })
})

describe('GET /v1/models/random', () => {
  const draw = (random: number, options: Partial<CatalogRoutesOptions> = {}) =>
    body('/v1/models/random', { random: () => random, ...options })

  it('is one of the models for chat, each as likely', async () => {
    expect(await draw(0)).toEqual({
      modelId: 'groq/llama-3.3-70b-versatile',
      name: 'Llama 3.3 70B',
      capabilityMapping: 'text-basic',
      contextWindow: 131_072,
      providerId: 'groq',
    })
    expect(await draw(0.999)).toMatchObject({ modelId: 'groq/qwen/qwen3:free', name: 'qwen/qwen3:free', capabilityMapping: 'freeai-code' })
  })

  it('is none that the caller may not use, and none that does not work now', async () => {
    expect(await draw(0.999, { viewOf: seenBy([]) })).toMatchObject({ modelId: 'groq/llama-3.3-70b-versatile' })
    expect(await draw(0, { working: works(({ model }) => model.model_id !== 1) })).toMatchObject({ modelId: 'groq/qwen/qwen3:free' })
  })

  it('is refused when nothing works', async () => {
    await expect(draw(0, { working: works(() => false) })).rejects.toMatchObject({
      type: 'provider_unavailable',
      status: 503,
      retryAfterMs: 30_000,
    })
  })

  it('is refused when the caller has drawn too often', async () => {
    const limit = () => {
      throw new FreewayError('rate_limit_error', 'ten an hour')
    }
    await expect(draw(0, { draw: limit })).rejects.toMatchObject({ status: 429 })
  })
})

describe('GET /api/models.php', () => {
  it('is a bare list of the models for chat, with the numbers that requests may name', async () => {
    expect(await body('/api/models.php')).toEqual([
      {
        id: 1,
        platform: 'groq',
        model_id: 'llama-3.3-70b-versatile',
        display_name: 'Llama 3.3 70B',
        intelligence_rank: 9,
        speed_rank: 2,
        size_label: 'Medium',
        rpm_limit: 30,
        tpm_limit: 6000,
        context_window: 131_072,
        enabled: true,
      },
      expect.objectContaining({ id: 2, display_name: 'qwen/qwen3:free', size_label: null, rpm_limit: null, tpm_limit: null }),
    ])
  })

  it('holds what this key may use', async () => {
    const list = await body('/api/models.php', { viewOf: seenBy([]) })
    expect(list.map(({ id }: { id: number }) => id)).toEqual([1])
  })
})
