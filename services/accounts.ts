// All client accounts, found by the digest of their key: held in memory, watched, and changed by compare-and-set.
// A key that is revoked anywhere is refused here as soon as the bucket has told.

import type { Account, AccountShard, StoredAccount } from '#contracts/account.ts'
import { accountShard, storedAccount } from '#contracts/account.ts'
import { type KeyValue, RevisionConflict } from '#contracts/bus.ts'
import { accessKeys } from '#contracts/subjects.ts'
import type { ConfiguredClient } from './config-file.ts'
import { newerFormat } from './data-format.ts'
import { openLedger } from './ledger.ts'

export interface Accounts {
  /** How many there are, those of freeway.json and disabled ones included. */
  readonly size: number
  /** Whether there is a client or has ever been one. Revoking the last key must not open the gateway to whoever sits at the machine. */
  readonly begun: boolean
  /** `keyHash`: SHA-256 of the key in hex. */
  find(keyHash: string): Account | undefined
  /** Oldest first. */
  list(): Account[]
  ownedBy(owner: string): Account[]
  /** The following resolve when this process sees the change as well. They throw AccountError, and what the bucket throws. */
  create(account: StoredAccount): Promise<Account>
  /** `change` gets the account as it is stored and may run several times; its id and key stay what they are. */
  change(keyHash: string, change: (current: StoredAccount) => StoredAccount): Promise<{ before: Account; after: Account }>
  remove(keyHash: string): Promise<Account>
  /** Another key for the same account: id, limits and history stay. The old key dies. */
  rotate(keyHash: string, nextHash: string, nowMs: number): Promise<{ before: Account; after: Account }>
  close(): void
}

export class AccountError extends Error {
  override name = 'AccountError'
  readonly why: 'unknown' | 'exists' | 'configured'
  constructor(why: AccountError['why']) {
    super(`account: ${why}`)
    this.why = why
  }
}

const SEEN_WITHIN_MS = 2_000

