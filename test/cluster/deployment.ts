// A whole freeway over several replicas of everything: started as an operator starts it, and replaced piece by piece the way Kubernetes does.

import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { promisify } from 'node:util'
import type { NatsServer } from '#services/bus/server.ts'
import { type Process, start as startTool } from '#test/bench/processes.ts'
import { type Service, startService } from '#test/support/stack.ts'
import { until } from '#test/support/until.ts'
import { startBrokers, untilHealthy } from './brokers.ts'
import { type Cable, layCable } from './cable.ts'
import type { Role } from './plan.ts'
import { configFor, providers } from './workload.ts'

/** One place in the deployment; who stands there changes. */
export interface Slot {
  role: Exclude<Role, 'broker'>
  name: string
  args: string[]
  /** Reaches the brokers over cables alone. */
  far: boolean
  service: Service
}

export interface Deployment {
  readonly brokers: NatsServer[]
  readonly natsUrl: string
  readonly upstreams: Process
  readonly load: Process
  slots(role: Slot['role']): Slot[]
  /** Of the ingresses that are in service. */
  readonly urls: string[]
  /** A new process takes the place of one that is gone. Resolves when it serves. */
  refill(slot: Slot): Promise<void>
  /** First the new one, then the end of the old one. Resolves when the new one serves, `ended` when the old one is gone. */
  replace(slot: Slot): Promise<{ ended: Promise<number | null> }>
  restartBroker(server: NatsServer): Promise<void>
  /** Cuts everything that is far from the brokers, or mends it. */
  setFar(slot: Slot, whole: boolean): void
  /** Who should run and does not, with the last of what it said. */
  readonly fallen: string[]
  /** Every ingress says that it is ready. */
  untilWhole(): Promise<void>
  stop(): Promise<void>
}

export const REQUEST_TIMEOUT_MS = 20_000
const DRAIN_MS = 30_000
/**
 * What a pod sleeps before it is told to end, so that no load balancer sends to it any more; and that of an ingress, which has to accept
 * what was sent before, also on a machine that gives it few turns.
 */
const PRE_STOP_MS = 400
const INGRESS_PRE_STOP_MS = 1_500

export interface DeploymentOptions {
  ingress: number
  routers: number
  telemetries: number
  /** A commit whose services are run first; whoever takes their place is of today. */
  from: string | undefined
}

