// Records out of MongoDB.

import type { Collection, Filter } from 'mongodb'
import type { MongoConnection } from './mongo-connection.ts'
import { type MongoDocument, recordOf } from './mongo-document.ts'
import { cursorOf, type EventStore, type RecordFilter, readCursor } from './store.ts'

const PAGE = 500
/** Below the time that the socket is waited for. */
const MAX_TIME_MS = 4_000
/** The latest date there is. */
const LAST_DATE = 8.64e15

export function openReading(collection: MongoConnection['collection']): Pick<EventStore, 'page' | 'find' | 'records' | 'unended'> {
  const requests = (): Promise<Collection<MongoDocument>> => collection('requests')

  return {
    async page(filter, cursor, limit) {
      const { first, id } = readCursor(cursor)
      const before = new Date(Math.min(first, LAST_DATE))
      const found = await (await requests())
        .find({ $and: [{ $or: [{ first: { $lt: before } }, { first: before, _id: { $lt: id } }] }, ...conditionsOf(filter)] })
        .sort({ first: -1, _id: -1 })
        .limit(limit)
        .maxTimeMS(MAX_TIME_MS)
        .toArray()
      const records = found.map(recordOf)
      const last = records.at(-1)
      return { records, next: last && records.length === limit ? cursorOf(last) : null }
    },
    async find(id) {
      const found = await (await requests()).findOne({ _id: id }, { maxTimeMS: MAX_TIME_MS })
      return found ? recordOf(found) : undefined
    },
    async *records(from, to) {
      const range = { $gte: new Date(from), $lt: new Date(Math.min(to, LAST_DATE)) }
      const cursor = (await requests()).find({ first: range }, { batchSize: PAGE })
      try {
        while (await cursor.hasNext()) yield cursor.readBufferedDocuments().map(recordOf)
      } finally {
        await cursor.close()
      }
    },
    async unended(before, limit) {
      const open = { ended: null, first: { $lt: new Date(before) } }
      return (await (await requests()).find(open).sort({ first: 1 }).limit(limit).maxTimeMS(MAX_TIME_MS).toArray()).map(recordOf)
    },
  }
}

function conditionsOf({ client, provider, model, outcome, since, until }: RecordFilter): Filter<MongoDocument>[] {
  const conditions: Filter<MongoDocument>[] = []
  // An end that was told stands over one that was found out.
  const end = (field: string, value: string) => ({ $or: [{ [`end.${field}`]: value }, { end: null, [`reaped.${field}`]: value }] })
  if (since !== undefined) conditions.push({ first: { $gte: new Date(since) } })
  if (until !== undefined) conditions.push({ first: { $lt: new Date(Math.min(until, LAST_DATE)) } })
  if (client !== undefined) conditions.push({ $or: [{ 'end.client': client }, { 'start.client': client }] })
  if (provider !== undefined) conditions.push(end('provider', provider))
  if (model !== undefined) conditions.push(end('model', model))
  if (outcome !== undefined) conditions.push(outcome === 'open' ? { ended: null } : end('outcome', outcome))
  return conditions
}