/** `configured`: the clients of freeway.json, read-only rows beside those of the bucket. */
export async function openAccounts(kv: KeyValue, configured: readonly ConfiguredClient[]): Promise<Accounts> {
  const ledger = openLedger(kv)
  const byHash = new Map<string, Account>()
  const fixed = new Map(configured.map((client) => [hashOf(client), accountOf(client)] as const))
  /** Entry of the bucket → the digests it held when it was last read. */
  const held = new Map<string, string[]>()
  const waiting = new Set<() => void>()

  const subscription = await kv.watch(accessKeys.accounts, ({ key, value }) => {
    const shard = value && readShard(value)
    // An entry that cannot be read is that of a newer version: what we know stays in force.
    if (value && !shard) return
    for (const keyHash of held.get(key) ?? []) byHash.delete(keyHash)
    const accounts = (shard?.accounts ?? []).map(compact)
    for (const account of accounts) byHash.set(account.key_hash, account)
    held.set(
      key,
      accounts.map(({ key_hash }) => key_hash),
    )
    for (const look of waiting) look()
  })

  let marked = false
  const mark = await kv.watch(accessKeys.setup, ({ value }) => {
    marked = value !== undefined
  })

  /** Several may be the first at the same time: one mark is enough. */
  async function markBegun(): Promise<void> {
    if (marked) return
    const written = kv.update(accessKeys.setup, new TextEncoder().encode(JSON.stringify({ at_ms: Date.now() })), 0)
    await written.catch((error) => {
      if (!(error instanceof RevisionConflict)) throw error
    })
  }

  const find = (keyHash: string) => fixed.get(keyHash) ?? byHash.get(keyHash)

  /** Changes one account of its entry; undefined removes it. */
  async function edit(keyHash: string, change: (current: StoredAccount | undefined) => StoredAccount | undefined): Promise<void> {
    if (fixed.has(keyHash)) throw new AccountError('configured')
    let wanted: StoredAccount | undefined
    await ledger.update<AccountShard>(accessKeys.account(keyHash), (shard) => {
      const others = (shard?.accounts ?? []).filter(({ key_hash }) => key_hash !== keyHash)
      const current = shard?.accounts.find(({ key_hash }) => key_hash === keyHash)
      const next = change(current)
      // In the order of the schema, as it will come back.
      wanted = next && storedAccount.parse(next)
      return { accounts: wanted ? [...others, wanted] : others }
    })
    const text = JSON.stringify(wanted && compact(wanted))
    await seen(() => JSON.stringify(byHash.get(keyHash)) === text)
  }

  /** Somebody else may have changed it again before it was told: then this ends with the time. */
  async function seen(holds: () => boolean): Promise<void> {
    if (holds()) return
    const { promise, resolve } = Promise.withResolvers<void>()
    const look = () => {
      if (holds()) resolve()
    }
    waiting.add(look)
    const timer = setTimeout(resolve, SEEN_WITHIN_MS)
    await promise
    clearTimeout(timer)
    waiting.delete(look)
  }

  const self: Accounts = {
    get size() {
      return fixed.size + byHash.size
    },
    get begun() {
      return marked || self.size > 0
    },
    find,
    list: () => [...fixed.values(), ...[...byHash.values()].sort((a, b) => a.created_ms - b.created_ms)],
    ownedBy: (owner) => [...byHash.values()].filter((account) => account.owner === owner),
    async create(account) {
      await edit(account.key_hash, (current) => {
        if (current) throw new AccountError('exists')
        return account
      })
      await markBegun()
      return account
    },
    async change(keyHash, change) {
      let before: StoredAccount | undefined
      let after: StoredAccount | undefined
      await edit(keyHash, (current) => {
        before = known(current)
        after = { ...change(before), id: before.id, key_hash: before.key_hash }
        return after
      })
      return { before: before as StoredAccount, after: after as StoredAccount }
    },
    async remove(keyHash) {
      let before: StoredAccount | undefined
      await edit(keyHash, (current) => {
        before = known(current)
        return undefined
      })
      return before as StoredAccount
    },
    async rotate(keyHash, nextHash, nowMs) {
      const current = find(keyHash)
      if (!current) throw new AccountError('unknown')
      if (current.configured) throw new AccountError('configured')
      const former_keys = [...(current.former_keys ?? []), { key_hash: keyHash, until_ms: nowMs }]
      // The new key comes first: if this process ends in between, the account lives on with the old one, and nobody has seen the new one.
      const after = await self.create({ ...current, key_hash: nextHash, former_keys })
      const before = await self.remove(keyHash).catch(async (error) => {
        // The account was revoked, or got another key, in the meantime: this one must not outlive it.
        if (error instanceof AccountError) await self.remove(nextHash)
        throw error
      })
      // What was changed in the meantime was changed of the old key: a member who is paused stays so.
      if (JSON.stringify(compact(before)) === JSON.stringify(current)) return { before, after }
      return { before, after: (await self.change(nextHash, () => ({ ...before, former_keys }))).after }
    },
    close() {
      subscription.unsubscribe()
      mark.unsubscribe()
    },
  }
  return self
}

/** The first key names the account for ever; a rotated one keeps the id of the first. */
export function accountId(keyHash: string): string {
  return `c${keyHash.slice(0, 20)}`
}

function known(account: StoredAccount | undefined): StoredAccount {
  if (!account) throw new AccountError('unknown')
  return account
}

function hashOf({ key_hash }: ConfiguredClient): string {
  return key_hash.replace(/^sha256:/, '').toLowerCase()
}

function accountOf(client: ConfiguredClient): Account {
  const { tier, ...rest } = client
  const key_hash = hashOf(client)
  return { ...rest, key_hash, id: accountId(key_hash), created_ms: 0, roles: tier ? [tier] : [], configured: true }
}

const decoder = new TextDecoder()

const roleLists = new Map<string, string[]>()

/**
 * A hundred thousand accounts have to fit beside the rest: objects of one form, without room for what hardly any account has,
 * and equal lists of roles only once.
 */
function compact({ id, name, key_hash, created_ms, rpm_limit, daily_limit, max_concurrency, roles = [], owner, ...rare }: StoredAccount) {
  const common: StoredAccount = { id, name, key_hash, created_ms, rpm_limit, daily_limit, max_concurrency, roles: shared(roles), owner }
  if (rare.community_roles) rare.community_roles = shared(rare.community_roles)
  return Object.keys(rare).length === 0 ? common : { ...common, ...rare }
}

function shared(roles: string[]): string[] {
  const text = roles.join(' ')
  const known = roleLists.get(text)
  if (known) return known
  roleLists.set(text, roles)
  return roles
}

function readShard(bytes: Uint8Array): AccountShard | undefined {
  try {
    const stored: unknown = JSON.parse(decoder.decode(bytes))
    return newerFormat(stored) === undefined ? accountShard.parse(stored) : undefined
  } catch {
    return undefined // the caller keeps the last good one
  }
}
