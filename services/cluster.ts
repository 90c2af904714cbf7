// A cluster on one machine: nats-server and every service as its own process, watched, and stopped in the order of the drain.

import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { guardBroker } from './broker-guard.ts'
import { findNatsServer, type NatsServer, startNatsServer } from './bus/server.ts'
import { keepRunning } from './keep-running.ts'
import { heldByInput } from './lifecycle.ts'
import type { Logger } from './logger.ts'
import type { Settings } from './settings.ts'
import { SettingsError } from './settings-error.ts'

export interface ClusterSize {
  ingress: number
  router: number
  workers: number
}

/** For what a process has to send and to close after its streams have ended. */
const WIND_UP_MS = 10_000
/** A longer time would be none at all. */
const MAX_TIMER_MS = 2 ** 31 - 1

interface Member {
  name: string
  child: ChildProcess | undefined
  readonly stopping: AbortController
  /** Its address, if it has one. Rejects if the process ends before it is ready. */
  ready: Promise<string>
  /** Settles when the process has ended for good. */
  ended: Promise<void>
}

export interface Cluster {
  /** Addresses of the ingresses. */
  urls: string[]
  natsUrl: string
  /** First the ingresses with their clients, then who serves them, then the broker. */
  stop(): Promise<void>
}

/** Throws SettingsError where no nats-server is installed, or a process does not start. Resolves when every process is ready. */
export async function startCluster(size: ClusterSize, settings: Settings, logger: Logger, demoUrl: string | undefined): Promise<Cluster> {
  if (!settings.natsUrl && !findNatsServer(process.env)) {
    throw new SettingsError(
      'freeway cluster needs nats-server: apt install nats-server, brew install nats-server, or set NATS_SERVER_BIN or NATS_URL',
    )
  }
  // Of a start that fails nothing may be left behind.
  await using stack = new AsyncDisposableStack()
  const routers: Member[] = []
  const workers: Member[] = []
  const ingresses: Member[] = []
  const nats = settings.natsUrl ? undefined : await startNatsServer({ dir: join(settings.dataDir, 'nats') })
  const all = () => [...ingresses, ...workers, ...routers]
  const tellGuard = nats && watchBroker(nats, () => all().flatMap(({ child }) => child?.pid ?? []), logger, stack)
  const natsUrl = settings.natsUrl ?? (nats?.url as string)
  const env = {
    ...process.env,
    ...heldByInput,
    NATS_URL: natsUrl,
    ...(demoUrl && { FREEWAY_DEMO_URL: demoUrl }),
    // One port cannot be that of all.
    ...(settings.operationsPort !== undefined && { METRICS_PORT: '0' }),
  }
  // They are in groups of their own: who ends us at once, by a second signal, would leave them to end in their own time.
  const abandon = () => {
    for (const { child } of all()) child?.kill('SIGKILL')
    void nats?.kill('SIGTERM')
  }
  process.once('exit', abandon)
  stack.defer(() => void process.off('exit', abandon))
  // Workers still tell the routers what became of their leases.
  stack.defer(() => stopAll(routers, settings.drainMs))
  stack.defer(() => stopAll(workers, settings.drainMs))
  stack.defer(() => stopAll(ingresses, settings.drainMs))
  const start = (group: Member[], name: string, args: string[], extra: Record<string, string> = {}) => {
    const member = startMember(name, args, { ...env, ...extra }, logger, () => tellGuard?.())
    group.push(member)
    tellGuard?.()
    return member.ready
  }

  // The first router publishes the catalogue that all others wait for.
  await Promise.all(range(size.router).map((i) => start(routers, `router-${i}`, ['router'])))
  await Promise.all(range(size.workers).map((i) => start(workers, `worker-${i}`, ['worker'])))
  await start(workers, 'telemetry-0', ['telemetry'])
  const ports = range(size.ingress).map((i) => (settings.port === 0 ? 0 : settings.port + i))
  const urls = await Promise.all(ports.map((port, i) => start(ingresses, `ingress-${i}`, ['ingress'], { PORT: String(port) })))

  const owner = stack.move()
  return { urls, natsUrl, stop: () => owner.disposeAsync() }
}

/** `onStart`: another process has taken the place of the one before. */
function startMember(name: string, args: string[], env: NodeJS.ProcessEnv, logger: Logger, onStart: () => void): Member {
  const { promise: ready, resolve: isReady, reject } = Promise.withResolvers<string>()
  let wasReady = false
  const stopping = new AbortController()
  const { signal } = stopping
  const member: Member = { name, child: undefined, stopping, ready, ended: Promise.resolve() }
  member.ended = keepRunning(name, runOnce, signal, logger).catch(reject)
  return member

  async function runOnce(): Promise<number | null> {
    const script = fileURLToPath(new URL('./freeway.ts', import.meta.url))
    // In process groups of their own: Ctrl-C on a terminal reaches us alone, and we stop them in order. If we are killed, the end of their
    // input tells them.
    const options: SpawnOptions = { env, stdio: ['pipe', 'pipe', 'inherit'], detached: true }
    const child = spawn(process.execPath, [...process.execArgv, script, ...args], options)
    member.child = child
    // Nothing is written there: it is held, and closed with us.
    child.stdin?.on('error', () => {})
    onStart()
    if (child.stdout) {
      createInterface({ input: child.stdout }).on('line', (line) => {
        if (line.includes('"msg":"ready"')) {
          wasReady = true
          isReady(/"url":"([^"]+)"/.exec(line)?.[1] ?? '')
        }
        process.stdout.write(`${line}\n`)
      })
    }
    const code = await once(child, 'exit').then(
      ([code]) => code as number | null,
      (error: unknown) => {
        logger.error('process could not be started', { process: name, error })
        return null
      },
    )
    if (wasReady || signal.aborted) return code
    throw new SettingsError(`${name} ended with code ${code} before it was ready; its log above says why`)
  }
}

/** Starts it again when it dies, and sees to its end with us, whatever that is. Returns what is to be called when the services change. */
function watchBroker(nats: NatsServer, services: () => number[], logger: Logger, stack: AsyncDisposableStack): () => void {
  const guard = guardBroker()
  stack.defer(() => guard.release())
  const stopping = new AbortController()
  const { signal } = stopping
  const tell = () => guard.tell(nats.pid, services())
  const run = async (again: boolean) => {
    try {
      if (again) await nats.restart()
      tell()
      if (!signal.aborted) await nats.untilEnded()
    } catch (error) {
      logger.error('the broker does not start', { error })
    }
    return null
  }
  const kept = keepRunning('nats-server', run, signal, logger)
  stack.defer(async () => {
    stopping.abort()
    await nats.stop()
    // It may just have been started again.
    await kept
    await nats.stop()
  })
  return tell
}

/** One that is frozen, or does not come to its end, is ended `WIND_UP_MS` after the time that its streams may take. */
async function stopAll(members: Member[], drainMs: number): Promise<void> {
  for (const { stopping, child } of members) {
    stopping.abort()
    child?.kill('SIGTERM')
  }
  const end = () => {
    for (const { child } of members) child?.kill('SIGKILL')
  }
  const timer = setTimeout(end, Math.min(drainMs + WIND_UP_MS, MAX_TIMER_MS))
  await Promise.all(members.map(({ ended }) => ended))
  clearTimeout(timer)
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i)
}
