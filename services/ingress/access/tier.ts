// Pure. Which access tier lies between a caller and what it asks for.

import type { TierSettings } from '#contracts/account.ts'
import type { Catalog } from '#contracts/catalog.ts'
import type { JobKind } from '#contracts/job.ts'

/** Every name of the catalogue that a client may write → the tiers of the models behind it. */
export type ModelTiers = ReadonlyMap<string, readonly string[]>

export function modelTiers({ providers, aliases }: Pick<Catalog, 'providers' | 'aliases'>): ModelTiers {
  const tiers = new Map<string, string[]>()
  const add = (name: string, tier: string) => {
    const known = tiers.get(name)
    if (!known) tiers.set(name, [tier])
    else if (!known.includes(tier)) known.push(tier)
  }
  for (const provider of providers.filter(({ enabled }) => enabled)) {
    for (const { id, canonical, tier, enabled } of provider.models) {
      if (!enabled) continue
      for (const name of new Set([id, `${provider.name}/${id}`, canonical ?? id])) add(name, tier)
    }
  }
  for (const [alias, target] of aliases) if (!tiers.has(alias)) for (const tier of tiers.get(target) ?? []) add(alias, tier)
  return tiers
}

export interface Wanted {
  /** As the client named it; undefined: the router chooses among what is open. */
  model: string | undefined
  kind: JobKind
}

/** The tier that is missing, or undefined. `roles`: of the caller, beside `public`; undefined: all. */
export function lockedBy(
  { model, kind }: Wanted,
  roles: readonly string[] | undefined,
  own: TierSettings,
  catalog: ModelTiers,
): string | undefined {
  if (roles === undefined) return undefined
  const isOpen = (tier: string) => tier === 'public' || roles.includes(tier)
  const ofKind = own.kinds[kind]
  if (ofKind !== undefined && !isOpen(ofKind)) return ofKind
  if (model === undefined) return undefined
  const tiers = Object.hasOwn(own.models, model) ? [own.models[model] as string] : (catalog.get(model) ?? [])
  // Several providers may have a model of this name: one that is open is enough, and the router keeps to it.
  return tiers.length === 0 || tiers.some(isOpen) ? undefined : tiers[0]
}
