// Owners of keys and all their keys together: what the staff of a community looks at. An owner is whoever an account names.

import { z } from 'zod'
import type { Account } from '#contracts/account.ts'
import { membership, owner, roles } from '#contracts/account.ts'
import { FreewayError } from '#contracts/failure.ts'
import { decoded } from '../path-part.ts'
import { json } from '../respond.ts'
import type { Route } from '../routes.ts'
import { type AccessAdmin, changing } from './changing.ts'
import { row as clientRow, issue, newClient } from './clients.ts'
import { jsonBody } from './json-body.ts'

export const newMember = newClient.extend({ owner })
/** Holds for all keys of the member. */
export const memberChange = z.object({
  paused: z.boolean().optional(),
  roles: roles.optional(),
  membership: membership.optional(),
  /** UTC day; null: not yet. */
  checked_in: z.iso.date().nullish(),
})

export function memberRoutes(admin: AccessAdmin): Route[] {
  const { accounts } = admin
  const path = '/api/members'
  return [
    { method: 'GET', path, access: 'admin', handle: () => json(allMembers()) },
    { method: 'POST', path, access: 'admin', handle: add },
    { method: 'GET', path: `${path}/*`, access: 'admin', handle: (_, owner) => one(decoded(owner)) },
    { method: 'PATCH', path: `${path}/*`, access: 'admin', handle: (request, owner) => patch(request, decoded(owner)) },
    { method: 'DELETE', path: `${path}/*`, access: 'admin', handle: (request, owner) => remove(request, decoded(owner)) },
  ]

  function one(name: string): Response {
    return json(member(name, existing(name)))
  }

  function allMembers() {
    const owned = accounts.list().filter((account) => account.owner !== undefined)
    return [...Map.groupBy(owned, (account) => account.owner as string)].map(([name, keys]) => member(name, keys))
  }

  async function add(request: Request): Promise<Response> {
    const wanted = await jsonBody(request, newMember)
    if (accounts.ownedBy(wanted.owner).length === 0) return issue(admin, request, wanted)
    throw new FreewayError('invalid_request_error', 'this member has a key already: rotate it instead', { status: 409, param: 'owner' })
  }

  async function patch(request: Request, name: string): Promise<Response> {
    const keys = existing(name)
    const { checked_in, ...sent } = await jsonBody(request, memberChange)
    const change = { ...defined(sent), ...(checked_in === undefined ? {} : { checked_in: checked_in ?? undefined }) }
    await changing(admin, request, 'member.change', async () => {
      for (const { key_hash } of keys) await accounts.change(key_hash, (current) => ({ ...current, ...change }))
      return { target: name, before: member(name, keys), after: member(name, accounts.ownedBy(name)) }
    })
    return json(member(name, accounts.ownedBy(name)))
  }

  async function remove(request: Request, name: string): Promise<Response> {
    const keys = existing(name)
    await changing(admin, request, 'member.delete', async () => {
      for (const { key_hash } of keys) await accounts.remove(key_hash)
      return { target: name, before: member(name, keys) }
    })
    return json({ ok: true })
  }

  function existing(name: string): Account[] {
    const keys = accounts.ownedBy(name)
    if (keys.length > 0) return keys
    throw new FreewayError('invalid_request_error', 'there is no such member', { status: 404, param: 'owner' })
  }
}

function member(name: string, keys: readonly Account[]) {
  return {
    owner: name,
    paused: keys.some(({ paused }) => paused === true),
    membership: keys.find((key) => key.membership !== undefined)?.membership ?? null,
    checked_in:
      keys
        .flatMap((key) => key.checked_in ?? [])
        .sort()
        .at(-1) ?? null,
    clients: keys.map(clientRow),
  }
}

function defined<T extends object>(fields: T): Partial<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Partial<T>
}
