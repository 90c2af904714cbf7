// Dead letters in SQLite.

import type { DatabaseSync } from 'node:sqlite'
import { cursorOf, type DeadLetter, type EventStore, readCursor } from './store.ts'

/** `durable` resolves once what was written before is on the disk. */
export function openLetters(db: DatabaseSync, durable: () => Promise<unknown>): Pick<EventStore, 'bury' | 'letters' | 'letter' | 'forget'> {
  const insert = db.prepare('insert or ignore into dead_letter values (?, ?, ?, ?)')
  const select = db.prepare('select key as id, at, reason, text from dead_letter where key = ?')
  const selectBefore = db.prepare(
    'select key as id, at, reason, text from dead_letter where (at, key) < (?, ?) order by at desc, key desc limit ?',
  )
  const remove = db.prepare('delete from dead_letter where key = ?')

  return {
    async bury({ id, at, reason, text }) {
      insert.run(id, at, reason, text)
      await durable()
    },
    async letters(cursor, limit) {
      const { first, id } = readCursor(cursor)
      const letters = (selectBefore.all(first, id, limit) as unknown as DeadLetter[]).map((row) => ({ ...row }))
      const last = letters.at(-1)
      return { letters, next: last && letters.length === limit ? cursorOf({ first: last.at, id: last.id }) : null }
    },
    async letter(id) {
      const row = select.get(id) as unknown as DeadLetter | undefined
      return row && { ...row }
    },
    async forget(id) {
      remove.run(id)
      await durable()
    },
  }
}
