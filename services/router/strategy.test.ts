import { describe, expect, it } from 'vitest'
import type { Submit } from '#contracts/attempt.ts'
import { strategyNames } from '#contracts/strategy.ts'
import { catalogOf, jobFor } from '#test/support/routing.ts'
import type { Health } from './health.ts'
import { newCondition } from './health.ts'
import type { World } from './route.ts'
import { route } from './route.ts'
import { allStrategies, columns, defined, type Strategies, strategyOf } from './strategy.ts'
import { routingTable } from './table.ts'

const NOW = 50_000
const worldOf = (change: Partial<World> = {}): World => ({
  health: new Map(),
  roomOf: () => ({ headroom: 0.5 }),
  wish: undefined,
  nowMs: NOW,
  random: () => 0.5,
  ...change,
})

it('the shares of each strategy come to one', () => {
  for (const name of strategyNames) {
    const { shares } = strategyOf(name, new Map()) ?? {}
    expect(Object.keys(shares ?? {})).toEqual(columns)
    expect(Object.values(shares ?? {}).reduce((a, b) => a + b, 0)).toBeCloseTo(1, 12)
  }
})

/** One provider for each virtue, all else being alike. */
const virtues = catalogOf({
  plain: { models: [{ id: 'm', context_window: 32_768, intelligence_rank: 7, speed_rank: 7 }] },
  clever: { models: [{ id: 'm', context_window: 32_768, intelligence_rank: 1, speed_rank: 9 }] },
  quick: { models: [{ id: 'm', context_window: 32_768, intelligence_rank: 9, speed_rank: 1 }] },
  coder: { models: [{ id: 'm', context_window: 32_768, intelligence_rank: 7, speed_rank: 7, capabilities: ['chat', 'code'] }] },
  thinker: { models: [{ id: 'm', context_window: 32_768, intelligence_rank: 7, speed_rank: 9, capabilities: ['chat', 'reasoning'] }] },
  seer: { models: [{ id: 'm', context_window: 32_768, intelligence_rank: 9, speed_rank: 9, capabilities: ['chat', 'vision'] }] },
  wide: { models: [{ id: 'm', context_window: 1_048_576, intelligence_rank: 9, speed_rank: 9 }] },
  ample: { models: [{ id: 'm', context_window: 32_768, intelligence_rank: 9, speed_rank: 9 }] },
})
const table = routingTable(virtues)
const roomOf: World['roomOf'] = ({ name }) => ({ headroom: name === 'ample' ? 1 : 0.4 })

function first(job: Partial<Submit>, world: Partial<World> = {}, inTable = table): string | undefined {
  const found = route(jobFor(job), inTable, worldOf({ roomOf, ...world }))
  return 'noroute' in found ? found.noroute.reason : found.order[0]?.target.prov
}

