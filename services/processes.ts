// What each kind of process holds: which doors it opens, on which bus, and how it drains. What is opened is closed in reverse order.

import { readFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { parseArgs } from 'node:util'
import type { Backbone } from '#contracts/bus.ts'
import type { Provider } from '#contracts/catalog.ts'
import type { Role } from '#contracts/event.ts'
import { connectAlone, openBackbones, withoutCredentials } from './backbones.ts'
import { banner, clusterBanner } from './banner.ts'
import { demoProvider } from './demo.ts'
import type { Logger } from './logger.ts'
import { openOutbox } from './outbox.ts'
import { measureOutbox } from './outbox-measures.ts'
import { openSpool } from './outbox-spool.ts'
import { adminToken, providerVault } from './secrets.ts'
import type { Settings } from './settings.ts'
import { SettingsError } from './settings-error.ts'
import { count, explain, parsed } from './usage.ts'

export const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }

export interface Process {
  settings: Settings
  logger: Logger
  instance: string
  /** Closed in reverse order when the process stops. */
  stack: AsyncDisposableStack
}

export interface Opened {
  drain?(): Promise<void>
  /** What keeps it from working now, in words. */
  missing?(): string[]
}

export async function start(self: Process): Promise<Opened> {
  const { settings, stack } = self
  await mkdir(settings.dataDir, { recursive: true, mode: 0o700 })
  const backbones = await openBackbones(self)
  const telemetry = await openTelemetry(self, await backbones.connect('telemetry'))
  const router = await openRouter(self, await backbones.connect('router'), await demoIfWanted(self), true)
  // What a worker tells of an attempt counts where its ingress died without it: here they live and die together.
  await openWorkers(self, await backbones.connect('worker'), [], false)
  const token = await adminToken(settings)
  const ingress = await openIngress(self, await backbones.connect('ingress'), token.token)
  const { store } = telemetry
  const demo = router.catalog.providers.some(({ name, enabled }) => name === 'demo' && enabled)
  process.stdout.write(
    `\n${banner({ version, url: ingress.url, bus: backbones.name, store, catalog: router.catalog, adminToken: token, demo, open: ingress.open })}\n`,
  )
  stack.defer(() => {
    ingress.drain()
    return ingress.idle(settings.drainMs)
  })
  return { missing: () => ingress.missing }
}

function missingBus({ bus }: Backbone): string[] {
  return bus.connected ? [] : ['bus']
}

export async function runIngress(self: Process): Promise<Opened> {
  const token = await adminToken(self.settings)
  const ingress = await openIngress(self, await connectAlone(self, 'ingress'), token.token)
  return {
    missing: () => ingress.missing,
    async drain() {
      ingress.drain()
      await ingress.idle(self.settings.drainMs)
    },
  }
}

export async function runRouter(self: Process): Promise<Opened> {
  const url = process.env.FREEWAY_DEMO_URL
  const backbone = await connectAlone(self, 'router')
  const router = await openRouter(self, backbone, url ? async () => demoProvider(url) : undefined, false)
  return { drain: async () => router.drain(), missing: () => missingBus(backbone) }
}

export async function runWorker(self: Process, only: string[]): Promise<Opened> {
  const backbone = await connectAlone(self, 'worker')
  const workers = await openWorkers(self, backbone, only)
  return {
    missing: () => missingBus(backbone),
    async drain() {
      workers.drain()
      await workers.idle(self.settings.drainMs)
    },
  }
}

export async function runTelemetry(self: Process): Promise<Opened> {
  const backbone = await connectAlone(self, 'telemetry')
  const telemetry = await openTelemetry(self, backbone)
  return { missing: () => [...missingBus(backbone), ...telemetry.missing] }
}

