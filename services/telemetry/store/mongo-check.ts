// A look at the MongoDB of an operator, without changing it.

import { MongoClient } from 'mongodb'
import type { StoreCheck } from './store-check.ts'

const WAIT_MS = 3_000

/** Rejects in words that hold no credentials. */
export async function lookIntoMongo(url: string): Promise<StoreCheck> {
  let client: MongoClient
  try {
    client = new MongoClient(url, { serverSelectionTimeoutMS: WAIT_MS, connectTimeoutMS: WAIT_MS, socketTimeoutMS: WAIT_MS })
  } catch {
    // The driver's words repeat the address, and with it the password.
    throw new Error('MONGODB_URL cannot be read; expected mongodb://host:port/database, with special characters of a password as %40')
  }
  const { hosts, srvHost } = client.options
  const where = hosts.map(String).join(',') || srvHost
  try {
    const [, database = 'freeway'] = /^[^/]+\/\/[^/]+\/([^?]+)/.exec(url) ?? []
    const db = client.db(database)
    const { version } = await db.command({ buildInfo: 1 })
    return { name: `MongoDB ${version} at ${where}/${database}`, requests: await db.collection('requests').estimatedDocumentCount() }
  } catch (error) {
    throw new Error(`MongoDB at ${where}: ${(error as Error).message}`)
  } finally {
    await client.close()
  }
}
