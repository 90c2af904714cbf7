// The database of telemetry.

import { join } from 'node:path'
import type { Settings } from '../settings.ts'
import { checkMongo, checkSqlite, type StoreCheck } from '../telemetry/store/store-check.ts'
import { type Finding, fault, ok } from './finding.ts'

export async function checkStore({ mongodbUrl, dataDir }: Pick<Settings, 'mongodbUrl' | 'dataDir'>): Promise<Finding[]> {
  if (mongodbUrl) {
    return look(checkMongo(mongodbUrl), 'start it, or correct MONGODB_URL; until then events wait in the log for seven days')
  }
  const file = join(dataDir, 'telemetry.db')
  return look(checkSqlite(file), `move ${file} away: a new one is made at the next start`)
}

async function look(check: Promise<StoreCheck>, fix: string): Promise<Finding[]> {
  try {
    const { name, requests } = await check
    return [ok('store', requests === undefined ? `${name}; nothing is stored yet` : `${name}, about ${requests} requests stored`)]
  } catch (error) {
    return [fault('store', (error as Error).message, fix)]
  }
}
