// What a client account is: who may call, how much, and which models. The key itself is nowhere; only its SHA-256 is.

import { z } from 'zod'

/** Opens the access tier of the same name. `member` and `verified` are the customary ones; operators may name others. */
export const role = z.string().regex(/^[a-z0-9_-]{1,32}$/, 'must match [a-z0-9_-]{1,32}')
export const keyHash = z.string().regex(/^[0-9a-f]{64}$/, 'expected 64 hexadecimal digits in lower case')

export const accountName = z.string().min(1).max(64)
export const rpmLimit = z.int().min(1).max(10_000)
export const positive = z.int().min(1)
export const roles = z.array(role).max(16)
/** Whom keys belong to, e.g. an id at Discord. */
export const owner = z.string().regex(/^[A-Za-z0-9._@-]{1,64}$/, 'must match [A-Za-z0-9._@-]{1,64}')
/** Whether an owner still belongs to the community. */
export const membership = z.enum(['member', 'left', 'unknown'])
/** Of a rotated key: what it was, and until when it was valid. */
const formerKey = z.object({ key_hash: keyHash, until_ms: z.number() })

/** As it is stored. Fields that are left out have their default, so that a hundred thousand of them stay small. */
export const storedAccount = z.object({
  /** Stays the same when the key is rotated: limits, records and history hang on it. Fit as a token of a subject. */
  id: z.string().regex(/^[A-Za-z0-9_-]{1,40}$/),
  name: accountName,
  key_hash: keyHash,
  created_ms: z.number(),
  /** Requests per minute; absent: no limit, as for all limits here. */
  rpm_limit: rpmLimit.optional(),
  /** Successes per UTC day. */
  daily_limit: positive.optional(),
  /** Parallel requests. */
  max_concurrency: positive.optional(),
  roles: roles.optional(),
  /** What the owner's roles in the community open; made anew at every look-up, whereas `roles` are the staff's. */
  community_roles: roles.optional(),
  /** False: the key is refused as if it did not exist. */
  enabled: z.boolean().optional(),
  /** Stopped by the staff for a while. */
  paused: z.boolean().optional(),
  owner: owner.optional(),
  /** Absent: not looked up, or nobody asks. */
  membership: membership.optional(),
  /** UTC day of the last check-in, `2026-01-31`. */
  checked_in: z.iso.date().optional(),
  /** In place of the setting of the whole gateway. */
  require_model: z.boolean().optional(),
  /** What the owner said at sign-up that the key is for, and whether a bot uses it. */
  use_case: z.string().max(500).optional(),
  bot_disclosure: z.string().max(500).optional(),
  /** Keys before this one, oldest first. */
  former_keys: z.array(formerKey).optional(),
})
export type StoredAccount = z.infer<typeof storedAccount>

export interface Account extends Readonly<StoredAccount> {
  /** Written in freeway.json: it can be changed there alone. */
  readonly configured?: true
}

/** All accounts whose digest begins alike: one entry of the bucket, so that neither the number of entries nor their size gets out of hand. */
export const accountShard = z.object({ accounts: z.array(storedAccount) })
export type AccountShard = z.infer<typeof accountShard>

/** Tiers that are open to it, beside `public`. `verified` members are members as well. */
export function rolesOf({ roles = none, community_roles = none }: Pick<Account, 'roles' | 'community_roles'>): readonly string[] {
  const all = community_roles.length === 0 ? roles : [...new Set([...roles, ...community_roles])]
  return all.includes('verified') && !all.includes('member') ? [...all, 'member'] : all
}

const none: string[] = []

// Bans --------------------------------------------------------------------------------------------

const pattern = z.string().min(1).max(200)

