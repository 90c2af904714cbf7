// What members do for themselves: sign up, check in, replace their key. Knows neither HTTP nor Discord; both are faces over it.

import type { Account, StoredAccount } from '#contracts/account.ts'
import { FreewayError } from '#contracts/failure.ts'
import { accountId } from '#services/accounts.ts'
import { hashOfKey, newClientKey } from '#services/client-key.ts'
import { nextUtcMidnight, utcDay } from '../access/rate-headers.ts'
import { type AccessAdmin, asRefusal, changing } from '../admin/changing.ts'
import { row } from '../admin/clients.ts'
import type { Challenges } from './challenges.ts'
import type { AnswerForm, ResetForm, SignUpForm } from './forms.ts'
import type { Standing } from './standing.ts'
import type { Tally } from './tally.ts'

/** Until every replica has heard of a new account or key. */
const CLAIM_MS = 10_000
/** Keys a day that one address may get without anybody who vouches for it. */
const OPEN_SIGNUPS = 5

export interface Newcomer {
  owner: string
  name: string
  /** Where it is known. */
  standing?: Standing
  /** Where nobody vouches for the owner: how many come from one place is bounded. */
  network?: string
}

/** Who answers: a challenge is good for the same holder alone. `actor` is for the audit. */
export interface Hand {
  request: Request
  holder: string
  actor: string
}

/** `key` is shown once. */
export interface Issued {
  key: string
  account: Account
}

export interface CheckedIn {
  day: string
  validUntilMs: number
  already: boolean
}

/** All of them throw FreewayError: 404 what is switched off, 409 what is there already, 400 a challenge that is not met, 503 the store. */
export interface Members {
  mustBeOn(what: 'signup' | 'checkin' | 'resetkey'): void
  mustBeNew(owner: string): void
  signUp(who: Newcomer, form: SignUpForm, hand: Hand): Promise<Issued>
  /** Holds for all keys of its owner, until the next UTC midnight. A repeat on the same day changes nothing, and its challenge stays good. */
  checkIn(account: Account, form: AnswerForm, hand: Hand): Promise<CheckedIn>
  /** The account stays the same, with another key; the old one dies. */
  resetKey(account: Account, form: ResetForm, hand: Hand): Promise<Issued>
}

export function openMembers(admin: AccessAdmin, challenges: Challenges, tally: Tally): Members {
  const { accounts, policy, now } = admin
  const judge = ({ challenge_id, answer }: AnswerForm, { holder }: Hand) => challenges.judge({ id: challenge_id, answer }, holder)

  /** Runs it unless the same was begun a moment ago, here or on another replica, which may not be seen here yet. */
  async function once<T>(name: string, refused: () => FreewayError, act: () => Promise<T>): Promise<T> {
    const claim = (count: number) => tally.change(name, now() + CLAIM_MS, () => count)
    if ((await claim(1)) > 0) throw refused()
    try {
      return await act()
    } catch (error) {
      await claim(0)
      throw error
    }
  }

  async function countPlace(network: string): Promise<void> {
    const nowMs = now()
    const midnightMs = nextUtcMidnight(nowMs)
    const before = await tally.change(`signups from ${network}`, midnightMs, (count) => count + 1)
    if (before < OPEN_SIGNUPS) return
    throw new FreewayError('rate_limit_error', 'too many keys were issued to this address today', {
      retryAfterMs: midnightMs - nowMs,
      shouldRetry: false,
    })
  }

  const self: Members = {
    mustBeOn(what) {
      const { signup, checkin_required, resetkey } = policy.settings
      const on = { signup: signup !== 'off', checkin: checkin_required, resetkey }
      if (!on[what]) throw new FreewayError('invalid_request_error', switchedOff[what], { status: 404 })
    },

    mustBeNew(owner) {
      if (accounts.ownedBy(owner).length > 0) throw hasKey()
    },

    async signUp({ owner, name, standing, network }, form, hand) {
      self.mustBeOn('signup')
      self.mustBeNew(owner)
      const key = newClientKey(admin.keyPrefix)
      const { account } = await changing(
        admin,
        hand.request,
        'member.signup',
        async () => {
          await judge(form, hand)
          if (network !== undefined) await countPlace(network)
          const account = await once(`sign-up of ${owner}`, hasKey, () => {
            self.mustBeNew(owner)
            const { use_case, bot_disclosure } = form
            const key_hash = hashOfKey(key)
            const about = { owner, use_case, bot_disclosure, ...standing }
            return accounts.create({
              id: accountId(key_hash),
              name,
              key_hash,
              created_ms: now(),
              ...limits(policy.settings.member_limits),
              ...about,
            })
          })
          return { target: account.id, after: row(account), account }
        },
        hand.actor,
      )
      return { key, account }
    },

    async checkIn(account, form, hand) {
      self.mustBeOn('checkin')
      if (account.configured) throw new FreewayError('invalid_request_error', 'a client of freeway.json need not check in', { status: 409 })
      const keys = account.owner === undefined ? [account] : accounts.ownedBy(account.owner)
      const done = (already: boolean): CheckedIn => ({ day: utcDay(now()), validUntilMs: nextUtcMidnight(now()), already })
      if (keys.every(({ checked_in }) => checked_in === utcDay(now()))) return done(true)
      try {
        await judge(form, hand)
        const { day: checked_in, ...rest } = done(false)
        for (const { key_hash } of keys) await accounts.change(key_hash, (current) => ({ ...current, checked_in }))
        return { day: checked_in, ...rest }
      } catch (error) {
        throw asRefusal(error)
      }
    },

    async resetKey(account, form, hand) {
      self.mustBeOn('resetkey')
      const key = newClientKey(admin.keyPrefix)
      const { after } = await changing(
        admin,
        hand.request,
        'member.resetkey',
        async () => {
          await judge(form, hand)
          const rotated = await once(`reset of ${account.id}`, justReset, () => accounts.rotate(account.key_hash, hashOfKey(key), now()))
          return { target: account.id, before: row(rotated.before), after: { ...row(rotated.after), reason: form.reason } }
        },
        hand.actor,
      )
      return { key, account: accounts.find(after.key_hash) as Account }
    },
  }
  return self
}

const switchedOff = {
  signup: 'sign-up is switched off on this gateway',
  checkin: 'no check-in is needed on this gateway',
  resetkey: 'keys are not reset by their owners on this gateway: ask its staff',
}

function hasKey(): FreewayError {
  return new FreewayError('invalid_request_error', 'this owner has a key already: reset it with /resetkey if it is lost', {
    status: 409,
    param: 'owner',
  })
}

function justReset(): FreewayError {
  return new FreewayError('invalid_request_error', 'this key was reset a moment ago', { status: 409 })
}

/** null: no limit. */
function limits(from: Record<'rpm_limit' | 'daily_limit' | 'max_concurrency', number | null>): Partial<StoredAccount> {
  return Object.fromEntries(Object.entries(from).filter(([, value]) => value !== null))
}
