// Pure. Which limits count for a model of an account, and with whom it shares them.

import type { CatalogProvider, Model } from '#contracts/catalog.ts'
import { type CountedLimit, limitsOf } from '#contracts/catalog-lookup.ts'
import type { Limit } from '#contracts/limit.ts'

/** Whoever names the same pool shares what is left of these limits. */
export interface PoolLimits {
  scope: CountedLimit['scope']
  pool: string
  limits: readonly Limit[]
}

/**
 * From the widest pool to the narrowest; pools without a limit are left out. What was counted goes with the key: a key that takes the
 * place of another begins anew. It may be of the same account, but if it is, the provider's next answer says so, and lowers what is
 * left; nothing would ever say that what one account has used is held against another.
 */
export function poolsOf(provider: CatalogProvider, account: string, model: Model): PoolLimits[] {
  const counted = limitsOf(provider, model)
  const owner = ownerOf(provider, account)
  const pools = [
    // All keys of a provider leave through the same address, as far as we know.
    ['address', `${provider.name}@address`],
    ['account', owner],
    ['pool', `${owner}/${model.pool}`],
    ['model', `${owner}/${model.id}`],
  ] as const
  return pools.flatMap(([scope, pool]) => {
    const limits = counted.filter((one) => one.scope === scope).map(({ limit }) => limit)
    return limits.length > 0 ? [{ scope, pool, limits }] : []
  })
}

/**
 * How much was used of a provider, if so much of one kind was used of the pools of each of its accounts: an account's pool counts again
 * what those of its models have counted, and that of an address what every account has.
 */
export function usedOfAll(accounts: readonly (readonly { scope: PoolLimits['scope']; used: number }[])[]): number {
  let ofAddress = 0
  let ofAccounts = 0
  for (const pools of accounts) {
    const sums = { address: 0, account: 0, pool: 0, model: 0 }
    for (const { scope, used } of pools) sums[scope] += used
    ofAddress = Math.max(ofAddress, sums.address)
    ofAccounts += Math.max(sums.account, sums.pool + sums.model)
  }
  return Math.max(ofAddress, ofAccounts)
}

/** Where routers do not know the keys, their places stand for them. */
function ownerOf({ name, accounts, key_ids }: CatalogProvider, account: string): string {
  const id = key_ids?.[accounts.indexOf(account)]
  return id === undefined ? account : `${name}#${id}`
}
