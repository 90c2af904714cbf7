// The connection to MongoDB: made when it is needed, again after it failed, with every wait bounded. Indexes are made with it.

import { type Collection, type Db, type IndexSpecification, MongoClient, type MongoClientOptions, MongoServerError } from 'mongodb'
import { refuseNewerData } from '#services/data-format.ts'
import { SettingsError } from '#services/settings-error.ts'
import type { MongoDocument } from './mongo-document.ts'
import type { Retention } from './store.ts'

export type CollectionName = 'requests' | 'dropped' | 'dead_letters' | 'minutes' | 'hours'

export interface MongoConnection {
  /** In words, without credentials. */
  readonly name: string
  /** Throws when the server is down. */
  readonly collection: (name: CollectionName) => Promise<Collection<MongoDocument>>
  /** What the server does not forget by itself, has to be removed: by its time field, for this long. Empty where it does. */
  readonly unforgotten: ReadonlyMap<CollectionName, { field: string; keptMs: number }>
  readonly close: () => Promise<void>
}

interface Meta {
  _id: string
  version: number
}

/** Of the documents, see mongo-document.ts. Databases from before there was a number are of the first. */
const SCHEMA_VERSION = 2
const DUPLICATE_KEY = 11_000
/** How to be named in the server's own lists. */
const APP_NAME = 'freeway-telemetry'
const DEFAULT_DATABASE = 'freeway'
/** What a server says that has no such option: NotImplemented, or an index option that is not known. */
const NOT_HERE = [238, 115, 197]
/** There is such an index with another time to live. */
const OTHER_OPTIONS = [85, 86]

// The driver's `timeoutMS` would bound a whole operation, but is not honoured by bulk writes and cursors of this version:
// each of the waits has a bound of its own instead. The defaults wait for thirty seconds, or for ever.
const options: MongoClientOptions = {
  appName: APP_NAME,
  maxPoolSize: 4,
  // What a fact does not say is not written.
  ignoreUndefined: true,
  serverSelectionTimeoutMS: 2_000,
  connectTimeoutMS: 2_000,
  waitQueueTimeoutMS: 1_000,
  socketTimeoutMS: 5_000,
  writeConcern: { w: 'majority', wtimeoutMS: 5_000 },
}

/** Throws SettingsError when the address cannot be read. */
export function openConnection(url: string, kept: Retention): MongoConnection {
  const { hosts, srvHost } = readAddress(url)
  const [, database = DEFAULT_DATABASE] = /^[^/]+\/\/[^/]+\/([^?]+)/.exec(url) ?? []
  const name = `MongoDB at ${hosts.map(String).join(',') || srvHost}/${database}`
  const unforgotten = new Map<CollectionName, { field: string; keptMs: number }>()
  let opened: Promise<{ client: MongoClient; db: Db }> | undefined
  let closed = false

  /** A client whose first connection failed never tries again, so each try has its own. */
  function open(): Promise<{ client: MongoClient; db: Db }> {
    if (closed) return Promise.reject(new Error('the store is closed'))
    opened ??= connect().catch((error: unknown) => {
      opened = undefined
      throw error
    })
    return opened
  }

  async function connect() {
    const client = new MongoClient(url, options)
    const db = client.db(database)
    try {
      await client.connect()
      await refuseNewer(db.collection<Meta>('meta'))
      await forget(db, 'requests', 'first', kept.requestsMs)
      await forget(db, 'dead_letters', 'at', kept.requestsMs)
      await forget(db, 'dropped', 'at', kept.hoursMs)
      await forget(db, 'minutes', 'at', kept.minutesMs)
      await forget(db, 'hours', 'at', kept.hoursMs)
      const requests = db.collection('requests')
      const indexes: IndexSpecification[] = [{ first: -1, _id: -1 }, { 'end.at': 1 }, { 'reaped.at': 1 }, { ended: 1, first: 1 }]
      for (const index of indexes) {
        await requests.createIndex(index)
      }
      for (const name of ['minutes', 'hours']) await db.collection(name).createIndex({ dirty: 1 })
    } catch (error) {
      await client.close()
      throw error
    }
    return { client, db }
  }

  /** Before anything is written. The number only ever rises, whoever writes it first. */
  async function refuseNewer(meta: Collection<Meta>): Promise<void> {
    const { version } = (await meta.findOne({ _id: 'schema' })) ?? { version: 0 }
    refuseNewerData(name, version, SCHEMA_VERSION)
    if (version === 0) return markSchema(meta)
    if (version < SCHEMA_VERSION)
      await meta.updateOne({ _id: 'schema', version: { $lt: SCHEMA_VERSION } }, { $set: { version: SCHEMA_VERSION } })
  }

  async function markSchema(meta: Collection<Meta>): Promise<void> {
    try {
      await meta.updateOne({ _id: 'schema' }, { $setOnInsert: { version: SCHEMA_VERSION } }, { upsert: true })
    } catch (error) {
      if (!(error instanceof MongoServerError) || error.code !== DUPLICATE_KEY) throw error
      // Another replica was first; what it wrote counts.
      await refuseNewer(meta)
    }
  }

  async function forget(db: Db, name: CollectionName, field: string, keptMs: number): Promise<void> {
    try {
      await db.collection(name).createIndex({ [field]: 1 }, { expireAfterSeconds: Math.round(keptMs / 1000) })
    } catch (error) {
      const code = error instanceof MongoServerError ? Number(error.code) : 0
      if (OTHER_OPTIONS.includes(code)) {
        await db.collection(name).dropIndex(`${field}_1`)
        await db.collection(name).createIndex({ [field]: 1 }, { expireAfterSeconds: Math.round(keptMs / 1000) })
      } else if (NOT_HERE.includes(code)) {
        await db.collection(name).createIndex({ [field]: 1 })
        unforgotten.set(name, { field, keptMs })
      } else throw error
    }
  }

  // A server that is down now is tried again by whoever saves.
  open().catch(() => {})

  return {
    name,
    unforgotten,
    collection: async (name) => (await open()).db.collection<MongoDocument>(name),
    async close() {
      closed = true
      // If it was never open there is nothing to close.
      await opened?.then(({ client }) => client.close()).catch(() => {})
    },
  }
}

function readAddress(url: string): MongoClient['options'] {
  try {
    return new MongoClient(url, options).options
  } catch {
    // The driver's words repeat the address, and with it the password.
    throw new SettingsError(
      'MONGODB_URL: cannot be read; expected mongodb://host:port/database, with special characters of a password as %40',
    )
  }
}
