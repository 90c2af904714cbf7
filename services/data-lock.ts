// One process at a time in a data directory: the in-process broker holds in memory what another process would change under it on disk.
// The lock is SQLite's own, so the system frees it when its holder dies, however it dies; a file with a process id in it would not.

import { join } from 'node:path'
import process from 'node:process'
import { DatabaseSync } from 'node:sqlite'
import { SettingsError } from './settings-error.ts'

export interface DataLock {
  release(): void
}

/** The directory must exist. Throws SettingsError, which names the process that holds it. */
export function lockDataDir(dir: string): DataLock {
  const db = new DatabaseSync(join(dir, 'lock.db'))
  try {
    // Long enough for another start that is just writing its process id.
    db.exec('pragma busy_timeout = 200; create table if not exists holder (pid integer not null)')
    db.exec('begin immediate; delete from holder')
    db.prepare('insert into holder (pid) values (?)').run(process.pid)
    // Committed, so that others can read who holds it; then held by a transaction that never writes.
    db.exec('commit; begin immediate')
  } catch (error) {
    if (!isBusy(error)) throw error
    const pid = db.prepare('select pid from holder').get()?.pid
    db.close()
    const holder = pid === undefined ? 'another freeway' : `another freeway (process ${pid})`
    throw new SettingsError(`the data directory ${dir} is in use by ${holder}: stop it, or set FREEWAY_DATA to another directory`)
  }
  return { release: () => db.close() }
}

/** SQLITE_BUSY; Node tells the number, Deno only the words. */
function isBusy(error: unknown): boolean {
  const { errcode, message } = error as { errcode?: number; message: string }
  return errcode === 5 || /database is locked/.test(message)
}
