// Pure. The catalogue as it is in force: what is known, freeway.json laid over it, then what was changed while freeway runs.

import type { Catalog, CatalogProvider, Model, Provider } from '#contracts/catalog.ts'
import { provider as providerSchema } from '#contracts/catalog.ts'
import type { CatalogOverrides, ProviderChange } from '#contracts/catalog-change.ts'
import { overlayProvider } from '#contracts/catalog-change.ts'
import type { Settings } from '#services/settings.ts'
import { SettingsError } from '#services/settings-error.ts'
import { keyIdsOf } from './key-id.ts'

export type Alias = [name: string, target: string]

export interface Known {
  providers: readonly Provider[]
  aliases: readonly Alias[]
}

type OperatorSettings = Pick<Settings, 'providers' | 'aliases' | 'keysOf'>

/** `providers.alpha: base_url: …` for each change that makes no whole provider, and was left out. */
export type Refused = (fault: string) => void

/**
 * Throws SettingsError if a provider of freeway.json is incomplete. A change made at run time must not keep a router from
 * starting: what cannot be applied is left out, and told to `refused`.
 */
export function buildCatalog(known: Known, settings: OperatorSettings, overrides?: CatalogOverrides, refused: Refused = () => {}): Catalog {
  const entries = new Map(known.providers.map((provider) => [provider.name, provider]))
  /** By provider: the fields that the operator has written. */
  const named = new Map<string, Set<string>>()
  const change = (name: string, wanted: ProviderChange) => {
    const { data, error } = providerSchema.safeParse(overlayProvider(entries.get(name), wanted, name))
    if (!data) return `providers.${name}: ${describe(error.issues[0])}`
    if (!entries.has(name) && data.models.length === 0) return `providers.${name}: models: must not be empty`
    if (ambiguous(data)) return `providers.${name}: models: ${ambiguous(data)} is there twice`
    entries.set(name, data)
    named.set(name, new Set([...(named.get(name) ?? []), ...Object.keys(wanted)]))
    return undefined
  }

  for (const [name, wanted] of Object.entries(settings.providers)) {
    const fault = change(name, wanted)
    if (fault) throw new SettingsError(fault)
  }
  for (const [name, wanted] of Object.entries(overrides?.custom ?? {})) {
    const fault = change(name, wanted)
    if (fault) refused(fault)
  }
  for (const [name, wanted] of Object.entries(overrides?.providers ?? {})) {
    const fault = entries.has(name) ? change(name, wanted) : `providers.${name}: unknown`
    if (fault) refused(fault)
  }
  for (const name of overrides?.removed ?? []) entries.delete(name)

  const providers = [...entries.values()].map((provider) => inForce(provider, settings.keysOf(provider), named.get(provider.name)))
  return { providers: withModelIds(providers), aliases: aliasesOf(known.aliases, settings.aliases, overrides?.aliases) }
}

/**
 * A provider whose key is optional is called without one only if the operator has named it: nobody's prompts go to a stranger
 * because of a default.
 */
function inForce(provider: Provider, keys: readonly string[], named: ReadonlySet<string> | undefined): CatalogProvider {
  const needsKey = provider.needs_key && !(provider.auth.optional && named && keys.length === 0)
  const keyIds = keyIdsOf(provider.name, keys)
  const keyed = keys.length > 0 ? Object.entries(provider.with_key ?? {}).filter(([field]) => !named?.has(field)) : []
  return {
    ...provider,
    ...Object.fromEntries(keyed),
    needs_key: needsKey,
    configured: !needsKey || keys.length > 0,
    accounts: keys.length > 1 ? keys.map((_, i) => `${provider.name}-${i + 1}`) : [`${provider.name}-1`],
    ...(keyIds && { key_ids: keyIds }),
  }
}

/** Providers that the operator seems to want - he named them, or has a key - but that are off, because they give nothing away. */
export function offUnasked({ providers }: Catalog, settings: OperatorSettings, overrides?: CatalogOverrides): CatalogProvider[] {
  const said = (name: string) => settings.providers[name]?.enabled ?? overrides?.providers[name]?.enabled
  return providers.filter((provider) => {
    const { name, enabled, status } = provider
    if (enabled || status === 'retired' || status === 'local' || said(name) !== undefined) return false
    return settings.providers[name] !== undefined || settings.keysOf(provider).length > 0
  })
}

function ambiguous({ models }: Provider): string | undefined {
  const ids = new Set<string>()
  return models.find(({ id }) => ids.size === ids.add(id).size)?.id
}

/** Above every id that the shipped files hand out. */
const FIRST_DERIVED_ID = 1_000_000
const DERIVED_IDS = 2_000_000_000

/** A model without an id of its own gets one from its name: the same on every router and after every start. */
function withModelIds(providers: CatalogProvider[]): CatalogProvider[] {
  const taken = new Set(providers.flatMap(({ models }) => models.map(({ model_id }) => model_id)))
  const identified = (provider: string, model: Model): Model => {
    if (model.model_id !== undefined) return model
    let id = FIRST_DERIVED_ID + (hash(`${provider}/${model.id}`) % DERIVED_IDS)
    while (taken.has(id)) id++
    taken.add(id)
    return { ...model, model_id: id }
  }
  return providers.map((provider) =>
    provider.models.every(({ model_id }) => model_id !== undefined)
      ? provider
      : { ...provider, models: provider.models.map((model) => identified(provider.name, model)) },
  )
}

/** FNV-1a, 32 bits. */
function hash(text: string): number {
  let sum = 0x811c9dc5
  for (const byte of new TextEncoder().encode(text)) sum = Math.imul(sum ^ byte, 0x01000193) >>> 0
  return sum
}

type Targets = Readonly<Record<string, string | readonly string[]>>

/** Who names an alias last has all of it. */
function aliasesOf(shipped: readonly Alias[], own: Targets, changed: Targets = {}): Alias[] {
  const operator = new Map(Object.entries({ ...own, ...changed }))
  const written = [...operator].flatMap(([name, targets]) => [targets].flat().map((target): Alias => [name, target]))
  return [...written, ...shipped.filter(([name]) => !operator.has(name))]
}

function describe(issue: { path: PropertyKey[]; message: string } | undefined): string {
  return issue ? `${issue.path.join('.')}: ${issue.message}` : 'not a provider'
}
