// A look into the file of the embedded store, without changing it.

import { DatabaseSync } from 'node:sqlite'
import type { StoreCheck } from './store-check.ts'

/** Throws if it is no database, or damaged. */
export function lookIntoSqlite(file: string, exists: boolean): StoreCheck {
  const db = new DatabaseSync(exists ? file : ':memory:', { readOnly: exists })
  try {
    const version = db.prepare('select sqlite_version() as version').get()?.version
    const table = db.prepare("select count(*) as found from sqlite_master where name = 'request'").get()?.found
    const requests = table ? Number(db.prepare('select coalesce(max(rowid), 0) as rows from request').get()?.rows) : undefined
    return { name: `SQLite ${version}`, requests }
  } finally {
    db.close()
  }
}
