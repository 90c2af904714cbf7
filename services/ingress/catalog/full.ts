// Pure. `GET /v1/models/full`: the list for a page that shows models, with sizes, tiers and whether the caller may use each.

import type { Catalog } from '#contracts/catalog.ts'
import type { View } from '../access/tier.ts'
import type { ModelEntry } from './models.ts'
import { listNames } from './models.ts'

export interface FullEntry extends ModelEntry {
  /** Tokens; null: unknown, or chosen for each request. */
  max_output: number | null
  /** Whether it reads pictures; making them is a capability, `image_gen`. */
  image_support: boolean
  tier: string
  /** `open` to every key; `granted` to this caller by its tier; `denied`. */
  access: 'open' | 'granted' | 'denied'
}

export function fullList(catalog: Catalog, { tierOf, mayUse }: View): FullEntry[] {
  return listNames(catalog).map(({ entry, row }) => {
    const tier = tierOf(entry.id)
    return {
      ...entry,
      max_output: row?.model.max_output ?? null,
      image_support: entry.capabilities.includes('vision'),
      tier,
      access: !mayUse(entry.id, entry.capabilities) ? 'denied' : tier === 'public' ? 'open' : 'granted',
    }
  })
}
