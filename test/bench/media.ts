// What a large file costs: a transcription of 20 MB straight to the upstream, and through freeway as one process and as a cluster.
// `npm run bench:media [-- --assert] [--turns <n>]`. --assert: exit code 1 if a target is missed.

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Contestant, clientKey, startCluster, startEmbedded } from './contestants.ts'
import { median } from './figures.ts'
import { findNatsServer } from './nats.ts'
import { cpuMs, memory, type Process, start } from './processes.ts'
import { table } from './report.ts'
import { transcriber } from './scenarios.ts'

const FILE_BYTES = 20 * 1024 * 1024
const MAX_ADDED_MS = 150
const MAX_ADDED_MB = 60
const WARM_UP = 3
const BOUNDARY = 'freeway-bench'

const { values: options } = parseArgs({
  options: { assert: { type: 'boolean', default: false }, turns: { type: 'string', default: '15' } },
})
const turns = Number(options.turns)
const loadBefore = loadavg()[0] as number

const stack = new AsyncDisposableStack()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void stack.disposeAsync().finally(() => process.exit(130)))

try {
  const folder = await mkdtemp(join(tmpdir(), 'freeway-bench-media-'))
  stack.defer(() => rm(folder, { recursive: true, force: true }))
  const own = (stop: () => Promise<void>) => stack.defer(stop)
  const upstream = await start({ name: 'upstream', args: [join(import.meta.dirname, 'upstream.ts')], channel: true }, own)
  const port = upstream.ready.port as number
  const around = { port, folder, compileCache: join(folder, 'compiled'), own, nodeOptions: () => [] }
  const nats = await findNatsServer()
  const running = [await startEmbedded(around)]
  if (nats) running.push(await startCluster(around, nats))
  const figures = await compare(port, running)
  console.log(
    `\n${table(['contestant', 'direct ms', 'added ms', 'memory MB, ingress', 'CPU ms by process', 'targets'], figures.map(rowOf))}`,
  )
  console.log(`${cpus()[0]?.model}, ${cpus().length} cores, Node ${process.version}; ${turns} files of 20 MB, medians`)
  if (!nats) console.log('!!! NO nats-server FOUND: THE CLUSTER WAS NOT MEASURED !!!')
  if (loadBefore > cpus().length / 2) console.log(`!!! The machine was busy before the run (load ${loadBefore.toFixed(1)}) !!!`)
  if (options.assert && !figures.every(met)) process.exitCode = 1
} finally {
  await stack.disposeAsync()
}

interface Figure {
  name: string
  directMs: number
  addedMs: number
  /** The most that the process which holds the file had on top of what it had at rest. */
  addedMb: number
  cpuMs: Record<string, number>
}

/** Turn by turn, so that what the machine does besides is done to all. */
async function compare(direct: number, running: Contestant[]): Promise<Figure[]> {
  const file = form()
  for (let i = 0; i < WARM_UP; i++) for (const { port } of [{ port: direct }, ...running]) await transcribe(port, file)
  const times = new Map<string, number[]>(['direct', ...running.map(({ name }) => name)].map((name) => [name, []]))
  const added = new Map<string, number[]>(running.map(({ name }) => [name, []]))
  const before = new Map(running.map(({ name, processes }) => [name, processes.map(({ pid }) => cpuMs(pid))]))
  for (let turn = 0; turn < turns; turn++) {
    times.get('direct')?.push(await transcribe(direct, file))
    for (const { name, port, processes } of running) {
      const { pid } = holder(processes)
      await forgetPeak(pid)
      const { nowMb } = memory(pid)
      times.get(name)?.push(await transcribe(port, file))
      added.get(name)?.push(memory(pid).peakMb - nowMb)
    }
  }
  const directMs = times.get('direct') as number[]
  return running.map(({ name, processes }) => ({
    name,
    directMs: median(directMs),
    addedMs: median((times.get(name) as number[]).map((ms, turn) => ms - (directMs[turn] as number))),
    addedMb: Math.max(...(added.get(name) as number[])),
    cpuMs: Object.fromEntries(processes.map(({ name: part, pid }, i) => [part, (cpuMs(pid) - (before.get(name)?.[i] ?? 0)) / turns])),
  }))
}

/** The process that holds the client's file. */
function holder(processes: Process[]): Process {
  return (processes.find(({ name }) => name === 'ingress') ?? processes[0]) as Process
}

/** Linux: the highest resident size is counted anew from here on. */
async function forgetPeak(pid: number): Promise<void> {
  await writeFile(`/proc/${pid}/clear_refs`, '5')
}

function form(): Buffer {
  const field = `--${BOUNDARY}\r\nContent-Disposition: form-data; name="model"\r\n\r\n${transcriber}\r\n`
  const head = `--${BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.mp3"\r\nContent-Type: audio/mpeg\r\n\r\n`
  const sound = Buffer.alloc(FILE_BYTES, 'freeway sounds like this')
  sound.write('ID3', 'latin1')
  return Buffer.concat([Buffer.from(head), sound, Buffer.from(`\r\n${field}--${BOUNDARY}--\r\n`)])
}

/** In ms. Throws for any answer but the word that the upstream hears. */
function transcribe(port: number, body: Buffer): Promise<number> {
  const began = performance.now()
  const headers = {
    authorization: `Bearer ${clientKey}`,
    'content-type': `multipart/form-data; boundary=${BOUNDARY}`,
    'content-length': body.length,
  }
  return new Promise((resolve, reject) => {
    const sent = request({ port, host: '127.0.0.1', path: '/v1/audio/transcriptions', method: 'POST', headers }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (piece: string) => {
        text += piece
      })
      response.once('end', () => {
        if (text.includes('word~')) resolve(performance.now() - began)
        else reject(new Error(`status ${response.statusCode}: ${text.slice(0, 400)}`))
      })
    })
    sent.once('error', reject).end(body)
  })
}

function met({ addedMs, addedMb }: Figure): boolean {
  return addedMs <= MAX_ADDED_MS && addedMb <= MAX_ADDED_MB
}

function rowOf(figure: Figure): string[] {
  const { name, directMs, addedMs, addedMb, cpuMs } = figure
  const parts = Object.entries(cpuMs).map(([part, ms]) => `${part} ${ms.toFixed(0)}`)
  const targets = `≤ ${MAX_ADDED_MS} ms, ≤ ${MAX_ADDED_MB} MB: ${met(figure) ? 'ok' : 'MISSED'}`
  return [name, directMs.toFixed(0), addedMs.toFixed(0), addedMb.toFixed(0), parts.join(', '), targets]
}