export async function runCluster(self: Process, args: string[]): Promise<Opened> {
  const { startCluster } = await import('./cluster.ts')
  const options = { ingress: { type: 'string' }, router: { type: 'string' }, workers: { type: 'string' } } as const
  const { values } = parsed('cluster', () => parseArgs({ args, options }))
  const size = {
    ingress: count('--ingress', values.ingress, 2, 1),
    router: count('--router', values.router, 2, 1),
    workers: count('--workers', values.workers, 3, 1),
  }
  const token = await adminToken(self.settings)
  const demo = self.settings.demo === 'off' ? undefined : await openSimulator(self, 0)
  const cluster = await startCluster(size, self.settings, self.logger, demo && `${demo}/v1`)
  self.stack.defer(() => cluster.stop())
  const bus = `NATS at ${withoutCredentials(cluster.natsUrl)}`
  const open = await isOpen(cluster.urls[0] ?? '')
  process.stdout.write(`\n${clusterBanner({ version, urls: cluster.urls, bus, adminToken: token, open })}\n`)
  return {}
}

/** Whether it answers without a key. One that does not answer in time: with a key it will. */
function isOpen(url: string): Promise<boolean> {
  const asked = fetch(`${url}/v1/models`, { signal: AbortSignal.timeout(2_000) })
  return asked.then(
    ({ ok }) => ok,
    () => false,
  )
}

export async function runSimulator(self: Process, args: string[]): Promise<Opened> {
  const { values } = parsed('simulate', () => parseArgs({ args, options: { port: { type: 'string' } } }))
  const opening = openSimulator(self, count('--port', values.port, 9001), self.settings.host)
  const url = await opening.catch((error: unknown) => {
    throw new SettingsError(explain(error, { host: 'HOST', port: '--port' }))
  })
  self.logger.info('ready', { url })
  return {}
}

// Doors ------------------------------------------------------------------------------------------

async function openIngress({ settings, logger, instance, stack }: Process, backbone: Backbone, token: string) {
  const { startIngress } = await import('./ingress/ingress.ts')
  const outbox = await outboxFor('ingress', backbone, { settings, instance, stack })
  const ingress = await startIngress({
    backbone,
    settings,
    logger,
    instance,
    outbox,
    adminToken: token,
    vault: await providerVault(settings),
    version,
  })
  stack.defer(() => ingress.close())
  return ingress
}

async function openRouter(
  { settings, logger, instance, stack }: Process,
  backbone: Backbone,
  demo: (() => Promise<Provider>) | undefined,
  alone: boolean,
) {
  const { startRouter } = await import('./router/router.ts')
  const router = await startRouter({ backbone, settings, logger, instance, demo, alone })
  stack.defer(() => router.close())
  return router
}

async function openWorkers({ settings, logger, instance, stack }: Process, backbone: Backbone, only: string[], witness = true) {
  const { startWorkers } = await import('./workers/workers.ts')
  const outbox = witness ? await outboxFor('worker', backbone, { settings, instance, stack }) : undefined
  const workers = await startWorkers({ backbone, settings, vault: await providerVault(settings), logger, instance, outbox, only })
  stack.defer(() => workers.close())
  return workers
}

/** Without a host, for this machine alone. */
async function openSimulator({ stack }: Process, port: number, host?: string): Promise<string> {
  const { startSimulator } = await import('./simulator/simulator.ts')
  const simulator = await startSimulator({ port, host })
  stack.defer(() => simulator.close())
  return simulator.url
}

function demoIfWanted(self: Process): (() => Promise<Provider>) | undefined {
  return self.settings.demo === 'off' ? undefined : async () => demoProvider(`${await openSimulator(self, 0)}/v1`)
}

async function openTelemetry({ settings, logger, stack }: Process, backbone: Backbone) {
  const { startTelemetry } = await import('./telemetry/telemetry.ts')
  const telemetry = await startTelemetry({ backbone, settings, logger })
  stack.defer(() => telemetry.close())
  return telemetry
}

async function outboxFor(role: Role, backbone: Backbone, { settings, instance, stack }: Pick<Process, 'settings' | 'instance' | 'stack'>) {
  const spool = await openSpool({ dir: join(settings.dataDir, 'spool'), role, instance })
  const outbox = openOutbox({ events: backbone.events, role, instance, spool })
  stack.defer(measureOutbox(role, outbox))
  stack.defer(() => outbox.close())
  return outbox
}
