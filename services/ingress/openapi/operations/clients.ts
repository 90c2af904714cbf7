// Clients and their keys, as an admin sees and changes them.

import { z } from 'zod'
import { membership } from '#contracts/account.ts'
import { setup } from '../../admin/access-routes.ts'
import { clientChange, type row as clientRow, newClient } from '../../admin/clients.ts'
import { gives, json, type Operation } from '../operation.ts'
import { given, taken } from '../schemas.ts'

const tag = 'Clients and access'
const count = z.int().nullable()
export const client = given(
  'Client',
  z.object({
    id: z.string().describe('Stays the same when the key is rotated.'),
    name: z.string(),
    key_hash: z.string().describe('SHA-256 of the key, in hexadecimal digits.'),
    rpm_limit: count.describe('Requests per minute; null: no limit, as for all of these.'),
    daily_limit: count.describe('Successes per UTC day.'),
    max_concurrency: count.describe('Parallel requests.'),
    roles: z.array(z.string()).describe('Tiers of models that are open to it.'),
    community_roles: z.array(z.string()).describe("Tiers that the owner's roles in the community open beside them."),
    enabled: z.boolean(),
    paused: z.boolean(),
    owner: z.string().nullable(),
    membership: membership.nullable(),
    checked_in: z.string().nullable().describe('UTC day of the last check-in.'),
    require_model: z.boolean().nullable(),
    use_case: z.string().nullable().describe('What its owner said at sign-up.'),
    bot_disclosure: z.string().nullable(),
    former_keys: z.array(z.object({ key_hash: z.string(), until_ms: z.number() })),
    created: count.describe('Unix seconds; null for a client of freeway.json.'),
    read_only: z.boolean().describe('Written in freeway.json, and changed there.'),
  }) satisfies z.ZodType<ReturnType<typeof clientRow>>,
)
export const issued = given(
  'IssuedClient',
  client.extend({ api_key: z.string().optional().describe('Shown once; absent if it was not made here.') }),
)
const limits = {
  rpm_limit: 'Requests per minute; null: no limit.',
  daily_limit: 'Successes per UTC day; null: no limit.',
  max_concurrency: 'Parallel requests; null: no limit.',
  roles: 'Tiers of models that are open to it, e.g. `member`.',
  tier: 'The same as `roles` with this one.',
  owner: 'Whom it belongs to, e.g. an id at Discord.',
  require_model: 'Whether a request without `model` is refused; null: as the gateway has it.',
}
export const newKey = {
  ...limits,
  api_key: 'A key that was issued elsewhere; without it and `key_hash` one is made.',
  key_hash: 'The SHA-256 of such a key.',
}

const hash = { key_hash: 'Of the key; may begin with `sha256:`.' }
export const done = gives('It is done.', z.object({ ok: z.literal(true) }), { ok: true })
export const created = (about: string, schema: z.ZodType) => ({ 201: { about, content: json(schema) } })

export const clientOperations: Operation[] = [
  {
    method: 'GET',
    path: '/api/clients',
    id: 'listClients',
    tag,
    summary: 'List clients',
    answers: gives('All of them; never a key.', z.array(client)),
  },
  {
    method: 'POST',
    path: '/api/clients',
    id: 'createClient',
    tag,
    summary: 'Issue a key',
    body: { content: json(taken('NewClient', newClient, newKey), { name: 'my-app', rpm_limit: 60 }) },
    errors: [409],
    answers: created('The client and its key, which is never shown again.', issued),
  },
  {
    method: 'GET',
    path: '/api/clients/{key_hash}',
    id: 'retrieveClient',
    tag,
    summary: 'Look at a client',
    params: hash,
    errors: [404],
    answers: gives('The client.', client),
  },
  {
    method: 'PATCH',
    path: '/api/clients/{key_hash}',
    id: 'changeClient',
    tag,
    summary: 'Change a client',
    description: 'Only the fields that are sent change.',
    params: hash,
    errors: [404, 409],
    body: {
      content: json(
        taken('ClientChange', clientChange, {
          ...limits,
          enabled: 'false: the key is refused as if it did not exist.',
          paused: 'true: refused for a while, with 403.',
        }),
        { daily_limit: 1000 },
      ),
    },
    answers: gives('The client as it is now.', client),
  },
  {
    method: 'DELETE',
    path: '/api/clients/{key_hash}',
    id: 'revokeClient',
    tag,
    summary: 'Revoke a key',
    params: hash,
    errors: [404, 409],
    answers: done,
  },
  {
    method: 'POST',
    path: '/api/clients/{key_hash}/rotate',
    id: 'rotateClient',
    tag,
    summary: 'Give a client a new key',
    description: 'The old one dies at once; limits and history stay.',
    params: hash,
    errors: [404, 409],
    answers: gives('The client and its new key, which is never shown again.', issued),
  },
  {
    method: 'POST',
    path: '/api/setup',
    id: 'setUp',
    tag,
    summary: 'Let the first client in',
    description: 'By the code that was printed at the start, once, and only while there is no client.',
    errors: [401, 409, 429, 503],
    body: { content: json(taken('Setup', setup), { code: 'ABCD-EFGH', name: 'first' }) },
    answers: created('The client and its key, which is never shown again.', issued),
  },
]
