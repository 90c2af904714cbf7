// Pure. The catalogue as clients see it: which names they may send as `model`, and what stands behind each.

import type { Catalog, CatalogProvider, Model } from '#contracts/catalog.ts'
import { virtualModelOf, virtualModels } from '#contracts/catalog.ts'
import { aliasIndex } from '#contracts/catalog-lookup.ts'

/** OpenAI's model entry, with what a client needs for choosing. */
export interface ModelEntry {
  id: string
  object: 'model'
  /** Seconds since 1970. */
  created: number
  owned_by: string
  context_window: number
  capabilities: string[]
  description?: string
}

export interface Row {
  provider: CatalogProvider
  model: Model
}

/** A name and what it leads to; a name that leaves the choice to freeway leads to nothing certain. */
export interface Listed {
  entry: ModelEntry
  row: Row | undefined
}

/** Models without a date of their facts. The field is required by clients and must be stable. */
const CREATED = Date.UTC(2026, 0, 1) / 1000
const LEAST_CONTEXT = 8192

/** Everything that can be called now: providers that are on and have a key, and of them the models that are on. */
export function usableRows({ providers }: Catalog): Row[] {
  const usable = providers.filter(({ enabled, configured }) => enabled && configured)
  return usable.flatMap((provider) => provider.models.filter(({ enabled }) => enabled).map((model) => ({ provider, model })))
}

/**
 * Virtual models first, then `provider/model` of everything that can be called, then the plain names that several providers serve,
 * then aliases. Every name once; nothing that would be refused as unknown.
 */
export function listNames(catalog: Catalog): Listed[] {
  const rows = usableRows(catalog)
  const byName = new Map<string, Row>()
  for (const row of rows) byName.set(publicName(row), row)
  const listed = new Map<string, Listed>()
  const add = (id: string, row: Row) => {
    if (!listed.has(id)) listed.set(id, { entry: entryOf(id, row), row })
  }
  for (const name of virtualModels) listed.set(`freeai-${name}`, virtual(`freeai-${name}`, rows))
  for (const [name, row] of byName) add(name, row)
  for (const [name, row] of shared(rows)) add(name, row)
  for (const [name, target] of catalog.aliases) {
    const row = byName.get(target) ?? byName.get(withoutRepeat(target))
    if (row && !name.includes('*')) add(name, row)
  }
  return [...listed.values()]
}

export function listModels(catalog: Catalog): ModelEntry[] {
  return listNames(catalog).map(({ entry }) => entry)
}

/** By any name that a request may send, also by those that are not listed: synonyms, a bare model name, a provider's other names. */
export function findName(catalog: Catalog, id: string): Listed | undefined {
  const names = listNames(catalog)
  const listed = names.find(({ entry }) => entry.id === id)
  if (listed) return listed
  const rows = usableRows(catalog)
  if (virtualModelOf(id)) return virtual(id, rows)
  const row = rows.find((candidate) => namesOf(candidate).has(id)) ?? aliased(catalog, rows, id)
  return row && { entry: entryOf(id, row), row }
}

function aliased(catalog: Catalog, rows: readonly Row[], id: string): Row | undefined {
  for (const target of aliasIndex(catalog.aliases)(id)) {
    const row = rows.find((candidate) => namesOf(candidate).has(target))
    if (row) return row
  }
  return undefined
}

function namesOf({ provider, model }: Row): Set<string> {
  return new Set([
    model.id,
    ...[provider.name, ...provider.aliases].map((name) => `${name}/${model.id}`),
    ...(model.canonical ? [model.canonical] : []),
  ])
}

/** A model whose own name begins with its provider's is not prefixed a second time. */
export function publicName({ provider, model }: Row): string {
  return withoutRepeat(`${provider.name}/${model.id}`)
}

function withoutRepeat(name: string): string {
  const [first, second] = name.split('/', 2)
  return first === second ? name.slice(`${first}/`.length) : name
}

/** The same weights at several providers: whoever names them plainly is served by any. */
function shared(rows: readonly Row[]): [string, Row][] {
  const byName = Map.groupBy(
    rows.filter(({ model }) => model.canonical !== undefined),
    ({ model }) => model.canonical as string,
  )
  return [...byName].flatMap(([name, same]): [string, Row][] => (same.length > 1 && same[0] ? [[name, widest(same)]] : []))
}

function widest(rows: readonly Row[]): Row {
  return rows.reduce((a, b) => (b.model.context_window > a.model.context_window ? b : a))
}

function entryOf(id: string, { provider, model }: Row): ModelEntry {
  return {
    id,
    object: 'model',
    created: createdOf(model),
    owned_by: provider.name,
    context_window: model.context_window,
    capabilities: model.capabilities,
    description: model.display_name,
  }
}

/** A whole number, whatever an operator has written as the date. */
function createdOf({ as_of = '' }: Model): number {
  const atMs = Date.parse(as_of)
  return Number.isNaN(atMs) ? CREATED : Math.floor(atMs / 1000)
}

function virtual(id: string, rows: readonly Row[]): Listed {
  const chat = rows.filter(({ model }) => model.capabilities.includes('chat'))
  const entry: ModelEntry = {
    id,
    object: 'model',
    created: CREATED,
    owned_by: 'freeway',
    context_window: Math.max(LEAST_CONTEXT, ...chat.map(({ model }) => model.context_window)),
    capabilities: chatCapabilities.filter((word) => word === 'chat' || chat.some(({ model }) => model.capabilities.includes(word))),
    description: 'chosen by freeway for each request',
  }
  return { entry, row: undefined }
}

/** What a request to a virtual model may ask for, as far as anybody can do it. */
const chatCapabilities = ['chat', 'tools', 'vision', 'json_schema', 'reasoning', 'code', 'audio_in']
