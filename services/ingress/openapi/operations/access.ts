// Members, bans, tiers and rules, as an admin sees and changes them.

import { z } from 'zod'
import { accessSettings, accessSettingsChange, auditEntry, membership, tierSettings } from '#contracts/account.ts'
import { AUDIT_ENTRIES } from '#services/audit.ts'
import { reservation, tierChange } from '../../admin/access-settings.ts'
import { terms } from '../../admin/bans.ts'
import { memberChange, newMember } from '../../admin/members.ts'
import { gives, json, type Operation } from '../operation.ts'
import { given, taken } from '../schemas.ts'
import { client, created, done, issued, newKey } from './clients.ts'

const tag = 'Clients and access'
const count = z.int().nullable()
const member = given(
  'Member',
  z.object({
    owner: z.string(),
    paused: z.boolean(),
    membership: membership.nullable(),
    checked_in: z.string().nullable(),
    clients: z.array(client),
  }),
)
const ban = given(
  'Ban',
  z.object({
    id: z.string(),
    kind: z.enum(['address', 'range', 'signature']),
    address: z.string().optional(),
    range: z.string().optional(),
    header: z.string().optional(),
    pattern: z.string().optional().describe('`*` stands for any text; case does not count.'),
    reason: z.string().nullable(),
    created: z.int().describe('Unix seconds.'),
    expires: count.describe('Unix seconds; null: for good.'),
  }),
)
const termFields = {
  reason: 'For the staff; the banned one is not told.',
  expires: 'Unix seconds; null: for good.',
  expires_in: 'Seconds from now, in place of `expires`.',
}
const settings = given('AccessSettings', accessSettings, {
  require_model: 'A request without `model` is refused instead of routed.',
  checkin_required: 'Every account has to check in once per UTC day.',
  membership_required: 'The owner of a key has to belong to the community.',
  overlap_addresses: 'A key that is used from more addresses than this within ten minutes is refused; 0: never.',
})
const tiers = given('Tiers', tierSettings, { models: 'Name of a model → tier.', kinds: 'Kind of request → tier.' })

const owner = { owner: 'As the keys name it.' }
const id = { id: 'Of the ban.' }

