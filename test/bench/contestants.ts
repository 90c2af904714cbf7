// The ways from a client to the upstream that are compared, each as processes of its own.

import { createHash, randomBytes } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ContestantName } from './figures.ts'
import { type NatsServer, startNats } from './nats.ts'
import { freePort, type Own, type Process, start } from './processes.ts'
import { models, transcriber } from './scenarios.ts'

export interface Contestant {
  name: ContestantName
  port: number
  /** All that are measured. */
  processes: Process[]
  /** From the first spawn to the first answer. */
  firstAnswerMs: number
}

export interface Surroundings {
  /** Of the upstream. */
  port: number
  /** Exists, is empty, and goes away after the run. */
  folder: string
  /** Where Node keeps compiled sources, as under the launcher: without it the TypeScript transformer stays in memory. */
  compileCache: string
  /** Sees to it that a process is stopped at the end, whatever happens. */
  own: Own
  /** Further arguments of Node for the process of this name. */
  nodeOptions(name: string): string[]
}

export const clientKey = 'fw-bench-key-0000000000000000000000'
const root = join(import.meta.dirname, '../..')
const cli = join(root, 'services/freeway.ts')
const FIRST_ANSWER_TIMEOUT_MS = 20_000

export async function startProxy(around: Surroundings): Promise<Contestant> {
  const began = performance.now()
  const file = join(import.meta.dirname, 'proxy.ts')
  const proxy = await start(
    { name: 'proxy', args: [...around.nodeOptions('proxy'), file, `http://127.0.0.1:${around.port}`], channel: true },
    around.own,
  )
  return serving('proxy', proxy.ready.port as number, [proxy], began)
}

/** `env`: on top of what every contestant gets. */
export async function startEmbedded(around: Surroundings, env: Record<string, string> = {}): Promise<Contestant> {
  const settings = await prepare(around, 'embedded')
  Object.assign(settings.env, env)
  const began = performance.now()
  const process = await service(around, 'freeway', ['start'], settings)
  return serving('embedded', settings.port, [process], began)
}

/** `env`: on top of what every contestant gets. */
export async function startCluster(around: Surroundings, server: NatsServer, env: Record<string, string> = {}): Promise<Contestant> {
  const settings = await prepare(around, 'cluster')
  Object.assign(settings.env, env)
  const began = performance.now()
  const nats = await startNats(server, join(settings.folder, 'nats'), around.own)
  settings.env.NATS_URL = nats.url
  const services = await Promise.all([
    service(around, 'ingress', ['ingress'], settings),
    service(around, 'router', ['router'], settings),
    service(around, 'worker', ['worker', 'bench'], settings),
    service(around, 'telemetry', ['telemetry'], settings),
  ])
  return serving('cluster', settings.port, [...services, nats], began)
}

/** So many each of ingress, router and worker, e.g. `ingress-0`; one telemetry, because its file has one writer; the broker, `nats`. */
export async function startReplicas(
  around: Surroundings,
  server: NatsServer,
  replicas: number,
): Promise<{ ports: number[]; processes: Process[] }> {
  const settings = await prepare(around, `replicas-${replicas}`)
  const nats = await startNats(server, join(settings.folder, 'nats'), around.own)
  settings.env.NATS_URL = nats.url
  const ports = [settings.port]
  while (ports.length < replicas) ports.push(await freePort())
  const processes = [await service(around, 'telemetry', ['telemetry'], settings)]
  // One after the other: many that start at once keep each other from it.
  for (const [i, port] of ports.entries()) {
    const own = { ...settings, env: { ...settings.env, PORT: String(port) } }
    processes.push(await service(around, `router-${i}`, ['router'], settings))
    processes.push(await service(around, `worker-${i}`, ['worker', 'bench'], settings))
    processes.push(await service(around, `ingress-${i}`, ['ingress'], own))
  }
  for (const port of ports) await serving('cluster', port, processes, performance.now())
  return { ports, processes: [...processes, nats] }
}

interface Settings {
  port: number
  folder: string
  env: Record<string, string>
}

async function prepare({ port: upstream, folder: parent, compileCache }: Surroundings, name: string): Promise<Settings> {
  const folder = join(parent, name)
  await mkdir(folder, { recursive: true })
  const config = {
    providers: {
      bench: {
        base_url: `http://127.0.0.1:${upstream}/v1`,
        api_key: 'upstream-key',
        max_concurrency: 1000,
        models: [
          ...models.map((id) => ({ id, capabilities: ['chat'], context_window: 131_072 })),
          { id: transcriber, capabilities: ['stt'] },
        ],
      },
    },
    clients: [{ name: 'bench', key_hash: `sha256:${createHash('sha256').update(clientKey).digest('hex')}` }],
  }
  await writeFile(join(folder, 'freeway.json'), JSON.stringify(config))
  const port = await freePort()
  const env = {
    HOST: '127.0.0.1',
    PORT: String(port),
    FREEWAY_DATA: join(folder, 'data'),
    FREEWAY_CONFIG: join(folder, 'freeway.json'),
    FREEWAY_ADMIN_TOKEN: randomBytes(32).toString('base64url'),
    FREEWAY_SECRET: randomBytes(32).toString('base64url'),
    FREEWAY_DEMO: 'off',
    NODE_COMPILE_CACHE: compileCache,
  }
  return { port, folder, env }
}

function service(around: Surroundings, name: string, command: string[], { env, folder }: Settings): Promise<Process> {
  return start({ name, args: [...around.nodeOptions(name), cli, ...command], env, cwd: folder }, around.own)
}

/** Asks until the first answer comes. Throws with the last refusal if none does. */
async function serving(name: ContestantName, port: number, processes: Process[], began: number): Promise<Contestant> {
  const body = JSON.stringify({ model: 'c1', messages: [{ role: 'user', content: 'Hello' }] })
  let refusal = ''
  while (performance.now() - began < FIRST_ANSWER_TIMEOUT_MS) {
    try {
      const headers = { 'content-type': 'application/json', authorization: `Bearer ${clientKey}` }
      const response = await fetch(`http://127.0.0.1:${port}/v1/chat/completions`, { method: 'POST', headers, body })
      const text = await response.text()
      if (response.ok) return { name, port, processes, firstAnswerMs: performance.now() - began }
      refusal = `${response.status} ${text}`
    } catch (error) {
      refusal = String(error)
    }
    if (processes.some(({ child }) => child.exitCode !== null)) break
    await sleep(5)
  }
  throw new Error(
    `${name} did not come to answer, but: ${refusal}\n${processes.flatMap(({ name, last }) => [`--- ${name}`, ...last]).join('\n')}`,
  )
}
