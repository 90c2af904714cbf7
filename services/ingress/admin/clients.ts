// Keys of clients: issued, imported, listed, changed, rotated and revoked. A key is shown once, and never again.

import { z } from 'zod'
import type { Account, StoredAccount } from '#contracts/account.ts'
import { accountName, keyHash, owner, positive, role, roles, rpmLimit } from '#contracts/account.ts'
import { FreewayError } from '#contracts/failure.ts'
import { accountId } from '#services/accounts.ts'
import { hashOfKey, isWhole, newClientKey } from '#services/client-key.ts'
import { json } from '../respond.ts'
import type { Route } from '../routes.ts'
import { type AccessAdmin, changing } from './changing.ts'
import { jsonBody } from './json-body.ts'

const DEFAULT_RPM = 60
/** An answer with a key must not stay anywhere on its way. */
const SHOWN_ONCE = { 'cache-control': 'no-store' }

/** What may be set of an account, at its creation and later. */
const settable = {
  daily_limit: positive.nullish(),
  max_concurrency: positive.nullish(),
  roles: roles.optional(),
  /** The same as `roles` with this one. */
  tier: role.optional(),
  owner: owner.nullish(),
  require_model: z.boolean().nullish(),
  enabled: z.boolean().optional(),
  paused: z.boolean().optional(),
}

export const newClient = z.object({
  ...settable,
  name: accountName,
  /** null: no limit. */
  rpm_limit: rpmLimit.nullable().default(DEFAULT_RPM),
  /** A key that was issued elsewhere, or its SHA-256; without both one is made. */
  api_key: z
    .string()
    .regex(/^[\x21-\x7e]{16,200}$/, 'expected a key of 16 to 200 characters without blanks')
    .optional(),
  key_hash: keyHash.optional(),
})

export const clientChange = z.object({
  ...settable,
  name: accountName.optional(),
  rpm_limit: rpmLimit.nullish(),
})
export type ClientChange = z.infer<typeof clientChange>

export function clientRoutes(admin: AccessAdmin): Route[] {
  const { accounts } = admin
  const path = '/api/clients'
  return [
    { method: 'GET', path, access: 'admin', handle: () => json(accounts.list().map(row)) },
    { method: 'POST', path, access: 'admin', handle: async (request) => issue(admin, request, await jsonBody(request, newClient)) },
    { method: 'GET', path: `${path}/*`, access: 'admin', handle: (_, hash) => json(row(existing(admin, hash))) },
    { method: 'PATCH', path: `${path}/*`, access: 'admin', handle: patch },
    { method: 'DELETE', path: `${path}/*`, access: 'admin', handle: remove },
    { method: 'POST', path: `${path}/*`, access: 'admin', handle: rotate },
  ]

  async function patch(request: Request, hash: string): Promise<Response> {
    const { key_hash } = existing(admin, hash)
    const change = await jsonBody(request, clientChange)
    const { after } = await changing(admin, request, 'client.change', async () => {
      const { before, after } = await accounts.change(key_hash, (current) => applied(current, change))
      return { target: after.id, before: row(before), after: row(after) }
    })
    return json(after)
  }

  async function remove(request: Request, hash: string): Promise<Response> {
    const { key_hash } = existing(admin, hash)
    await changing(admin, request, 'client.delete', async () => {
      const before = await accounts.remove(key_hash)
      return { target: before.id, before: row(before) }
    })
    return json({ ok: true })
  }

  async function rotate(request: Request, rest: string): Promise<Response> {
    const [hash = '', action] = rest.split('/')
    if (action !== 'rotate') throw new FreewayError('invalid_request_error', 'unknown route', { status: 404 })
    const { key_hash } = existing(admin, hash)
    const api_key = newClientKey(admin.keyPrefix)
    const { after } = await changing(admin, request, 'client.rotate', async () => {
      const { before, after } = await accounts.rotate(key_hash, hashOfKey(api_key), admin.now())
      return { target: after.id, before: row(before), after: row(after) }
    })
    return json({ api_key, ...after }, SHOWN_ONCE)
  }
}

/** 201 with the key, if one was made here. */
export async function issue(admin: AccessAdmin, request: Request, wanted: z.infer<typeof newClient>, actor?: string): Promise<Response> {
  const { api_key, ...fields } = wanted
  const made = api_key === undefined && fields.key_hash === undefined ? newClientKey(admin.keyPrefix) : undefined
  if (api_key?.startsWith(admin.keyPrefix) && !isWhole(api_key, admin.keyPrefix)) {
    throw new FreewayError('invalid_request_error', 'api_key: its checksum is wrong, a part of it must be missing', { param: 'api_key' })
  }
  const key = made ?? api_key
  const key_hash = key === undefined ? (fields.key_hash as string) : hashOfKey(key)
  const { after } = await changing(
    admin,
    request,
    'client.create',
    async () => {
      const { name, key_hash: _, ...rest } = fields
      const fresh: StoredAccount = { id: accountId(key_hash), name, key_hash, created_ms: admin.now() }
      const after = await admin.accounts.create(applied(fresh, rest))
      return { target: after.id, after: row(after) }
    },
    actor,
  )
  return json(made === undefined ? after : { api_key: made, ...after }, SHOWN_ONCE, 201)
}

/** Throws FreewayError 404. `hash` may begin with `sha256:`, as in freeway.json. */
function existing({ accounts }: AccessAdmin, hash: string): Account {
  const account = accounts.find(hash.replace(/^sha256(?::|%3A)/i, ''))
  if (!account) throw new FreewayError('invalid_request_error', 'no client has this key_hash', { status: 404, param: 'key_hash' })
  return account
}

/** Fields that are not sent stay; null takes a limit away. */
export function applied(account: StoredAccount, { tier, ...change }: ClientChange): StoredAccount {
  const sent = { ...change, ...(tier === undefined ? {} : { roles: [tier] }) }
  const values = Object.entries(sent).flatMap(([name, value]) => (value === undefined ? [] : [[name, value ?? undefined] as const]))
  return { ...account, ...Object.fromEntries(values) }
}

/** An account as admins see it; every field is always there. */
export function row(account: Account) {
  return {
    id: account.id,
    name: account.name,
    key_hash: account.key_hash,
    rpm_limit: account.rpm_limit ?? null,
    daily_limit: account.daily_limit ?? null,
    max_concurrency: account.max_concurrency ?? null,
    roles: account.roles ?? [],
    community_roles: account.community_roles ?? [],
    enabled: account.enabled ?? true,
    paused: account.paused ?? false,
    owner: account.owner ?? null,
    membership: account.membership ?? null,
    checked_in: account.checked_in ?? null,
    require_model: account.require_model ?? null,
    use_case: account.use_case ?? null,
    bot_disclosure: account.bot_disclosure ?? null,
    former_keys: account.former_keys ?? [],
    /** Unix seconds; null for a client of freeway.json, which cannot be changed here. */
    created: account.configured ? null : Math.floor(account.created_ms / 1000),
    read_only: account.configured ?? false,
  }
}
