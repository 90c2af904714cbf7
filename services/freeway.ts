#!/usr/bin/env node
// The command line. Which doors a process opens stands in processes.ts.

import { randomBytes } from 'node:crypto'
import process from 'node:process'
import { type Role, roles } from '#contracts/event.ts'
import { shareDotEnv } from './dot-env.ts'
import { collectStartupGarbage, lifeline, makeRoomForBuffers, untilSignal } from './lifecycle.ts'
import { createLogger } from './logger.ts'
import type { Opened, Process } from './processes.ts'
import { runCluster, runIngress, runRouter, runSimulator, runTelemetry, runWorker, start, version } from './processes.ts'
import { loadSettings } from './settings.ts'
import { SettingsError } from './settings-error.ts'
import { startTracing } from './trace/trace.ts'
import { explain, providersIn, takesNothing, USAGE } from './usage.ts'

const commands: Record<string, (args: string[]) => Promise<void>> = {
  start: () =>
    run('freeway', start, () =>
      Promise.all([
        import('./telemetry/telemetry.ts'),
        import('./router/router.ts'),
        import('./workers/workers.ts'),
        import('./ingress/ingress.ts'),
      ]),
    ),
  ingress: () => run('ingress', runIngress, () => Promise.all([import('./bus/nats.ts'), import('./ingress/ingress.ts')])),
  router: () => run('router', runRouter, () => Promise.all([import('./bus/nats.ts'), import('./router/router.ts')])),
  worker: async (args) => {
    const only = providersIn(args)
    await run(
      'worker',
      (self) => runWorker(self, only),
      () => Promise.all([import('./bus/nats.ts'), import('./workers/workers.ts')]),
    )
  },
  telemetry: () => run('telemetry', runTelemetry, () => Promise.all([import('./bus/nats.ts'), import('./telemetry/telemetry.ts')])),
  cluster: (args) => run('cluster', (self) => runCluster(self, args)),
  simulate: (args) => run('simulator', (self) => runSimulator(self, args)),
  key: async (args) => {
    const [{ keyCommand }, { openBackbones }] = await Promise.all([import('./key-command.ts'), import('./backbones.ts')])
    await keyCommand(args, openBackbones)
  },
  discord: async (args) => {
    const { discordCommand } = await import('./discord-command.ts')
    await discordCommand(args)
  },
  'nats-config': async (args) => {
    const { describeBrokerFiles, writeBrokerFiles } = await import('./broker-access.ts')
    process.stdout.write(describeBrokerFiles(await writeBrokerFiles(args)))
  },
  'nats-setup': async (args) => {
    const { setUpBroker } = await import('./broker-access.ts')
    await setUpBroker(args, loadSettings(process.env, process.cwd()), randomBytes(12).toString('base64url'))
    process.stdout.write('stream, consumer and buckets are there\n')
  },
  trace: async (args) => {
    const { traceCommand } = await import('./trace-command.ts')
    process.stdout.write(await traceCommand(args, process.env))
  },
  health: async () => {
    const { checkHealth } = await import('./health-check.ts')
    await checkHealth(loadSettings(process.env, process.cwd()))
  },
  doctor: async (args) => {
    const { doctorCommand } = await import('./doctor/doctor.ts')
    await doctorCommand(args, { env: process.env, cwd: process.cwd(), write: (text) => void process.stdout.write(text) })
  },
  help: async () => void process.stdout.write(USAGE),
  '--help': async () => void process.stdout.write(USAGE),
  '-h': async () => void process.stdout.write(USAGE),
  '--version': async () => void process.stdout.write(`${version}\n`),
}

/** What stands behind them would be passed over. */
const bare = ['start', 'ingress', 'router', 'telemetry', 'health']

const [command = 'help', ...args] = process.argv.slice(2)
const chosen = Object.hasOwn(commands, command) ? commands[command] : undefined
if (!chosen) {
  process.stderr.write(`freeway: unknown command "${command}"\n\n${USAGE}`)
  process.exit(2)
}
try {
  if (args.some((arg) => arg === '--help' || arg === '-h')) process.stdout.write(USAGE)
  else {
    shareDotEnv(process.env, process.cwd())
    if (bare.includes(command)) takesNothing(command, args)
    await chosen(args)
  }
  process.exit(0)
} catch (error) {
  process.stderr.write(`freeway: ${explain(error)}\n`)
  process.exit(1)
}

/** Services that the process of a command holds. */
function rolesOf(service: string): readonly Role[] {
  return service === 'freeway' ? roles : roles.filter((role) => role === service)
}

/** Opens a service, waits for a signal, and stops it: first what it says itself, then everything on the stack in reverse order. */
async function run(
  service: string,
  open: (self: Process) => Promise<Opened>,
  load: () => Promise<unknown> = async () => {},
): Promise<void> {
  makeRoomForBuffers()
  const settings = loadSettings(process.env, process.cwd())
  const logger = createLogger({ service, level: settings.logLevel })
  await using stack = new AsyncDisposableStack()
  const bus = settings.natsUrl ? 'nats' : 'in_process'
  const tracing = await startTracing({ roles: rolesOf(service), endpoint: settings.otlpEndpoint, version, bus })
  stack.defer(() => tracing.stop())
  let missing = () => ['starting']
  const { operationsPort: port, operationsHost: host } = settings
  if (port !== undefined) {
    const { openOperations } = await import('./operations.ts')
    const opening = openOperations({ host, port, service, version, missing: () => missing() })
    const operations = await opening.catch((error: unknown) => {
      throw new SettingsError(explain(error, { host: 'METRICS_HOST', port: 'METRICS_PORT' }))
    })
    stack.defer(() => operations.close())
    logger.info('operations', { url: operations.url })
  }
  const signalled = untilSignal(lifeline(process.env))
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