export async function startDeployment({ ingress, routers, telemetries, from }: DeploymentOptions): Promise<Deployment> {
  await using stack = new AsyncDisposableStack()
  const dir = await mkdtemp(join(tmpdir(), 'freeway-cluster-'))
  stack.defer(() => rm(dir, { recursive: true, force: true, maxRetries: 3 }))
  const own = (stop: () => Promise<void>) => stack.defer(stop)
  const tool = (name: string) => ({ name, args: [join(import.meta.dirname, `${name}.ts`)], channel: true })
  const upstreams = await startTool(tool('upstreams'), own)
  const load = await startTool(tool('load'), own)
  const brokers = await startBrokers(dir, stack)
  const natsUrl = brokers.map(({ url }) => url).join(',')
  const mongo = process.env['MONGODB_URL'] ?? ((await startTool(tool('database'), own)).ready as unknown as { url: string }).url
  const { ports } = upstreams.ready as unknown as { ports: Record<string, number> }
  const config = join(dir, 'freeway.json')
  await writeFile(config, JSON.stringify(configFor((provider) => ports[provider] as number)))
  const env: Record<string, string> = {
    PATH: process.env['PATH'] ?? '',
    HOME: process.env['HOME'] ?? '',
    PORT: '0',
    FREEWAY_DATA: join(dir, 'data'),
    FREEWAY_CONFIG: config,
    FREEWAY_DEMO: 'off',
    FREEWAY_LOCAL: 'off',
    FREEWAY_ADMIN_TOKEN: randomBytes(24).toString('base64url'),
    FREEWAY_SECRET: randomBytes(32).toString('base64url'),
    FREEWAY_REQUEST_TIMEOUT_MS: String(REQUEST_TIMEOUT_MS),
    FREEWAY_DRAIN_MS: String(DRAIN_MS),
    NODE_COMPILE_CACHE: join(dir, 'compiled'),
    MONGODB_URL: mongo,
  }
  let program = from === undefined ? undefined : await checkOut(from, join(dir, 'before'))
  const cables = new Map<string, Cable[]>()
  const all: Slot[] = []
  const processes = stack.use(new AsyncDisposableStack())

  async function natsUrlFor({ name, far }: Pick<Slot, 'name' | 'far'>): Promise<string> {
    if (!far) return natsUrl
    const laid = cables.get(name) ?? (await Promise.all(brokers.map(({ url }) => layCable(Number(new URL(url).port)))))
    if (!cables.has(name)) for (const cable of laid) stack.defer(() => cable.close())
    cables.set(name, laid)
    return laid.map(({ port }) => `nats://127.0.0.1:${port}`).join(',')
  }

  async function run(slot: Pick<Slot, 'name' | 'role' | 'args' | 'far'>): Promise<Service> {
    const own = { ...env, NATS_URL: await natsUrlFor(slot) }
    const service = await startService(slot.name, [slot.role, ...slot.args], own, processes, () => {}, program)
    if (slot.role === 'ingress') await untilReady(service)
    return service
  }

  async function open(role: Slot['role'], i: number, args: string[] = [], far = false): Promise<void> {
    const slot = { role, name: `${role}-${i}`, args, far }
    all.push({ ...slot, service: await run(slot) })
  }

  function tellAddresses(): void {
    load.child.send({ urls: self.urls })
  }

  // The first router publishes the catalogue that all others wait for.
  await open('router', 0, [], true)
  const served = [...Object.keys(providers).map((provider) => [provider]), []]
  await Promise.all([
    ...Array.from({ length: routers - 1 }, (_, i) => open('router', i + 1)),
    // The last one serves every provider: with it each has two.
    ...served.map((args, i) => open('worker', i, args, i === 0)),
    ...Array.from({ length: telemetries }, (_, i) => open('telemetry', i, [], i === 0)),
    ...Array.from({ length: ingress }, (_, i) => open('ingress', i, [], i === 0)),
  ])

  program = undefined

  const owner = stack.move()
  const self: Deployment = {
    brokers,
    natsUrl,
    upstreams,
    load,
    slots: (role) => all.filter((slot) => slot.role === role).sort((a, b) => a.name.localeCompare(b.name)),
    get urls() {
      return all.filter(({ role, service }) => role === 'ingress' && service.running).map(({ service }) => service.url)
    },
    async refill(slot) {
      slot.service = await run(slot)
      tellAddresses()
    },
    async replace(slot) {
      const old = slot.service
      slot.service = await run(slot)
      tellAddresses()
      await new Promise((resolve) => setTimeout(resolve, slot.role === 'ingress' ? INGRESS_PRE_STOP_MS : PRE_STOP_MS))
      old.kill('SIGTERM')
      return { ended: old.exited.then(({ code }) => code) }
    },
    async restartBroker(server) {
      await server.restart()
      await untilHealthy(server)
    },
    setFar(slot, whole) {
      for (const cable of cables.get(slot.name) ?? []) whole ? cable.mend() : cable.cut()
    },
    get fallen() {
      return all.flatMap(({ name, service: { running, lines } }) => (running ? [] : [`${name} has ended: ${lines.slice(-5).join(' | ')}`]))
    },
    async untilWhole() {
      await Promise.all([...self.slots('ingress').map(({ service }) => untilReady(service)), ...brokers.map(untilHealthy)])
    },
    stop: () => owner.disposeAsync(),
  }
  tellAddresses()
  return self
}

/** The sources of a commit, with the packages of today. Returns its command line. */
async function checkOut(commit: string, folder: string): Promise<string> {
  const root = join(import.meta.dirname, '../..')
  await mkdir(folder)
  const archive = `${folder}.tar`
  const run = promisify(execFile)
  await run('git', ['-C', root, 'archive', '--output', archive, commit])
  await run('tar', ['-x', '-f', archive, '-C', folder])
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'))
  return join(folder, 'services/freeway.ts')
}

function untilReady({ name, url }: Service): Promise<void> {
  const isReady = async () => {
    // Not there yet, or frozen: not ready.
    const response = await fetch(`${url}/ready`, { signal: AbortSignal.timeout(1_000) }).catch(() => undefined)
    await response?.arrayBuffer()
    return response?.status === 200
  }
  return until(`${name} is ready`, isReady, { timeoutMs: 30_000 })
}
