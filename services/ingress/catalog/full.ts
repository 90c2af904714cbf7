// Pure. `GET /v1/models/full`: the list for a page that shows models, with sizes, tiers and whether the caller may use each.

import type { Catalog } from '#contracts/catalog.ts'
import type { ModelEntry, Row } from './models.ts'
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

export interface Viewer {
  /** Tiers that are open to it beside `public`; undefined: all. */
  roles: readonly string[] | undefined
  /** Tiers that the operator gave to names of models, in place of the catalogue's. */
  tiers: Readonly<Record<string, string>>
}

export function fullList(catalog: Catalog, { roles, tiers }: Viewer): FullEntry[] {
  return listNames(catalog).map(({ entry, row }) => {
    const tier = tierOf(entry.id, row, tiers)
    return {
      ...entry,
      max_output: row?.model.max_output ?? null,
      image_support: entry.capabilities.includes('vision'),
      tier,
      access: tier === 'public' ? 'open' : !roles || roles.includes(tier) ? 'granted' : 'denied',
    }
  })
}

export function tierOf(name: string, row: Row | undefined, tiers: Viewer['tiers']): string {
  return (Object.hasOwn(tiers, name) ? tiers[name] : row?.model.tier) ?? 'public'
}
