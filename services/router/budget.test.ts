import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type CatalogProvider, type Model, provider as providerSchema } from '#contracts/catalog.ts'
import type { AttemptOutcome } from '#contracts/settlement.ts'
import { openMemoryBroker } from '#services/bus/memory.ts'
import { openQuota } from '#services/quota/quota.ts'
import { outcomeOf } from '#test/support/routing.ts'
import { type Budget, createBudget } from './budget.ts'

const provider: CatalogProvider = {
  ...providerSchema.parse({
    name: 'groq',
    base_url: 'https://groq.example/v1',
    limits: [
      { unit: 'requests', max: 4, per: 'minute' },
      { unit: 'tokens', max: 1_000, per: 'day', clock: 'UTC' },
    ],
    models: [{ id: 'm' }, { id: 'n', limits: [{ unit: 'requests', max: 1, per: 'minute' }] }],
  }),
  configured: true,
  accounts: ['groq-1', 'groq-2'],
}
const [m, n] = provider.models as [Model, Model]
const job = { est: { in: 60, out: 40 }, kind: 'chat' } as const
const learned = (...limits: NonNullable<AttemptOutcome['learned']>): AttemptOutcome =>
  outcomeOf({ prov: 'groq', account: 'groq-1', learned: limits })

const clock = { nowMs: Date.UTC(2026, 2, 1, 12) }
let budget: Budget
let close: () => Promise<void>
beforeEach(async () => {
  const broker = await openMemoryBroker()
  const keyValue = await broker.connect('router').keyValue('quota')
  const quota = await openQuota({ keyValue, scope: 'provider', instance: 'r1', now: () => clock.nowMs })
  budget = createBudget(quota, () => clock.nowMs)
  close = async () => {
    await quota.close()
    await broker.close()
  }
})
afterEach(() => close())

const take = (lease: string, model = m, account = 'groq-1') => budget.reserve(lease, { provider, account, model }, job, 60_000)

it('a model with limits of its own is spent before its account is, and another key is another account', async () => {
  expect(budget.roomFor(job)(provider, 'groq-1', n)).toEqual({ headroom: 1 })
  expect(await take('1.1', n)).toEqual({ ok: true })
  expect(budget.roomFor(job)(provider, 'groq-1', n)).toEqual({ headroom: 0, opensInMs: 62_000 })
  expect(budget.roomFor(job)(provider, 'groq-1', m).headroom).toBe(0.75)
  expect(budget.roomFor(job)(provider, 'groq-2', n)).toEqual({ headroom: 1 })
  expect(await take('2.1', n)).toMatchObject({ ok: false, pool: 'groq-1/n', opensInMs: 62_000 })
  clock.nowMs += 2_000
  expect(budget.roomFor(job)(provider, 'groq-1', n)).toEqual({ headroom: 0, opensInMs: 60_000 })
  expect(budget.usageOf(provider)).toMatchObject({ requests_this_minute: 1, tokens_today: 100 })
})

it('what was used today is counted once, however many limits count it, and for all keys together', async () => {
  await take('1.1', n)
  await take('2.1', m)
  await take('3.1', m, 'groq-2')
  expect(budget.usageOf(provider)).toEqual({ requests_today: 0, requests_this_minute: 3, tokens_today: 300 })
  const shared: CatalogProvider = { ...provider, limit_scope: 'address' }
  for (const account of ['groq-1', 'groq-2']) await budget.reserve(`of ${account}`, { provider: shared, account, model: m }, job, 60_000)
  expect(budget.usageOf(shared)).toEqual({ requests_today: 0, requests_this_minute: 2, tokens_today: 200 })
})

it('what was really used takes the place of the estimate', async () => {
  await take('1.1')
  budget.settle('1.1', { in: 20, out: 5 }, 'actual')
  expect(budget.statusOf(provider, 'groq-1')).toContainEqual(
    expect.objectContaining({ pool: 'groq-1', limit: provider.limits[1], used: 25, remaining: 975, source: 'configured' }),
  )
})

