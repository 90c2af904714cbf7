import { describe, expect, it } from 'vitest'
import { standing } from './standing.ts'

const tiers = { '111111111111111111': 'verified', '222222222222222222': 'vip' }
const VERIFIED = '111111111111111111'
const VIP = '222222222222222222'

describe('what roles at Discord make of an account', () => {
  it.each<[string, { membership?: 'member' | 'left' | 'unknown'; roles?: string[] }, string[] | undefined, object | undefined]>([
    ['whoever is on the server is a member', {}, [], { membership: 'member', roles: ['member'] }],
    [
      'a role opens its tier',
      { membership: 'member', roles: ['member'] },
      [VERIFIED],
      { membership: 'member', roles: ['member', 'verified'] },
    ],
    ['several roles open several', {}, [VIP, VERIFIED], { membership: 'member', roles: ['member', 'vip', 'verified'] }],
    ['a role that stands for nothing opens nothing', {}, ['333333333333333333'], { membership: 'member', roles: ['member'] }],
    [
      'a role that is lost closes its tier',
      { membership: 'member', roles: ['member', 'verified'] },
      [],
      { membership: 'member', roles: ['member'] },
    ],
    [
      'whoever leaves loses what the server gave',
      { membership: 'member', roles: ['member', 'verified'] },
      undefined,
      { membership: 'left', roles: [] },
    ],
    ['what the staff gave stays', { roles: ['staff-gift', 'vip'] }, [], { membership: 'member', roles: ['staff-gift', 'member'] }],
    [
      'and stays with whoever leaves',
      { membership: 'member', roles: ['member', 'staff-gift'] },
      undefined,
      { membership: 'left', roles: ['staff-gift'] },
    ],
    ['whoever was not known is known', { membership: 'unknown', roles: ['member'] }, [], { membership: 'member', roles: ['member'] }],
    ['nothing changes for the same', { membership: 'member', roles: ['verified', 'member'] }, [VERIFIED], undefined],
    ['nothing changes for whoever is gone', { membership: 'left' }, undefined, undefined],
    ['a name of the prototype is no role', {}, ['constructor'], { membership: 'member', roles: ['member'] }],
  ])('%s', (_, account, roles, expected) => {
    expect(standing(account, roles, tiers)).toEqual(expected)
  })

  it('keeps the rest of the account', () => {
    expect(standing({ id: 'c1', membership: 'left' as const }, [], tiers)).toMatchObject({ id: 'c1', membership: 'member' })
  })
})
