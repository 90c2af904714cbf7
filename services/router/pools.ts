// Pure. Which limits count for a model of an account, and with whom it shares them.

import type { CatalogProvider, Model } from '#contracts/catalog.ts'
import type { Limit, Unit, Window } from '#contracts/limit.ts'

/** Whoever names the same pool shares what is left of these limits. */
export interface PoolLimits {
  pool: string
  limits: readonly Limit[]
}

/** From the widest pool to the narrowest; pools without a limit are left out. */
export function poolsOf(provider: CatalogProvider, account: string, model: Model): PoolLimits[] {
  const own = overrides(provider)
  const shared = provider.limits.filter((limit) => !replaced(limit, own))
  const perModel = provider.limit_scope === 'model'
  const accountPool = { pool: account, limits: perModel ? own : [...own, ...(provider.limit_scope === 'account' ? shared : [])] }
  // All keys of a provider leave through the same address, as far as we know.
  const addressPool = { pool: `${provider.name}@address`, limits: provider.limit_scope === 'address' ? shared : [] }
  const general = perModel ? shared.filter((limit) => !replaced(limit, model.limits)) : []
  const modelPool = { pool: `${account}/${model.pool ?? model.id}`, limits: [...model.limits, ...general] }
  return [addressPool, accountPool, modelPool].filter(({ limits }) => limits.length > 0)
}

/** The operator's numbers for a whole account. They reset when those reset that they replace, else at midnight UTC. */
function overrides(provider: CatalogProvider): Limit[] {
  const numbers: [Unit, Window, number | undefined][] = [
    ['requests', 'minute', provider.rpm_limit],
    ['requests', 'day', provider.rpd_limit],
    ['tokens', 'minute', provider.tpm_limit],
    ['tokens', 'day', provider.tpd_limit],
  ]
  return numbers.flatMap(([unit, per, max]) => {
    if (max === undefined) return []
    const known = provider.limits.find((limit) => limit.unit === unit && limit.per === per)
    const clock = known ? known.clock : per === 'day' ? 'UTC' : undefined
    return [clock === undefined ? { unit, per, max } : { unit, per, max, clock }]
  })
}

function replaced({ unit, per }: Limit, by: readonly Limit[]): boolean {
  return by.some((limit) => limit.unit === unit && limit.per === per)
}
