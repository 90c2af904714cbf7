import { expect, it } from 'vitest'
import { provider as providerSchema } from '#contracts/catalog.ts'
import { poolsOf } from './pools.ts'

const rpm = { unit: 'requests', max: 30, per: 'minute' } as const
const rpd = { unit: 'requests', max: 1_000, per: 'day', clock: 'America/Los_Angeles' } as const

function pools(change: object, model: object = {}, keys: object = { accounts: ['groq-1'] }, account = 'groq-1') {
  const parsed = providerSchema.parse({ name: 'groq', base_url: 'https://groq.example/v1', models: [{ id: 'm/1', ...model }], ...change })
  const [only] = parsed.models
  if (!only) throw new Error('a provider has a model')
  const made = poolsOf({ ...parsed, configured: true, accounts: [], ...keys }, account, only)
  return made.map(({ pool, limits }) => ({ pool, limits }))
}

it.each([
  ['an account', 'account', 'groq-1'],
  ['a model of an account', 'model', 'groq-1/m/1'],
  ['an address, which all keys share', 'address', 'groq@address'],
])('limits count for %s', (_, limit_scope, pool) => {
  expect(pools({ limits: [rpm], limit_scope })).toEqual([{ pool, limits: [rpm] }])
})

it('counts belong to a key, whatever its place in the list is, and not to the key that follows it', () => {
  const of = (keys: [account: string, id: string][], account: string) =>
    pools({ limits: [rpm] }, {}, { accounts: keys.map(([name]) => name), key_ids: keys.map(([, id]) => id) }, account)[0]?.pool
  expect(of([['groq-1', 'first']], 'groq-1')).not.toBe(of([['groq-1', 'second']], 'groq-1'))
  const two: [string, string][] = [
    ['groq-1', 'first'],
    ['groq-2', 'second'],
  ]
  expect(of(two, 'groq-2')).toBe(of([['groq-1', 'second']], 'groq-1'))
})

it('an address is the same whatever the key', () => {
  const keys = { accounts: ['groq-1'], key_ids: ['any'] }
  expect(pools({ limits: [rpm], limit_scope: 'address' }, {}, keys)).toEqual([{ pool: 'groq@address', limits: [rpm] }])
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
