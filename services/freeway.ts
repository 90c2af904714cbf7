#!/usr/bin/env node
// The command line, and the only file that opens the doors of the services. What it opens it closes in reverse order.

import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import process from 'node:process'
import { parseArgs } from 'node:util'
import type { Backbone } from '#contracts/bus.ts'
import type { Provider } from '#contracts/catalog.ts'
import type { Role } from '#contracts/event.ts'
import { connectAlone, openBackbones } from './backbones.ts'
import { banner } from './banner.ts'
import { demoProvider } from './demo.ts'
import { collectStartupGarbage, untilSignal } from './lifecycle.ts'
import type { Logger } from './logger.ts'
import { createLogger } from './logger.ts'
import { openOutbox } from './outbox.ts'
import { adminToken } from './secrets.ts'
import type { Settings } from './settings.ts'
import { loadSettings } from './settings.ts'
import { startTracing } from './trace.ts'
import { count, explain, USAGE } from './usage.ts'

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }

interface Process {
  settings: Settings
  logger: Logger
  instance: string
  /** Closed in reverse order when the process stops. */
  stack: AsyncDisposableStack
}

interface Opened {
  drain?(): Promise<void>
  /** What keeps it from working now, in words. */
  missing?(): string[]
}

const commands: Record<string, (args: string[]) => Promise<void>> = {
  start: () =>
    run('freeway', start, () =>
      Promise.all([import('./router/router.ts'), import('./workers/workers.ts'), import('./ingress/ingress.ts')]),
    ),
  ingress: () => run('ingress', runIngress, () => Promise.all([import('./bus/nats.ts'), import('./ingress/ingress.ts')])),
  router: () => run('router', runRouter, () => Promise.all([import('./bus/nats.ts'), import('./router/router.ts')])),
  worker: (only) =>
    run(
      'worker',
      (self) => runWorker(self, only),
      () => Promise.all([import('./bus/nats.ts'), import('./workers/workers.ts')]),
    ),
  telemetry: () => run('telemetry', runTelemetry),
  cluster: (args) => run('cluster', (self) => runCluster(self, args)),
  simulate: (args) => run('simulator', (self) => runSimulator(self, args)),
  'nats-config': async (args) => {
    const { describeBrokerFiles, writeBrokerFiles } = await import('./broker-access.ts')
    process.stdout.write(describeBrokerFiles(await writeBrokerFiles(args)))
  },
  'nats-setup': async () => {
    const { setUpBroker } = await import('./broker-access.ts')
    await setUpBroker(loadSettings(process.env, process.cwd()), randomBytes(12).toString('base64url'))
    process.stdout.write('stream, consumer and buckets are there\n')
  },
  help: async () => void process.stdout.write(USAGE),
  '--help': async () => void process.stdout.write(USAGE),
  '--version': async () => void process.stdout.write(`${version}\n`),
}

const [command = 'help', ...args] = process.argv.slice(2)
const chosen = Object.hasOwn(commands, command) ? commands[command] : undefined
if (!chosen) {
  process.stderr.write(`freeway: unknown command "${command}"\n\n${USAGE}`)
  process.exit(2)
}
try {
  await chosen(args)
  process.exit(0)
} catch (error) {
  process.stderr.write(`freeway: ${explain(error)}\n`)
  process.exit(1)
}

/** Opens a service, waits for a signal, and stops it: first what it says itself, then everything on the stack in reverse order. */
async function run(
  service: string,
  open: (self: Process) => Promise<Opened>,
  load: () => Promise<unknown> = async () => {},
): Promise<void> {
  const settings = loadSettings(process.env, process.cwd())
  const logger = createLogger({ service, level: settings.logLevel })
  await using stack = new AsyncDisposableStack()
  const tracing = await startTracing({ service: `freeway-${service}`, endpoint: settings.otlpEndpoint, version })
  stack.defer(() => tracing.stop())
  let missing = () => ['starting']
  const { operationsPort: port, operationsHost: host } = settings
  if (port !== undefined) {
    const { openOperations } = await import('./operations.ts')
    const operations = await openOperations({ host, port, service, version, missing: () => missing() })
    stack.defer(() => operations.close())
    logger.info('operations', { url: operations.url })
  }
  const signalled = untilSignal()
  await load()
  // Before the service is ready: afterwards the pause would meet its first requests.
  collectStartupGarbage()
  const opened = await open({ settings, logger, instance: randomBytes(12).toString('base64url'), stack })
  missing = () => opened.missing?.() ?? []
  const signal = await signalled
  missing = () => ['draining']
  logger.info('stopping', { signal, grace_ms: settings.drainMs })
  await opened.drain?.()
}

