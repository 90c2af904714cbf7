// What each service costs at 1, 2 and 4 replicas, and from it the pods for loads that no test machine carries.
// `npm run bench:scale [-- --quick]`: a Markdown table of what was measured and one of what follows from it. One replica more adds processes,
// not cores: so only CPU time counts here, never throughput.

import { mkdtemp, rm } from 'node:fs/promises'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { clientKey, type Surroundings, startReplicas } from './contestants.ts'
import { median } from './figures.ts'
import type { Load, LoadResult } from './load.ts'
import { findNatsServer, type NatsServer } from './nats.ts'
import { ask, cpuMs, memory, type Process, start } from './processes.ts'
import { table } from './report.ts'
import {
  BROKER_HOPS,
  BROKER_POD,
  BUSY,
  type Calm,
  type Cost,
  growth,
  LEAST_PODS,
  loads,
  type Measured,
  needOf,
  type Part,
  parts,
  SERVICE_POD,
} from './scale-model.ts'

const { values: options } = parseArgs({ options: { quick: { type: 'boolean', default: false } } })
const replicaCounts = [1, 2, 4]
type What = 'answer' | 'stream' | 'busyAnswer' | 'busyStream' | 'openSecond'
const TURNS = options.quick ? 2 : 6
const TURN_MS = options.quick ? 2_500 : 4_000
/** Long enough for streams of two seconds that begin one after the other. */
const OPEN_MS = 3_000
const WARM_UP_MS = options.quick ? 1_500 : 5_000
const OPEN_STREAMS = 160
/** Work that follows an answer belongs to it. */
const SETTLE_MS = 500
const began = performance.now()

const stack = new AsyncDisposableStack()
let closing: Promise<void> | undefined
const close = () => (closing ??= stack.disposeAsync())
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void close().finally(() => process.exit(130)))

try {
  const server = await findNatsServer()
  if (!server) throw new Error('bench:scale needs nats-server: apt install nats-server, or set NATS_SERVER_BIN')
  const folder = await mkdtemp(join(tmpdir(), 'freeway-scale-'))
  stack.defer(() => rm(folder, { recursive: true, force: true }))
  const deployments: Deployment[] = []
  for (const replicas of replicaCounts) {
    progress(`${replicas} of each: start and warm up`)
    deployments.push(await open(replicas, server, folder))
  }
  // Where a core's speed changes from one second to the next, only neighbours in time can be compared: all take each turn one after the other.
  for (let turn = 0; turn < TURNS; turn++) {
    progress(`turn ${turn + 1} of ${TURNS}`)
    for (let i = 0; i < deployments.length; i++) await takeTurn(deployments[(i + turn) % deployments.length] as Deployment)
    await takeBusyTurn(deployments[0] as Deployment)
  }
  print(deployments.map(measuredOf), costsOf(deployments[0] as Deployment), server.version)
} finally {
  await close()
}

interface Deployment {
  replicas: number
  processes: Process[]
  idle: Usage
  turns: Record<What, Spent[]>
  /** Memory before and while streams are open. */
  grown: { before: Usage; after: Usage }[]
  send(what: What, durationMs: number): Promise<LoadResult[]>
}

async function open(replicas: number, server: NatsServer, folder: string): Promise<Deployment> {
  const own = (stop: () => Promise<void>) => stack.defer(stop)
  const tool = (name: string) => start({ name, args: [join(import.meta.dirname, `${name}.ts`)], channel: true }, own)
  const upstream = await tool('upstream')
  const around: Surroundings = {
    port: upstream.ready.port as number,
    folder,
    compileCache: join(folder, 'compiled'),
    own,
    nodeOptions: () => [],
  }
  const { ports, processes } = await startReplicas(around, server, replicas)
  const generators = await Promise.all(ports.map(() => tool('load')))
  const self: Deployment = {
    replicas,
    processes,
    idle: usage(processes),
    turns: { answer: [], stream: [], busyAnswer: [], busyStream: [], openSecond: [] },
    grown: [],
    send(what, durationMs) {
      const load = loadOf(what)
      return Promise.all(
        generators.map((generator, i) =>
          ask<LoadResult>(generator, { ...load, durationMs, port: ports[i] as number, key: clientKey } satisfies Load),
        ),
      )
    },
  }
  // Code that has not been compiled yet costs several times as much, and each replica gets its part only.
  await self.send('busyStream', WARM_UP_MS * replicas)
  return self
}

function loadOf(what: What): Omit<Load, 'port' | 'key' | 'durationMs'> {
  switch (what) {
    case 'answer':
      return { model: 'c1d100', stream: true, tokens: 1, connections: 8, staggerMs: 200 }
    case 'stream':
      return { model: 'c100d10', stream: true, tokens: 100, connections: 4, staggerMs: 500 }
    case 'busyAnswer':
      return { model: 'c1', stream: true, tokens: 1, connections: 32, staggerMs: 0 }
    case 'busyStream':
      return { model: 'c100', stream: true, tokens: 100, connections: 16, staggerMs: 0 }
    case 'openSecond':
      return { model: 'c20d100', stream: true, tokens: 20, connections: OPEN_STREAMS, staggerMs: 2_000 }
  }
}

async function takeTurn({ processes, turns, send }: Deployment): Promise<void> {
  for (const what of ['answer', 'stream'] as const) turns[what].push(await spent(processes, () => send(what, TURN_MS)))
}

async function takeBusyTurn({ processes, turns, grown, send }: Deployment): Promise<void> {
  for (const what of ['busyAnswer', 'busyStream'] as const) turns[what].push(await spent(processes, () => send(what, TURN_MS)))
  const before = usage(processes)
  turns.openSecond.push(await spent(processes, () => send('openSecond', OPEN_MS)))
  grown.push({ before, after: usage(processes) })
}

