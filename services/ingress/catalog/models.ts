// Pure. The catalogue as clients see it: `GET /v1/models` and one entry of it.

import type { Catalog, Model } from '#contracts/catalog.ts'
import { virtualModels } from '#contracts/catalog.ts'

/** OpenAI's model entry, with what a client needs for choosing. */
export interface ModelEntry {
  id: string
  object: 'model'
  created: number
  owned_by: string
  context_window: number
  capabilities: string[]
  description?: string
}

/** The catalogue carries no date of birth; the field is required by clients and must be stable. */
const CREATED = Date.UTC(2026, 0, 1) / 1000

/** Virtual models first, then `provider/model` of every provider that can be called. */
export function listModels({ providers, aliases }: Catalog): ModelEntry[] {
  const usable = providers.filter(({ enabled, configured }) => enabled && configured)
  const named = usable.flatMap(({ name, models }) =>
    models.filter((model) => model.enabled).map((model) => entry(publicName(name, model.id), name, model)),
  )
  const widest = Math.max(8192, ...named.map(({ context_window }) => context_window))
  const virtual = virtualModels.map((name) => virtualEntry(`freeai-${name}`, widest))
  const known = new Map(named.map((model) => [model.id, model]))
  const aliased = aliases.flatMap(([alias, target]) => {
    const model = known.get(target)
    return model ? [{ ...model, id: alias }] : []
  })
  return [...virtual, ...named, ...aliased]
}

/** A model whose own name begins with its provider's is not prefixed a second time. */
function publicName(provider: string, model: string): string {
  return model.startsWith(`${provider}/`) ? model : `${provider}/${model}`
}

function entry(id: string, owner: string, model: Model): ModelEntry {
  return {
    id,
    object: 'model',
    created: CREATED,
    owned_by: owner,
    context_window: model.context_window,
    capabilities: model.capabilities,
    description: model.display_name,
  }
}

function virtualEntry(id: string, contextWindow: number): ModelEntry {
  return {
    id,
    object: 'model',
    created: CREATED,
    owned_by: 'freeway',
    context_window: contextWindow,
    capabilities: ['chat'],
    description: 'chosen by freeway for each request',
  }
}
