// Pure. What membership of the community makes of an account: whether its owner belongs to it, and which tiers the roles there open.

import type { StoredAccount } from '#contracts/account.ts'

export type Standing = Required<Pick<StoredAccount, 'membership' | 'community_roles'>>

/** Of everybody on the server. */
const MEMBER = 'member'
/** As many as an account may have. */
const MAX_ROLES = 16

/** `memberRoles`: ids of the roles at Discord; undefined: not on the server. `tiers`: role's id → tier. */
export function standing(memberRoles: readonly string[] | undefined, tiers: Readonly<Record<string, string>>): Standing {
  if (!memberRoles) return { membership: 'left', community_roles: [] }
  const opened = memberRoles.flatMap((id) => (Object.hasOwn(tiers, id) ? [tiers[id] as string] : []))
  return { membership: 'member', community_roles: [...new Set([MEMBER, ...opened.sort()])].slice(0, MAX_ROLES) }
}

export function isSameStanding(account: Partial<Standing>, { membership, community_roles }: Standing): boolean {
  return account.membership === membership && (account.community_roles ?? []).join(' ') === community_roles.join(' ')
}
