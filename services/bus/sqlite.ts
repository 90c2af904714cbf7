// What the in-process broker keeps on disk: key-value entries and the event log, in one SQLite file.
// Writes of one turn of the event loop share one transaction, so a burst costs one commit.

import { DatabaseSync } from 'node:sqlite'
import { setImmediate } from 'node:timers'
import type { KeyValueEntry } from '#contracts/bus.ts'
import { refuseNewerData } from '#services/data-format.ts'

export interface LogRow {
  seq: number
  subject: string
  id: string
  data: Uint8Array
  /** When it was appended, in ms since 1970. */
  at: number
}

export interface Store {
  entries(bucket: string): KeyValueEntry[]
  /** Resolves once it is committed; so do the other writes. */
  saveEntry(bucket: string, entry: KeyValueEntry): Promise<void>
  removeEntry(bucket: string, key: string): Promise<void>
  appendRow(row: LogRow): Promise<void>
  rows(afterSeq: number, limit: number): LogRow[]
  /** How many rows there are, without reading what they hold; at most `limit`. */
  countRows(afterSeq: number, limit: number): number
  row(seq: number): LogRow | undefined
  /** Ids appended since `at`, oldest first. */
  idsSince(at: number): { id: string; at: number }[]
  /** The highest sequence number ever used, and the bytes that the rows hold. */
  logState(): { lastSeq: number; bytes: number }
  /** Deletes what was appended before `at`; returns the bytes set free. */
  deleteBefore(at: number): number
  floor(durable: string): number
  /** `floor` is asked when the transaction is written. */
  saveFloor(durable: string, floor: () => number): Promise<void>
  close(): void
}

const schema = `
  create table if not exists entry (bucket text not null, key text not null, value blob, revision integer not null, primary key (bucket, key)) without rowid;
  create table if not exists log (seq integer primary key autoincrement, subject text not null, id text not null, data blob not null, at integer not null);
  create index if not exists log_at on log (at);
  create table if not exists consumer (durable text primary key, floor integer not null) without rowid;
`

/** Of the tables above. Files from before there was a number have 0, and the same tables. */
const SCHEMA_VERSION = 1

/** `file` may be `:memory:`. The folder must exist. Throws SettingsError if a newer version has written it. */
export function openStore(file: string): Store {
  const db = new DatabaseSync(file)
  db.exec('pragma journal_mode = wal; pragma synchronous = normal; pragma busy_timeout = 2000;')
  const { user_version: version } = db.prepare('pragma user_version').get() as { user_version: number }
  try {
    refuseNewerData(file, version, SCHEMA_VERSION)
  } catch (error) {
    db.close()
    throw error
  }
  db.exec(schema)
  db.exec(`pragma user_version = ${SCHEMA_VERSION}`)
  const selectEntries = db.prepare('select key, value, revision from entry where bucket = ? order by revision')
  const upsertEntry = db.prepare('insert or replace into entry (bucket, key, value, revision) values (?, ?, ?, ?)')
  const deleteEntry = db.prepare('delete from entry where bucket = ? and key = ?')
  const insertRow = db.prepare('insert into log (seq, subject, id, data, at) values (?, ?, ?, ?, ?)')
  const selectRows = db.prepare('select seq, subject, id, data, at from log where seq > ? order by seq limit ?')
  const countRows = db.prepare('select count(*) as rows from (select 1 from log where seq > ? limit ?)')
  const selectRow = db.prepare('select seq, subject, id, data, at from log where seq = ?')
  const selectIds = db.prepare('select id, at from log where at >= ? order by at')
  const selectBytes = db.prepare('select coalesce(sum(length(data)), 0) as bytes from log')
  const selectBytesBefore = db.prepare('select coalesce(sum(length(data)), 0) as bytes from log where at < ?')
  const selectSequence = db.prepare("select seq from sqlite_sequence where name = 'log'")
  const deleteRows = db.prepare('delete from log where at < ?')
  const selectFloor = db.prepare('select floor from consumer where durable = ?')
  const upsertFloor = db.prepare('insert or replace into consumer (durable, floor) values (?, ?)')

  let pending: (() => void)[] = []
  let commit: Promise<void> | undefined
  let closed = false

  function write(statement: () => void): Promise<void> {
    pending.push(statement)
    commit ??= new Promise((resolve, reject) => {
      setImmediate(() => {
        try {
          commitPending()
          resolve()
        } catch (error) {
          reject(error)
        }
      })
    })
    return commit
  }

  function commitPending(): void {
    const statements = pending
    pending = []
    commit = undefined
    if (statements.length === 0 || closed) return
    db.exec('begin')
    try {
      for (const statement of statements) statement()
      db.exec('commit')
    } catch (error) {
      db.exec('rollback')
      throw error
    }
  }

  return {
    entries: (bucket) =>
      selectEntries.all(bucket).map((row) => ({
        key: row.key as string,
        value: (row.value as Uint8Array | null) ?? undefined,
        revision: row.revision as number,
      })),
    saveEntry: (bucket, { key, value, revision }) => write(() => upsertEntry.run(bucket, key, value ?? null, revision)),
    removeEntry: (bucket, key) => write(() => deleteEntry.run(bucket, key)),
    appendRow: ({ seq, subject, id, data, at }) => write(() => insertRow.run(seq, subject, id, data, at)),
    countRows: (afterSeq, limit) => (countRows.get(afterSeq, limit) as { rows: number }).rows,
    rows: (afterSeq, limit) => selectRows.all(afterSeq, limit) as unknown as LogRow[],
    row: (seq) => selectRow.get(seq) as LogRow | undefined,
    idsSince: (at) => selectIds.all(at) as { id: string; at: number }[],
    logState: () => ({
      lastSeq: (selectSequence.get()?.seq as number | undefined) ?? 0,
      bytes: selectBytes.get()?.bytes as number,
    }),
    deleteBefore(at) {
      const { bytes } = selectBytesBefore.get(at) as { bytes: number }
      deleteRows.run(at)
      return bytes
    },
    floor: (durable) => (selectFloor.get(durable)?.floor as number | undefined) ?? 0,
    saveFloor: (durable, floor) => write(() => upsertFloor.run(durable, floor())),
    close() {
      if (closed) return
      try {
        commitPending()
      } finally {
        closed = true
        db.close()
      }
    },
  }
}
