// Owner of the catalogue: the shipped facts, then the operator's changes; publishes the result for everybody to watch,
// and again whenever a change is made or a server of this machine comes or goes.

import { type TierSettings, tierSettings } from '#contracts/account.ts'
import type { KeyValue } from '#contracts/bus.ts'
import type { Catalog, Provider } from '#contracts/catalog.ts'
import { catalog as catalogSchema } from '#contracts/catalog.ts'
import { type CatalogOverrides, catalogOverrides, storedKeys } from '#contracts/catalog-change.ts'
import { catalogKey, catalogOverridesKey, tiersKey } from '#contracts/subjects.ts'
import { createAlarm } from '#services/alarm.ts'
import { type Document, openDocument } from '#services/document.ts'
import type { Logger } from '#services/logger.ts'
import type { Settings } from '#services/settings.ts'
import type { Known, Refused } from './build-catalog.ts'
import { buildCatalog, offUnasked } from './build-catalog.ts'
import { withDemo } from './demo-aliases.ts'
import type { Discovery } from './discovery.ts'
import { startDiscovery } from './discovery.ts'
import { serversToAsk } from './local-servers.ts'
import { shippedCatalog } from './shipped.ts'
import { withTiers } from './tiers.ts'

/** A broker that has just been away may be back by then. */
const PUBLISH_AGAIN_MS = 2_000

export interface Registry {
  readonly catalog: Catalog
  /** Calls back with every further catalogue, until the returned function is called. */
  onChange(listener: (catalog: Catalog) => void): () => void
  /** What was changed while freeway runs. */
  readonly overrides: Document<CatalogOverrides>
  /** How many keys a provider has, and where they are from. */
  keysOf(provider: Provider): { count: number; source: 'stored' | 'settings' | null }
  close(): Promise<void>
}

export interface RegistryOptions {
  config: KeyValue
  settings: Settings
  logger: Logger
  /** Starts the demo: asked for if the operator wants it, or has no provider that can be called. It goes when such a one appears. */
  demo: (() => Promise<Provider>) | undefined
  /** Whether all of freeway runs in this process, so that this machine's servers are the operator's own. */
  alone: boolean
}

/** Throws SettingsError if an operator's provider is incomplete. */
export async function openRegistry({ config, settings, logger, demo, alone }: RegistryOptions): Promise<Registry> {
  const listeners = new Set<(catalog: Catalog) => void>()
  const shipped = await shippedCatalog()
  let demoProvider: Provider | undefined
  const overrides = await openDocument(config, catalogOverridesKey, catalogOverrides, () =>
    logger.warn('changes of the catalogue could not be read'),
  )
  // Sealed or not, or with the workers alone: here they are only counted.
  const keysSet = (provider: Provider) => {
    const here = settings.keysOf(provider)
    return here.length > 0 ? here : Array.from({ length: settings.workerKeys.get(provider.name) ?? 0 }, () => '')
  }
  const keyed = { ...settings, keysOf: (provider: Provider) => storedKeys(overrides.current, provider.name) ?? keysSet(provider) }
  let tiers: TierSettings = tierSettings.parse({})
  let found: Known = { providers: [], aliases: [] }
  let published: Promise<void> = Promise.resolve()
  let catalog: Catalog | undefined
  let closed = false

  function build(): Catalog {
    const real = buildFrom(shipped, (fault) => logger.warn('a change of the catalogue was left out', { fault }))
    if (!demoProvider || (settings.demo === 'auto' && isUsable(real))) return real
    return buildFrom(withDemo(shipped, demoProvider))
  }

  function buildFrom(known: Known, refused?: Refused): Catalog {
    // A server that was found stands in for the shipped row of its name.
    const names = new Set(found.providers.map(({ name }) => name))
    const providers = [...known.providers.filter(({ name }) => !names.has(name)), ...found.providers]
    return withTiers(buildCatalog({ providers, aliases: [...known.aliases, ...found.aliases] }, keyed, overrides.current, refused), tiers)
  }

  function refresh(): void {
    const next = build()
    if (JSON.stringify(next) === JSON.stringify(catalog)) return
    catalog = next
    publishLater()
    for (const listener of listeners) listener(next)
  }

  const again = createAlarm(publishLater)
  /** One after the other, so that the last one stays. */
  function publishLater(): void {
    published = published
      .then(() => publish(config, catalog as Catalog))
      .catch((error) => {
        logger.error('the catalogue could not be published; it is in force here, and published again soon', { error })
        if (!closed) again.in(PUBLISH_AGAIN_MS)
      })
  }

  const watchTiers = await config.watch(tiersKey, ({ value }) => {
    tiers = (value && readDocument(tierSettings, value)) ?? tiers
    if (catalog) refresh()
  })

  let first = build()
  if (demo && settings.demo !== 'off' && (settings.demo === 'on' || !isUsable(first))) {
    demoProvider = await demo()
    first = build()
  }
  await publish(config, first)
  catalog = first
  overrides.onChange(refresh)
  // What was changed while the first was being published.
  refresh()
  for (const { name, terms } of offUnasked(first, keyed, overrides.current)) {
    logger.info('a provider is off', { provider: name, why: terms, remedy: `"providers": {"${name}": {"enabled": true}} in freeway.json` })
  }

  let discovery: Discovery | undefined
  const servers = serversToAsk(settings, shipped.providers, alone)
  if (servers.length > 0) {
    discovery = startDiscovery({
      servers,
      onChange(next) {
        found = next
        refresh()
      },
    })
  }

  return {
    get catalog() {
      return catalog as Catalog
    },
    onChange(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    overrides,
    keysOf(provider) {
      const stored = storedKeys(overrides.current, provider.name)
      const { length: count } = stored ?? keysSet(provider)
      return { count, source: stored ? 'stored' : count > 0 ? 'settings' : null }
    },
    async close() {
      overrides.close()
      watchTiers.unsubscribe()
      listeners.clear()
      await discovery?.close()
      closed = true
      again.clear()
      await published
    },
  }
}

function isUsable({ providers }: Catalog): boolean {
  return providers.some(({ enabled, configured, models }) => enabled && configured && models.some((model) => model.enabled))
}

function readDocument<T>(schema: { parse(value: unknown): T }, bytes: Uint8Array): T | undefined {
  try {
    return schema.parse(JSON.parse(new TextDecoder().decode(bytes)))
  } catch {
    return undefined // the caller keeps the last good one
  }
}

/** Several routers start from the same files: only a difference is written, so that watchers are not woken for nothing. */
async function publish(config: KeyValue, catalog: Catalog): Promise<void> {
  const text = JSON.stringify(catalogSchema.parse(catalog))
  const present = await config.get(catalogKey)
  if (present?.value && new TextDecoder().decode(present.value) === text) return
  await config.put(catalogKey, new TextEncoder().encode(text))
}
