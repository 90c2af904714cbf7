// Where the command line finds the keys of clients: at the gateway that runs, or, if none does, in its data.

import { type Account, type StoredAccount, storedAccount } from '#contracts/account.ts'
import type { Backbone } from '#contracts/bus.ts'
import { buckets } from '#contracts/subjects.ts'
import { type Accounts, accountId, openAccounts } from './accounts.ts'
import { openAudit } from './audit.ts'
import { hashOfKey, newClientKey } from './client-key.ts'
import { ownAddress } from './own-address.ts'
import { adminToken } from './secrets.ts'
import type { Settings } from './settings.ts'
import { describeIssues, SettingsError } from './settings-error.ts'

export interface NewKey {
  name: string
  rpm_limit: number
  daily_limit?: number
  max_concurrency?: number
  tier?: string
  owner?: string
}

export type KeyRow = Pick<Account, 'id' | 'name' | 'key_hash'> & {
  rpm_limit?: number | null
  daily_limit?: number | null
  max_concurrency?: number | null
  roles?: readonly string[]
  enabled?: boolean
  paused?: boolean
}

/** All of them throw SettingsError with words for the operator. */
export interface KeyStore {
  /** In words, where that is. */
  readonly place: string
  list(): Promise<KeyRow[]>
  create(key: NewKey): Promise<{ key: string; row: KeyRow }>
  revoke(row: KeyRow): Promise<void>
}

const ANSWER_WITHIN_MS = 10_000

/** `connect`: to the bus, where no gateway runs. What is opened is closed with `stack`. */
export async function openKeyStore(settings: Settings, connect: () => Promise<Backbone>, stack: AsyncDisposableStack): Promise<KeyStore> {
  const url = ownAddress(settings.host, settings.port)
  return (await isRunning(url)) ? remote(url, settings) : await direct(settings, await connect(), stack)
}

async function isRunning(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(ANSWER_WITHIN_MS) })
    return ((await response.json()) as { name?: unknown }).name === 'freeway'
  } catch {
    return false // nobody listens there, or somebody else
  }
}

async function remote(url: string, settings: Settings): Promise<KeyStore> {
  const { token, path } = await adminToken(settings)

  async function call(method: string, path: string, body?: object): Promise<unknown> {
    const response = await fetch(`${url}/api/clients${path}`, {
      method,
      headers: { 'x-admin-token': token, 'content-type': 'application/json' },
      body: body === undefined ? null : JSON.stringify(body),
      signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
    })
    const answer = (await response.json()) as { error?: { message: string } }
    if (response.ok) return answer
    throw new SettingsError(response.status === 401 ? wrongToken() : (answer.error?.message ?? `the gateway answered ${response.status}`))
  }

  function wrongToken(): string {
    const source = path ?? 'FREEWAY_ADMIN_TOKEN'
    return `the gateway at ${url} does not accept the admin token of ${source}: set FREEWAY_DATA or FREEWAY_ADMIN_TOKEN to its own`
  }

  return {
    place: `the gateway at ${url}`,
    list: async () => (await call('GET', '')) as KeyRow[],
    async create(key) {
      const { api_key, ...row } = (await call('POST', '', key)) as KeyRow & { api_key: string }
      return { key: api_key, row }
    },
    revoke: async ({ key_hash }) => void (await call('DELETE', `/${key_hash}`)),
  }
}

async function direct(settings: Settings, backbone: Backbone, stack: AsyncDisposableStack): Promise<KeyStore> {
  const kv = await backbone.keyValue(buckets.access)
  const accounts = await openAccounts(kv, settings.clients)
  stack.defer(() => accounts.close())
  const audit = openAudit(kv)
  const record = (action: string, { id, name }: Account) =>
    audit.record({ actor: 'command line', address: '', action, target: id, after: action === 'client.create' ? { name } : undefined })

  return {
    place: settings.natsUrl ? 'the bucket on NATS' : `the data in ${settings.dataDir}; no gateway runs`,
    list: async () => accounts.list(),
    async create(wanted) {
      const key = newClientKey(settings.keyPrefix)
      const row = await accounts.create(readAccount(wanted, hashOfKey(key)))
      await record('client.create', row)
      return { key, row }
    },
    async revoke({ key_hash, name }) {
      await record('client.delete', await removed(accounts, key_hash, name))
    },
  }
}

async function removed(accounts: Accounts, keyHash: string, name: string): Promise<Account> {
  if (accounts.find(keyHash)?.configured) throw new SettingsError(`${name} is written in freeway.json: remove it there`)
  return await accounts.remove(keyHash)
}

function readAccount({ tier, ...wanted }: NewKey, key_hash: string): StoredAccount {
  const roles = tier === undefined ? {} : { roles: [tier] }
  const account = { ...wanted, ...roles, id: accountId(key_hash), key_hash, created_ms: Date.now() }
  const result = storedAccount.safeParse(account, { reportInput: true })
  if (result.success) return result.data
  throw new SettingsError(describeIssues('key create', result.error.issues))
}
