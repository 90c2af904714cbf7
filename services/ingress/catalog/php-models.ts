// Pure. `GET /api/models.php`: a bare list of the models for chat, each with the number that `/api/chat.php` takes. Source: FreeLLMAPI.

import type { Catalog } from '#contracts/catalog.ts'
import { statedLimit } from '#contracts/catalog-lookup.ts'
import { type Row, usableRows } from './models.ts'

export interface PhpModel {
  /** Stable for ever. */
  id: number
  platform: string
  model_id: string
  display_name: string
  intelligence_rank: number
  speed_rank: number
  size_label: string | null
  /** Null: unknown, or none. */
  rpm_limit: number | null
  tpm_limit: number | null
  context_window: number
  enabled: true
}

/** `isOpen`: to whoever asks. */
export function phpModels(catalog: Catalog, isOpen: (row: Row) => boolean): PhpModel[] {
  return usableRows(catalog).flatMap((row): PhpModel[] => {
    const { provider, model } = row
    if (model.model_id === undefined || !model.capabilities.includes('chat') || !isOpen(row)) return []
    return [
      {
        id: model.model_id,
        platform: provider.name,
        model_id: model.id,
        display_name: model.display_name ?? model.id,
        intelligence_rank: model.intelligence_rank,
        speed_rank: model.speed_rank,
        size_label: model.size_label ?? null,
        rpm_limit: statedLimit(provider, model, 'requests', 'minute') ?? null,
        tpm_limit: statedLimit(provider, model, 'tokens', 'minute') ?? null,
        context_window: model.context_window,
        enabled: true,
      },
    ]
  })
}
