import { describe, expect, it } from 'vitest'
import { tierSettings } from '#contracts/account.ts'
import { catalog } from '#contracts/catalog.ts'
import { lockedBy, modelTiers, viewOf } from './tier.ts'

const models = modelTiers(
  catalog.parse({
    providers: [
      {
        name: 'alpha',
        base_url: 'http://a.invalid',
        configured: true,
        models: [{ id: 'open' }, { id: 'pro', tier: 'verified' }, { id: 'both' }, { id: 'off', tier: 'verified', enabled: false }],
      },
      { name: 'beta', aliases: ['b'], base_url: 'http://b.invalid', configured: true, models: [{ id: 'both', tier: 'member' }] },
    ],
    aliases: [
      ['nick', 'alpha/pro'],
      ['proFirst', 'alpha/pro'],
      ['proFirst', 'alpha/open'],
      ['openFirst', 'alpha/open'],
      ['openFirst', 'alpha/pro'],
      ['twoLocked', 'alpha/pro'],
      ['twoLocked', 'beta/both'],
      ['any/*', 'alpha/pro'],
    ],
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
    ['b/both', [], 'member'],
    // Behind an alias likewise, wherever the open one stands.
    ['proFirst', [], undefined],
    ['openFirst', [], undefined],
    ['twoLocked', [], 'verified'],
    ['twoLocked', ['member'], undefined],
    ['any/thing', [], 'verified'],
    ['any/thing', ['verified'], undefined],
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

  it('reserves a virtual model by whatever name it goes', () => {
    const virtual = tierSettings.parse({ models: { 'freeai-quality': 'member', code: 'member' } })
    for (const name of ['quality', 'freeai-quality', 'freeway-quality']) expect(locked(name, [], virtual)).toBe('member')
    for (const name of ['fast', 'freeai-code']) expect(locked(name, [], virtual)).toBeUndefined()
  })

  it('reserves a kind of request, whatever the model', () => {
    expect(locked(undefined, [], own, 'image')).toBe('member')
    expect(locked('open', ['member'], own, 'image')).toBeUndefined()
    expect(locked('open', undefined, own, 'image')).toBeUndefined()
  })
})

describe('what a caller sees', () => {
  const see = (roles: string[] | undefined, settings = none) => viewOf(roles, settings, models)

  it('has the tier of the model that is the easiest to reach', () => {
    expect(['alpha/pro', 'proFirst', 'both', 'unheard of'].map(see([]).tierOf)).toEqual(['verified', 'public', 'public', 'public'])
    expect([see([]).tierOf('twoLocked'), see(['member']).tierOf('twoLocked')]).toEqual(['verified', 'member'])
    expect(see([], own).tierOf('alpha/open')).toBe('vip')
  })

  it('may be used if any of the kinds of request is open that it serves', () => {
    const chatsAndDraws = ['chat', 'vision', 'image_gen']
    expect([see([], own).mayUse('both', ['image_gen']), see([], own).mayUse('both', chatsAndDraws)]).toEqual([false, true])
    expect([see(undefined, own).mayUse('both', ['image_gen']), see([], own).mayUse('alpha/open', ['chat'])]).toEqual([true, false])
  })
})