function perRequest(turns: Spent[], part: Part): number {
  return median(turns.map(({ us, requests }) => us(part) / requests))
}

function measuredOf({ replicas, turns }: Deployment): Measured {
  const costs = parts.map((part) => [part, { answer: perRequest(turns.answer, part), stream: perRequest(turns.stream, part) }])
  return { replicas, costs: Object.fromEntries(costs) as Record<Part, Calm> }
}

function costsOf({ processes, idle, turns, grown }: Deployment): Record<Part, Cost> {
  const costOf = (part: Part): Cost => {
    const answer = perRequest(turns.busyAnswer, part)
    return {
      answer,
      stream: perRequest(turns.busyStream, part),
      // What beginning and ending them costs is counted with the requests.
      openSecond: median(turns.openSecond.map((one) => Math.max(0, one.us(part) - one.requests * answer) / (OPEN_STREAMS * one.seconds))),
      idleMb: idle(part) / replicasOf(processes, part).length,
      openMb: median(grown.map(({ before, after }) => Math.max(0, after(part) - before(part)) / OPEN_STREAMS)),
    }
  }
  return Object.fromEntries(parts.map((part) => [part, costOf(part)])) as Record<Part, Cost>
}

interface Spent {
  requests: number
  seconds: number
  us(part: Part): number
}

async function spent(processes: Process[], work: () => Promise<LoadResult[]>): Promise<Spent> {
  const before = new Map(processes.map(({ pid }) => [pid, cpuMs(pid)]))
  const results = await work()
  await sleep(SETTLE_MS)
  const used = new Map(processes.map(({ pid }) => [pid, cpuMs(pid) - (before.get(pid) ?? 0)]))
  const errors = results.reduce((sum, result) => sum + result.errors, 0)
  const requests = results.reduce((sum, result) => sum + result.requests, 0)
  if (errors > 0) progress(`!!! ${errors} errors: ${results.map(({ refusal }) => refusal).find(Boolean)}`)
  return {
    requests,
    seconds: Math.max(...results.map((result) => result.seconds)),
    us: (part) => replicasOf(processes, part).reduce((sum, { pid }) => sum + (used.get(pid) ?? 0), 0) * 1_000,
  }
}

/** Resident memory of all replicas of a service as it is now; MB. */
type Usage = (part: Part) => number

function usage(processes: Process[]): Usage {
  const now = new Map(processes.map(({ pid }) => [pid, memory(pid).nowMb]))
  return (part) => replicasOf(processes, part).reduce((sum, { pid }) => sum + (now.get(pid) ?? 0), 0)
}

function replicasOf(processes: Process[], part: Part): Process[] {
  return processes.filter(({ name }) => name === part || name.startsWith(`${part}-`))
}

function print(measured: Measured[], costs: Record<Part, Cost>, natsVersion: string): void {
  const us = (value: number) => value.toFixed(value < 100 ? 1 : 0)
  const sum = (of: Record<Part, Calm>, what: keyof Calm) => parts.reduce((total, part) => total + of[part][what], 0)
  const names = { answer: 'answer of one chunk, µs', stream: 'stream of 100 chunks, µs' }
  const calm = (['answer', 'stream'] as const).flatMap((what) => [
    ...parts.map((part) => [names[what], part, ...measured.map((one) => us(one.costs[part][what]))]),
    [names[what], 'all', ...measured.map((one) => us(sum(one.costs, what)))],
  ])
  const head = replicaCounts.map((replicas) => `${replicas} of each`)
  console.log(`\nMeasured: CPU time with little to do, the same for each replica\n\n${table(['for each', 'service', ...head], calm)}\n`)
  const factor = { answer: growth(measured, 'answer'), stream: growth(measured, 'stream') }
  const most = replicaCounts.at(-1)
  console.log(
    `at ${most} of each, in terms of that at one: answers ${factor.answer.toFixed(2)} ×, streams ${factor.stream.toFixed(2)} × (1.3 at most is wanted)`,
  )

  const busy = parts.map((part) => {
    const { answer, stream, openSecond, idleMb, openMb } = costs[part]
    return [part, us(answer), us(stream), us(openSecond), idleMb.toFixed(0), (openMb * 1024).toFixed(0)]
  })
  const columns = [
    'service',
    'answer, µs',
    'stream of 100 chunks, µs',
    'second of an open stream (10 chunks), µs',
    'idle, MB',
    'open stream, KB',
  ]
  console.log(`\nMeasured: one of each with as much to do as it can\n\n${table(columns, busy)}\n`)

  const needs = loads.map((load) => [
    load.name,
    ...parts.map((part) => {
      const { pods, cores } = needOf(load, part, costs[part], factor)
      return `${pods} (${cores.toFixed(cores < 10 ? 1 : 0)} cores)`
    }),
  ])
  console.log(
    `Extrapolated: pods of ${SERVICE_POD.cores} core and ${SERVICE_POD.mb} MB, of the broker ${BROKER_POD.cores} cores and ${BROKER_POD.mb} MB, ` +
      `at most ${BUSY * 100} % busy, at least ${LEAST_PODS} of each service; each costs what it costs busy, times what ${most} of each cost ` +
      `more than one; a message passes ${BROKER_HOPS} servers of the broker\n\n${table(['load', ...parts], needs)}\n`,
  )
  console.log(
    `${cpus()[0]?.model}, ${cpus().length} cores, Node ${process.version}, nats-server ${natsVersion}; ${((performance.now() - began) / 1000).toFixed(0)} s`,
  )
}

function progress(text: string): void {
  process.stderr.write(`${text}\n`)
}
