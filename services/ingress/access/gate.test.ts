import { describe, expect, it } from 'vitest'
import type { Account } from '#contracts/account.ts'
import { accessSettings, rolesOf } from '#contracts/account.ts'
import { errorHeaders, FreewayError } from '#contracts/failure.ts'
import type { Caller, CallerFacts, UseFacts } from './gate.ts'
import { callerChecks, limitReached, pass, presentedKey, useChecks } from './gate.ts'

const account: Account = { id: 'c1', name: 'my-app', key_hash: 'a'.repeat(64), created_ms: 0 }
const client = (change: Partial<Account> = {}): Caller => ({ kind: 'client', account: { ...account, ...change } })
const settings = accessSettings.parse({})
const strict = accessSettings.parse({ membership_required: true, checkin_required: true, require_model: true })
const ban = { id: 'b', subject: { kind: 'address' as const, address: '1.2.3.4' }, created_ms: 0 }

const caller = (facts: Partial<CallerFacts> = {}): CallerFacts => ({
  addressBan: undefined,
  signatureBan: undefined,
  caller: client(),
  hint: undefined,
  waitMs: 0,
  settings,
  membershipStale: false,
  ...facts,
})
const use = (facts: Partial<UseFacts> = {}): UseFacts => ({
  caller: client(),
  settings,
  today: '2026-01-31',
  model: 'm',
  lockedBy: undefined,
  overlapWaitMs: 0,
  ...facts,
})

function refusal(act: () => void): {
  status: number
  type: string
  headers: Record<string, string>
  message: string
  param: string | null
} {
  try {
    act()
  } catch (error) {
    if (!(error instanceof FreewayError)) throw error
    return { status: error.status, type: error.type, headers: errorHeaders(error), message: error.message, param: error.param }
  }
  throw new Error('nothing was refused')
}

const bearer = { 'www-authenticate': 'Bearer' }

describe('who may not call is told why', () => {
  it.each<[string, CallerFacts, number, string, Record<string, string>]>([
    ['a banned address', caller({ addressBan: ban }), 403, 'ip_blacklisted', {}],
    ['banned software', caller({ signatureBan: ban }), 403, 'client_signature_banned', {}],
    ['no key, or a wrong one', caller({ caller: undefined }), 401, 'invalid_api_key', bearer],
    [
      'too many wrong keys',
      caller({ caller: undefined, waitMs: 1500 }),
      429,
      'rate_limit_error',
      { 'retry-after': '2', 'x-should-retry': 'false' },
    ],
    ['a paused account', caller({ caller: client({ paused: true }) }), 403, 'user_paused', {}],
    [
      'an owner who left',
      caller({ caller: client({ owner: 'm', membership: 'left' }), settings: strict }),
      403,
      'discord_membership_required',
      {},
    ],
    [
      'an owner who cannot be looked up',
      caller({ caller: client({ owner: 'm', membership: 'unknown' }), settings: strict }),
      503,
      'discord_membership_error',
      { 'retry-after': '30' },
    ],
    [
      'a member at Discord, once nobody has been looked up for too long',
      caller({ caller: client({ owner: '8'.repeat(18), membership: 'member' }), settings: strict, membershipStale: true }),
      503,
      'discord_membership_error',
      { 'retry-after': '30' },
    ],
    [
      'who has left, however long ago that was',
      caller({ caller: client({ owner: '8'.repeat(18), membership: 'left' }), settings: strict, membershipStale: true }),
      403,
      'discord_membership_required',
      {},
    ],
  ])('%s', (_, facts, status, type, headers) => {
    const said = refusal(() => pass(callerChecks, facts))
    expect(said).toMatchObject({ status, type, headers })
    expect(said.message).toMatch(/^[a-z0-9]/)
    expect(said.message).not.toMatch(/\.$/)
  })

  it.each<[string, UseFacts, number, string, Record<string, string>, string | null]>([
    ['no check-in today', use({ settings: strict }), 403, 'daily_checkin_required', {}, null],
    [
      'a check-in of yesterday',
      use({ settings: strict, caller: client({ checked_in: '2026-01-30' }) }),
      403,
      'daily_checkin_required',
      {},
      null,
    ],
    [
      'no model where one is required',
      use({ settings: strict, caller: client({ checked_in: '2026-01-31' }), model: undefined }),
      400,
      'invalid_request_error',
      {},
      'model',
    ],
    [
      'no model where this account needs one',
      use({ caller: client({ require_model: true }), model: undefined }),
      400,
      'invalid_request_error',
      {},
      'model',
    ],
    ['a model of another tier', use({ lockedBy: 'verified' }), 403, 'model_access_denied', {}, 'model'],
    [
      'a key at too many places',
      use({ overlapWaitMs: 60_000 }),
      429,
      'rate_limit_error',
      { 'retry-after': '60', 'x-should-retry': 'false' },
      null,
    ],
  ])('%s', (_, facts, status, type, headers, param) => {
    expect(refusal(() => pass(useChecks, facts))).toMatchObject({ status, type, headers, param })
  })

  it.each([
    ['rate', 429, 'rate_limit_error', { 'retry-after': '12' }],
    ['day', 429, 'rate_limit_error', { 'retry-after': '12', 'x-should-retry': 'false' }],
    ['concurrency', 429, 'concurrency_limit_error', { 'retry-after': '12' }],
  ] as const)('a spent limit: %s', (what, status, type, headers) => {
    const said = refusal(() => {
      throw limitReached({ what, limit: 60, retryAfterMs: 11_500 })
    })
    expect(said).toMatchObject({ status, type, headers })
    expect(said.message).toContain('60')
  })

  it('says "missing model" as clients expect it', () => {
    expect(refusal(() => pass(useChecks, use({ caller: client({ require_model: true }), model: undefined }))).message).toBe('missing model')
  })
})

