// Records into SQLite: most requests are new, so several are inserted by one statement; what is there already is merged one by one.

import type { DatabaseSync, SQLInputValue } from 'node:sqlite'
import type { Change, Parts } from '../merge.ts'
import { endOf } from '../record.ts'

/** By one statement: calling the database costs as much as what it does for a row. */
const TOGETHER = 16

interface Row {
  rowid: number
  first: number
  parts: string
}

/** Hands each record out, as it was and as it is; inside the transaction of the caller. */
export type WriteRecords = (changes: readonly Change[], each: (before: Parts | undefined, after: Parts) => void) => void

export function openWriting(db: DatabaseSync): WriteRecords {
  const insert = db.prepare(insertOf(1))
  const insertTogether = db.prepare(insertOf(TOGETHER))
  const newest = db.prepare('select max(rowid) as rowid from request')
  const select = db.prepare('select rowid, first, parts from request where key = ?')
  const update = db.prepare('update request set first = ?, ended = ?, parts = ? where key = ?')

  function merge({ key, first, parts }: Change, known: Row): [before: Parts, after: Parts] {
    const before = JSON.parse(known.parts) as Parts
    const after = { ...before, ...parts }
    update.run(Math.min(first, known.first), endedOf(after), JSON.stringify(after), key)
    return [before, after]
  }

  return (changes, each) => {
    /** Rows behind it were inserted here. */
    const before = (newest.get() as { rowid: number | null }).rowid ?? 0
    for (let from = 0; from < changes.length; ) {
      const together = changes.length - from >= TOGETHER ? changes.slice(from, from + TOGETHER) : changes.slice(from, from + 1)
      from += together.length
      const values: SQLInputValue[] = []
      for (const { key, first, parts } of together) values.push(key, first, endedOf(parts), JSON.stringify(parts))
      const { changes: inserted } = (together.length === 1 ? insert : insertTogether).run(...values)
      for (const change of together) {
        const known = inserted === together.length ? undefined : (select.get(change.key) as unknown as Row)
        if (known && known.rowid <= before) each(...merge(change, known))
        else each(undefined, change.parts)
      }
    }
  }
}

function insertOf(rows: number): string {
  return `insert or ignore into request (key, first, ended, parts) values ${Array(rows).fill('(?, ?, ?, ?)').join(', ')}`
}

function endedOf(parts: Parts): number {
  return endOf(parts) ? 1 : 0
}
