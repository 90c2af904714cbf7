// Pure. What membership of the community makes of an account: whether its owner belongs to it, and which tiers the roles there open.

import type { StoredAccount } from '#contracts/account.ts'

export interface Standing {
  membership: 'member' | 'left'
  roles: string[]
}

/** Of everybody on the server. */
const MEMBER = 'member'

/**
 * `memberRoles`: ids of the roles at Discord; undefined: not on the server. `tiers`: role's id → tier. Tiers that no role there stands for
 * are the staff's own gift, and stay. Undefined: nothing changes.
 */
export function standing<A extends Partial<Pick<StoredAccount, 'membership' | 'roles'>>>(
  account: A,
  memberRoles: readonly string[] | undefined,
  tiers: Readonly<Record<string, string>>,
): (A & Standing) | undefined {
  const membership = memberRoles ? ('member' as const) : ('left' as const)
  const ofDiscord = new Set([MEMBER, ...Object.values(tiers)])
  const before = account.roles ?? []
  const earned = memberRoles ? [MEMBER, ...memberRoles.flatMap((id) => (Object.hasOwn(tiers, id) ? [tiers[id] as string] : []))] : []
  const roles = [...new Set([...before.filter((role) => !ofDiscord.has(role)), ...earned])].slice(0, MAX_ROLES)
  const same = roles.length === before.length && roles.every((role) => before.includes(role))
  return same && account.membership === membership ? undefined : { ...account, membership, roles }
}

/** As many as an account may have. */
const MAX_ROLES = 16
