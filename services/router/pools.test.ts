import { expect, it } from 'vitest'
import { provider as providerSchema } from '#contracts/catalog.ts'
import { poolsOf } from './pools.ts'

const rpm = { unit: 'requests', max: 30, per: 'minute' } as const
const rpd = { unit: 'requests', max: 1_000, per: 'day', clock: 'America/Los_Angeles' } as const

function pools(change: object, model: object = {}) {
  const parsed = providerSchema.parse({ name: 'groq', base_url: 'https://groq.example/v1', models: [{ id: 'm/1', ...model }], ...change })
  const [only] = parsed.models
  if (!only) throw new Error('a provider has a model')
  return poolsOf({ ...parsed, configured: true, accounts: ['groq-1'] }, 'groq-1', only)
}

it.each([
  ['an account', 'account', 'groq-1'],
  ['a model of an account', 'model', 'groq-1/m/1'],
  ['an address, which all keys share', 'address', 'groq@address'],
])('limits count for %s', (_, limit_scope, pool) => {
  expect(pools({ limits: [rpm], limit_scope })).toEqual([{ pool, limits: [rpm] }])
})

it('a model has limits of its own beside those of its account, which is asked first', () => {
  const own = { unit: 'requests', max: 5, per: 'minute' } as const
  expect(pools({ limits: [rpm] }, { limits: [own] })).toEqual([
    { pool: 'groq-1', limits: [rpm] },
    { pool: 'groq-1/m/1', limits: [own] },
  ])
})

it('models that name a pool share it', () => {
  expect(pools({ limits: [rpm], limit_scope: 'model' }, { pool: 'flash' })).toMatchObject([{ pool: 'groq-1/flash' }])
})

it('the operator’s numbers are for the whole account and reset when those did that they replace', () => {
  expect(pools({ limits: [rpm, rpd], limit_scope: 'model', rpd_limit: 200, tpd_limit: 5_000 })).toEqual([
    {
      pool: 'groq-1',
      limits: [
        { unit: 'requests', per: 'day', max: 200, clock: 'America/Los_Angeles' },
        { unit: 'tokens', per: 'day', max: 5_000, clock: 'UTC' },
      ],
    },
    { pool: 'groq-1/m/1', limits: [rpm] },
  ])
})

it('a provider without limits has no pool', () => {
  expect(pools({})).toEqual([])
})
