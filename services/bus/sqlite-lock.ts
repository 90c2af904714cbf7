// One process at a time for the broker's file: what the broker holds in memory, another process would change under it on disk.
// The lock is SQLite's own, so the system frees it when its holder dies, however it dies; a file with a process id in it would not.

import process from 'node:process'
import { DatabaseSync } from 'node:sqlite'
import { SettingsError } from '../settings-error.ts'

export interface FileLock {
  release(): void
}

/** `path` is a file for the lock alone; its folder must exist. Throws SettingsError, which names the process that holds it. */
export function lockFile(path: string): FileLock {
  const db = new DatabaseSync(path)
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
    throw new SettingsError(`${path}: the data directory is in use by ${holder}: stop it, or set FREEWAY_DATA to another directory`)
  }
  return { release: () => db.close() }
}

/** SQLITE_BUSY; Node tells the number, Deno only the words. */
function isBusy(error: unknown): boolean {
  const { errcode, message } = error as { errcode?: number; message: string }
  return errcode === 5 || message.includes('database is locked')
}
