import { describe, expect, it } from 'vitest'
import { provider as providerSchema } from './catalog.ts'
import { aliasIndex, limitsOf, statedLimit } from './catalog-lookup.ts'
import type { Limit } from './limit.ts'

const minute = (max: number): Limit => ({ unit: 'requests', max, per: 'minute' })
const day = (max: number): Limit => ({ unit: 'requests', max, per: 'day', clock: 'UTC' })

function limits(provider: object, model: object) {
  const entry = providerSchema.parse({ name: 'p', base_url: 'http://127.0.0.1:1/v1', ...provider, models: [{ id: 'm', ...model }] })
  return limitsOf(entry, entry.models[0] as (typeof entry.models)[number]).map(({ limit, scope }) => [limit.max, scope])
}

describe('the limits of a model', () => {
  it.each<[string, object, object, [number, string][]]>([
    [
      'counted by model, it has none of its own',
      { limit_scope: 'model', limits: [minute(30), day(1000)] },
      {},
      [
        [30, 'model'],
        [1000, 'model'],
      ],
    ],
    [
      'counted by model, it has its own',
      { limit_scope: 'model', limits: [minute(30), day(1000)] },
      { limits: [minute(5)] },
      [[5, 'model']],
    ],
    [
      'counted by account',
      { limits: [day(50)] },
      { limits: [minute(5)] },
      [
        [5, 'model'],
        [50, 'account'],
      ],
    ],
    ['counted by address', { limit_scope: 'address', limits: [day(50)] }, {}, [[50, 'address']]],
    [
      'it shares its own with others',
      { limits: [day(50)] },
      { limits: [minute(5)], pool: 'chat' },
      [
        [5, 'pool'],
        [50, 'account'],
      ],
    ],
    [
      'the operator knows better',
      { limits: [minute(3), day(50)], rpm_limit: 60 },
      { limits: [minute(5)] },
      [
        [50, 'account'],
        [60, 'account'],
      ],
    ],
    ['only the operator knows', { tpd_limit: 9 }, {}, [[9, 'account']]],
    ['nothing is known', {}, {}, []],
  ])('where %s', (_, provider, model, expected) => expect(limits(provider, model)).toEqual(expected))

  it('of the operator reset when those do that they replace, else a day of theirs ends at midnight UTC', () => {
    const clocks = (provider: object) => {
      const entry = providerSchema.parse({
        name: 'p',
        base_url: 'http://127.0.0.1:1/v1',
        rpm_limit: 1,
        rpd_limit: 9,
        models: [],
        ...provider,
      })
      return limitsOf(entry, { limits: [], pool: undefined }).map(({ limit }) => limit.clock)
    }
    expect(clocks({})).toEqual([undefined, 'UTC'])
    expect(clocks({ limits: [{ ...day(5), clock: 'America/Los_Angeles' }] })).toEqual([undefined, 'America/Los_Angeles'])
    expect(clocks({ limits: [{ unit: 'requests', max: 5, per: 'day' }] })).toEqual([undefined, undefined])
  })

  it('tell the smallest of a kind', () => {
    const entry = providerSchema.parse({ name: 'p', base_url: 'http://127.0.0.1:1/v1', limits: [minute(30)], models: [] })
    const model = { limits: [minute(5)], pool: undefined }
    expect(statedLimit(entry, model, 'requests', 'minute')).toBe(5)
    expect(statedLimit(entry, model, 'tokens', 'minute')).toBeUndefined()
  })
})

describe('an alias', () => {
  const targets = aliasIndex([
    ['a', 'p/1'],
    ['b', 'p/2'],
    ['a', 'q/1'],
    ['mim/*tts*', 'p/voice'],
    ['mim/exact-tts', 'p/exact'],
    ['a.c', 'p/dot'],
    ['opc/*', 'p/*'],
    ['opc/*', 'q/same'],
    ['opc/late*', 'p/never'],
  ])

  it.each([
    ['a', ['p/1', 'q/1']],
    ['b', ['p/2']],
    ['mim/mimo-v2.5-tts-pro', ['p/voice']],
    ['mim/tts', ['p/voice']],
    ['mim/exact-tts', ['p/exact']],
    ['mim/chat', []],
    ['opc/deep/seek:free', ['p/deep/seek:free', 'q/same']],
    ['opc/$&', ['p/$&', 'q/same']],
    ['opc/later', ['p/later', 'q/same']],
    ['xmim/tts', []],
    ['abc', []],
    ['constructor', []],
  ])('%s leads to %j', (name, expected) => expect(targets(name)).toEqual(expected))
})
