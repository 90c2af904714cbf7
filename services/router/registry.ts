// Owner of the catalogue: one JSON file per provider, then the operator's changes; publishes the result for everybody to watch.

import { readdir, readFile } from 'node:fs/promises'
import type { KeyValue } from '#contracts/bus.ts'
import type { Catalog, Provider } from '#contracts/catalog.ts'
import { catalog as catalogSchema, provider as providerSchema } from '#contracts/catalog.ts'
import { catalogKey } from '#contracts/subjects.ts'
import type { Settings } from '#services/settings.ts'
import { SettingsError } from '#services/settings-error.ts'

export interface Registry {
  readonly catalog: Catalog
}

export interface RegistryOptions {
  config: KeyValue
  settings: Settings
  /** Starts the demo: asked for if the operator wants it, or has no provider that can be called. */
  demo: (() => Promise<Provider>) | undefined
}

/** Throws SettingsError if an operator's provider is incomplete. */
export async function openRegistry({ config, settings, demo }: RegistryOptions): Promise<Registry> {
  const shipped = await shippedProviders()
  let catalog = buildCatalog(shipped, settings)
  const usable = catalog.providers.some(({ enabled, configured }) => enabled && configured)
  if (demo && settings.demo !== 'off' && (settings.demo === 'on' || !usable)) catalog = buildCatalog([...shipped, await demo()], settings)
  await publish(config, catalog)
  return { catalog }
}

export function buildCatalog(known: Provider[], settings: Settings): Catalog {
  const entries = new Map<string, unknown>(known.map((provider) => [provider.name, provider]))
  for (const [name, own] of Object.entries(settings.providers)) {
    entries.set(name, { ...(entries.get(name) as object | undefined), ...own, name })
  }
  const providers = [...entries].map(([name, entry]) => {
    const parsed = providerSchema.safeParse(entry)
    if (!parsed.success) throw new SettingsError(`providers.${name}: ${describe(parsed.error.issues[0])}`)
    const provider = parsed.data
    return { ...provider, configured: !provider.needs_key || settings.keyOf(provider) !== undefined, accounts: [`${provider.name}-1`] }
  })
  return { providers, aliases: Object.entries(settings.aliases) }
}

function describe(issue: { path: PropertyKey[]; message: string } | undefined): string {
  return issue ? `${issue.path.join('.')}: ${issue.message}` : 'not a provider'
}

async function shippedProviders(): Promise<Provider[]> {
  const folder = new URL('./catalog/', import.meta.url)
  const files = (await readdir(folder)).filter((file) => file.endsWith('.json')).sort()
  return Promise.all(files.map(async (file) => providerSchema.parse(JSON.parse(await readFile(new URL(file, folder), 'utf8')))))
}

/** Several routers start from the same files: only a difference is written, so that watchers are not woken for nothing. */
async function publish(config: KeyValue, catalog: Catalog): Promise<void> {
  const text = JSON.stringify(catalogSchema.parse(catalog))
  const present = await config.get(catalogKey)
  if (present?.value && new TextDecoder().decode(present.value) === text) return
  await config.put(catalogKey, new TextEncoder().encode(text))
}
