// The embedded store: one SQLite file. It runs in the process that serves requests, so it works in small steps and lets others in between.

import { closeSync, fdatasync, openSync } from 'node:fs'
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import { setImmediate } from 'node:timers/promises'
import { promisify } from 'node:util'
import { type Change, changesOf, type Kind, kinds, partsOf } from '../merge.ts'
import { type AttemptRecord, countTotals, type Records, type RequestRecord } from '../totals.ts'
import { type EventStore, KEPT_MS } from './store.ts'

/** Changes that are written in one go; a few milliseconds. Keys are random, so fewer and larger goes touch each page less often. */
const STEP = 200
const PAGE = 500
const SWEEP_MS = 60 * 60 * 1000
const SWEEP_STEP = 200

const schema = `
  create table if not exists request (key text primary key, at integer not null, start text, end text) without rowid;
  create table if not exists attempt (key text primary key, at integer not null, request text not null, n integer not null, granted text, ingress text, worker text) without rowid;
  create table if not exists dropped (key text primary key, at integer not null, fact text) without rowid;
  create table if not exists dead_letter (key text primary key, at integer not null, reason text not null, text text not null) without rowid;
  create index if not exists request_at on request (at, key);
  create index if not exists attempt_at on attempt (at, key);
  create index if not exists attempt_request on attempt (request);
  create index if not exists dropped_at on dropped (at);
  create index if not exists dead_letter_at on dead_letter (at);
`

const sync = promisify(fdatasync)

/** The folder must exist. */
export function openSqliteStore(file: string): EventStore {
  const db = new DatabaseSync(file)
  // Whoever else holds the file is waited for only shortly, for the whole process waits; then the facts come again.
  db.exec('pragma journal_mode = wal; pragma synchronous = normal; pragma busy_timeout = 100;')
  db.exec(schema)
  // The log is synced by a thread of the runtime and not by the commit, which would stop the process for as long.
  const wal = openSync(`${file}-wal`, 'r+')
  const upserts = Object.fromEntries(kinds.map((kind) => [kind, db.prepare(upsertOf(kind))])) as Record<Kind, StatementSync>
  const insertLetter = db.prepare('insert into dead_letter (key, at, reason, text) values (?, ?, ?, ?) on conflict (key) do nothing')
  const records = openRecords(db)
  let sweptAt = 0

  function inTransaction(work: () => void): void {
    db.exec('begin immediate')
    try {
      work()
      db.exec('commit')
    } catch (error) {
      db.exec('rollback')
      throw error
    }
  }

  function write({ kind, key, at, fixed, parts }: Change): void {
    const texts = partsOf[kind].map((part) => (parts[part] ? JSON.stringify(parts[part]) : null))
    upserts[kind].run(...([key, at, ...(kind === 'attempt' ? [fixed.request, fixed.n] : []), ...texts] as SQLInputValue[]))
  }

  async function sweep(): Promise<void> {
    if (Date.now() - sweptAt < SWEEP_MS) return
    sweptAt = Date.now()
    for (const table of [...kinds, 'dead_letter']) {
      const remove = db.prepare(`delete from ${table} where key in (select key from ${table} where at < ? limit ${SWEEP_STEP})`)
      while (Number(remove.run(sweptAt - KEPT_MS).changes) === SWEEP_STEP) await setImmediate()
    }
  }

  return {
    name: `SQLite in ${file}`,
    async save(events) {
      const changes = changesOf(events)
      for (let i = 0; i < changes.length; i += STEP) {
        if (i > 0) await setImmediate()
        inTransaction(() => changes.slice(i, i + STEP).forEach(write))
      }
      await sync(wal)
      await sweep()
      return { saved: events.map(({ id }) => id) }
    },
    async bury({ id, at, reason, text }) {
      insertLetter.run(id, at, reason, text)
      await sync(wal)
    },
    totals: (sinceMs, untilMs) => countTotals(records, sinceMs, untilMs),
    async close() {
      if (!db.isOpen) return
      closeSync(wal)
      db.close()
    },
  }
}

function upsertOf(kind: Kind): string {
  const fixed = kind === 'attempt' ? ['request', 'n'] : []
  const columns = ['key', 'at', ...fixed, ...partsOf[kind].map((part) => `"${part}"`)]
  const merged = partsOf[kind].map((part) => `"${part}" = coalesce(excluded."${part}", "${part}")`)
  return `insert into ${kind} (${columns.join(', ')}) values (${columns.map(() => '?').join(', ')})
    on conflict (key) do update set at = max(at, excluded.at), ${merged.join(', ')}`
}

type Row = Record<string, string | number | null>

function openRecords(db: DatabaseSync): Records {
  const page = (table: string) => db.prepare(`select * from ${table} where (at, key) > (?, ?) and at < ? order by at, key limit ${PAGE}`)
  const selectRequests = page('request')
  const selectAttempts = page('attempt')
  const selectAttemptsOf = db.prepare('select * from attempt where request in (select value from json_each(?))')

  async function* pages(select: StatementSync, sinceMs: number, untilMs: number): AsyncGenerator<Row[]> {
    // No key comes before the empty one, so that the first page begins with `sinceMs` itself.
    let after: [number, string] = [sinceMs, '']
    for (;;) {
      const rows = select.all(...after, untilMs) as Row[]
      const last = rows.at(-1)
      if (!last) return
      yield rows
      after = [last.at as number, last.key as string]
      await setImmediate()
    }
  }

  return {
    async *requests(sinceMs, untilMs) {
      for await (const rows of pages(selectRequests, sinceMs, untilMs)) yield rows.map(requestOf)
    },
    async *attempts(sinceMs, untilMs) {
      for await (const rows of pages(selectAttempts, sinceMs, untilMs)) yield rows.map(attemptOf)
    },
    attemptsOf: async (requests) => (selectAttemptsOf.all(JSON.stringify(requests)) as Row[]).map(attemptOf),
  }
}

const requestOf = ({ key, end }: Row): RequestRecord => ({ id: key as string, end: read(end) })
const attemptOf = ({ granted, ingress, worker }: Row): AttemptRecord => ({
  granted: read(granted),
  ingress: read(ingress),
  worker: read(worker),
})

function read<Part>(text: Row[string] | undefined): Part | undefined {
  return typeof text === 'string' ? (JSON.parse(text) as Part) : undefined
}
