// The stores of telemetry, each with a way to open it again and to look into it, so that one suite can hold all to the same rules.
// MongoDB is a real one: at MONGODB_URL, else in a container where Docker answers, else FerretDB, which speaks its protocol on
// SQLite and needs nothing else. A stand-in for the failures of a database runs everywhere.

import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { DatabaseSync } from 'node:sqlite'
import { MongoClient } from 'mongodb'
import type { DeadLetter, EventStore } from '#services/telemetry/store/store.ts'
import { ferretdbBinary, postgresPrograms, type Server, startFerretdb, startPostgres } from './ferretdb.ts'
import { startMongoStandIn } from './mongo-stand-in.ts'

export interface StoreHarness {
  /** As telemetry is told of it. */
  readonly settings: { dataDir: string; mongodbUrl: string | undefined; requestTimeoutMs: number }
  /** The same database again, each time. */
  open(): Promise<EventStore>
  deadLetters(): Promise<Pick<DeadLetter, 'id' | 'reason' | 'text'>[]>
  close(): Promise<void>
}

/** A database of its own with an open store; `own` ends both. */
export async function openStore(openHarness: () => Promise<StoreHarness>, own: AsyncDisposableStack) {
  const harness = await openHarness()
  own.defer(() => harness.close())
  const store = await harness.open()
  own.defer(() => store.close())
  return { harness, store }
}

export async function openSqliteHarness(): Promise<StoreHarness> {
  const { openSqliteStore } = await import('#services/telemetry/store/sqlite.ts')
  const dataDir = await mkdtemp(join(tmpdir(), 'freeway-store-'))
  const file = join(dataDir, 'telemetry.db')
  return {
    settings: { dataDir, mongodbUrl: undefined, requestTimeoutMs: 60_000 },
    open: async () => openSqliteStore(file),
    async deadLetters() {
      using db = new DatabaseSync(file, { readOnly: true })
      return db.prepare('select key as id, reason, text from dead_letter order by key').all() as unknown as DeadLetter[]
    },
    close: () => rm(dataDir, { recursive: true }),
  }
}

export async function openStandInHarness(): Promise<StoreHarness> {
  const server = await startMongoStandIn()
  const { openMongoStore } = await import('#services/telemetry/store/mongo.ts')
  return {
    settings: { dataDir: tmpdir(), mongodbUrl: server.url, requestTimeoutMs: 60_000 },
    open: async () => openMongoStore(server.url),
    async deadLetters() {
      return [...(server.collections.get('dead_letters')?.values() ?? [])].map(letterOf)
    },
    close: () => server.stop(),
  }
}

/** A database of its own on the server at `url`. */
async function openMongoHarness(url: string): Promise<StoreHarness> {
  const { openMongoStore } = await import('#services/telemetry/store/mongo.ts')
  const own = new URL(url)
  own.pathname = `/freeway_test_${randomBytes(6).toString('hex')}`
  const client = new MongoClient(own.href)
  return {
    settings: { dataDir: tmpdir(), mongodbUrl: own.href, requestTimeoutMs: 60_000 },
    open: async () => openMongoStore(own.href),
    deadLetters: async () => (await client.db().collection('dead_letters').find().sort({ _id: 1 }).toArray()).map(letterOf),
    async close() {
      await client.db().dropDatabase()
      await client.close()
    },
  }
}

export interface MongoServer {
  name: string
  start(): Promise<{ open(): Promise<StoreHarness>; stop(): Promise<void> }>
}

/** Undefined where there is none, and says so on stderr. */
export function findMongo(): MongoServer | undefined {
  const url = process.env.MONGODB_URL
  if (url) return { name: 'MONGODB_URL', start: async () => ({ open: () => openMongoHarness(url), stop: async () => {} }) }
  if (dockerAnswers()) return { name: 'MongoDB in a container', start: startContainer }
  const ferretdb = ferretdbBinary()
  if (ferretdb) return { name: 'FerretDB', start: () => startFerretdbOnFiles(ferretdb) }
  process.stderr.write(
    '\nNO MongoDB FOUND: its store is tested against a stand-in only (set MONGODB_URL, start Docker, or build test/support/ferretdb with Go as .ci/run does)\n\n',
  )
  return undefined
}

function dockerAnswers(): boolean {
  try {
    execFileSync('docker', ['info'], { timeout: 2_000, stdio: 'ignore' })
    return true
  } catch {
    // Not installed, not running, or not for us: for this test all the same.
    return false
  }
}

async function startContainer() {
  const { url, stop } = await startMongoContainer()
  return { open: () => openMongoHarness(url), stop }
}

async function startMongoContainer(): Promise<Server> {
  const { GenericContainer, Wait } = await import('testcontainers')
  const container = await new GenericContainer('mongo:8.0')
    .withExposedPorts(27017)
    .withWaitStrategy(Wait.forLogMessage(/Waiting for connections/))
    .start()
  const url = `mongodb://${container.getHost()}:${container.getMappedPort(27017)}/`
  return { url, stop: async () => void (await container.stop()) }
}

/** One that is worth measuring: FerretDB on files reads a whole collection for each write. Undefined where there is none. */
export async function startFastMongo(): Promise<(Server & { name: string }) | undefined> {
  const url = process.env.MONGODB_URL
  if (url) return { name: 'MONGODB_URL', url, stop: async () => {} }
  if (dockerAnswers()) return { name: 'MongoDB', ...(await startMongoContainer()) }
  const [ferretdb, programs] = [ferretdbBinary(), postgresPrograms()]
  if (!ferretdb || !programs) return undefined
  const postgres = await startPostgres(programs)
  const server = await startFerretdb(ferretdb, postgres.url)
  return {
    name: 'FerretDB on PostgreSQL',
    url: server.url,
    async stop() {
      await server.stop()
      await postgres.stop()
    },
  }
}

async function startFerretdbOnFiles(binary: string) {
  const dir = await mkdtemp(join(tmpdir(), 'freeway-ferretdb-'))
  const { url, stop } = await startFerretdb(binary, dir)
  return {
    open: () => openMongoHarness(url),
    async stop() {
      await stop()
      await rm(dir, { recursive: true })
    },
  }
}

function letterOf({ _id, reason, text }: Record<string, unknown>): Pick<DeadLetter, 'id' | 'reason' | 'text'> {
  return { id: String(_id), reason: String(reason), text: String(text) }
}
