// What freeway costs, compared with the least a proxy can cost. `npm run bench [-- --quick] [--only <text>] [--assert] [--profile <contestant>]`
// --quick: one round, in about a minute. --only: scenarios whose name holds the text, e.g. "100 chunks". --assert: exit code 1 if a
// target is missed. --profile: where a contestant spends its time. --traced: what traces of every request cost.

import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { measureCancels } from './cancels.ts'
import { discardTraces } from './collector.ts'
import { type Contestant, clientKey, type Surroundings, startCluster, startEmbedded, startProxy } from './contestants.ts'
import { type Measurement, median, contestants as names } from './figures.ts'
import type { Load, LoadResult } from './load.ts'
import { findNatsServer } from './nats.ts'
import { ask, cpuMs, memory, type Process, start } from './processes.ts'
import { byPart, type CpuProfile, hotFunctions, type Span } from './profile.ts'
import { detailTable, processTable, table, targetTable } from './report.ts'
import { answers, type Scenario, scenarios, streams } from './scenarios.ts'
import { judge, missed, type Results } from './targets.ts'
import type { UpstreamCounts } from './upstream.ts'
import { warmUp } from './warm-up.ts'

const ROUNDS = 3
const STARTS = 3
const IDLE_MS = 2000
const WARM_UP_TURN_MS = 1000
/** Work that follows an answer belongs to it: facts of what happened are stored within a second. */
const SETTLE_MS = 1300
/**
 * Whoever has had nothing to do for some seconds has given back memory, and with it compiled code whose objects are all gone: that
 * is made anew before anything is measured.
 */
const REHEAT: Partial<Scenario> = { connections: 32, durationMs: 1500, staggerMs: 0 }
const TOP = 25
const NO_NATS = '\n!!! NO nats-server FOUND (NATS_SERVER_BIN, PATH, /usr/sbin, ~/go/bin): THE CLUSTER WAS NOT MEASURED !!!\n'

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    assert: { type: 'boolean', default: false },
    profile: { type: 'string' },
    traced: { type: 'boolean', default: false },
  },
})

interface Bench extends Surroundings {
  upstream: Process
  load: Process
}

const stack = new AsyncDisposableStack()
let closing: Promise<void> | undefined
/** May be called twice: by a signal, and then by the failure that follows from it. */
const close = () => (closing ??= stack.disposeAsync())
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void close().finally(() => process.exit(130)))
}
/** Runnable processes of others, on average over a minute: they stretch latencies, and the samples of a profile. */
const loadBefore = loadavg()[0] as number

try {
  const bench = await open()
  if (options.traced) await compareTraced(bench)
  else await (options.profile ? profile(bench, options.profile) : compare(bench))
  if (loadBefore > cpus().length / 2) {
    console.log(`!!! The machine was busy before the run (load ${loadBefore.toFixed(1)}): take latencies and profiles with doubt !!!`)
  }
} finally {
  await close()
}

async function open(): Promise<Bench> {
  const folder = await mkdtemp(join(tmpdir(), 'freeway-bench-'))
  stack.defer(() => rm(folder, { recursive: true, force: true }))
  const own = (stop: () => Promise<void>) => stack.defer(stop)
  const file = (name: string) => join(import.meta.dirname, name)
  const upstream = await start({ name: 'upstream', args: [file('upstream.ts')], channel: true }, own)
  const load = await start({ name: 'load', args: [file('load.ts')], channel: true }, own)
  return { port: upstream.ready.port as number, folder, compileCache: join(folder, 'compiled'), own, nodeOptions: () => [], upstream, load }
}

async function compare(bench: Bench): Promise<void> {
  const began = performance.now()
  const nats = await findNatsServer()
  const results: Results = { measurements: [], memory: {}, cancels: {}, firstAnswerMs: {} }
  const running = await startAll(bench, nats, results)
  for (const contestant of running.slice(1)) await warm(bench, contestant)
  const plan = scenarios(options.quick).filter(({ name }) => name.includes(options.only))
  if (plan.length === 0) throw new Error(`--only: no scenario has "${options.only}" in its name`)
  for (let round = 0; round < (options.quick ? 1 : ROUNDS); round++) {
    for (const scenario of plan.filter((scenario) => round === 0 || !scenario.extra)) {
      progress(`round ${round + 1}: ${scenario.name}`)
      const taking = running.filter(({ name }) => scenario.contestants.includes(name))
      for (const contestant of taking) await send(bench, contestant, { ...scenario, ...REHEAT })
      for (let turn = 0; turn < scenario.turns; turn++) {
        const count = round * scenario.turns + turn
        const part = { ...scenario, durationMs: scenario.durationMs / scenario.turns }
        // Each turn begins with another contestant, so that none always has the same neighbours in time.
        for (let i = 0; i < taking.length; i++) {
          results.measurements.push(await measure(bench, taking[(i + count) % taking.length] as Contestant, part, count))
        }
      }
    }
  }
  for (const { name, port } of running.filter(({ name }) => name === 'embedded' || name === 'cluster')) {
    progress(`cancels: ${name}`)
    results.cancels[name] = await measureCancels(port, bench.upstream)
  }
  for (const { name, processes } of running) {
    const measured = results.memory[name]
    if (measured) measured.peak = byProcess(processes, (pid) => memory(pid).peakMb)
  }
  results.measurements.sort((a, b) => order(plan, a) - order(plan, b))

  // What was left out has no figure, and is not missed for that.
  const rows = judge(results).filter(({ embedded }) => options.only === '' || Number.isFinite(embedded.value))
  const machine = {
    cpu: cpus()[0]?.model,
    cores: cpus().length,
    node: process.version,
    nats: nats?.version,
    loadBefore,
    date: new Date().toISOString(),
  }
  await writeFile('bench.json', `${JSON.stringify({ machine, quick: options.quick, targets: rows, ...results }, null, 1)}\n`)
  console.log(`\n${detailTable(results)}\n\n${processTable(results)}\n\n${targetTable(rows)}\n`)
  console.log(
    `${machine.cpu}, ${machine.cores} cores, Node ${machine.node}, nats-server ${machine.nats ?? 'none'}; ${seconds(began)} s; figures in bench.json`,
  )
  if (!nats) console.log(NO_NATS)
  if (options.assert && missed(rows)) process.exitCode = 1
}

