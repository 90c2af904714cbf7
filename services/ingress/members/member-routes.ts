// Sign-up, check-in and reset over HTTP, for communities whose bot or web site speaks to this gateway, and for gateways that are open to all.
// Whoever sends the admin token vouches for the owner that it names; without it an owner is nobody but the holder of a key.

import { randomBytes } from 'node:crypto'
import type { Account } from '#contracts/account.ts'
import { discordId } from '#contracts/account.ts'
import { FreewayError } from '#contracts/failure.ts'
import { hashOfKey } from '#services/client-key.ts'
import { networkOf } from '../access/address.ts'
import { presentedKey } from '../access/gate.ts'
import { createThrottle } from '../access/throttle.ts'
import type { AccessAdmin } from '../admin/changing.ts'
import { row } from '../admin/clients.ts'
import { jsonBody } from '../admin/json-body.ts'
import { json } from '../respond.ts'
import type { Route } from '../routes.ts'
import type { Challenges } from './challenges.ts'
import { answerForm, MAX_FORM_BYTES, resetForm, signUpForm, vouched } from './forms.ts'
import type { Issued, Members, Newcomer } from './members.ts'
import type { Roster } from './roster.ts'

/** Per minute and address, all four routes together. */
const REQUESTS = 60
/** Of every challenge that is asked for over HTTP. At Discord it is the user's id. */
const HOLDER = 'http'

export interface MemberRoutesOptions {
  admin: AccessAdmin
  members: Members
  challenges: Challenges
  /** Where the community is at Discord. */
  roster: Roster | undefined
}

export function memberRoutes({ admin, members, challenges, roster }: MemberRoutesOptions): Route[] {
  const { access, accounts, policy } = admin
  const throttle = createThrottle({ fromThe: REQUESTS + 1, overall: false })
  return [
    { method: 'GET', path: '/api/challenge', access: 'public', handle: challenge },
    { method: 'POST', path: '/api/challenge', access: 'public', handle: challenge },
    { method: 'POST', path: '/api/signup', access: 'public', handle: signUp },
    { method: 'POST', path: '/api/checkin', access: 'key', handle: checkIn },
    { method: 'POST', path: '/api/resetkey', access: 'key', handle: resetKey },
  ]

  function challenge(request: Request): Response {
    if (!isSwitchedOn()) throw new FreewayError('invalid_request_error', 'nothing on this gateway asks for a challenge', { status: 404 })
    access.refuseBanned(request)
    if (request.headers.get('x-admin-token') !== null) access.identifyAdmin(request)
    else slowDown(request)
    const { id, question, expiresMs } = challenges.issue(HOLDER)
    return json({ id, question, expires_at: expiresMs / 1000 }, { 'cache-control': 'no-store' }, request.method === 'POST' ? 201 : 200)
  }

  async function signUp(request: Request): Promise<Response> {
    members.mustBeOn('signup')
    access.refuseBanned(request)
    const vouches = isVouchedFor(request)
    const form = await jsonBody(request, signUpForm.extend(vouched.shape), MAX_FORM_BYTES)
    const who = vouches ? await vouchedFor(form) : stranger(request, form.name)
    return shown(await members.signUp(who, form, { request, holder: HOLDER, actor: vouches ? 'admin' : 'sign-up' }), 201)
  }

  async function checkIn(request: Request): Promise<Response> {
    members.mustBeOn('checkin')
    slowDown(request)
    const account = ownAccount(request)
    const form = await jsonBody(request, answerForm, MAX_FORM_BYTES)
    const { day, validUntilMs } = await members.checkIn(account, form, { request, holder: HOLDER, actor: 'member' })
    return json({ checked_in: day, valid_until: validUntilMs / 1000 })
  }

  async function resetKey(request: Request): Promise<Response> {
    members.mustBeOn('resetkey')
    const isAdmin = access.callerOf(request)?.kind === 'admin'
    if (!isAdmin) slowDown(request)
    const form = await jsonBody(request, resetForm.extend(vouched.shape), MAX_FORM_BYTES)
    const account = isAdmin ? accountOf(form.owner) : ownAccount(request)
    return shown(await members.resetKey(account, form, { request, holder: HOLDER, actor: isAdmin ? 'admin' : 'member' }), 200)
  }

  function isSwitchedOn(): boolean {
    const { signup, checkin_required, resetkey } = policy.settings
    return signup !== 'off' || checkin_required || resetkey
  }

  /** Whether the admin asks. Throws FreewayError: 409 for somebody who has a key, 401, 429. */
  function isVouchedFor(request: Request): boolean {
    const key = presentedKey(request.headers)
    if (key === undefined) {
      slowDown(request)
      if (policy.settings.signup === 'open') return false
      throw new FreewayError(
        'invalid_api_key',
        'sign up where the community meets: over HTTP this gateway signs up whom its admin vouches for',
      )
    }
    const account = accounts.find(hashOfKey(key))
    if (account)
      throw new FreewayError('invalid_request_error', 'you have a key already: reset it with /api/resetkey', {
        status: 409,
        param: 'owner',
      })
    access.identifyAdmin(request)
    return true
  }

  /** Throws FreewayError: 400 without an owner, 403 and 503 of membership at Discord. */
  async function vouchedFor({ owner, name }: { owner?: string | undefined; name?: string | undefined }): Promise<Newcomer> {
    if (owner === undefined) throw ownerMissing()
    members.mustBeNew(owner)
    if (!roster || !discordId.test(owner)) return { owner, name: name ?? owner }
    const found = await roster.lookUp(owner)
    if (!found)
      throw new FreewayError('discord_membership_required', 'this owner is not a member of the community: join it first', {
        param: 'owner',
      })
    return { owner, name: name ?? owner, standing: roster.standingOf(found.roles) }
  }

  /** A name that somebody gives himself proves nothing, so it identifies nobody. */
  function stranger(request: Request, name = 'member'): Newcomer {
    return { owner: `open-${randomBytes(9).toString('base64url')}`, name, network: networkOf(access.addressOf(request)) }
  }

  function ownAccount(request: Request): Account {
    const caller = access.callerOf(request)
    if (caller?.kind === 'client') return caller.account
    throw new FreewayError('invalid_request_error', 'send the key that this is about: "Authorization: Bearer <key>"')
  }

  function accountOf(owner: string | undefined): Account {
    if (owner === undefined) throw ownerMissing()
    const [first] = accounts.ownedBy(owner)
    if (first) return first
    throw new FreewayError('invalid_request_error', 'this owner has no key: sign up first', { status: 404, param: 'owner' })
  }

  function slowDown(request: Request): void {
    const waitMs = throttle.note(networkOf(access.addressOf(request)), admin.now())
    if (waitMs > 0) throw new FreewayError('rate_limit_error', 'too many of these requests from one address', { retryAfterMs: waitMs })
  }
}

function ownerMissing(): FreewayError {
  return new FreewayError('invalid_request_error', 'owner: say whose key it is', { param: 'owner' })
}

/** The key is shown once. */
function shown({ key, account }: Issued, status: number): Response {
  return json({ api_key: key, ...row(account) }, { 'cache-control': 'no-store' }, status)
}