async function start(self: Process) {
  const { settings, stack } = self
  await mkdir(settings.dataDir, { recursive: true, mode: 0o700 })
  const backbones = await openBackbones(self)
  const router = await openRouter(self, await backbones.connect('router'), await demoIfWanted(self), true)
  await openWorkers(self, await backbones.connect('worker'), [])
  const token = await adminToken(settings)
  const ingress = await openIngress(self, await backbones.connect('ingress'), token.token)
  const store = `SQLite in ${settings.dataDir}`
  const demo = router.catalog.providers.some(({ name, enabled }) => name === 'demo' && enabled)
  process.stdout.write(
    `\n${banner({ version, url: ingress.url, bus: backbones.name, store, catalog: router.catalog, adminToken: token, demo, open: settings.clients.length === 0 })}\n`,
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

async function runIngress(self: Process) {
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

async function runRouter(self: Process) {
  const url = process.env.FREEWAY_DEMO_URL
  const backbone = await connectAlone(self, 'router')
  const router = await openRouter(self, backbone, url ? async () => demoProvider(url) : undefined, false)
  return { drain: async () => router.drain(), missing: () => missingBus(backbone) }
}

async function runWorker(self: Process, only: string[]) {
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

async function runTelemetry(self: Process) {
  const { startTelemetry } = await import('./telemetry/telemetry.ts')
  const { settings, logger, stack } = self
  const backbone = await connectAlone(self, 'telemetry')
  const telemetry = await startTelemetry({ backbone, settings, logger })
  stack.defer(() => telemetry.close())
  return { missing: () => missingBus(backbone) }
}

async function runCluster(self: Process, args: string[]) {
  const { startCluster } = await import('./cluster.ts')
  const { values } = parseArgs({ args, options: { ingress: { type: 'string' }, router: { type: 'string' }, workers: { type: 'string' } } })
  const size = {
    ingress: count('--ingress', values.ingress, 2),
    router: count('--router', values.router, 2),
    workers: count('--workers', values.workers, 3),
  }
  const token = await adminToken(self.settings)
  const demo = self.settings.demo === 'off' ? undefined : await openSimulator(self, 0)
  const cluster = await startCluster(size, self.settings, self.logger, demo && `${demo}/v1`)
  self.stack.defer(() => cluster.stop())
  process.stdout.write(
    `\nfreeway ${version} cluster\n\n  API        ${cluster.urls.map((url) => `${url}/v1`).join('  ')}\n  bus        ${cluster.natsUrl}\n  admin      token in ${token.path ?? 'FREEWAY_ADMIN_TOKEN'}\n\n`,
  )
  return {}
}

async function runSimulator(self: Process, args: string[]) {
  const { values } = parseArgs({ args, options: { port: { type: 'string' } } })
  const url = await openSimulator(self, count('--port', values.port, 9001))
  self.logger.info('ready', { url })
  return {}
}

// Doors ------------------------------------------------------------------------------------------

async function openIngress({ settings, logger, instance, stack }: Process, backbone: Backbone, token: string) {
  const { startIngress } = await import('./ingress/ingress.ts')
  const outbox = await outboxFor('ingress', backbone, instance, stack)
  const ingress = await startIngress({ backbone, settings, logger, instance, outbox, adminToken: token, version })
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

async function openWorkers({ settings, logger, instance, stack }: Process, backbone: Backbone, only: string[]) {
  const { startWorkers } = await import('./workers/workers.ts')
  const outbox = await outboxFor('worker', backbone, instance, stack)
  const workers = await startWorkers({ backbone, settings, logger, instance, outbox, only })
  stack.defer(() => workers.close())
  return workers
}

async function openSimulator({ stack }: Process, port: number): Promise<string> {
  const { startSimulator } = await import('./simulator/simulator.ts')
  const simulator = await startSimulator({ port })
  stack.defer(() => simulator.close())
  return simulator.url
}

function demoIfWanted(self: Process): (() => Promise<Provider>) | undefined {
  return self.settings.demo === 'off' ? undefined : async () => demoProvider(`${await openSimulator(self, 0)}/v1`)
}

async function outboxFor(role: Role, backbone: Backbone, instance: string, stack: AsyncDisposableStack) {
  const outbox = openOutbox({ events: backbone.events, role, instance })
  stack.defer(() => outbox.close())
  return outbox
}
