// Pure. The operator's tiers laid over the catalogue's, so that the router never chooses a model that is reserved to others.

import type { TierSettings } from '#contracts/account.ts'
import type { Catalog } from '#contracts/catalog.ts'

/** A name is `provider/model`, or a model's id for every provider that has it; the former wins. Names of aliases are the ingress' affair. */
export function withTiers(catalog: Catalog, { models: tiers }: Pick<TierSettings, 'models'>): Catalog {
  if (Object.keys(tiers).length === 0) return catalog
  const providers = catalog.providers.map((provider) => ({
    ...provider,
    models: provider.models.map((model) => {
      const name = [`${provider.name}/${model.id}`, model.id].find((each) => Object.hasOwn(tiers, each))
      return name === undefined ? model : { ...model, tier: tiers[name] as string }
    }),
  }))
  return { ...catalog, providers }
}
