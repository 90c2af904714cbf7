// The store for many replicas: MongoDB, or a server that speaks its protocol; so only operations that all of them have.

import { type AnyBulkWriteOperation, type Collection, MongoBulkWriteError, MongoClient, type MongoClientOptions } from 'mongodb'
import { SettingsError } from '#services/settings-error.ts'
import { type Change, changesOf, kinds } from '../merge.ts'
import { type AttemptRecord, countTotals, type Records, type RequestRecord } from '../totals.ts'
import { type EventStore, KEPT_MS } from './store.ts'

interface Document {
  _id: string
  /** A date, for the server's own removal of what is old. */
  at: Date
  [field: string]: unknown
}

const BULK = 1_000
const PAGE = 1_000
/** How to be named in the server's own lists. */
const APP_NAME = 'freeway-telemetry'
const DEFAULT_DATABASE = 'freeway'

const names = { request: 'requests', attempt: 'attempts', dropped: 'dropped' } as const
const letters = 'dead_letters'

const options: MongoClientOptions = {
  appName: APP_NAME,
  maxPoolSize: 4,
  // The defaults wait for thirty seconds, or for ever.
  serverSelectionTimeoutMS: 2_000,
  connectTimeoutMS: 2_000,
  waitQueueTimeoutMS: 1_000,
  socketTimeoutMS: 5_000,
  writeConcern: { w: 'majority', wtimeoutMS: 5_000 },
}

/** Does not wait for the server: as long as it is down, whoever asks is told so. Throws SettingsError when the address cannot be read. */
export function openMongoStore(url: string): EventStore {
  const { hosts, srvHost } = readAddress(url)
  const [, database = DEFAULT_DATABASE] = /^[^/]+\/\/[^/]+\/([^?]+)/.exec(url) ?? []
  let opened: Promise<Opened> | undefined
  let closed = false

  /** A client whose first connection failed never tries again, so each try has its own. */
  function open(): Promise<Opened> {
    if (closed) return Promise.reject(new Error('the store is closed'))
    opened ??= connect(url, database).catch((error: unknown) => {
      opened = undefined
      throw error
    })
    return opened
  }

  // A server that is down now is tried again by whoever saves.
  open().catch(() => {})

  return {
    name: `MongoDB at ${hosts.map(String).join(',') || srvHost}/${database}`,
    async save(events) {
      const { collection } = await open()
      const changes = changesOf(events)
      const failed = await Promise.all(
        kinds.map((kind) =>
          write(
            collection(names[kind]),
            changes.filter((change) => change.kind === kind),
          ),
        ),
      )
      const unsaved = new Set(failed.flat().flatMap(({ facts }) => facts))
      return { saved: events.map(({ id }) => id).filter((id) => !unsaved.has(id)) }
    },
    async bury({ id, at, reason, text }) {
      const { collection } = await open()
      await collection(letters).updateOne({ _id: id }, { $setOnInsert: { at: new Date(at), reason, text } }, { upsert: true })
    },
    async totals(sinceMs, untilMs) {
      const { collection } = await open()
      return countTotals(openRecords(collection(names.request), collection(names.attempt)), sinceMs, untilMs)
    },
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

interface Opened {
  client: MongoClient
  collection(name: string): Collection<Document>
}

async function connect(url: string, database: string): Promise<Opened> {
  const client = new MongoClient(url, options)
  const db = client.db(database)
  try {
    await client.connect()
    for (const name of [...Object.values(names), letters]) {
      await db.collection(name).createIndex({ at: 1 }, { expireAfterSeconds: KEPT_MS / 1000 })
    }
    await db.collection(names.attempt).createIndex({ request: 1 })
  } catch (error) {
    await client.close()
    throw error
  }
  return { client, collection: (name) => db.collection<Document>(name) }
}

/** Returns the changes that were not written. */
async function write(collection: Collection<Document>, changes: Change[]): Promise<Change[]> {
  const failed: Change[] = []
  for (let i = 0; i < changes.length; i += BULK) {
    const bulk = changes.slice(i, i + BULK)
    try {
      await collection.bulkWrite(bulk.map(upsertOf), { ordered: false })
    } catch (error) {
      // Without a majority nothing is safe.
      if (!(error instanceof MongoBulkWriteError) || error.result.getWriteConcernError()) throw error
      const failures = Array.isArray(error.writeErrors) ? error.writeErrors : [error.writeErrors]
      if (failures.length === 0) throw error
      for (const { index } of failures) if (bulk[index]) failed.push(bulk[index])
    }
  }
  return failed
}

/** Operators that commute, each on a place of its own. */
function upsertOf({ key, at, fixed, parts }: Change): AnyBulkWriteOperation<Document> {
  return {
    updateOne: {
      filter: { _id: key },
      update: {
        $max: { at: new Date(at) },
        ...(Object.keys(fixed).length > 0 ? { $setOnInsert: fixed } : {}),
        ...(Object.keys(parts).length > 0 ? { $set: parts } : {}),
      },
      upsert: true,
    },
  }
}

const requestFields = { 'end.outcome': 1, 'end.in': 1, 'end.out': 1 }
const endFields = (teller: string) => ['provider', 'result', 'in', 'out'].map((field) => [`${teller}.${field}`, 1])
const attemptFields = { 'granted.provider': 1, ...Object.fromEntries([...endFields('ingress'), ...endFields('worker')]) }

function openRecords(requests: Collection<Document>, attempts: Collection<Document>): Records {
  async function* pages(from: Collection<Document>, projection: object, sinceMs: number, untilMs: number): AsyncGenerator<Document[]> {
    const cursor = from.find({ at: { $gte: new Date(sinceMs), $lt: new Date(untilMs) } }, { projection, batchSize: PAGE })
    try {
      while (await cursor.hasNext()) yield cursor.readBufferedDocuments()
    } finally {
      await cursor.close()
    }
  }
  return {
    async *requests(sinceMs, untilMs) {
      for await (const page of pages(requests, requestFields, sinceMs, untilMs)) yield page.map(requestOf)
    },
    async *attempts(sinceMs, untilMs) {
      for await (const page of pages(attempts, attemptFields, sinceMs, untilMs)) yield page.map(attemptOf)
    },
    async attemptsOf(ids) {
      const found = await attempts.find({ request: { $in: ids } }, { projection: attemptFields }).toArray()
      return found.map(attemptOf)
    },
  }
}

const requestOf = ({ _id, end }: Document): RequestRecord => ({ id: _id, end: end as RequestRecord['end'] })
const attemptOf = ({ granted, ingress, worker }: Document): AttemptRecord => ({ granted, ingress, worker }) as AttemptRecord
