// Who is on the community's server, and with which roles. One replica at a time looks all members up in the background and writes down
// what has changed of their accounts; so nothing on the way of a request waits for Discord, and every replica knows the same.

import { setTimeout as pause } from 'node:timers/promises'
import type { Account } from '#contracts/account.ts'
import { discordId } from '#contracts/account.ts'
import type { KeyValue } from '#contracts/bus.ts'
import { FreewayError } from '#contracts/failure.ts'
import { accessKeys } from '#contracts/subjects.ts'
import { AccountError, type Accounts } from '#services/accounts.ts'
import { type Discord, DiscordError, type GuildMember, PAGE_MEMBERS } from '#services/discord.ts'
import type { Logger } from '#services/logger.ts'
import type { Policy } from '../access/policy.ts'
import { isSameStanding, type Standing, standing } from './standing.ts'
import type { Tally } from './tally.ts'

/** What was known holds for so long while Discord cannot be reached. */
const STALE_MS = 3_600_000
/** Who was looked up is not looked up again within. */
const CACHE_MS = 60_000
const MAX_CACHED = 1_000
const MAX_WAITS = 5
const LONGEST_WAIT_MS = 60_000
const RENEW_EVERY = 50

export interface Roster {
  /** Nobody could be looked up for so long that what is known does not count any more. */
  readonly stale: boolean
  /** Undefined: not on the server. Throws FreewayError 503 `discord_membership_error`. */
  lookUp(id: string): Promise<GuildMember | undefined>
  /** What somebody with these roles there is here. */
  standingOf(roles: readonly string[]): Standing
  /** Takes over what Discord has told of a member. Resolves when this process sees it. Throws what the bucket throws. */
  take(id: string, roles: readonly string[] | undefined): Promise<void>
  /** Looks everybody up now, unless another replica has just done so. Never rejects. */
  refresh(): Promise<void>
  close(): Promise<void>
}

export interface RosterOptions {
  kv: KeyValue
  accounts: Accounts
  policy: Policy
  tally: Tally
  discord: Discord
  /** How often all are looked up. */
  refreshMs: number
  logger: Logger
  now?: () => number
}

export async function openRoster(options: RosterOptions): Promise<Roster> {
  const { kv, accounts, policy, tally, discord, refreshMs, logger, now = Date.now } = options
  const closing = new AbortController()
  const { signal } = closing
  const cache = new Map<string, { atMs: number; found: Promise<GuildMember | undefined> }>()
  let knownMs = now()
  const subscription = await kv.watch(accessKeys.roster, ({ value }) => {
    const at = value && Number(new TextDecoder().decode(value))
    if (at) knownMs = at
  })

  async function apply(account: Account, roles: readonly string[] | undefined): Promise<boolean> {
    const next = standing(roles, policy.settings.discord_roles)
    if (account.configured || isSameStanding(account, next)) return false
    try {
      await accounts.change(account.key_hash, (current) => ({ ...current, ...next }))
      return true
    } catch (error) {
      if (error instanceof AccountError) return false // revoked in the meantime
      throw error
    }
  }

  async function refresh(): Promise<void> {
    const hold = (count: number) => tally.change('roster', now() + refreshMs * 0.9, () => count)
    try {
      if ((await hold(1)) > 0) return
      try {
        const changed = await lookUpAll(() => hold(1))
        await kv.put(accessKeys.roster, new TextEncoder().encode(String(now())))
        if (changed > 0) logger.info('members looked up at Discord', { changed })
      } catch (error) {
        await hold(0)
        throw error
      }
    } catch (error) {
      if (!signal.aborted) logger.warn('members could not be looked up at Discord: what is known goes on to hold for a while', { error })
    }
  }

  /** Returns how many accounts have changed. */
  async function lookUpAll(renew: () => Promise<unknown>): Promise<number> {
    const owned = accounts.list().filter(({ owner }) => owner !== undefined && discordId.test(owner))
    const missing = Map.groupBy(owned, ({ owner }) => owner as string)
    let changed = 0
    let listed = true
    async function settle(id: string, roles: readonly string[] | undefined): Promise<void> {
      // At the first round thousands may have to be written; a process that stops leaves the rest to another one.
      signal.throwIfAborted()
      for (const account of missing.get(id) ?? []) if (await apply(account, roles)) changed++
    }
    if (missing.size === 0) return 0
    try {
      for (let after = '0'; ; ) {
        const page = await patient(() => discord.membersAfter(after, signal))
        for (const { id, roles } of page) {
          if (!missing.has(id)) continue
          await settle(id, roles)
          missing.delete(id)
        }
        const last = page.at(-1)
        if (!last || page.length < PAGE_MEMBERS) break
        after = last.id
        await renew()
      }
    } catch (error) {
      if (!(error instanceof DiscordError) || error.status !== 403) throw error
      listed = false
      logger.warn('Discord lists no members: turn on the "Server Members Intent" of the application; until then each one is asked for')
    }
    // Each of these by itself: who has just come back, or was not listed, must not be taken for gone.
    let asked = 0
    for (const [id, keys] of missing) {
      // All who have ever left would be more at every round, until none came to its end in time.
      if (listed && keys.every(({ membership }) => membership === 'left')) continue
      const found = await patient(() => discord.member(id, signal))
      await settle(id, found?.roles)
      if (++asked % RENEW_EVERY === 0) await renew()
    }
    return changed
  }

  /** Waits as long as Discord asks for. */
  async function patient<T>(ask: () => Promise<T>): Promise<T> {
    for (let waits = 0; ; waits++) {
      try {
        return await ask()
      } catch (error) {
        const waitMs = error instanceof DiscordError && error.status === 429 ? (error.retryAfterMs ?? 1_000) : undefined
        if (waitMs === undefined || waits === MAX_WAITS || waitMs > LONGEST_WAIT_MS) throw error
        await pause(waitMs, undefined, { signal })
      }
    }
  }

  async function go(): Promise<void> {
    while (!signal.aborted) {
      await refresh()
      // Closing ends the wait.
      await pause(refreshMs, undefined, { signal }).catch(() => {})
    }
  }
  const going = go()

  return {
    get stale() {
      return now() - knownMs > Math.max(STALE_MS, 3 * refreshMs)
    },
    async lookUp(id) {
      const nowMs = now()
      const cached = cache.get(id)
      if (cached && nowMs - cached.atMs < CACHE_MS) return cached.found
      const found = discord.member(id, signal).catch((cause) => {
        cache.delete(id)
        throw new FreewayError('discord_membership_error', 'the membership could not be looked up at Discord: try again shortly', {
          retryAfterMs: cause instanceof DiscordError ? (cause.retryAfterMs ?? 5_000) : 5_000,
          cause,
        })
      })
      cache.delete(id)
      cache.set(id, { atMs: nowMs, found })
      if (cache.size > MAX_CACHED) cache.delete(cache.keys().next().value as string)
      return found
    },
    standingOf: (roles) => standing(roles, policy.settings.discord_roles),
    async take(id, roles) {
      for (const account of accounts.ownedBy(id)) await apply(account, roles)
    },
    refresh,
    async close() {
      closing.abort()
      subscription.unsubscribe()
      await going
    },
  }
}