it('what the provider says of its limits counts where it is less', async () => {
  const catalog = { providers: [provider], aliases: [] } as unknown as Parameters<Budget['learn']>[1]
  budget.learn(learned({ unit: 'requests', per: 'minute', max: 2 }, { unit: 'tokens', per: 'day', max: 9_999 }), catalog)
  await take('1.1')
  await take('2.1')
  expect(await take('3.1')).toMatchObject({ ok: false, pool: 'groq-1' })
  const [requests, tokens] = budget.statusOf(provider, 'groq-1')
  expect(requests).toMatchObject({ source: 'learned', learnedMax: 2, used: 2, remaining: 0 })
  expect(tokens).toMatchObject({ source: 'configured', learnedMax: 9_999 })
})

it('what the provider has said counts no more once the operator says so, for any router, and then again when it says it', async () => {
  const catalog = { providers: [provider], aliases: [] } as unknown as Parameters<Budget['learn']>[1]
  const says = learned({ unit: 'requests', per: 'minute', max: 1, remaining: 0, reset_ms: 50_000 })
  const spent = async (lease: string) => !(await take(lease)).ok
  budget.learn(says, catalog)
  expect(await spent('1.1')).toBe(true)
  budget.unlearn(provider)
  expect(await spent('2.1')).toBe(false)
  expect(budget.statusOf(provider, 'groq-1')[0]).toMatchObject({ source: 'configured', used: 1, remaining: 3 })
  budget.learn(says, catalog)
  expect(await spent('3.1')).toBe(true)
})

it('what somebody else has used with the same key counts until the provider resets it', async () => {
  const catalog = { providers: [provider], aliases: [] } as unknown as Parameters<Budget['learn']>[1]
  await take('1.1')
  budget.learn(learned({ unit: 'requests', per: 'minute', max: 4, remaining: 1, reset_ms: 7_000 }), catalog)
  expect(await take('2.1')).toEqual({ ok: true })
  expect(await take('3.1')).toMatchObject({ ok: false, opensInMs: 7_000 })
  clock.nowMs += 7_000
  expect(await take('4.1')).toEqual({ ok: true })
})

it('seconds of sound and pictures count as they were, not as they were expected', async () => {
  const media = {
    ...provider,
    limits: [
      { unit: 'audio_seconds', max: 100, per: 'day', clock: 'UTC' },
      { unit: 'images', max: 5, per: 'day', clock: 'UTC' },
    ] satisfies CatalogProvider['limits'],
  }
  const at = { provider: media, account: 'groq-1', model: m }
  const spent = () =>
    budget
      .statusOf(media, 'groq-1')
      .filter(({ limit }) => limit.unit !== 'requests')
      .map(({ limit, used }) => [limit.unit, used])
  await budget.reserve('a', at, { kind: 'transcription', est: { in: 0, out: 0, audio_seconds: 90 } }, 60_000)
  await budget.reserve('b', at, { kind: 'image', est: { in: 5, out: 0, images: 4 } }, 60_000)
  expect(spent()).toEqual([
    ['audio_seconds', 90],
    ['images', 4],
  ])
  expect(await budget.reserve('c', at, { kind: 'transcription', est: { in: 0, out: 0, audio_seconds: 20 } }, 60_000)).toMatchObject({
    ok: false,
  })
  budget.settle('a', { in: 0, out: 0, audio_seconds: 30 }, 'actual')
  budget.settle('b', { in: 5, out: 0, images: 1 }, 'actual')
  expect(spent()).toEqual([
    ['audio_seconds', 30],
    ['images', 1],
  ])
})

it.each([
  ['pictures', 'images', { kind: 'image', est: { in: 0, out: 0, images: 4 } }, { kind: 'image', est: { in: 0, out: 0 } }],
  [
    'seconds of sound',
    'audio_seconds',
    { kind: 'transcription', est: { in: 0, out: 0, audio_seconds: 4 } },
    { kind: 'transcription', est: { in: 0, out: 0, audio_seconds: 1 } },
  ],
] as const)('that there is no room for many %s says nothing of few', async (_, unit, many, few) => {
  const media = { ...provider, limits: [{ unit, max: 6, per: 'day', clock: 'UTC' }] satisfies CatalogProvider['limits'] }
  await budget.reserve('1.1', { provider: media, account: 'groq-1', model: m }, many, 60_000)
  expect(budget.roomFor(many)(media, 'groq-1', m)).toMatchObject({ headroom: 0, opensInMs: expect.any(Number) })
  expect(budget.roomFor(few)(media, 'groq-1', m)).toEqual({ headroom: 1 / 3 })
})

