// Writing to MongoDB: most requests are new and come whole, so they are inserted, which costs a server a fraction of an upsert. What
// is there already is changed, field by field; whichever of two facts comes first, the other one finds its place.

import { type AnyBulkWriteOperation, type Collection, MongoBulkWriteError } from 'mongodb'
import type { Change, Dropped } from '../merge.ts'
import { documentOf, type MongoDocument, placesOf } from './mongo-document.ts'

type Operation = AnyBulkWriteOperation<MongoDocument>

/** Small enough that also a slow server is done before the socket's time is over. */
const INSERTS = 500
const UPSERTS = 250
/** Bulks that are under way together: a server has more than one core, and waits for its disk. */
const LANES = 2
/** Of a request that lasts longer the start was told before its end, see starts.ts of the ingress. */
const KNOWN_AFTER_MS = 1_000
const DUPLICATE_KEY = 11_000

export interface Written {
  /** Of these something was stored before. */
  known: Change[]
  /** What the server refused; it has to come again. */
  failed: Change[]
}

/** Throws when the server is down, or cannot promise that what it has written stays. */
export async function writeRequests(collection: Collection<MongoDocument>, changes: readonly Change[]): Promise<Written> {
  const failed: Change[] = []
  const known: Change[] = []
  const fresh: Change[] = []
  for (const change of changes) (isLikelyKnown(change) ? known : fresh).push(change)
  await inBulks(fresh, INSERTS, async (bulk) => {
    const errors = await errorsOf(() => collection.insertMany(bulk.map(documentOf), { ordered: false }))
    for (const { index, code } of errors) {
      const change = bulk[index]
      if (change) (code === DUPLICATE_KEY ? known : failed).push(change)
    }
  })
  return { known, failed: [...failed, ...(await upsert(collection, known, upsertOf))] }
}

/** Returns what the server refused. Throws as above. */
export function writeDropped(collection: Collection<MongoDocument>, dropped: readonly Dropped[]): Promise<Dropped[]> {
  return upsert(collection, dropped, ({ key, at, instance, dropped }) => ({
    updateOne: { filter: { _id: key }, update: { $set: { at: new Date(at), instance, dropped } }, upsert: true },
  }))
}

async function upsert<Item>(collection: Collection<MongoDocument>, items: readonly Item[], operationOf: (item: Item) => Operation) {
  const failed: Item[] = []
  await inBulks(items, UPSERTS, async (bulk) => {
    for (const { index } of await errorsOf(() => collection.bulkWrite(bulk.map(operationOf), { ordered: false }))) {
      const item = bulk[index]
      if (item !== undefined) failed.push(item)
    }
  })
  return failed
}

/** Rejects as soon as one of them does. */
async function inBulks<Item>(items: readonly Item[], size: number, work: (bulk: Item[]) => Promise<void>): Promise<void> {
  let next = 0
  const lane = async () => {
    while (next < items.length) {
      const from = next
      next += size
      await work(items.slice(from, from + size))
    }
  }
  await Promise.all(Array.from({ length: LANES }, lane))
}

/** Of single statements; an empty list where all were written. */
async function errorsOf(write: () => Promise<unknown>): Promise<readonly { index: number; code: number }[]> {
  try {
    await write()
    return []
  } catch (error) {
    // Without a majority nothing is safe.
    if (!(error instanceof MongoBulkWriteError) || error.result.getWriteConcernError()) throw error
    const errors = Array.isArray(error.writeErrors) ? error.writeErrors : [error.writeErrors]
    if (errors.length === 0) throw error
    return errors.map(({ index, code }) => ({ index, code }))
  }
}

/** A wrong guess costs a little time. */
function isLikelyKnown({ parts: { start, end, reaped } }: Change): boolean {
  return start === undefined && (reaped !== undefined || end === undefined || Number(end.duration_ms) > KNOWN_AFTER_MS)
}

/** Operators that commute, each on a place of its own. */
function upsertOf({ key, first, parts }: Change): Operation {
  return { updateOne: { filter: { _id: key }, update: { $min: { first: new Date(first) }, $set: placesOf(parts) }, upsert: true } }
}
