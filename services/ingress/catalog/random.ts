// Pure. `GET /v1/models/random`: any model that works now, for clients whose own has failed. Source: Freeference.

import type { Catalog } from '#contracts/catalog.ts'
import type { Row } from './models.ts'
import { publicName, usableRows } from './models.ts'

export interface RandomModel {
  /** To be sent as `model`. */
  modelId: string
  name: string
  /** A name for this kind of model, to be sent as `model` as well. */
  capabilityMapping: string
  contextWindow: number
  providerId: string
}

/** `random`: from 0 to below 1. Undefined if there is none. */
export function randomModel(catalog: Catalog, isEligible: (row: Row) => boolean, random: number): RandomModel | undefined {
  const rows = usableRows(catalog).filter((row) => row.model.capabilities.includes('chat') && isEligible(row))
  const row = rows[Math.floor(random * rows.length)]
  if (!row) return undefined
  const { provider, model } = row
  return {
    modelId: publicName(row),
    name: model.display_name ?? model.id,
    capabilityMapping: kindOf(model.capabilities),
    contextWindow: model.context_window,
    providerId: provider.name,
  }
}

function kindOf(capabilities: readonly string[]): string {
  const kind = ['code', 'reasoning', 'vision'].find((word) => capabilities.includes(word))
  return kind ? `freeai-${kind}` : 'text-basic'
}
