// npm run bench:telemetry [-- --assert] [-- --only <accounting|ingest|analytics|outages>]: what accounting costs a request, how fast
// facts go into each store, how long analytics take over a week of a million requests a day, and what requests feel of a store that is
// gone. All data is generated. Whatever else the machine does makes figures worse, so of several turns the best counts, or the median.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { DatabaseSync } from 'node:sqlite'
import { parseArgs } from 'node:util'
import type { Question } from '#contracts/question.ts'
import { questions } from '#contracts/subjects.ts'
import { openMemoryBroker } from '#services/bus/memory.ts'
import { createLogger } from '#services/logger.ts'
import { openSqliteStore } from '#services/telemetry/store/sqlite.ts'
import { openCellTable } from '#services/telemetry/store/sqlite-cells.ts'
import type { EventStore } from '#services/telemetry/store/store.ts'
import { startTelemetry } from '#services/telemetry/telemetry.ts'
import { measureAccounting } from './telemetry-accounting.ts'
import { endOf, requestId, startOf } from './telemetry-facts.ts'
import { measureMongo } from './telemetry-mongo.ts'
import { measureOutages } from './telemetry-outage.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 3_600_000
const REQUESTS_PER_DAY = 1_000_000
/** Groups of provider, model, strategy, outcome and client that a minute sees, and an hour. */
const GROUPS = { minute: 24, hour: 60 }
const ASKED = 60

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
const { values: options } = parseArgs({ options: { assert: { type: 'boolean', default: false }, only: { type: 'string' } } })
const parts: Record<string, () => Promise<Figure[]>> = { accounting, ingest, analytics: questionsOfAWeek, outages }
if (options.only !== undefined && !parts[options.only]) throw new Error(`--only: expected one of ${Object.keys(parts).join(', ')}`)
const figures: Figure[] = []
for (const [name, measure] of Object.entries(parts)) if (name === (options.only ?? name)) figures.push(...(await measure()))
print(figures)
if (options.assert && figures.some((figure) => !reached(figure))) process.exitCode = 1

async function accounting(): Promise<Figure[]> {
  const bound = { atMost: 15 }
  const short = await measureAccounting(dir, (request, i) => [endOf(request, i)])
  const long = await measureAccounting(dir, (request, i) => [startOf(request, i), endOf(request, i)])
  return [
    { what: 'accounting, us per request', value: short, unit: 'µs', bound },
    { what: 'accounting, us per request of over a second', value: long, unit: 'µs', bound },
  ]
}

async function ingest(): Promise<Figure[]> {
  const store = openSqliteStore(join(dir, 'ingest.db'))
  stack.defer(() => store.close())
  const rate = await rateOf(store, 60_000)
  const found: Figure[] = [
    { what: 'events into SQLite', value: rate.perSecond, unit: '/s', bound: { atLeast: 10_000 } },
    { what: 'memory gained meanwhile', value: rate.grownMb, unit: 'MB', bound: { atMost: 100 } },
  ]
  const mongo = await measureMongo()
  if (!mongo) {
    process.stdout.write('MongoDB: not measured (set MONGODB_URL, start Docker, or have PostgreSQL and FerretDB, as .ci/run builds it)\n')
    return found
  }
  return [
    ...found,
    { what: `events into ${mongo.server}`, value: mongo.store, unit: '/s', bound: { atLeast: 5_000 } },
    { what: '  by the bare driver, in turns with it', value: mongo.bare, unit: '/s' },
    ...(mongo.rollUpMs === undefined ? [] : [{ what: '  all of it rolled up', value: mongo.rollUpMs, unit: 'ms' }]),
  ]
}

async function rateOf(store: EventStore, count: number): Promise<{ perSecond: number; grownMb: number }> {
  const facts = Array.from({ length: count / 2 }, (_, i) => {
    const request = requestId()
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
    for (let i = 0; i < ASKED; i++) {
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

async function outages(): Promise<Figure[]> {
  return (await measureOutages(dir)).flatMap(({ what, ratio, p99Ms, missing, errors }) => [
    { what: `p99 of requests, ${what} (else ${p99Ms.toFixed(0)} ms)`, value: ratio, unit: '×', bound: { atMost: 1.1 } },
    { what: '  requests that failed, or were never stored', value: missing + errors, unit: '', bound: { atMost: 0 } },
  ])
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

function reached({ value, bound: { atMost = Number.POSITIVE_INFINITY, atLeast = 0 } = {} }: Figure): boolean {
  return value <= atMost && value >= atLeast
}

function print(figures: readonly Figure[]): void {
  for (const figure of figures) {
    const { what, value, unit, bound } = figure
    const wanted = bound
      ? `${bound.atMost === undefined ? `≥ ${bound.atLeast}` : `≤ ${bound.atMost}`} ${unit}  ${reached(figure) ? 'reached' : 'MISSED'}`
      : ''
    const digits = value < 10 ? 2 : value < 100 ? 1 : 0
    process.stdout.write(`${what.padEnd(48)} ${value.toFixed(digits).padStart(10)} ${unit.padEnd(3)} ${wanted}\n`)
  }
}
