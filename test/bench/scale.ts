// What each service costs at 1, 2 and 4 replicas, and from it the pods for loads that no test machine carries.
// `npm run bench:scale [-- --quick]`: a Markdown table of what was measured and one of what follows from it. One replica more adds processes,
// not cores: so only CPU time counts here, never throughput.

import { mkdtemp, rm } from 'node:fs/promises'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { clientKey, type Surroundings, startReplicas } from './contestants.ts'
import type { Load, LoadResult } from './load.ts'
import { findNatsServer, type NatsServer } from './nats.ts'
import { ask, cpuMs, memory, type Process, start } from './processes.ts'
import { table } from './report.ts'
import { BUSY, type Cost, growth, LEAST_PODS, loads, type Measured, needOf, type Part, POD_CORES, POD_MB, parts } from './scale-model.ts'

const { values: options } = parseArgs({ options: { quick: { type: 'boolean', default: false } } })
const replicaCounts = [1, 2, 4]
const LOAD_MS = options.quick ? 2_500 : 8_000
const WARM_UP_MS = options.quick ? 2_500 : 5_000
const OPEN_STREAMS = 200
/** Work that follows an answer belongs to it. */
const SETTLE_MS = 1_500
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
  const measured: Measured[] = []
  for (const replicas of replicaCounts) {
    progress(`${replicas} of each`)
    measured.push(await measureWith(replicas, server, folder))
  }
  print(measured, server.version)
} finally {
  await close()
}

async function measureWith(replicas: number, server: NatsServer, folder: string): Promise<Measured> {
  const own = stack.use(new AsyncDisposableStack())
  const defer = (stop: () => Promise<void>) => own.defer(stop)
  const tool = (name: string) => start({ name, args: [join(import.meta.dirname, `${name}.ts`)], channel: true }, defer)
  const upstream = await tool('upstream')
  const around: Surroundings = {
    port: upstream.ready.port as number,
    folder,
    compileCache: join(folder, 'compiled'),
    own: defer,
    nodeOptions: () => [],
  }
  const { ports, processes } = await startReplicas(around, server, replicas)
  const generators = await Promise.all(ports.map(() => tool('load')))
  const send = (load: Pick<Load, 'model' | 'stream' | 'tokens' | 'connections' | 'durationMs' | 'staggerMs'>) =>
    Promise.all(
      generators.map((generator, i) =>
        ask<LoadResult>(generator, {
          // The same for each replica, however many there are: what comes together is cheaper than what comes alone.
          ...load,
          port: ports[i] as number,
          key: clientKey,
        } satisfies Load),
      ),
    )
  const answers = { model: 'c1', stream: false, tokens: 1, connections: 16, durationMs: LOAD_MS, staggerMs: 0 }
  const streams = { model: 'c100', stream: true, tokens: 100, connections: 8, durationMs: LOAD_MS, staggerMs: 0 }
  const open = {
    model: 'c20d100',
    stream: true,
    tokens: 20,
    connections: Math.ceil(OPEN_STREAMS / replicas),
    durationMs: LOAD_MS,
    staggerMs: 2_000,
  }

  // Code that has not been compiled yet costs several times as much, and each replica gets its part only.
  for (const load of [answers, streams]) await send({ ...load, durationMs: WARM_UP_MS * replicas })
  await sleep(SETTLE_MS)
  const idle = usage(processes)
  const byAnswer = await spent(processes, () => send(answers))
  const byStream = await spent(processes, () => send(streams))
  const before = usage(processes)
  const byOpen = await spent(processes, () => send(open))
  const after = usage(processes)
  await own.disposeAsync()
  const costs = Object.fromEntries(
    parts.map((part): [Part, Cost] => {
      const answer = byAnswer.us(part) / byAnswer.requests
      return [
        part,
        {
          answer,
          stream: byStream.us(part) / byStream.requests,
          // What beginning and ending them costs is counted with the requests.
          openSecond: Math.max(0, byOpen.us(part) - byOpen.requests * answer) / (OPEN_STREAMS * byOpen.seconds),
          idleMb: idle.mb(part) / replicasOf(processes, part).length,
          openMb: Math.max(0, after.mb(part) - before.mb(part)) / OPEN_STREAMS,
        },
      ]
    }),
  )
  return { replicas, costs: costs as Record<Part, Cost> }
}

async function spent(processes: Process[], work: () => Promise<LoadResult[]>) {
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
    us: (part: Part) => replicasOf(processes, part).reduce((sum, { pid }) => sum + (used.get(pid) ?? 0), 0) * 1_000,
  }
}

function usage(processes: Process[]) {
  const now = new Map(processes.map(({ pid }) => [pid, memory(pid).nowMb]))
  return { mb: (part: Part) => replicasOf(processes, part).reduce((sum, { pid }) => sum + (now.get(pid) ?? 0), 0) }
}

function replicasOf(processes: Process[], part: Part): Process[] {
  return processes.filter(({ name }) => name === part || name.startsWith(`${part}-`))
}

function print(measured: Measured[], natsVersion: string): void {
  const us = (value: number) => `${value.toFixed(value < 100 ? 1 : 0)}`
  const whats = [
    ['answer', 'whole answer, µs'],
    ['stream', 'stream of 100 chunks, µs'],
    ['openSecond', 'second of an open stream (10 chunks), µs'],
  ] as const
  const rows = whats.flatMap(([what, name]) => [
    ...parts.map((part) => [name, part, ...measured.map(({ costs }) => us(costs[part][what]))]),
    [name, 'all', ...measured.map(({ costs }) => us(parts.reduce((sum, part) => sum + costs[part][what], 0)))],
  ])
  const memoryRows = parts.map((part) => ['idle memory of one, MB', part, ...measured.map(({ costs }) => costs[part].idleMb.toFixed(0))])
  const head = replicaCounts.map((replicas) => `${replicas} of each`)
  console.log(`\nMeasured: CPU time by service\n\n${table(['for each', 'service', ...head], [...rows, ...memoryRows])}\n`)
  for (const [what, name] of whats) console.log(`${name}: ${growth(measured, what).toFixed(2)} × at ${replicaCounts.at(-1)} of each`)

  const { costs } = measured.at(-1) as Measured
  const needs = loads.map((load) => [
    load.name,
    ...parts.map((part) => {
      const { pods, cores } = needOf(load, part, costs[part])
      return `${pods} (${cores.toFixed(cores < 10 ? 1 : 0)} cores)`
    }),
  ])
  console.log(
    `\nExtrapolated from the costs at ${replicaCounts.at(-1)} of each: pods of ${POD_CORES} core and ${POD_MB} MB, at most ${BUSY * 100} % busy, ` +
      `at least ${LEAST_PODS} of each service\n\n${table(['load', ...parts], needs)}\n`,
  )
  console.log(
    `${cpus()[0]?.model}, ${cpus().length} cores, Node ${process.version}, nats-server ${natsVersion}; ${((performance.now() - began) / 1000).toFixed(0)} s`,
  )
}

function progress(text: string): void {
  process.stderr.write(`${text}\n`)
}