export const accessOperations: Operation[] = [
  {
    method: 'GET',
    path: '/api/members',
    id: 'listMembers',
    tag,
    summary: 'List members',
    answers: gives('Owners of keys and all their keys.', z.array(member)),
  },
  {
    method: 'POST',
    path: '/api/members',
    id: 'createMember',
    tag,
    summary: 'Issue the first key of a member',
    errors: [409],
    body: { content: json(taken('NewMember', newMember, newKey), { name: 'ada', owner: 'ada' }) },
    answers: created('The client and its key, which is never shown again.', issued),
  },
  {
    method: 'GET',
    path: '/api/members/{owner}',
    id: 'retrieveMember',
    tag,
    summary: 'Look at a member',
    params: owner,
    errors: [404],
    answers: gives('The member.', member),
  },
  {
    method: 'PATCH',
    path: '/api/members/{owner}',
    id: 'changeMember',
    tag,
    summary: 'Change all keys of a member',
    params: owner,
    errors: [404, 409],
    body: { content: json(taken('MemberChange', memberChange, { checked_in: 'UTC day; null: not yet.' }), { paused: true }) },
    answers: gives('The member as it is now.', member),
  },
  {
    method: 'DELETE',
    path: '/api/members/{owner}',
    id: 'removeMember',
    tag,
    summary: 'Revoke all keys of a member',
    params: owner,
    errors: [404, 409],
    answers: done,
  },
  { method: 'GET', path: '/api/bans', id: 'listBans', tag, summary: 'List bans', answers: gives('The oldest first.', z.array(ban)) },
  {
    method: 'POST',
    path: '/api/bans',
    id: 'addBan',
    tag,
    summary: 'Ban an address, a range or a client software',
    body: {
      about: 'One of `address`, `range`, or `pattern` of a header.',
      content: json(
        taken(
          'NewBan',
          terms.extend({
            address: z.string().optional(),
            range: z.string().optional(),
            header: z.string().optional(),
            pattern: z.string().optional(),
            user_agent: z.string().optional(),
          }),
          {
            ...termFields,
            header: 'Default `user-agent`.',
            pattern: '`*` stands for any text; case does not count.',
            user_agent: 'The same as `pattern`.',
          },
        ),
        { range: '192.0.2.0/24', reason: 'floods', expires_in: 86_400 },
      ),
    },
    answers: created('The ban.', ban),
  },
  {
    method: 'GET',
    path: '/api/bans/{id}',
    id: 'retrieveBan',
    tag,
    summary: 'Look at a ban',
    params: id,
    errors: [404],
    answers: gives('The ban.', ban),
  },
  {
    method: 'PATCH',
    path: '/api/bans/{id}',
    id: 'changeBan',
    tag,
    summary: 'Change reason or end of a ban',
    params: id,
    errors: [404],
    body: { content: json(taken('BanChange', terms, termFields), { expires_in: 3600 }) },
    answers: gives('The ban as it is now.', ban),
  },
  { method: 'DELETE', path: '/api/bans/{id}', id: 'liftBan', tag, summary: 'Lift a ban', params: id, errors: [404], answers: done },
  {
    method: 'GET',
    path: '/api/tiers',
    id: 'listTiers',
    tag,
    summary: 'List reservations of models',
    answers: gives('What is reserved to which tier.', tiers),
  },
  {
    method: 'POST',
    path: '/api/tiers',
    id: 'addTier',
    tag,
    summary: 'Reserve a model to a tier',
    body: { content: json(taken('Reservation', reservation), { model: 'groq/llama-3.3-70b-versatile', tier: 'member' }) },
    answers: created('All reservations.', tiers),
  },
  {
    method: 'PATCH',
    path: '/api/tiers',
    id: 'changeTiers',
    tag,
    summary: 'Change reservations',
    body: { about: 'null opens it again.', content: json(taken('TierChange', tierChange), { kinds: { image: 'verified' } }) },
    answers: gives('All reservations.', tiers),
  },
  {
    method: 'DELETE',
    path: '/api/tiers/{model}',
    id: 'removeTier',
    tag,
    summary: 'Open a model again',
    params: { model: 'As it was reserved.' },
    errors: [404],
    answers: gives('All reservations.', tiers),
  },
  {
    method: 'GET',
    path: '/api/settings',
    id: 'getSettings',
    tag,
    summary: 'Look at the rules',
    answers: gives('The rules of this gateway.', settings),
  },
  {
    method: 'PATCH',
    path: '/api/settings',
    id: 'changeSettings',
    tag,
    summary: 'Change the rules',
    body: { content: json(taken('SettingsChange', accessSettingsChange), { require_model: true }) },
    answers: gives('The rules as they are now.', settings),
  },
  {
    method: 'POST',
    path: '/api/settings',
    id: 'replaceSettings',
    tag,
    summary: 'Replace the rules',
    description: 'What is not sent is as in freeway.json.',
    body: { content: json(taken('SettingsChange', accessSettingsChange), { require_model: true }) },
    answers: gives('The rules as they are now.', settings),
  },
  {
    method: 'DELETE',
    path: '/api/settings',
    id: 'resetSettings',
    tag,
    summary: 'Reset the rules',
    answers: gives('The rules as they are now.', settings),
  },
  {
    method: 'GET',
    path: '/api/audit',
    id: 'listAudit',
    tag,
    summary: 'List what admins changed',
    query: { limit: { schema: z.int().min(1).max(AUDIT_ENTRIES).default(100), about: 'How many.' } },
    answers: gives('The latest first.', z.array(given('AuditEntry', auditEntry.omit({ at_ms: true }).extend({ at: z.iso.datetime() })))),
  },
]
