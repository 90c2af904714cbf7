// Whether the database of telemetry can be reached, and what it is. Nothing is written, and no driver is loaded that is not used.

import { existsSync } from 'node:fs'

export interface StoreCheck {
  /** In words, without credentials. */
  name: string
  /** Rows or documents of requests; undefined if there is no database yet. */
  requests: number | undefined
}

/** Rejects in words without credentials. */
export async function checkSqlite(file: string): Promise<StoreCheck> {
  const { lookIntoSqlite } = await import('./sqlite-check.ts')
  return lookIntoSqlite(file, existsSync(file))
}

/** As above. */
export async function checkMongo(url: string): Promise<StoreCheck> {
  const { lookIntoMongo } = await import('./mongo-check.ts')
  return lookIntoMongo(url)
}
