import { expect, it } from 'vitest'
import type { Submit } from '#contracts/attempt.ts'
import { explained } from '#contracts/explained.ts'
import { catalogOf, jobFor } from '#test/support/routing.ts'
import type { Health } from './health.ts'
import { learn } from './health.ts'
import { route, type World } from './route.ts'
import { routingTable } from './table.ts'

const NOW = 50_000
const catalog = catalogOf({
  good: { weight: 2 },
  fair: {},
  narrow: { models: [{ id: 'm', context_window: 50 }] },
  terse: { models: [{ id: 'm', max_output: 10 }] },
  closed: { models: [{ id: 'm', tier: 'pro' }] },
  keyless: { configured: false, models: [{ id: 'm' }, { id: 'n' }] },
  tired: {},
  broken: {},
  poor: {},
})
const health: Health = new Map()
const failure = { status: 503, phase: 'status', key_fault: false, retry_after_ms: null, ttfb_ms: null } as const
learn(health, { ...failure, prov: 'tired', account: 'tired-1', model: 'm', status: 429, retry_after_ms: 12_000 }, NOW)
for (let i = 0; i < 5; i++) learn(health, { ...failure, prov: 'broken', account: 'broken-1', model: 'm' }, NOW)

const world: World = {
  health,
  roomOf: ({ name }) => (name === 'poor' ? { headroom: 0, opensInMs: 40_000 } : { headroom: 0.5 }),
  wish: 'general',
  nowMs: NOW,
  random: () => 0.9,
}

function explainedFor(job: Partial<Submit>, seen: Partial<World> = {}, table = routingTable(catalog)) {
  const found = route(jobFor({ explain: true, roles: [], ...job }), table, { ...world, ...seen })
  return 'noroute' in found ? found.noroute.explained : found.explained
}

it('candidates are told with what they scored and why, the others with what stood in their way, nearest first', () => {
  const told = explainedFor({ exclude: ['fair'], preferred: 'good' })
  expect(explained.parse(told)).toEqual(told)
  expect(told).toMatchObject({
    strategy: 'auto',
    intent: 'general',
    candidates: [{ provider: 'good', account: 'good-1', model: 'm', parts: { headroom: 0.5, spread: 0.5, weight: 2, preferred: 1e6 } }],
  })
  expect(told?.passed_over.map(({ provider, model, why }) => `${provider} ${model ?? '*'} ${why}`)).toEqual([
    'poor m quota is spent, more in 40 s',
    'tired m rests for 12 s: rate_limited',
    'broken m rests for 30 s: failing',
    'fair m was left out: an attempt there has failed',
    'keyless * has no key',
    'narrow m holds 50 tokens, 100 are needed',
    'terse m answers with 10 tokens at most, 90 are asked for',
    'closed m is for pro only',
  ])
})

it('the score is the mean of the parts by their shares, times the weight', () => {
  const [good, fair] = explainedFor({ strategy: 'random' })?.candidates ?? []
  expect(good).toMatchObject({ score: 1, parts: { spread: 0.5, weight: 2 } })
  expect(fair).toMatchObject({ score: 0.5, parts: { spread: 0.5, weight: 1 } })
})

it('a refusal is explained as well', () => {
  const told = explainedFor({ need: { tools: true, vision: false, json: false, ctx: 1 }, est: { in: 1, out: 1 } })
  expect(told?.candidates).toEqual([])
  expect(told?.passed_over).toContainEqual({ provider: 'good', account: 'good-1', model: 'm', why: 'cannot do tools' })
})

it('so is how many tools are too many', () => {
  const models = [{ id: 'm', capabilities: ['chat', 'tools'] }]
  const table = routingTable(catalogOf({ few: { max_tools: 2, models }, many: { models } }))
  const told = explainedFor({ need: { tools: true, tool_count: 3, vision: false, json: false, ctx: 1 } }, {}, table)
  expect(told?.candidates.map(({ provider }) => provider)).toEqual(['many'])
  expect(told?.passed_over).toEqual([{ provider: 'few', account: 'few-1', model: 'm', why: 'takes 2 tools at most, 3 are sent' }])
})

it('who does not ask is told nothing', () => {
  expect(route(jobFor(), routingTable(catalog), world)).not.toHaveProperty('explained')
})

it('of a large catalogue the best fifty are told, and fifty of the rest', () => {
  const models = (from: number, more: object) =>
    Array.from({ length: 80 }, (_, i) => ({ id: `m-${from + i}`, intelligence_rank: i + 1, ...more }))
  const large = routingTable(catalogOf({ a: { models: [...models(0, {}), ...models(100, { tier: 'pro' })] } }))
  const told = explainedFor({}, {}, large)
  expect(told?.candidates).toHaveLength(50)
  expect(told?.candidates[0]?.model).toBe('m-0')
  expect(told?.passed_over).toHaveLength(50)
})
