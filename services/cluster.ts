// A cluster on one machine: nats-server and every service as its own process, watched, and stopped in the order of the drain.

import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { setTimeout } from 'node:timers/promises'
import { findNatsServer, startNatsServer } from './bus/server.ts'
import type { Logger } from './logger.ts'
import type { Settings } from './settings.ts'
import { SettingsError } from './settings-error.ts'

export interface ClusterSize {
  ingress: number
  router: number
  workers: number
}

const FIRST_RESTART_MS = 200
const SLOWEST_RESTART_MS = 10_000
/** A process that ran this long was healthy: its next crash is restarted quickly again. */
const HEALTHY_MS = 30_000

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
  // Of a start that fails nothing may be left behind: the processes do not end with us.
  await using stack = new AsyncDisposableStack()
  const nats = settings.natsUrl ? undefined : await startNatsServer({ dir: join(settings.dataDir, 'nats') })
  stack.defer(() => nats?.stop())
  const natsUrl = settings.natsUrl ?? (nats?.url as string)
  const env = {
    ...process.env,
    NATS_URL: natsUrl,
    ...(demoUrl && { FREEWAY_DEMO_URL: demoUrl }),
    // One port cannot be that of all.
    ...(settings.operationsPort !== undefined && { METRICS_PORT: '0' }),
  }
  const routers: Member[] = []
  const workers: Member[] = []
  const ingresses: Member[] = []
  // They are in groups of their own: who ends us at once, by a second signal, would leave them behind.
  const abandon = () => {
    for (const { child } of [...ingresses, ...workers, ...routers]) child?.kill('SIGKILL')
    if (nats) process.kill(nats.pid, 'SIGTERM')
  }
  process.once('exit', abandon)
  stack.defer(() => void process.off('exit', abandon))
  // Workers still tell the routers what became of their leases.
  stack.defer(() => stopAll(routers))
  stack.defer(() => stopAll(workers))
  stack.defer(() => stopAll(ingresses))
  const start = (group: Member[], name: string, args: string[], extra: Record<string, string> = {}) => {
    const member = startMember(name, args, { ...env, ...extra }, logger)
    group.push(member)
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

function startMember(name: string, args: string[], env: Record<string, string | undefined>, logger: Logger): Member {
  const { promise: ready, resolve: isReady, reject } = Promise.withResolvers<string>()
  let wasReady = false
  const stopping = new AbortController()
  const { signal } = stopping
  const member: Member = { name, child: undefined, stopping, ready, ended: Promise.resolve() }
  member.ended = run()
  return member

  async function run(): Promise<void> {
    let restartMs = FIRST_RESTART_MS
    while (!signal.aborted) {
      const startedMs = performance.now()
      const code = await runOnce()
      if (signal.aborted) return
      if (!wasReady) return reject(new SettingsError(`${name} ended with code ${code} before it was ready; its log above says why`))
      if (performance.now() - startedMs > HEALTHY_MS) restartMs = FIRST_RESTART_MS
      logger.error('process ended, starting it again', { process: name, code, in_ms: restartMs })
      // Being stopped meanwhile ends the wait; the loop sees it.
      await setTimeout(restartMs, undefined, { signal }).catch(() => {})
      restartMs = Math.min(restartMs * 2, SLOWEST_RESTART_MS)
    }
  }

  async function runOnce(): Promise<number | null> {
    const script = new URL('./freeway.ts', import.meta.url).pathname
    // In process groups of their own: Ctrl-C on a terminal reaches us alone, and we stop them in order.
    const options: SpawnOptions = { env, stdio: ['ignore', 'pipe', 'inherit'], detached: true }
    const child = spawn(process.execPath, [...process.execArgv, script, ...args], options)
    member.child = child
    if (child.stdout) {
      createInterface({ input: child.stdout }).on('line', (line) => {
        if (line.includes('"msg":"ready"')) {
          wasReady = true
          isReady(/"url":"([^"]+)"/.exec(line)?.[1] ?? '')
        }
        process.stdout.write(`${line}\n`)
      })
    }
    const [code] = await once(child, 'exit')
    return code as number | null
  }
}

async function stopAll(members: Member[]): Promise<void> {
  for (const { stopping, child } of members) {
    stopping.abort()
    child?.kill('SIGTERM')
  }
  await Promise.all(members.map(({ ended }) => ended))
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i)
}