describe('the order', () => {
  it('of the checks is that of the documentation', () => {
    expect([...callerChecks, ...useChecks].map(([name]) => name)).toEqual([
      'address ban',
      'client-signature ban',
      'key',
      'paused',
      'membership',
      'daily check-in',
      'model named',
      'model tier',
      'overlap',
    ])
  })

  it('decides when several things are wrong', () => {
    const wrong = caller({ addressBan: ban, signatureBan: ban, caller: undefined, settings: strict })
    expect(refusal(() => pass(callerChecks, wrong)).type).toBe('ip_blacklisted')
    expect(refusal(() => pass(callerChecks, { ...wrong, addressBan: undefined })).type).toBe('client_signature_banned')
    const left = client({ paused: true, owner: 'm', membership: 'left' })
    expect(refusal(() => pass(callerChecks, caller({ caller: left, settings: strict }))).type).toBe('user_paused')
    expect(refusal(() => pass(useChecks, use({ settings: strict, lockedBy: 'x', overlapWaitMs: 1 }))).type).toBe('daily_checkin_required')
  })
})

describe('nothing is asked for', () => {
  it.each<[string, Caller]>([
    ['of an admin', { kind: 'admin' }],
    ['of a key in freeway.json, which cannot check in', client({ configured: true, require_model: false })],
  ])('%s', (_, who) => {
    pass(callerChecks, caller({ caller: who, settings: strict }))
    pass(useChecks, use({ caller: who, settings: { ...strict, require_model: false } }))
  })

  it('where a community is not required: neither membership nor check-in', () => {
    pass(callerChecks, caller({ caller: client({ owner: 'm', membership: 'left' }) }))
    pass(useChecks, use())
  })

  it('of an account that says for itself that it needs no model', () => {
    pass(useChecks, use({ caller: client({ require_model: false, checked_in: '2026-01-31' }), settings: strict, model: undefined }))
  })
})

it('verified members are members', () => {
  expect(rolesOf({ roles: ['verified'] })).toEqual(['verified', 'member'])
  expect(rolesOf({ roles: ['member', 'verified'] })).toEqual(['member', 'verified'])
  expect(rolesOf({ roles: ['vip'] })).toEqual(['vip'])
  expect(rolesOf({})).toEqual([])
})

describe('the key a client presents', () => {
  it.each([
    [{ authorization: 'Bearer k' }, 'k'],
    [{ authorization: 'bearer   k' }, 'k'],
    [{ 'x-api-key': 'k' }, 'k'],
    [{ 'x-admin-token': 'k' }, 'k'],
    [{ authorization: 'Basic abc', 'x-api-key': 'k' }, 'k'],
    [{ authorization: 'Bearer a b' }, undefined],
    [{ authorization: 'Bearer' }, undefined],
    [{ authorization: 'k' }, undefined],
    [{}, undefined],
  ])('of %j is %s', (headers, key) => {
    expect(presentedKey(new Headers(headers as Record<string, string>))).toBe(key)
  })
})