describe('what is counted in neither calls nor tokens', () => {
  const neurons = (change: object, model: object = {}): [CatalogProvider, Model] => {
    const parsed = providerSchema.parse({
      name: 'groq',
      base_url: 'https://groq.example/v1',
      limits: [{ unit: 'neurons', max: 10_000, per: 'day', clock: 'UTC' }],
      models: [{ id: 'm', ...model }],
      ...change,
    })
    return [{ ...parsed, configured: true, accounts: ['groq-1'] }, parsed.models[0] as Model]
  }
  const usedOf = (of: CatalogProvider) => Math.round((budget.statusOf(of, 'groq-1')[0]?.used ?? 0) * 1e6) / 1e6
  const large = { est: { in: 10_000, out: 40_000 }, kind: 'chat' } as const
  const reserve = (lease: string, [of, one]: [CatalogProvider, Model], asked: Parameters<Budget['reserve']>[2] = large) =>
    budget.reserve(lease, { provider: of, account: 'groq-1', model: one }, asked, 60_000)

  it('is reserved at the price of the model and settled by what was used', async () => {
    const priced = neurons({}, { cost: { unit: 'neurons', in: 30_000, out: 60_000 } })
    expect(await reserve('1.1', priced)).toEqual({ ok: true })
    expect(usedOf(priced[0])).toBe(300 + 2_400)
    budget.settle('1.1', { in: 10_000, out: 1_000 }, 'actual')
    expect(usedOf(priced[0])).toBe(300 + 60)
    for (const lease of ['2.1', '3.1', '4.1']) expect(await reserve(lease, priced)).toEqual({ ok: true })
    expect(await reserve('5.1', priced)).toMatchObject({ ok: false, limit: { unit: 'neurons' } })
    budget.release('2.1')
    expect(await reserve('6.1', priced)).toEqual({ ok: true })
  })

  it('that there is no room for a long answer says nothing of a short one, however long its question is', async () => {
    const [of, one] = neurons({ cost: { unit: 'neurons', in: 10, out: 100_000 } })
    await reserve('1.1', [of, one], { est: { in: 0, out: 60_000 }, kind: 'chat' })
    const roomFor = (tokens: { in: number; out: number }) => budget.roomFor({ est: tokens, kind: 'chat' })(of, 'groq-1', one)
    expect(roomFor({ in: 0, out: 50_000 })).toMatchObject({ headroom: 0, opensInMs: expect.any(Number) })
    expect(roomFor({ in: 90_000, out: 1_000 }).opensInMs).toBeUndefined()
  })

  it('a model without a price costs what its provider says, a call of unknown use what was reserved', async () => {
    const priced = neurons({ cost: { unit: 'neurons', out: 10_000 } })
    await reserve('1.1', priced)
    budget.settle('1.1', { in: 0, out: 0 }, 'estimate')
    expect(usedOf(priced[0])).toBe(400)
  })

  it('pictures and sound have prices too', async () => {
    const priced = neurons({ cost: { unit: 'neurons', image: 50, audio_minute: 40 } })
    await reserve('1.1', priced, { est: { in: 0, out: 0, images: 2 }, kind: 'image' })
    expect(usedOf(priced[0])).toBe(100)
    await reserve('2.1', priced, { est: { in: 0, out: 0, audio_seconds: 90 }, kind: 'transcription' })
    expect(usedOf(priced[0])).toBe(160)
  })

  it('a provider that says what an answer has cost is believed', async () => {
    const priced = neurons({
      limits: [{ unit: 'credits', max: 0.5, per: 'month', clock: 'UTC' }],
      cost: { unit: 'credits', in: 1, out: 2 },
    })
    await reserve('1.1', priced)
    expect(usedOf(priced[0])).toBe(0.09)
    budget.settle('1.1', { in: 10_000, out: 1_000, cost: 0.0125 }, 'actual')
    expect(usedOf(priced[0])).toBe(0.0125)
  })
})
