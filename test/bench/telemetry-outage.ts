// What requests feel of a store that is gone or slow, or of a telemetry that is down: the slowest hundredth of them in turns with and
// without the fault. Afterwards everything has to be stored.

import { mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { layCable } from '#test/cluster/cable.ts'
import { type MongoStandIn, startMongoStandIn } from '#test/support/mongo-stand-in.ts'
import { until } from '#test/support/until.ts'
import { type Contestant, clientKey, type Surroundings, startCluster, startEmbedded } from './contestants.ts'
import { median } from './figures.ts'
import type { Load, LoadResult } from './load.ts'
import { findNatsServer } from './nats.ts'
import { ask, type Process, start } from './processes.ts'

export interface Outage {
  what: string
  /** The p99 of requests with the fault, compared with without. */
  ratio: number
  p99Ms: number
  /** Requests that are not stored in the end. */
  missing: number
  errors: number
}

const TURNS = 5
/** As quick as a provider is, so that a request waits for it and not for a core: then all that is added is the fault's. */
const load = { key: clientKey, model: 'c1d100', stream: true, tokens: 1, connections: 60, durationMs: 3_000, staggerMs: 300 }
/** A slow server answers once in so long. */
const SLOW_MS = 1_500
const SETTLED_MS = 3_000
const STORED_WITHIN_MS = 60_000

/** `dir`: for its files. */
export async function measureOutages(dir: string): Promise<Outage[]> {
  await using stack = new AsyncDisposableStack()
  const own = (stop: () => Promise<void>) => stack.defer(stop)
  const file = (name: string) => join(import.meta.dirname, name)
  const upstream = await start({ name: 'upstream', args: [file('upstream.ts')], channel: true }, own)
  const client = await start({ name: 'load', args: [file('load.ts')], channel: true }, own)
  const surroundings = async (): Promise<Surroundings> => ({
    port: upstream.ready.port as number,
    folder: await mkdtemp(join(dir, 'outage-')),
    compileCache: join(dir, 'compiled'),
    own,
    nodeOptions: () => [],
  })

  const mongo = await startMongoStandIn()
  stack.defer(() => mongo.stop())
  const cable = await layCable(Number(new URL(mongo.url).port))
  stack.defer(() => cable.close())
  const embedded = await startEmbedded(await surroundings(), { MONGODB_URL: `mongodb://127.0.0.1:${cable.port}/freeway` })
  const stopped = { begin: () => mongo.stop(), end: () => mongo.start() }
  const outages = [
    await measure('MongoDB stopped', embedded, client, mongo, stopped),
    await measure('MongoDB slow', embedded, client, mongo, slowed(cable)),
  ]
  const nats = await findNatsServer()
  if (!nats) return outages
  for (const process of embedded.processes) await process.stop()
  const other = await startMongoStandIn()
  stack.defer(() => other.stop())
  const cluster = await startCluster(await surroundings(), nats, { MONGODB_URL: other.url })
  const telemetry = cluster.processes.find(({ name }) => name === 'telemetry') as Process
  const frozen = { begin: async () => void telemetry.child.kill('SIGSTOP'), end: async () => void telemetry.child.kill('SIGCONT') }
  return [...outages, await measure('telemetry down', cluster, client, other, frozen)]
}

interface Fault {
  begin(): Promise<void>
  end(): Promise<void>
}

async function measure(what: string, { port }: Contestant, client: Process, mongo: MongoStandIn, fault: Fault): Promise<Outage> {
  let expected = 0
  const ended = () => [...(mongo.collections.get('requests')?.values() ?? [])].filter((document) => document['ended']).length
  // What is missing in the end is told; there is nothing to throw.
  const stored = () => until('all is stored', () => ended() >= expected, { timeoutMs: STORED_WITHIN_MS }).catch(() => {})
  const results: { well: LoadResult; ill: LoadResult }[] = []
  const turn = async () => {
    const result = await ask<LoadResult>(client, { ...load, port } satisfies Load)
    expected += result.requests
    return result
  }
  // What was asked before this is stored.
  await sleep(SETTLED_MS)
  expected = ended()
  await turn()
  for (let i = 0; i < TURNS; i++) {
    // What is stored later than usual is work as well, and none of this turn.
    await stored()
    const well = await turn()
    await fault.begin()
    const ill = await turn()
    await fault.end()
    results.push({ well, ill })
  }
  await stored()
  return {
    what,
    ratio: median(results.map(({ well, ill }) => ill.latency.p99 / well.latency.p99)),
    p99Ms: median(results.map(({ well }) => well.latency.p99)),
    missing: expected - ended(),
    errors: results.reduce((sum, { well, ill }) => sum + well.errors + ill.errors, 0),
  }
}

function slowed(cable: { cut(): void; mend(): void }): Fault {
  let timer: ReturnType<typeof setInterval> | undefined
  return {
    async begin() {
      cable.cut()
      timer = setInterval(() => {
        cable.mend()
        setImmediate(() => cable.cut())
      }, SLOW_MS)
    },
    async end() {
      clearInterval(timer)
      await sleep(10)
      cable.mend()
    },
  }
}
