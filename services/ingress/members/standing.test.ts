import { describe, expect, it } from 'vitest'
import { rolesOf } from '#contracts/account.ts'
import { isSameStanding, standing } from './standing.ts'

const VERIFIED = '111111111111111111'
const VIP = '222222222222222222'
const tiers = { [VERIFIED]: 'verified', [VIP]: 'vip' }
const member = (...community_roles: string[]) => ({ membership: 'member' as const, community_roles })

describe('what roles at Discord open', () => {
  it.each<[string, string[] | undefined, object]>([
    ['whoever is on the server is a member', [], member('member')],
    ['a role opens its tier', [VERIFIED], member('member', 'verified')],
    ['several roles open several, in whatever order they come', [VIP, VERIFIED], member('member', 'verified', 'vip')],
    ['a role that stands for nothing opens nothing', ['333333333333333333'], member('member')],
    ['a name of the prototype is no role', ['constructor', '__proto__'], member('member')],
    ['whoever has left has nothing', undefined, { membership: 'left', community_roles: [] }],
  ])('%s', (_, roles, expected) => expect(standing(roles, tiers)).toEqual(expected))

  it('is bounded', () => {
    const many = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [String(i), `tier-${i}`]))
    expect(standing(Object.keys(many), many).community_roles).toHaveLength(16)
  })
})

describe('an account', () => {
  it('opens what the staff gave it and what its owner is in the community', () => {
    expect(rolesOf({ roles: ['vip'], community_roles: ['member'] })).toEqual(['vip', 'member'])
    expect(rolesOf({ roles: ['member'], community_roles: ['member', 'verified'] })).toEqual(['member', 'verified'])
    expect(rolesOf({ roles: ['verified'] })).toEqual(['verified', 'member'])
    expect(rolesOf({})).toEqual([])
  })

  it.each([
    [{}, member('member'), false],
    [member('member'), member('member'), true],
    [member('member'), member('member', 'verified'), false],
    [{ membership: 'unknown' as const, community_roles: ['member'] }, member('member'), false],
    [{ membership: 'left' as const }, { membership: 'left' as const, community_roles: [] }, true],
  ])('is written anew only where something has changed: %j, %j', (account, next, same) => {
    expect(isSameStanding(account, next)).toBe(same)
  })
})
