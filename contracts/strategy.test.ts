import { describe, expect, it } from 'vitest'
import { builtInStrategyOf, configuredStrategy, storedStrategyName, strategyDefinition, strategyNames } from './strategy.ts'

describe('a strategy of ours', () => {
  it.each(strategyNames)('%s goes by its own name', (name) => expect(builtInStrategyOf(name)).toBe(name))

  it.each([
    ['fastest', 'fast'],
    ['best_quality', 'quality'],
    ['coding', 'code'],
    ['cheapest', 'cheap'],
    ['long_context', 'long'],
  ])('%s means %s', (synonym, name) => expect(builtInStrategyOf(synonym)).toBe(name))

  it.each(['Auto', 'my_mix', '', 'constructor', 'freeai-auto'])('is not %j', (name) => expect(builtInStrategyOf(name)).toBeUndefined())
})

describe('the name of a stored strategy', () => {
  it('is short and plain', () => expect(storedStrategyName.parse('my_mix_2')).toBe('my_mix_2'))
  it.each(['', 'My', 'a-b', 'a'.repeat(33), 'auto', 'fastest'])('is not %j', (name) =>
    expect(storedStrategyName.safeParse(name).success).toBe(false),
  )
})

describe('a definition', () => {
  it('may be null, or empty, or hold rules', () => {
    expect(strategyDefinition.parse(null)).toBeNull()
    expect(strategyDefinition.parse({})).toEqual({ require: [], prefer: [] })
    const rules = {
      require: [{ field: 'tags', op: 'contains', value: 'fast' }],
      prefer: [
        { field: 'rpd_remaining', op: 'gt', value: 100, weight: 2 },
        { field: 'name', op: 'eq', value: 'groq' },
      ],
    }
    expect(strategyDefinition.parse(rules)).toMatchObject({ require: rules.require, prefer: [{ weight: 2 }, { weight: 1 }] })
  })

  it.each<[string, unknown, string]>([
    ['a field that nobody knows', { require: [{ field: 'colour', op: 'eq', value: 1 }] }, 'require.0.field'],
    ['text where a number belongs', { prefer: [{ field: 'weight', op: 'gt', value: 'much' }] }, 'prefer.0.value'],
    ['an operator of another field', { require: [{ field: 'tags', op: 'gt', value: 'fast' }] }, 'require.0.op'],
    ['a weight among the requirements', { require: [{ field: 'name', op: 'eq', value: 'a', weight: 1 }] }, 'require.0'],
    ['a weight out of bounds', { prefer: [{ field: 'name', op: 'eq', value: 'a', weight: 1e9 }] }, 'prefer.0.weight'],
    ['a word that is no field', { requires: [] }, ''],
    ['too many rules', { require: Array(33).fill({ field: 'name', op: 'eq', value: 'a' }) }, 'require'],
  ])('%s is refused with its path', (_, definition, path) => {
    expect(strategyDefinition.safeParse(definition).error?.issues[0]?.path.join('.')).toBe(path)
  })
})

it('a weight in freeway.json must name a quality', () => {
  expect(configuredStrategy.parse({ weights: { quality: 0.7, speed: 0.3 } })).toEqual({ weights: { quality: 0.7, speed: 0.3 } })
  expect(configuredStrategy.safeParse({ weights: { qualty: 1 } }).success).toBe(false)
})
