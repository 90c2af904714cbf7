// The store for many replicas: MongoDB, or a server that speaks its protocol; so only operations that all of them have, on single
// documents: no transactions, no pipelines. A request is one document; each fact sets a field of its own, so writes commute.

import { type AnyBulkWriteOperation, type Collection, type Document as Filter, MongoBulkWriteError } from 'mongodb'
import { type Change, changesOf, type Dropped } from '../merge.ts'
import { type MongoConnection, openConnection } from './mongo-connection.ts'
import { openLetters } from './mongo-letters.ts'
import { openReading } from './mongo-reading.ts'
import { openRollUps } from './mongo-roll-ups.ts'
import { type EventStore, type Retention, retention } from './store.ts'

export interface MongoDocument {
  _id: string
  [field: string]: unknown
}
type Operation = AnyBulkWriteOperation<MongoDocument>

/** Small enough that also a slow server is done before the socket's time is over. */
const BULK = 250

export interface MongoOptions {
  retention?: Retention
}

/** Does not wait for the server: as long as it is down, whoever asks is told so. Throws SettingsError when the address cannot be read. */
export function openMongoStore(url: string, { retention: kept = retention }: MongoOptions = {}): EventStore {
  const connection: MongoConnection = openConnection(url, kept)
  const { collection } = connection
  const rollUps = openRollUps(connection, kept)

  return {
    name: connection.name,
    async save(events) {
      const { requests, dropped } = changesOf(events)
      const failed = await write(await collection('requests'), requests, upsertOf)
      const lost = await write(await collection('dropped'), dropped, droppedOf)
      const unsaved = new Set([...failed.flatMap(({ facts }) => facts), ...lost.map(({ key }) => key)])
      // Only now: a roll-up that is told of a record earlier could be made without it.
      await rollUps.changed(failed.length === 0 ? requests : requests.filter((change) => !failed.includes(change)))
      return { saved: events.map(({ id }) => id).filter((id) => !unsaved.has(id)) }
    },
    rollUp: rollUps.rollUp,
    cells: rollUps.cells,
    ...openReading(collection),
    ...openLetters(collection),
    close: connection.close,
  }
}

/** Returns what was not written. */
async function write<Item>(collection: Collection<MongoDocument>, items: Item[], operationOf: (item: Item) => Operation): Promise<Item[]> {
  const failed: Item[] = []
  for (let i = 0; i < items.length; i += BULK) {
    const bulk = items.slice(i, i + BULK)
    try {
      await collection.bulkWrite(bulk.map(operationOf), { ordered: false })
    } catch (error) {
      // Without a majority nothing is safe.
      if (!(error instanceof MongoBulkWriteError) || error.result.getWriteConcernError()) throw error
      const failures = Array.isArray(error.writeErrors) ? error.writeErrors : [error.writeErrors]
      if (failures.length === 0) throw error
      for (const { index } of failures) {
        const item = bulk[index]
        if (item !== undefined) failed.push(item)
      }
    }
  }
  return failed
}

/** Operators that commute, each on a place of its own. */
function upsertOf({ key, first, parts }: Change): Operation {
  const ended: Filter = parts.end || parts.reaped ? { ended: true } : {}
  return { updateOne: { filter: { _id: key }, update: { $min: { first: new Date(first) }, $set: { ...parts, ...ended } }, upsert: true } }
}

function droppedOf({ key, at, instance, dropped }: Dropped): Operation {
  return { updateOne: { filter: { _id: key }, update: { $set: { at: new Date(at), instance, dropped } }, upsert: true } }
}
