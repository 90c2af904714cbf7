// Who may call: facts are gathered here, from memory alone, and gate.ts decides on them.

import type { Account } from '#contracts/account.ts'
import type { Catalog } from '#contracts/catalog.ts'
import { FreewayError, type Outcome } from '#contracts/failure.ts'
import type { Accounts } from '#services/accounts.ts'
import { hashOfKey } from '#services/client-key.ts'
import { peerOf } from '../front.ts'
import { clientAddress, isLoopback, networkOf, parseAddress, rangeAround, rangeMap } from './address.ts'
import { presented, secretCheck } from './credentials.ts'
import type { BanFacts, Caller } from './gate.ts'
import { banChecks, callerChecks, pass, rolesOfCaller, tooManyWrong, useChecks } from './gate.ts'
import type { ClientLimits } from './limits.ts'
import { named } from './named.ts'
import { watchOverlap } from './overlap.ts'
import type { Policy } from './policy.ts'
import { rateHeaders, utcDay } from './rate-headers.ts'
import { createThrottle } from './throttle.ts'
import { lockedBy, type ModelTiers, modelTiers, type View, viewOf, type Wanted } from './tier.ts'

export interface AccessOptions {
  accounts: Accounts
  policy: Policy
  limits: ClientLimits
  adminToken: string
  /** Opens the catalogue with all its details, and the statistics, to a web site; undefined: nothing but a key or the admin does. */
  siteKey: string | undefined
  /** No request without a key, not even from this machine before there is any client. */
  requireAuth: boolean
  /** Addresses and ranges of the operator's own proxies. */
  trustedProxies: readonly string[]
  catalog(): Catalog
  /** Whether what is known of the community's members is too old to rely on; never, where there is no community. */
  membershipStale?: () => boolean
  /** ms since 1970. */
  now?: () => number
}

/** A request that may go on. */
export interface Admitted {
  caller: Caller
  /** Undefined for an admin, and for this machine before there is any client. */
  account: Account | undefined
  /** Access tiers that are open to it, beside `public`; undefined: all. */
  roles: readonly string[] | undefined
  /** Its limits as they are now. */
  headers(): Record<string, string>
  /** On every way out; a repeat does nothing. `deliveredContent`: something of an answer has reached the client. */
  finished(outcome: Outcome, deliveredContent: boolean): void
  /** A failure by the word that the error table has for what was asked for. */
  named(error: FreewayError): FreewayError
}

export interface Access {
  /** Decides on a client route before its body is read, and remembers who called. Throws FreewayError. */
  identify(request: Request): Caller
  /** For routes that need no key and are not for everybody all the same. Throws FreewayError. */
  refuseBanned(request: Request): void
  /** For routes of the admin. Bans do not count there: a ban of one's own address has to be lifted somehow. */
  identifyAdmin(request: Request): void
  /** For routes of the operator's web site: its key, or the admin; for the catalogue also any client's key. */
  identifySite(request: Request, what: 'catalog' | 'stats'): void
  /** Once it is clear what an identified client wants. Answers at once unless a limit is nearly used up. Throws FreewayError. */
  admit(request: Request, wanted: Wanted): Admitted | Promise<Admitted>
  /** The catalogue with the eyes of whoever calls; the site's key opens it without anybody having called: nothing is withheld from it. */
  viewOf(request: Request): View
  /** Counts a draw of a random model. Throws FreewayError 429 from the eleventh within an hour on. */
  draw(request: Request): void | Promise<void>
  /** Limits of the caller of an identified request, for the headers of its answer, whatever that is. */
  headers(request: Request): Record<string, string>
  /** Undefined before `identify`. */
  callerOf(request: Request): Caller | undefined
  /** Where the request comes from, behind our own proxies. */
  addressOf(request: Request): string
  /** Counts a wrong secret of another kind. Throws FreewayError 429 from the tenth within a minute on. */
  wrongSecret(request: Request, what: string): void
}

