// Dead letters in MongoDB.

import type { MongoConnection } from './mongo-connection.ts'
import type { MongoDocument } from './mongo-document.ts'
import { cursorOf, type DeadLetter, type EventStore, readCursor } from './store.ts'

/** Below the time that the socket is waited for. */
const MAX_TIME_MS = 4_000
/** The latest date there is. */
const LAST_DATE = 8.64e15

export function openLetters(collection: MongoConnection['collection']): Pick<EventStore, 'bury' | 'letters' | 'letter' | 'forget'> {
  const dead = () => collection('dead_letters')
  return {
    async bury({ id, at, reason, text }) {
      await (await dead()).updateOne({ _id: id }, { $setOnInsert: { at: new Date(at), reason, text } }, { upsert: true })
    },
    async letters(cursor, limit) {
      const { first, id } = readCursor(cursor)
      const before = new Date(Math.min(first, LAST_DATE))
      const found = await (await dead())
        .find({ $or: [{ at: { $lt: before } }, { at: before, _id: { $lt: id } }] })
        .sort({ at: -1, _id: -1 })
        .limit(limit)
        .maxTimeMS(MAX_TIME_MS)
        .toArray()
      const letters = found.map(letterOf)
      const last = letters.at(-1)
      return { letters, next: last && letters.length === limit ? cursorOf({ first: last.at, id: last.id }) : null }
    },
    async letter(id) {
      const found = await (await dead()).findOne({ _id: id }, { maxTimeMS: MAX_TIME_MS })
      return found ? letterOf(found) : undefined
    },
    async forget(id) {
      await (await dead()).deleteOne({ _id: id })
    },
  }
}

function letterOf({ _id, at, reason, text }: MongoDocument): DeadLetter {
  return { id: _id, at: (at as Date).getTime(), reason: String(reason), text: String(text) }
}
