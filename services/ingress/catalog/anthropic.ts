// Pure. The list of models as Anthropic's clients read it, page by page. Source: Anthropic's Models API.

import type { ModelEntry } from './models.ts'

export interface AnthropicModel {
  type: 'model'
  id: string
  display_name: string
  /** RFC 3339. */
  created_at: string
}

export interface AnthropicList {
  data: AnthropicModel[]
  has_more: boolean
  first_id: string | null
  last_id: string | null
}

/** Of one page. `afterId` and `beforeId` are the last and first of the page before or after; an unknown one counts as absent. */
export interface Page {
  limit?: number
  afterId?: string
  beforeId?: string
}

const MAX_PAGE = 1000

/** A virtual model has no other name than its own. */
export function anthropicModel({ id, description, created, owned_by }: ModelEntry): AnthropicModel {
  return {
    type: 'model',
    id,
    display_name: owned_by === 'freeway' ? id : (description ?? id),
    created_at: new Date(created * 1000).toISOString().replace('.000Z', 'Z'),
  }
}

export function anthropicList(entries: readonly ModelEntry[], { limit = MAX_PAGE, afterId, beforeId }: Page): AnthropicList {
  const after = entries.findIndex(({ id }) => id === afterId)
  const before = afterId === undefined ? entries.findIndex(({ id }) => id === beforeId) : -1
  const size = Math.min(limit, MAX_PAGE)
  const from = before >= 0 ? Math.max(0, before - size) : after + 1
  const to = before >= 0 ? before : Math.min(from + size, entries.length)
  const data = entries.slice(from, to).map(anthropicModel)
  return {
    data,
    has_more: before >= 0 ? from > 0 : to < entries.length,
    first_id: data[0]?.id ?? null,
    last_id: data.at(-1)?.id ?? null,
  }
}
