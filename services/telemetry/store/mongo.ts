// The store for many replicas: MongoDB, or a server that speaks its protocol; so only operations that all of them have, on single
// documents: no transactions, no pipelines. A request is one document; each fact sets a field of its own, so writes commute.

import { changesOf } from '../merge.ts'
import { type MongoConnection, openConnection } from './mongo-connection.ts'
import { openLetters } from './mongo-letters.ts'
import { openReading } from './mongo-reading.ts'
import { openRollUps } from './mongo-roll-ups.ts'
import { writeDropped, writeRequests } from './mongo-writing.ts'
import { type EventStore, type Retention, retention } from './store.ts'

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
      const { known, failed } = await writeRequests(await collection('requests'), requests)
      const lost = await writeDropped(await collection('dropped'), dropped)
      const unsaved = new Set([...failed.flatMap(({ facts }) => facts), ...lost.map(({ key }) => key)])
      // Only now: a roll-up that is told of a record earlier could be made without it.
      const isFailed = failed.length === 0 ? undefined : new Set(failed)
      await rollUps.changed(isFailed ? requests.filter((change) => !isFailed.has(change)) : requests, known)
      return { saved: events.map(({ id }) => id).filter((id) => !unsaved.has(id)) }
    },
    rollUp: rollUps.rollUp,
    cells: rollUps.cells,
    ...openReading(collection),
    ...openLetters(collection),
    close: connection.close,
  }
}