async function startAll(bench: Bench, nats: Awaited<ReturnType<typeof findNatsServer>>, results: Results): Promise<Contestant[]> {
  const direct: Contestant = { name: 'direct', port: bench.port, processes: [], firstAnswerMs: 0 }
  for (let i = 1; i < STARTS; i++) {
    const { firstAnswerMs } = await startOnce(bench, i, startEmbedded)
    results.firstAnswerMs.embedded = [...(results.firstAnswerMs.embedded ?? []), firstAnswerMs]
  }
  // The first start fills the compile cache; only the later ones are as lean as they will be every day.
  if (nats) await startOnce(bench, 0, (around) => startCluster(around, nats))
  const running = [direct, await startProxy(bench), await startEmbedded(bench)]
  if (nats) running.push(await startCluster(bench, nats))
  else console.log(NO_NATS)
  await sleep(IDLE_MS)
  for (const { name, processes, firstAnswerMs } of running) {
    if (name === 'direct') continue
    results.memory[name] = { idle: byProcess(processes, (pid) => memory(pid).nowMb), peak: {} }
    results.firstAnswerMs[name] = [...(results.firstAnswerMs[name] ?? []), firstAnswerMs]
  }
  return running
}

/** The same gateway without and with a collector that takes every span, turn by turn. */
async function compareTraced(bench: Bench): Promise<void> {
  const silent = await startEmbedded(bench)
  const traced = await startTraced(bench)
  for (const contestant of [silent, traced]) await warm(bench, contestant)
  const cpuUs = async (contestant: Contestant, scenario: Scenario, turn: number) => {
    const { cpuMs: used, requests } = await measure(bench, contestant, scenario, turn)
    return (Object.values(used).reduce((sum, ms) => sum + ms, 0) * 1000) / requests
  }
  const rows: string[][] = []
  for (const scenario of busiest().filter(({ format }) => format === 'chat')) {
    progress(`traced: ${scenario.name}`)
    const turns: [silent: number, traced: number][] = []
    const part = { ...scenario, durationMs: scenario.durationMs / scenario.turns }
    for (let turn = 0; turn < 2 * scenario.turns; turn++) {
      const first = await cpuUs(turn % 2 ? traced : silent, part, turn)
      const second = await cpuUs(turn % 2 ? silent : traced, part, turn)
      turns.push(turn % 2 ? [second, first] : [first, second])
    }
    const off = median(turns.map(([silent]) => silent))
    const on = median(turns.map(([, traced]) => traced))
    const ratio = median(turns.map(([silent, traced]) => traced / silent - 1))
    rows.push([scenario.name, off.toFixed(0), on.toFixed(0), percent(ratio)])
  }
  console.log(`\n${table(['scenario', 'µs/request without', 'with traces', 'more'], rows)}`)
}

async function startTraced(bench: Surroundings): Promise<Contestant> {
  const collector = await discardTraces()
  stack.defer(() => collector.close())
  return startEmbedded({ ...bench, folder: join(bench.folder, 'traced') }, { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url })
}

/** Starts a contestant and stops it again. */
async function startOnce(bench: Bench, i: number, begin: (around: Surroundings) => Promise<Contestant>): Promise<Contestant> {
  const contestant = await begin({ ...bench, folder: join(bench.folder, `start-${i}`) })
  for (const process of contestant.processes) await process.stop()
  return contestant
}

async function warm(bench: Bench, contestant: Contestant): Promise<void> {
  progress(`warm up ${contestant.name}`)
  const used = () => Object.values(byProcess(contestant.processes, cpuMs)).reduce((sum, ms) => sum + ms, 0)
  for (const scenario of busiest().filter(({ contestants }) => contestants.includes(contestant.name))) {
    await warmUp(async () => {
      const before = used()
      const { requests } = await send(bench, contestant, { ...scenario, durationMs: WARM_UP_TURN_MS })
      return (used() - before) / requests
    })
  }
}