describe('what a strategy looks for', () => {
  it.each([
    ['fast', 'quick'],
    ['fastest', 'quick'],
    ['quality', 'clever'],
    ['best_quality', 'clever'],
    ['code', 'coder'],
    ['coding', 'coder'],
    ['reasoning', 'thinker'],
    ['cheap', 'ample'],
    ['cheapest', 'ample'],
    ['vision', 'seer'],
    ['long', 'wide'],
    ['long_context', 'wide'],
    ['nonsense', 'unknown_strategy'],
  ])('%s: %s', (strategy, prov) => expect(first({ strategy })).toBe(prov))

  it.each([
    ['freeai-fast', 'quick'],
    ['freeway-quality', 'clever'],
    ['freeai-code', 'coder'],
    ['freeai-reasoning', 'thinker'],
    ['freeai-cheap', 'ample'],
    ['freeai-vision', 'seer'],
    ['freeai-long', 'wide'],
  ])('the model %s: %s', (model, prov) => expect(first({ model })).toBe(prov))

  it('a virtual model says more than the strategy beside it; only auto leaves it the choice', () => {
    expect(first({ model: 'freeai-fast', strategy: 'quality' })).toBe('quick')
    expect(first({ model: 'freeai-auto', strategy: 'quality' })).toBe('clever')
  })

  it('auto follows the prompt', () => {
    expect(first({}, { wish: 'code' })).toBe('coder')
    expect(first({}, { wish: 'reasoning' })).toBe('thinker')
    expect(first({}, { wish: 'general' })).toBe('quick')
  })

  it('images go to a model that sees, whatever is looked for', () => {
    const need = { ...jobFor().need, vision: true }
    for (const strategy of strategyNames) expect(first({ strategy, need })).toBe('seer')
  })

  it('the default is the operator’s, for who names neither a model nor a strategy', () => {
    const byQuality = routingTable(virtues, { defaultStrategy: 'quality' })
    expect(first({}, {}, byQuality)).toBe('clever')
    expect(first({ model: 'freeai-auto' }, {}, byQuality)).toBe('quick')
    expect(first({ strategy: 'auto' }, {}, byQuality)).toBe('quick')
  })

  it('the default keeps nobody from a model that is named', () => {
    const strategies = allStrategies(
      {},
      { mine: { definition: { require: [{ field: 'name', op: 'eq', value: 'clever' }], prefer: [] }, description: '' } },
    )
    const table = routingTable(virtues, { strategies, defaultStrategy: 'mine' })
    expect(first({}, {}, table)).toBe('clever')
    expect(first({ model: 'quick/m' }, {}, table)).toBe('quick')
  })

  it('a default that is gone is auto', () => expect(first({}, {}, routingTable(virtues, { defaultStrategy: 'gone' }))).toBe('quick'))

  it('a model that is named is not refused for what the strategy is after', () => {
    expect(first({ model: 'clever/m', strategy: 'vision' })).toBe('clever')
  })

  it('random takes anybody', () => {
    let draws = 0
    const seen = new Set(Array.from({ length: 400 }, () => first({ strategy: 'random' }, { random: () => (Math.sin(++draws) + 1) / 2 })))
    expect(seen).toEqual(new Set(['plain', 'clever', 'quick', 'coder', 'thinker', 'seer', 'wide', 'ample']))
  })
})

describe('what was measured', () => {
  const two = routingTable(catalogOf({ a: { models: [{ id: 'm', speed_rank: 1 }] }, b: { models: [{ id: 'm', speed_rank: 12 }] } }))
  const timed = (name: string, ttftMs: number, calls: number, change = {}): Health =>
    new Map([[`${name}/${name}-1/m`, { ...newCondition(), ttftMs, timed: calls, calls, lastMs: NOW, ...change }]])

  it.each<[string, Health, string]>([
    ['nothing: the rank decides', new Map(), 'a'],
    ['once slow: the rank still decides', timed('a', 6_000, 1), 'a'],
    ['slow time and again: the measure decides', timed('a', 6_000, 20), 'b'],
    ['slow, but long ago: the rank decides once more', timed('a', 6_000, 20, { lastMs: NOW - 600_000 }), 'a'],
    ['neither quick nor slow to begin', timed('a', 1_500, 20), 'a'],
    ['the same, and slow to go on', timed('a', 1_500, 20, { tokensPerSecond: 1 }), 'b'],
  ])('%s', (_, health, prov) => expect(first({ strategy: 'fast' }, { health }, two)).toBe(prov))

  it('who fails often comes later, and comes back when that is long ago', () => {
    const flaky = (lastMs: number): Health => new Map([['a/a-1/m', { ...newCondition(), calls: 20, success: 0.3, lastMs }]])
    const equals = routingTable(catalogOf({ a: {}, b: {} }))
    expect(first({}, { health: flaky(NOW) }, equals)).toBe('b')
    expect(first({}, { health: flaky(NOW - 600_000) }, equals)).toBe('a')
  })
})

