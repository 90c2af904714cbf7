// The catalogue as the router published it, held in memory and kept up to date.

import type { KeyValue } from '#contracts/bus.ts'
import type { Catalog } from '#contracts/catalog.ts'
import { catalog as catalogSchema } from '#contracts/catalog.ts'
import { catalogKey } from '#contracts/subjects.ts'

export interface CatalogWatch {
  /** Empty until a router has published one. */
  readonly current: Catalog
  close(): void
}

export async function watchCatalog(config: KeyValue, onChange: (catalog: Catalog) => void = () => {}): Promise<CatalogWatch> {
  let current: Catalog = { providers: [], aliases: [] }
  const subscription = await config.watch(catalogKey, (entry) => {
    const parsed = entry.value && readCatalog(entry.value)
    // An entry that cannot be read is that of a newer version: what we know stays in force.
    if (!parsed) return
    current = parsed
    onChange(current)
  })
  return {
    get current() {
      return current
    },
    close: () => subscription.unsubscribe(),
  }
}

function readCatalog(bytes: Uint8Array): Catalog | undefined {
  try {
    return catalogSchema.parse(JSON.parse(new TextDecoder().decode(bytes)))
  } catch {
    return undefined // the caller keeps the last good one
  }
}
