// The embedded store: one SQLite file. It runs in the process that serves requests, so it works in small steps and lets others in
// between. A roll-up changes in the transaction that changes the record it follows from: both or neither, whenever the process dies.

import { closeSync, fdatasync, openSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { setImmediate } from 'node:timers/promises'
import { promisify } from 'node:util'
import { refuseNewerData } from '#services/data-format.ts'
import { changesOf, type Parts } from '../merge.ts'
import { type Cells, countedOf, hoursOf, negated, openCells, startOf } from '../tally.ts'
import { openCellTable } from './sqlite-cells.ts'
import { openLetters } from './sqlite-letters.ts'
import { openReading } from './sqlite-reading.ts'
import { openSweeper } from './sqlite-sweeper.ts'
import { openWriting } from './sqlite-writing.ts'
import { type EventStore, type Retention, retention } from './store.ts'

/** Requests that are written in one go; some milliseconds. Each go touches its roll-ups, and its pages, once. */
const STEP = 1_000
/** What is written of one page within so many pages of the write-ahead log goes to the file once. */
const CHECKPOINT_PAGES = 4_000

const schema = `
  create table if not exists request (
    key text not null unique, first integer not null, ended integer not null, parts text not null);
  create index if not exists request_first on request (first);
  create index if not exists request_open on request (first) where ended = 0;
  create table if not exists dropped (key text primary key, at integer not null, instance text not null, dropped integer not null) without rowid;
  create table if not exists dead_letter (key text primary key, at integer not null, reason text not null, text text not null) without rowid;
`

/**
 * Of the tables above and of the roll-ups. Files of version 2 have four columns more, and keep them: in new rows they are empty.
 */
const SCHEMA_VERSION = 3
const ROLLED_UP = 2

const sync = promisify(fdatasync)

export interface SqliteOptions {
  retention?: Retention
  /** The oldest requests go first when the file holds more than this; their roll-ups stay. */
  maxBytes?: number
}

/** The folder must exist. Throws SettingsError if a newer version has written the file. */
export function openSqliteStore(file: string, { retention: kept = retention, maxBytes = 4 * 1024 ** 3 }: SqliteOptions = {}): EventStore {
  const db = new DatabaseSync(file)
  // Whoever else holds the file is waited for only shortly, for the whole process waits; then the facts come again.
  db.exec(
    `pragma journal_mode = wal; pragma synchronous = normal; pragma busy_timeout = 100; pragma wal_autocheckpoint = ${CHECKPOINT_PAGES};`,
  )
  try {
    prepareTables(db, file)
  } catch (error) {
    db.close()
    throw error
  }
  // The log is synced by a thread of the runtime and not by the commit, which would stop the process for as long.
  const wal = openSync(`${file}-wal`, 'r+')
  const insertDropped = db.prepare('insert or ignore into dropped values (?, ?, ?, ?)')
  const write = openWriting(db)
  const table = openCellTable(db)
  const sweep = openSweeper(db, kept, maxBytes)

  function inTransaction(work: () => void): void {
    db.exec('begin immediate')
    try {
      work()
      db.exec('commit')
    } catch (error) {
      db.exec('rollback')
      table.forget()
      throw error
    }
  }

  return {
    name: `SQLite in ${file}`,
    async save(events) {
      const { requests, dropped } = changesOf(events)
      for (let i = 0; i < requests.length || i === 0; i += STEP) {
        if (i > 0) await setImmediate()
        inTransaction(() => {
          const minutes = openCells()
          write(requests.slice(i, i + STEP), (before, after) => count(before, after, minutes))
          table.add('minute', minutes.list())
          table.add('hour', hoursOf(minutes.list()))
          if (i === 0) for (const { key, at, instance, dropped: count } of dropped) insertDropped.run(key, at, instance, count)
        })
      }
      await sync(wal)
      await sweep()
      return { saved: events.map(({ id }) => id) }
    },
    rollUp: async () => {},
    cells: table.read,
    ...openReading(db),
    ...openLetters(db, () => sync(wal)),
    async close() {
      if (!db.isOpen) return
      closeSync(wal)
      db.close()
    },
  }
}

/** Records of before there were roll-ups, which version 2 brought, were never read by anybody, and count in none: they go. */
function prepareTables(db: DatabaseSync, file: string): void {
  const version = () => (db.prepare('pragma user_version').get() as { user_version: number }).user_version
  if (version() === SCHEMA_VERSION) return
  refuseNewerData(file, version(), SCHEMA_VERSION)
  db.exec('begin immediate')
  // Another process may have been first.
  if (version() !== SCHEMA_VERSION) {
    if (version() < ROLLED_UP)
      for (const table of ['request', 'attempt', 'dropped', 'dead_letter']) db.exec(`drop table if exists ${table}`)
    db.exec(schema)
    db.exec(`pragma user_version = ${SCHEMA_VERSION}`)
  }
  db.exec('commit')
}

/** What this change of a record changes in the roll-ups: nothing, unless the end is new or another one. */
function count(before: Parts | undefined, after: Parts, minutes: Cells): void {
  const old = before && countedOf(before)
  // The end that the ingress tells is written once and for all; only one that was found out may be replaced by it.
  if (old && !(before?.end === undefined && after.end !== undefined)) return
  const now = countedOf(after)
  if (old) minutes.add(startOf('minute', old.at), old.group, negated(old.tally))
  if (now) minutes.add(startOf('minute', now.at), now.group, now.tally)
}
