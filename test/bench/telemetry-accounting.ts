// What accounting costs a request: CPU of a process that holds the outbox, the log, telemetry and its store, as `freeway start` does,
// and nothing else. Of several rounds the cheapest counts: whatever else runs on the machine only ever adds.

import { mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { DatabaseSync } from 'node:sqlite'
import type { Event } from '#contracts/event.ts'
import { openMemoryBroker } from '#services/bus/memory.ts'
import { createLogger } from '#services/logger.ts'
import { openOutbox } from '#services/outbox.ts'
import { startTelemetry } from '#services/telemetry/telemetry.ts'
import { requestId } from './telemetry-facts.ts'

const ROUNDS = 5
const PER_ROUND = 4_000
/** A gateway has been running for a while. */
const WARM_UP = 60_000
const AT_ONCE = 20
/** With so many at once: about a thousand requests a second. */
const PAUSE_MS = 19
const WARM_PAUSE_MS = 2

/** In µs of CPU a request, of all threads. `dir`: a folder for its files. */
export async function measureAccounting(dir: string, factsOf: (request: string, i: number) => Event[]): Promise<number> {
  await using stack = new AsyncDisposableStack()
  const dataDir = await mkdtemp(join(dir, 'accounting-'))
  const broker = await openMemoryBroker({ file: join(dataDir, 'bus.db') })
  stack.defer(() => broker.close())
  const settings = { dataDir, mongodbUrl: undefined, requestTimeoutMs: 60_000 }
  const logger = createLogger({ service: 'bench', level: 'error' })
  const telemetry = await startTelemetry({ backbone: broker.connect('telemetry'), settings, logger })
  stack.defer(() => telemetry.close())
  const outbox = openOutbox({ events: broker.connect('ingress').events, role: 'ingress', instance: 'ingress' })
  stack.defer(() => outbox.close())
  using reader = new DatabaseSync(join(dataDir, 'telemetry.db'), { readOnly: true })
  const sum = reader.prepare('select sum(calls) as n from cell_hour')
  let told = 0

  async function tell(count: number, pauseMs: number, record: (fact: Event) => void): Promise<void> {
    for (let i = 0; i < count; i++) {
      for (const fact of factsOf(requestId(), i)) record(fact)
      if (i % AT_ONCE === AT_ONCE - 1) await pause(pauseMs)
    }
  }

  async function pass(count: number, pauseMs: number): Promise<void> {
    told += count
    await tell(count, pauseMs, outbox.record)
    while ((sum.get() as { n: number }).n !== told) await pause(100)
  }

  await pass(WARM_UP, WARM_PAUSE_MS)
  const rounds: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    // What it takes to make facts up is no accounting.
    const idle = await cpuUs(() => tell(PER_ROUND, PAUSE_MS, () => {}))
    const used = await cpuUs(() => pass(PER_ROUND, PAUSE_MS))
    rounds.push((used - idle) / PER_ROUND)
  }
  return Math.min(...rounds)
}

async function cpuUs(work: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(before)
  return user + system
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
