import { describe, expect, it } from 'vitest'
import { tierSettings } from '#contracts/account.ts'
import { catalog } from '#contracts/catalog.ts'
import { lockedBy, modelTiers } from './tier.ts'

const models = modelTiers(
  catalog.parse({
    providers: [
      {
        name: 'alpha',
        base_url: 'http://a.invalid',
        configured: true,
        models: [{ id: 'open' }, { id: 'pro', tier: 'verified' }, { id: 'both' }, { id: 'off', tier: 'verified', enabled: false }],
      },
      { name: 'beta', base_url: 'http://b.invalid', configured: true, models: [{ id: 'both', tier: 'member' }] },
    ],
    aliases: [['nick', 'alpha/pro']],
  }),
)
const none = tierSettings.parse({})
const own = tierSettings.parse({ models: { 'alpha/open': 'vip', 'alpha/pro': 'public', auto: 'member' }, kinds: { image: 'member' } })
const locked = (model: string | undefined, roles: string[] | undefined, settings = none, kind: 'chat' | 'image' = 'chat') =>
  lockedBy({ model, kind }, roles, settings, models)

describe('a model', () => {
  it.each([
    ['alpha/open', [], undefined],
    ['open', [], undefined],
    ['alpha/pro', [], 'verified'],
    ['pro', ['member'], 'verified'],
    ['pro', ['verified'], undefined],
    ['nick', [], 'verified'],
    ['nick', ['verified'], undefined],
    ['alpha/pro', undefined, undefined],
    // One of the two is open: the router keeps to it.
    ['both', [], undefined],
    ['beta/both', [], 'member'],
    ['off', [], undefined],
    ['unheard of', [], undefined],
    ['constructor', [], undefined],
    [undefined, [], undefined],
  ])('%s is for roles %j locked by %s', (model, roles, tier) => expect(locked(model, roles)).toBe(tier))
})

describe('the operator', () => {
  it('reserves exact names, and opens what the catalogue reserves', () => {
    expect(locked('alpha/open', [], own)).toBe('vip')
    expect(locked('alpha/open', ['vip'], own)).toBeUndefined()
    expect(locked('open', [], own)).toBeUndefined()
    expect(locked('alpha/pro', [], own)).toBeUndefined()
    expect(locked('auto', [], own)).toBe('member')
  })

  it('reserves a kind of request, whatever the model', () => {
    expect(locked(undefined, [], own, 'image')).toBe('member')
    expect(locked('open', ['member'], own, 'image')).toBeUndefined()
    expect(locked('open', undefined, own, 'image')).toBeUndefined()
  })
})
