// Bans of addresses, ranges and client software: added, listed, changed and lifted.

import { randomBytes } from 'node:crypto'
import { z } from 'zod'
import type { Ban } from '#contracts/account.ts'
import { ban as banSchema, banSubject } from '#contracts/account.ts'
import { FreewayError } from '#contracts/failure.ts'
import { accessKeys } from '#contracts/subjects.ts'
import { parseAddress, parseRange } from '../access/address.ts'
import { json } from '../respond.ts'
import type { Route } from '../routes.ts'
import { type AccessAdmin, changing } from './changing.ts'
import { checked, jsonBody } from './json-body.ts'

export const terms = z.object({
  reason: z.string().max(500).nullish(),
  /** Unix seconds; null: for good. */
  expires: z.int().min(1).nullish(),
  /** Seconds from now, in place of `expires`. */
  expires_in: z.int().min(1).optional(),
})

export function banRoutes(admin: AccessAdmin): Route[] {
  const { kv, policy, now } = admin
  const path = '/api/bans'
  return [
    {
      method: 'GET',
      path,
      access: 'admin',
      handle: () => json([...policy.bans.values()].sort((a, b) => a.created_ms - b.created_ms).map(row)),
    },
    { method: 'POST', path, access: 'admin', handle: add },
    { method: 'GET', path: `${path}/*`, access: 'admin', handle: (_, id) => json(row(existing(id))) },
    { method: 'PATCH', path: `${path}/*`, access: 'admin', handle: patch },
    { method: 'DELETE', path: `${path}/*`, access: 'admin', handle: lift },
  ]

  async function add(request: Request): Promise<Response> {
    const body = await jsonBody(request, z.looseObject({}))
    const ban: Ban = { id: randomBytes(8).toString('hex'), subject: subjectOf(body), created_ms: now(), ...termsOf(checked(terms, body)) }
    return json(await write(request, 'ban.add', undefined, ban), {}, 201)
  }

  async function patch(request: Request, id: string): Promise<Response> {
    const before = existing(id)
    return json(await write(request, 'ban.change', before, { ...before, ...termsOf(await jsonBody(request, terms)) }))
  }

  async function lift(request: Request, id: string): Promise<Response> {
    const before = existing(id)
    await changing(admin, request, 'ban.lift', async () => {
      await kv.delete(accessKeys.ban(before.id))
      await policy.seen(({ bans }) => !bans.has(before.id))
      return { target: before.id, before: row(before) }
    })
    return json({ ok: true })
  }

  async function write(request: Request, action: string, before: Ban | undefined, ban: Ban) {
    const { after } = await changing(admin, request, action, async () => {
      // In the order of the schema, as it will come back.
      const text = JSON.stringify(banSchema.parse(ban))
      await kv.put(accessKeys.ban(ban.id), new TextEncoder().encode(text))
      await policy.seen(({ bans }) => JSON.stringify(bans.get(ban.id)) === text)
      return { target: ban.id, before: before && row(before), after: row(ban) }
    })
    return after
  }

  function existing(id: string): Ban {
    const ban = policy.bans.get(id)
    if (!ban) throw new FreewayError('invalid_request_error', 'there is no such ban', { status: 404, param: 'id' })
    return ban
  }

  /** Only what was sent; undefined takes it away. */
  function termsOf({ reason, expires, expires_in }: z.infer<typeof terms>): Pick<Ban, 'reason' | 'expires_ms'> {
    const sent: Pick<Ban, 'reason' | 'expires_ms'> = {}
    if (reason !== undefined) sent.reason = reason ?? undefined
    if (expires !== undefined) sent.expires_ms = expires === null ? undefined : expires * 1000
    if (expires_in !== undefined) sent.expires_ms = now() + expires_in * 1000
    return sent
  }
}

/** `kind` may be left out where a field says it: `address`, `range`, `user_agent`, or `header` and `pattern`. */
function subjectOf({ kind, address, range, header, pattern, user_agent }: Record<string, unknown>): Ban['subject'] {
  const said = kind ?? (address !== undefined ? 'address' : range !== undefined ? 'range' : 'signature')
  const subject = checked(banSubject, { kind: said, ...fieldsOf(said, { address, range, header, pattern: pattern ?? user_agent }) })
  if (subject.kind === 'address' && parseAddress(subject.address) === undefined)
    throw atFault('address', 'expected an IPv4 or IPv6 address')
  if (subject.kind === 'range' && !parseRange(subject.range)) {
    throw atFault('range', 'expected a range whose address has no bits beyond its length, e.g. 10.0.0.0/8 or 2001:db8::/32')
  }
  return subject
}

/** The schema takes no field of another kind. */
function fieldsOf(kind: unknown, { address, range, header, pattern }: Record<string, unknown>): Record<string, unknown> {
  if (kind === 'address') return { address }
  return kind === 'range' ? { range } : { header, pattern }
}

function row({ id, subject, reason, created_ms, expires_ms }: Ban) {
  return {
    id,
    ...subject,
    reason: reason ?? null,
    created: Math.floor(created_ms / 1000),
    expires: expires_ms === undefined ? null : Math.floor(expires_ms / 1000),
  }
}

function atFault(param: string, message: string): FreewayError {
  return new FreewayError('invalid_request_error', `${param}: ${message}`, { param })
}