describe('a strategy of the operator’s', () => {
  const providers = catalogOf({
    a: { weight: 1.5, tags: ['eu'] },
    b: { tags: ['fast'], rpd_limit: 100 },
    c: { tags: ['fast', 'eu'], rpm_limit: 5 },
  })
  const by = (strategies: Strategies, world: Partial<World> = {}) =>
    first({ strategy: 'mine' }, { roomOf: () => ({ headroom: 1 }), ...world }, routingTable(providers, { strategies }))
  const stored = (definition: Parameters<typeof defined>[1]) => new Map([['mine', defined('mine', definition)]])
  const usageOf: World['usageOf'] = ({ name }) => ({ requests_today: name === 'b' ? 100 : 3, requests_this_minute: 0, tokens_today: 0 })

  it.each<[string, Strategies, string]>([
    ['null is like auto', stored(null), 'a'],
    ['a required tag', stored({ require: [{ field: 'tags', op: 'contains', value: 'fast' }], prefer: [] }), 'b'],
    [
      'two requirements',
      stored({
        require: [
          { field: 'tags', op: 'contains', value: 'fast' },
          { field: 'tags', op: 'contains', value: 'eu' },
        ],
        prefer: [],
      }),
      'c',
    ],
    ['a name that is not wanted', stored({ require: [{ field: 'name', op: 'ne', value: 'a' }], prefer: [] }), 'b'],
    [
      'a limit: who has none meets every demand',
      stored({
        require: [
          { field: 'rpd_limit', op: 'gt', value: 1e6 },
          { field: 'rpm_limit', op: '<', value: 6 },
        ],
        prefer: [],
      }),
      'c',
    ],
    [
      'what is left today',
      stored({
        require: [
          { field: 'tags', op: 'contains', value: 'fast' },
          { field: 'rpd_remaining', op: '>=', value: 1 },
        ],
        prefer: [],
      }),
      'c',
    ],
    [
      'a time that nobody has measured shuts nobody out',
      stored({ require: [{ field: 'last_latency_ms', op: 'lt', value: 1 }], prefer: [] }),
      'a',
    ],
    ['and favours nobody', stored({ require: [], prefer: [{ field: 'last_latency_ms', op: 'lt', value: 1, weight: 9 }] }), 'a'],
    ['a preference', stored({ require: [], prefer: [{ field: 'name', op: 'eq', value: 'c', weight: 1 }] }), 'c'],
    [
      'the greater of two',
      stored({
        require: [],
        prefer: [
          { field: 'name', op: 'eq', value: 'c', weight: 1 },
          { field: 'name', op: 'eq', value: 'b', weight: 2 },
        ],
      }),
      'b',
    ],
    ['what tells against', stored({ require: [], prefer: [{ field: 'weight', op: 'gt', value: 1, weight: -5 }] }), 'b'],
    ['nobody is left', stored({ require: [{ field: 'name', op: 'eq', value: 'z' }], prefer: [] }), 'none'],
    ['of freeway.json, a provider', allStrategies({ mine: { prefer: ['c'] } }), 'c'],
    ['of freeway.json, a tag', allStrategies({ mine: { tags: ['fast'] } }), 'b'],
    ['of freeway.json, both', allStrategies({ mine: { prefer: ['a'], tags: ['eu'] } }), 'a'],
    ['of freeway.json, nothing', allStrategies({ mine: {} }), 'a'],
  ])('%s', (_, strategies, prov) => expect(by(strategies, { usageOf })).toBe(prov))

  it('of freeway.json weighs as it says', () => {
    const weighed = (weights: Record<string, number>) =>
      first({ strategy: 'mine' }, {}, routingTable(virtues, { strategies: allStrategies({ mine: { weights } }) }))
    expect(weighed({ quality: 1 })).toBe('clever')
    expect(weighed({ speed: 1 })).toBe('quick')
    expect(weighed({ headroom: 1 })).toBe('ample')
    expect(weighed({ context: 1 })).toBe('wide')
  })

  it('does not take the place of ours', () => {
    expect(first({ strategy: 'fast' }, {}, routingTable(virtues, { strategies: allStrategies({ fast: { prefer: ['plain'] } }) }))).toBe(
      'quick',
    )
  })
})