export function openAccess(options: AccessOptions): Access {
  const { accounts, policy, limits, siteKey, requireAuth } = options
  const now = options.now ?? Date.now
  const isStale = options.membershipStale ?? (() => false)
  const isAdmin = secretCheck(options.adminToken)
  const isSite = siteKey === undefined ? () => false : secretCheck(siteKey)
  const proxies = rangeMap(options.trustedProxies.flatMap((text) => rangeAround(text) ?? []).map((range) => [range, true] as const))
  const callers = new WeakMap<Request, Caller>()
  const overlap = watchOverlap()
  const wrongKeys = createThrottle()
  const wrongSecrets = createThrottle()
  let tiers: { of: Catalog; models: ModelTiers } | undefined

  function isTrusted(text: string): boolean {
    const address = parseAddress(text)
    return address !== undefined && proxies.find(address, () => true) === true
  }

  function addressOf(request: Request): string {
    const peer = peerOf(request)
    return proxies.size === 0 ? peer : clientAddress(peer, request.headers.get('x-forwarded-for'), isTrusted)
  }

  /** Another site's page in a browser on this machine, and a proxy beside us that nobody told us of, are not the operator. */
  function isOperatorsOwn({ headers }: Request, address: string): boolean {
    if (requireAuth || accounts.begun || !isLoopback(address)) return false
    if (proxies.size === 0 && headers.get('x-forwarded-for') !== null) return false
    const origin = headers.get('origin')
    return origin === null || isLocalOrigin(origin)
  }

  function callerBy(key: string | undefined, request: Request, address: string): Caller | undefined {
    if (key !== undefined) {
      const account = accounts.find(hashOfKey(key))
      if (account && account.enabled !== false) return { kind: 'client', account }
      if (isAdmin(key)) return { kind: 'admin' }
    }
    // A key that an SDK insists on sending does no harm there.
    return isOperatorsOwn(request, address) ? { kind: 'bootstrap' } : undefined
  }

  function wrongSecret(request: Request, what: string): void {
    const waitMs = wrongSecrets.note(networkOf(addressOf(request)), now())
    if (waitMs > 0) throw tooManyWrong(what, waitMs)
  }

  function modelsOf(catalog: Catalog): ModelTiers {
    if (tiers?.of !== catalog) tiers = { of: catalog, models: modelTiers(catalog) }
    return tiers.models
  }

  function identified(request: Request): Caller {
    const caller = callers.get(request)
    if (!caller) throw new Error('admit: the request has not been identified')
    return caller
  }

  function headersOf(caller: Caller | undefined): Record<string, string> {
    if (caller?.kind !== 'client') return {}
    const nowMs = now()
    return rateHeaders(limits.standing(caller.account, nowMs), nowMs)
  }

  function bansOf(request: Request, address: string, nowMs: number): BanFacts {
    const { banList } = policy
    return { addressBan: banList.byAddress(address, nowMs), signatureBan: banList.bySignature(request.headers, nowMs) }
  }

  const self: Access = {
    identify(request) {
      const nowMs = now()
      const address = addressOf(request)
      const { key, hint } = presented(request)
      const caller = callerBy(key, request, address)
      const { settings } = policy
      const { addressBan, signatureBan } = bansOf(request, address, nowMs)
      // Who is banned does not fill the counts of those who are not.
      const counts = key !== undefined && !caller && !addressBan && !signatureBan
      const waitMs = counts ? wrongKeys.note(networkOf(address), nowMs) : 0
      if (caller) callers.set(request, caller)
      const membershipStale = settings.membership_required && isStale()
      pass(callerChecks, { addressBan, signatureBan, caller, hint, waitMs, settings, membershipStale })
      return caller as Caller
    },
    refuseBanned: (request) => pass(banChecks, bansOf(request, addressOf(request), now())),
    identifyAdmin(request) {
      const { key, hint } = presented(request)
      // A client's key may be sent beside it: each header is looked at by itself.
      const token = request.headers.get('x-admin-token') ?? key
      if (token !== undefined && hint === undefined && isAdmin(token)) return void callers.set(request, { kind: 'admin' })
      if (token !== undefined) wrongSecret(request, 'admin tokens')
      throw new FreewayError('invalid_api_key', hint ?? 'missing or invalid admin token: send it as "X-Admin-Token: <token>"')
    },
    identifySite(request, what) {
      const { key } = presented(request)
      if (key !== undefined && (isSite(key) || isAdmin(key))) return
      if (what === 'catalog' && key !== undefined && accounts.find(hashOfKey(key))) return void self.identify(request)
      if (what === 'catalog' && key === undefined && isOperatorsOwn(request, addressOf(request))) return
      if (key !== undefined) wrongSecret(request, 'site keys')
      throw new FreewayError('invalid_request_error', `invalid site ${what} key`, { status: 401 })
    },
    admit(request, wanted) {
      const caller = identified(request)
      const nowMs = now()
      const roles = rolesOfCaller(caller)
      const account = caller.kind === 'client' ? caller.account : undefined
      const { settings } = policy
      const most = settings.overlap_addresses
      pass(useChecks, {
        caller,
        settings,
        today: settings.checkin_required ? utcDay(nowMs) : '',
        model: wanted.model,
        lockedBy: roles && lockedBy(wanted, roles, policy.tiers, modelsOf(options.catalog())),
        overlapWaitMs: account && most > 0 ? overlap.seen(account.id, networkOf(addressOf(request)), most, nowMs) : 0,
      })
      const hold = account && limits.take(account, nowMs)
      let open = true
      const admitted = (held: Awaited<typeof hold>): Admitted => ({
        caller,
        account,
        roles,
        headers: () => headersOf(caller),
        named: (error) => named(error, wanted, options.catalog()),
        finished(outcome, deliveredContent) {
          if (!open) return
          open = false
          held?.finished(outcome === 'ok' || deliveredContent)
        },
      })
      return hold instanceof Promise ? hold.then(admitted) : admitted(hold)
    },
    viewOf(request) {
      const caller = callers.get(request)
      return viewOf(caller && rolesOfCaller(caller), policy.tiers, modelsOf(options.catalog()))
    },
    draw(request) {
      const caller = identified(request)
      return caller.kind === 'client' ? limits.draw(caller.account) : undefined
    },
    headers: (request) => headersOf(callers.get(request)),
    callerOf: (request) => callers.get(request),
    addressOf,
    wrongSecret,
  }
  return self
}

function isLocalOrigin(origin: string): boolean {
  if (!URL.canParse(origin)) return false
  const { hostname } = new URL(origin)
  return hostname === 'localhost' || isLoopback(hostname.replaceAll(/[[\]]/g, ''))
}
