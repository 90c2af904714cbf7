// What SQLite forgets: what is older than it is kept, and the oldest requests when the file grows too large.

import type { DatabaseSync } from 'node:sqlite'
import { setImmediate } from 'node:timers/promises'
import type { Retention } from './store.ts'

const SWEEP_MS = 10 * 60 * 1000
const STEP = 200

export function openSweeper(db: DatabaseSync, kept: Retention, maxBytes: number): () => Promise<void> {
  const removeBefore = [
    [
      db.prepare(`delete from request where rowid in (select rowid from request where first < ? order by first limit ${STEP})`),
      kept.requestsMs,
    ],
    [
      db.prepare(`delete from cell_minute where (start, grp) in (select start, grp from cell_minute where start < ? limit ${STEP})`),
      kept.minutesMs,
    ],
    [
      db.prepare(`delete from cell_hour where (start, grp) in (select start, grp from cell_hour where start < ? limit ${STEP})`),
      kept.hoursMs,
    ],
    [db.prepare(`delete from dropped where key in (select key from dropped where at < ? limit ${STEP})`), kept.hoursMs],
    [db.prepare(`delete from dead_letter where key in (select key from dead_letter where at < ? limit ${STEP})`), kept.requestsMs],
  ] as const
  const removeOldest = db.prepare(`delete from request where rowid in (select rowid from request order by first limit ${STEP})`)
  const size = db.prepare(
    'select (c.page_count - f.freelist_count) * s.page_size as bytes from pragma_page_count c, pragma_freelist_count f, pragma_page_size s',
  )
  let sweptAt = 0

  return async () => {
    const now = Date.now()
    if (now - sweptAt < SWEEP_MS) return
    sweptAt = now
    for (const [remove, keptMs] of removeBefore) {
      while (Number(remove.run(now - keptMs).changes) === STEP) await setImmediate()
    }
    while ((size.get() as { bytes: number }).bytes > maxBytes && Number(removeOldest.run().changes) > 0) await setImmediate()
  }
}