/** What a ban names: one address, a range in CIDR notation, or how a client presents itself (`*` stands for any text, case does not count). */
export const banSubject = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('address'), address: z.string().max(45) }),
  z.strictObject({ kind: z.literal('range'), range: z.string().max(49) }),
  z.strictObject({
    kind: z.literal('signature'),
    /** Lower case; `user-agent` unless told otherwise. */
    header: z
      .string()
      .regex(/^[a-z0-9-]{1,64}$/, 'expected the name of a header in lower case')
      .default('user-agent'),
    pattern,
  }),
])
export type BanSubject = z.infer<typeof banSubject>

export const ban = z.object({
  id: z.string(),
  subject: banSubject,
  /** For the staff; the banned one is not told. */
  reason: z.string().max(500).optional(),
  created_ms: z.number(),
  /** Absent: for good. */
  expires_ms: z.number().optional(),
})
export type Ban = z.infer<typeof ban>

// Policies ----------------------------------------------------------------------------------------

/** Who may sign up: nobody; whoever a community vouches for, by Discord or with the admin token; or anybody over HTTP. */
export const signup = z.enum(['off', 'community', 'open'])
/** Of accounts that sign up; null: no limit. */
export const memberLimits = z.strictObject({
  rpm_limit: rpmLimit.nullable().default(60),
  daily_limit: positive.nullable().default(null),
  max_concurrency: positive.nullable().default(null),
})
/** A role's id at Discord → the access tier that it opens. */
export const discordRoles = z.record(z.string().regex(/^\d{15,20}$/, 'expected the id of a role, 15 to 20 digits'), role)
/** An id at Discord. */
export const discordId = /^\d{15,20}$/

/** Rules of this deployment. A gateway without a community leaves them as they are. */
export const accessSettings = z.object({
  /** A request without `model` is refused instead of routed. */
  require_model: z.boolean().default(false),
  /** Every account has to check in once per UTC day. */
  checkin_required: z.boolean().default(false),
  /** The owner of a key has to belong to the community. */
  membership_required: z.boolean().default(false),
  /** A key that is used from more addresses than this within ten minutes is refused; 0: never. */
  overlap_addresses: z.int().min(0).max(1000).default(0),
  signup: signup.default('off'),
  /** Members may replace their own key. */
  resetkey: z.boolean().default(false),
  member_limits: memberLimits.prefault({}),
  /** Members of the server have the tier `member` without any. */
  discord_roles: discordRoles.default({}),
})
export type AccessSettings = z.infer<typeof accessSettings>

/** What an operator may say of them, without the defaults: what is not said stays as it is. */
export const accessSettingsChange = z.object({
  require_model: z.boolean().optional(),
  checkin_required: z.boolean().optional(),
  membership_required: z.boolean().optional(),
  overlap_addresses: z.int().min(0).max(1000).optional(),
  signup: signup.optional(),
  resetkey: z.boolean().optional(),
  member_limits: memberLimits.optional(),
  discord_roles: discordRoles.optional(),
})
export type AccessSettingsChange = z.infer<typeof accessSettingsChange>

/** Access tiers beside those of the catalogue. */
export const tierSettings = z.object({
  /** Exact name, as clients write it, → tier. */
  models: z.record(z.string().min(1).max(200), role).default({}),
  /** Kind of request (`speech`, `image`, …) → tier. */
  kinds: z.partialRecord(z.enum(['chat', 'embedding', 'speech', 'transcription', 'image']), role).default({}),
})
export type TierSettings = z.infer<typeof tierSettings>

// Audit -------------------------------------------------------------------------------------------

/** One change by an admin. `before` and `after` hold no secret. */
export const auditEntry = z.object({
  n: z.int(),
  at_ms: z.number(),
  /** Who: `admin`, or the member or command that acted. */
  actor: z.string(),
  /** From where. */
  address: z.string(),
  /** What was done, e.g. `client.create`. */
  action: z.string(),
  /** To what: an id, never a key. */
  target: z.string(),
  before: z.unknown().optional(),
  after: z.unknown().optional(),
})
export type AuditEntry = z.infer<typeof auditEntry>