async function measure(bench: Bench, contestant: Contestant, scenario: Scenario, round: number): Promise<Measurement> {
  const { name, processes } = contestant
  const before = byProcess(processes, cpuMs)
  const calls = await upstreamCalls(bench)
  const { statuses, refusal, ...result } = await send(bench, contestant, scenario)
  await sleep(SETTLE_MS)
  const after = byProcess(processes, cpuMs)
  if (result.errors > 0) {
    console.log(`!!! ${name}, ${scenario.name}: ${result.errors} errors; answers by status: ${JSON.stringify(statuses)} ${refusal}`)
  }
  return {
    contestant: name,
    scenario: scenario.name,
    round,
    ...result,
    upstreamCalls: (await upstreamCalls(bench)) - calls,
    cpuMs: Object.fromEntries(Object.entries(after).map(([process, ms]) => [process, ms - (before[process] ?? 0)])),
  }
}

function send(
  { load }: Bench,
  { port }: Contestant,
  { model, stream, format, connections, durationMs, staggerMs }: Scenario,
): Promise<LoadResult> {
  const tokens = Number(/\d+/.exec(model)?.[0])
  return ask(load, { port, key: clientKey, model, stream, format, tokens, connections, durationMs, staggerMs } satisfies Load)
}

async function upstreamCalls({ upstream }: Bench): Promise<number> {
  return (await ask<UpstreamCounts>(upstream, {})).calls
}

async function profile(bench: Bench, wanted: string): Promise<void> {
  const folders = new Map<string, string>()
  const nodeOptions = (name: string) => {
    const folder = join(bench.folder, 'profiles', name)
    folders.set(name, folder)
    return ['--cpu-prof', `--cpu-prof-dir=${folder}`]
  }
  const contestant = await startNamed({ ...bench, nodeOptions }, wanted)
  await warm(bench, contestant)
  const spans: { scenario: string; span: Span; requests: number }[] = []
  for (const scenario of busiest()) {
    if (!scenario.contestants.includes(contestant.name) || !scenario.name.includes(options.only)) continue
    progress(`profile ${scenario.name}`)
    const fromUs = nowUs()
    const { requests } = await send(bench, contestant, scenario)
    spans.push({ scenario: scenario.name, span: { fromUs, toUs: nowUs() }, requests })
  }
  for (const process of contestant.processes) await process.stop()
  for (const [name, folder] of folders) {
    await mkdir(folder, { recursive: true })
    const files = await readdir(folder)
    if (files.length === 0) console.log(`!!! ${name} wrote no profile: it must end by itself on SIGTERM`)
    for (const file of files) {
      const read = JSON.parse(await readFile(join(folder, file), 'utf8')) as CpuProfile
      for (const { scenario, span, requests } of spans) print(`${name}, ${scenario}`, read, span, requests)
    }
  }
}

function print(title: string, read: CpuProfile, span: Span, requests: number): void {
  const hot = hotFunctions(read, span, join(import.meta.dirname, '../..'))
  const busyMs = hot.reduce((sum, { selfMs }) => sum + selfMs, 0)
  console.log(`\n${title}: ${requests} requests, ${busyMs.toFixed(0)} ms busy`)
  const parts = byPart(hot).map(({ part, selfMs, share }) => [percent(share), ((selfMs * 1000) / requests).toFixed(1), part])
  console.log(`${table(['self', 'µs/request', 'part'], parts)}\n`)
  const rows = hot
    .slice(0, TOP)
    .map(({ name, place, selfMs, share }) => [percent(share), ((selfMs * 1000) / requests).toFixed(1), name, place])
  console.log(table(['self', 'µs/request', 'function', 'place'], rows))
}

async function startNamed(around: Surroundings, wanted: string): Promise<Contestant> {
  if (wanted === 'proxy') return startProxy(around)
  if (wanted === 'embedded') return startEmbedded(around)
  if (wanted === 'traced') return startTraced(around)
  if (wanted !== 'cluster') throw new Error(`--profile: no contestant "${wanted}"; there are: proxy, embedded, traced, cluster`)
  const nats = await findNatsServer()
  if (!nats) throw new Error(NO_NATS)
  return startCluster(around, nats)
}

function byProcess(processes: Process[], figure: (pid: number) => number): Record<string, number> {
  return Object.fromEntries(processes.map(({ name, pid }) => [name, figure(pid)]))
}

/** The scenarios in which a contestant has as much to do as it can. */
function busiest(): Scenario[] {
  return scenarios(true).filter(({ name }) => name === answers || name.startsWith(streams))
}

function order(plan: Scenario[], { scenario, contestant }: Measurement): number {
  return plan.findIndex(({ name }) => name === scenario) * names.length + names.indexOf(contestant)
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`
}

function nowUs(): number {
  return Number(process.hrtime.bigint() / 1000n)
}

function seconds(began: number): string {
  return ((performance.now() - began) / 1000).toFixed(0)
}

function progress(text: string): void {
  process.stderr.write(`${text}\n`)
}
