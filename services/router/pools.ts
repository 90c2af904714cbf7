// Pure. Which limits count for a model of an account, and with whom it shares them.

import type { CatalogProvider, Model } from '#contracts/catalog.ts'
import { limitsOf } from '#contracts/catalog-lookup.ts'
import type { Limit } from '#contracts/limit.ts'

/** Whoever names the same pool shares what is left of these limits. */
export interface PoolLimits {
  pool: string
  limits: readonly Limit[]
}

/** From the widest pool to the narrowest; pools without a limit are left out. */
export function poolsOf(provider: CatalogProvider, account: string, model: Model): PoolLimits[] {
  const counted = limitsOf(provider, model)
  const pools = [
    // All keys of a provider leave through the same address, as far as we know.
    ['address', `${provider.name}@address`],
    ['account', account],
    ['pool', `${account}/${model.pool}`],
    ['model', `${account}/${model.id}`],
  ] as const
  return pools.flatMap(([scope, pool]) => {
    const limits = counted.filter((one) => one.scope === scope).map(({ limit }) => limit)
    return limits.length > 0 ? [{ pool, limits }] : []
  })
}
