// Records out of SQLite, in pages that take a few milliseconds each.

import type { DatabaseSync, SQLInputValue } from 'node:sqlite'
import { setImmediate } from 'node:timers/promises'
import type { Parts } from '../merge.ts'
import { endOf, type RequestRecord } from '../record.ts'
import { cursorOf, type EventStore, type RecordFilter, readCursor } from './store.ts'

const PAGE = 500
/** Records that one question looks at in a step, and altogether. */
const LOOKED_AT = 1_000
const MAX_STEPS = 20

interface Row {
  key: string
  first: number
  parts: string
}

export function openReading(db: DatabaseSync): Pick<EventStore, 'page' | 'find' | 'records' | 'unended'> {
  const select = db.prepare('select key, first, parts from request where key = ?')
  const selectPage = db.prepare(
    `select key, first, parts from request where first >= ?1 and (first, key) > (?1, ?2) and first < ?3 order by first, key limit ${PAGE}`,
  )
  const selectOpen = db.prepare('select key, first, parts from request where ended = 0 and first < ? order by first limit ?')
  const selectNewest = db.prepare(
    `select key, first, parts from request
     where first <= ?1 and (first, key) < (?1, ?2) and first >= ?3 order by first desc, key desc limit ?4`,
  )

  return {
    async page(filter, cursor, limit) {
      const found: RequestRecord[] = []
      let { first, id } = readCursor(cursor)
      if (filter.until !== undefined && filter.until <= first) [first, id] = [filter.until, '']
      // Looks at the newest, and keeps of them what was asked for.
      const lookedAt = ['client', 'provider', 'model', 'outcome'].some((field) => field in filter) ? LOOKED_AT : limit
      for (let step = 0; step < MAX_STEPS; step++) {
        if (step > 0) await setImmediate()
        const rows = selectNewest.all(first, id, filter.since ?? 0, lookedAt) as unknown as Row[]
        for (const row of rows) {
          ;({ first, key: id } = row)
          const record = recordOf(row)
          if (fits(record, filter)) found.push(record)
          if (found.length === limit) return { records: found, next: cursorOf({ first, id }) }
        }
        if (rows.length < lookedAt) return { records: found, next: null }
      }
      return { records: found, next: cursorOf({ first, id }) }
    },
    async find(id) {
      const row = select.get(id) as unknown as Row | undefined
      return row && recordOf(row)
    },
    async *records(from, to) {
      // No key comes before the empty one, so that the first page begins with `from` itself.
      let after: [SQLInputValue, SQLInputValue] = [from, '']
      for (;;) {
        const rows = selectPage.all(...after, to) as unknown as Row[]
        const last = rows.at(-1)
        if (!last) return
        yield rows.map(recordOf)
        after = [last.first, last.key]
        await setImmediate()
      }
    },
    unended: async (before, limit) => (selectOpen.all(before, limit) as unknown as Row[]).map(recordOf),
  }
}

/** An end that was told stands over one that was found out. */
function fits({ parts }: RequestRecord, filter: RecordFilter): boolean {
  const end = endOf(parts)
  const said = {
    client: end?.client ?? parts.start?.client,
    provider: end?.provider,
    model: end?.model,
    outcome: end?.outcome ?? 'open',
  }
  return (Object.keys(said) as (keyof typeof said)[]).every((field) => filter[field] === undefined || said[field] === filter[field])
}

function recordOf({ key, first, parts }: Row): RequestRecord {
  return { id: key, first, parts: JSON.parse(parts) as Parts }
}
