// npm run bench:telemetry [-- --assert]: what accounting costs a request, how fast facts go into each store, and how long analytics
// take over a week of a million requests a day. All data is generated. The figures are of this machine and this minute.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { DatabaseSync } from 'node:sqlite'
import type { Event } from '#contracts/event.ts'
import type { Question } from '#contracts/question.ts'
import { questions } from '#contracts/subjects.ts'
import { openMemoryBroker } from '#services/bus/memory.ts'
import { createLogger } from '#services/logger.ts'
import { openOutbox } from '#services/outbox.ts'
import { openSqliteStore } from '#services/telemetry/store/sqlite.ts'
import { openCellTable } from '#services/telemetry/store/sqlite-cells.ts'
import type { EventStore } from '#services/telemetry/store/store.ts'
import { startTelemetry } from '#services/telemetry/telemetry.ts'
import { findMongo } from '#test/support/event-stores.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 3_600_000
const REQUESTS_PER_DAY = 1_000_000
/** Groups of provider, model, strategy, outcome and client that a minute sees, and an hour. */
const GROUPS = { minute: 24, hour: 60 }
const WARM_UP = 10_000
const WORKER = 'Qm9vdHN0cmFwSW5z'

interface Figure {
  what: string
  value: number
  unit: string
  /** What has to be reached; undefined: only told. */
  bound?: { atMost?: number; atLeast?: number }
}

await using stack = new AsyncDisposableStack()
const dir = await mkdtemp(join(tmpdir(), 'freeway-bench-telemetry-'))
stack.defer(() => rm(dir, { recursive: true }))
const logger = createLogger({ service: 'bench', level: 'error' })
const figures = [
  await accounting('ends within a second', 10_000, (request, i) => [endOf(request, i)]),
  await accounting('lasts longer', 10_000, (request, i) => [startOf(request, i), endOf(request, i)]),
  ...(await ingest()),
  ...(await questionsOfAWeek()),
]
print(figures)
if (process.argv.includes('--assert') && figures.some((figure) => !reached(figure))) process.exitCode = 1

