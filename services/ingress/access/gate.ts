// Pure. Who may call, and how much: the checks in their order, as a table over facts.

import type { AccessSettings, Account, Ban } from '#contracts/account.ts'
import { discordId, rolesOf } from '#contracts/account.ts'
import { FreewayError } from '#contracts/failure.ts'

/** Who calls: an admin, somebody on this machine while there is no client, or a client. */
export type Caller = { kind: 'admin' } | { kind: 'bootstrap' } | { kind: 'client'; account: Account }

/** What is known before the body of a request is read. */
export interface CallerFacts {
  addressBan: Ban | undefined
  signatureBan: Ban | undefined
  /** Undefined: no credential, or none that opens anything. */
  caller: Caller | undefined
  /** In place of the customary words of the 401. */
  hint: string | undefined
  /** Wrong credentials from there are not looked at for so long; 0: they are. */
  waitMs: number
  settings: AccessSettings
  /** What is known of members is too old to rely on. */
  membershipStale: boolean
}

/** For whom not even a way in is open. */
export type BanFacts = Pick<CallerFacts, 'addressBan' | 'signatureBan'>

/** What is known once it is clear what the client wants. */
export interface UseFacts {
  caller: Caller
  settings: AccessSettings
  /** UTC, `2026-01-31`. */
  today: string
  /** As the client named it. */
  model: string | undefined
  /** The access tier that keeps the caller from what it wants; undefined if none does. */
  lockedBy: string | undefined
  /** For so long the key is refused, because it is used from too many addresses at once; 0: it is not. */
  overlapWaitMs: number
}

export type Check<Facts> = readonly [name: string, check: (facts: Facts) => FreewayError | undefined]

export const banChecks: readonly Check<BanFacts>[] = [
  [
    'address ban',
    ({ addressBan }) =>
      addressBan && new FreewayError('ip_blacklisted', 'this address is banned; only the staff of this gateway can lift it'),
  ],
  [
    'client-signature ban',
    ({ signatureBan }) =>
      signatureBan && new FreewayError('client_signature_banned', 'this client software is banned: switch to a supported client'),
  ],
]

export const callerChecks: readonly Check<CallerFacts>[] = [
  ...banChecks,
  ['key', ({ caller, hint, waitMs }) => (caller ? undefined : unknownKey(hint, waitMs))],
  [
    'paused',
    ({ caller }) =>
      accountOf(caller)?.paused ? new FreewayError('user_paused', 'this account is paused by the staff of this gateway') : undefined,
  ],
  [
    'membership',
    ({ caller, settings, membershipStale }) => (settings.membership_required ? notMember(accountOf(caller), membershipStale) : undefined),
  ],
]

export const useChecks: readonly Check<UseFacts>[] = [
  ['daily check-in', ({ caller, settings, today }) => (settings.checkin_required ? notCheckedIn(accountOf(caller), today) : undefined)],
  [
    'model named',
    ({ caller, settings, model }) =>
      model === undefined && (accountOf(caller)?.require_model ?? settings.require_model)
        ? new FreewayError('invalid_request_error', 'missing model', { param: 'model' })
        : undefined,
  ],
  [
    'model tier',
    ({ lockedBy }) =>
      lockedBy === undefined
        ? undefined
        : new FreewayError('model_access_denied', `this model is limited to the access tier "${lockedBy}"`, { param: 'model' }),
  ],
  [
    'overlap',
    ({ overlapWaitMs }) =>
      overlapWaitMs > 0
        ? new FreewayError('rate_limit_error', 'this key is used from too many addresses at once', {
            retryAfterMs: overlapWaitMs,
            shouldRetry: false,
          })
        : undefined,
  ],
]

/** Throws the error of the first check that finds something. */
export function pass<Facts>(checks: readonly Check<Facts>[], facts: Facts): void {
  for (const [, check] of checks) {
    const refusal = check(facts)
    if (refusal) throw refusal
  }
}

/** Beside `public`; undefined: all. */
export function rolesOfCaller(caller: Caller): readonly string[] | undefined {
  // Whoever sits at the machine before there is any client is the operator.
  return caller.kind === 'client' ? rolesOf(caller.account) : undefined
}

/** Which of the limits is used up. `limit`: how much it allows. */
export interface Spent {
  what: 'rate' | 'day' | 'concurrency'
  limit: number
  retryAfterMs: number
}

export function limitReached({ what, limit, retryAfterMs }: Spent): FreewayError {
  switch (what) {
    case 'rate':
      return new FreewayError('rate_limit_error', `the limit of ${limit} requests per minute is reached`, { retryAfterMs })
    case 'day':
      return new FreewayError('rate_limit_error', `the daily limit of ${limit} successful requests is reached; it resets at 00:00 UTC`, {
        retryAfterMs,
        shouldRetry: false,
      })
    case 'concurrency':
      return new FreewayError('concurrency_limit_error', `${limit} requests are running already: wait for one to finish`, { retryAfterMs })
  }
}

/** The key as clients send it: `Authorization: Bearer KEY`, `x-api-key: KEY`, or `X-Admin-Token: TOKEN`. */
export function presentedKey(headers: Pick<Headers, 'get'>): string | undefined {
  const bearer = /^Bearer +(\S+)$/i.exec(headers.get('authorization') ?? '')?.[1]
  return bearer ?? headers.get('x-api-key') ?? headers.get('x-admin-token') ?? undefined
}

const MISSING = 'missing or invalid API key: send it as "Authorization: Bearer <key>"'

function unknownKey(hint: string | undefined, waitMs: number): FreewayError {
  if (waitMs > 0) return tooManyWrong('API keys', waitMs)
  return new FreewayError('invalid_api_key', hint ?? MISSING)
}

export function tooManyWrong(what: string, waitMs: number): FreewayError {
  return new FreewayError('rate_limit_error', `too many wrong ${what}: correct yours before trying again`, {
    retryAfterMs: waitMs,
    shouldRetry: false,
  })
}

function accountOf(caller: Caller | undefined): Account | undefined {
  return caller?.kind === 'client' ? caller.account : undefined
}

const MEMBERSHIP_RETRY_MS = 30_000

/** Keys that the operator issued belong to nobody who could leave. */
function notMember(account: Account | undefined, stale: boolean): FreewayError | undefined {
  if (account?.owner === undefined) return undefined
  if (account.membership === 'left') {
    return new FreewayError('discord_membership_required', 'the owner of this key has left the community: join again with the same account')
  }
  if (account.membership === 'unknown' || (stale && discordId.test(account.owner))) {
    return new FreewayError('discord_membership_error', 'the membership of the owner of this key could not be looked up', {
      retryAfterMs: MEMBERSHIP_RETRY_MS,
    })
  }
  return undefined
}

function notCheckedIn(account: Account | undefined, today: string): FreewayError | undefined {
  if (!account || account.configured || account.checked_in === today) return undefined
  return new FreewayError('daily_checkin_required', 'this key has not checked in today: check in once per UTC day')
}