/** CPU of this whole process, which holds the outbox, the log, telemetry and its store, as `freeway start` does. */
async function accounting(which: string, requests: number, factsOf: (request: string, i: number) => Event[]): Promise<Figure> {
  await using own = new AsyncDisposableStack()
  const dataDir = await mkdtemp(join(dir, 'accounting-'))
  const broker = await openMemoryBroker({ file: join(dataDir, 'bus.db') })
  own.defer(() => broker.close())
  const settings = { dataDir, mongodbUrl: undefined, requestTimeoutMs: 60_000 }
  const telemetry = await startTelemetry({ backbone: broker.connect('telemetry'), settings, logger })
  own.defer(() => telemetry.close())
  const outbox = openOutbox({ events: broker.connect('ingress').events, role: 'ingress', instance: 'ingress' })
  own.defer(() => outbox.close())
  using reader = new DatabaseSync(join(dataDir, 'telemetry.db'), { readOnly: true })
  const counted = () => (reader.prepare('select sum(calls) as n from cell_hour').get() as { n: number }).n
  const tell = async (name: string, count: number, record: (fact: Event) => void) => {
    for (let i = 0; i < count; i++) {
      for (const fact of factsOf(`${name}${i}-${Math.random().toString(36).slice(2)}`, i)) record(fact)
      // A thousand requests a second.
      if (i % 20 === 19) await pause(15)
    }
  }
  const pass = async (name: string, count: number, total: number) => {
    await tell(name, count, outbox.record)
    while (counted() !== total) await pause(100)
  }
  await pass('warm', WARM_UP, WARM_UP)
  // What it takes to make facts up is no accounting.
  const idle = await cpuOf(() => tell('x', requests, () => {}))
  const used = await cpuOf(() => pass('r', requests, WARM_UP + requests))
  const what = `accounting of a request that ${which}, CPU`
  return { what, value: (used - idle) / requests, unit: 'µs', bound: { atMost: 15 } }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** In µs. */
async function cpuOf(work: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(before)
  return user + system
}

async function ingest(): Promise<Figure[]> {
  const store = openSqliteStore(join(dir, 'ingest.db'))
  stack.defer(() => store.close())
  const rate = await rateOf(store, 60_000)
  const found: Figure[] = [
    { what: 'events into SQLite', value: rate.perSecond, unit: '/s', bound: { atLeast: 10_000 } },
    { what: 'memory gained meanwhile', value: rate.grownMb, unit: 'MB', bound: { atMost: 100 } },
  ]
  const mongo = findMongo()
  // FerretDB on SQLite reads a whole collection for each write: it shows that the adapter is right, not how fast it is.
  if (!mongo || mongo.name === 'FerretDB') {
    process.stdout.write('MongoDB: not measured, for there is none here (set MONGODB_URL, or start Docker)\n')
    return found
  }
  const server = await mongo.start()
  const harness = await server.open()
  const remote = await harness.open()
  const { perSecond } = await rateOf(remote, 50_000)
  await remote.close()
  await harness.close()
  await server.stop()
  return [...found, { what: `events into ${mongo.name}`, value: perSecond, unit: '/s', bound: { atLeast: 5_000 } }]
}

async function rateOf(store: EventStore, count: number): Promise<{ perSecond: number; grownMb: number }> {
  const facts = Array.from({ length: count / 2 }, (_, i) => {
    const request = `i${i}-${Math.random().toString(36).slice(2)}`
    return [startOf(request, i), endOf(request, i)]
  }).flat()
  const before = process.memoryUsage.rss()
  const started = performance.now()
  for (let i = 0; i < facts.length; i += 1_000) await store.save(facts.slice(i, i + 1_000))
  await store.rollUp(true)
  return { perSecond: Math.round(count / ((performance.now() - started) / 1_000)), grownMb: (process.memoryUsage.rss() - before) / 2 ** 20 }
}

async function questionsOfAWeek(): Promise<Figure[]> {
  const dataDir = join(dir, 'week')
  const settings = { dataDir, mongodbUrl: undefined, requestTimeoutMs: 60_000 }
  const broker = await openMemoryBroker()
  stack.defer(() => broker.close())
  const telemetry = await startTelemetry({ backbone: broker.connect('telemetry'), settings, logger })
  stack.defer(() => telemetry.close())
  fillWeek(join(dataDir, 'telemetry.db'))
  const { bus } = broker.connect('ingress')
  const p95 = async (question: Question) => {
    const times: number[] = []
    for (let i = 0; i < 40; i++) {
      const started = performance.now()
      await bus.request(questions, new TextEncoder().encode(JSON.stringify(question)), { timeoutMs: 10_000 })
      times.push(performance.now() - started)
    }
    return times.sort((a, b) => a - b)[Math.ceil(times.length * 0.95) - 1] ?? 0
  }
  const ask = { kind: 'analytics', bucket_count: 168 } as const
  return [
    { what: 'analytics over 7 days, p95', value: await p95({ ...ask, window_seconds: 604_800 }), unit: 'ms', bound: { atMost: 150 } },
    { what: 'analytics over 24 hours, p95', value: await p95({ ...ask, window_seconds: 86_400, bucket_count: 24 }), unit: 'ms' },
    {
      what: 'analytics over an hour, p95',
      value: await p95({ ...ask, window_seconds: 3_600, bucket_count: 60 }),
      unit: 'ms',
      bound: { atMost: 30 },
    },
  ]
}

/** Roll-ups as a week would have left them. */
function fillWeek(file: string): void {
  using db = new DatabaseSync(file)
  const table = openCellTable(db)
  const now = Date.now()
  const histogram = (count: number) => Array.from({ length: 12 }, (_, i) => [60 + i * 2, Math.ceil(count / 12)]).flat()
  const cell = (start: number, group: number, calls: number) => ({
    start,
    provider: `provider-${group % 6}`,
    model: `model-${group % 12}b`,
    strategy: group % 2 ? 'auto' : 'fastest',
    outcome: group % 8 === 7 ? 'provider_error' : 'ok',
    client: `client-${group % 20}`,
    calls,
    in: calls * 300,
    out: calls * 200,
    cost: calls * 100,
    us: calls * 900_000,
    latency: histogram(calls),
    ttft: histogram(calls),
  })
  db.exec('begin')
  for (const [span, ms] of [
    ['hour', HOUR_MS],
    ['minute', MINUTE_MS],
  ] as const) {
    const calls = Math.ceil(((REQUESTS_PER_DAY / (24 * HOUR_MS)) * ms) / GROUPS[span])
    for (let start = Math.floor(now / ms) * ms; start > now - 7 * 24 * HOUR_MS; start -= ms) {
      table.add(
        span,
        Array.from({ length: GROUPS[span] }, (_, group) => cell(start, group, calls)),
      )
    }
  }
  db.exec('commit')
}

/** What is told of a streamed request. */
function startOf(request: string, i: number): Event {
  const at = Date.now()
  return {
    id: `${request}.0.req.start.ingress`,
    at,
    name: 'req.start',
    request,
    model: 'auto',
    stream: true,
    client: `client-${i % 20}`,
    format: 'chat/completions',
    granted: { n: 1, provider: `provider-${i % 6}`, worker: WORKER, at },
  }
}

function endOf(request: string, i: number): Event {
  const at = Date.now()
  const times = { ttfb_ms: 210.251, duration_ms: 900.502 }
  const tokens = { in: 300, out: 200 }
  return {
    id: `${request}.0.req.end.ingress`,
    at,
    name: 'req.end',
    request,
    provider: `provider-${i % 6}`,
    model: `model-${i % 12}b`,
    outcome: i % 20 ? 'ok' : 'provider_error',
    status: 200,
    attempts: 1,
    ...tokens,
    ...times,
    client: `client-${i % 20}`,
    format: 'chat/completions',
    strategy: 'auto',
    asked: 'auto',
    stream: true,
    last: { n: 1, worker: WORKER, account: 'account-1', granted_at: at, result: 'ok', sent: true, ...tokens, ...times },
  }
}

function reached({ value, bound: { atMost = Number.POSITIVE_INFINITY, atLeast = 0 } = {} }: Figure): boolean {
  return value <= atMost && value >= atLeast
}

function print(figures: readonly Figure[]): void {
  for (const figure of figures) {
    const { what, value, unit, bound } = figure
    const wanted = bound
      ? `${bound.atMost === undefined ? `≥ ${bound.atLeast}` : `≤ ${bound.atMost}`} ${unit}  ${reached(figure) ? 'reached' : 'MISSED'}`
      : ''
    const digits = value < 100 ? 1 : 0
    process.stdout.write(`${what.padEnd(46)} ${value.toFixed(digits).padStart(10)} ${unit.padEnd(3)} ${wanted}\n`)
  }
}
