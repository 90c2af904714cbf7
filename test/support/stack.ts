// A whole freeway of real processes for fault tests: nats-server, routers, workers and ingresses, each to be killed, frozen
// or asked to stop alone. The provider of all of them is the simulator, inside the test, which sees every call and socket.

import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { createInterface } from 'node:readline'
import type { Backbone, Bus } from '#contracts/bus.ts'
import type { Provider } from '#contracts/catalog.ts'
import { type Event, eventBatch } from '#contracts/event.ts'
import { connectNats } from '#services/bus/nats.ts'
import type { NatsServer } from '#services/bus/server.ts'
import { type Simulator, startSimulator } from '#services/simulator/simulator.ts'
import { openedChats } from './chat.ts'
import { environment } from './environment.ts'
import { startTestNats } from './nats.ts'
import { unfold } from './unfold.ts'
import { until } from './until.ts'

export interface StackOptions {
  ingress?: number
  routers?: number
  /** One process each, with the providers that it serves; none stands for all. */
  workers?: string[][]
  providers?: Record<string, TestProvider>
  env?: Record<string, string>
}

/** In `base_url`, SIMULATOR stands for its address and port. `model` is the id of its only model; `m` unless told otherwise. The rest is an entry of freeway.json. */
export type TestProvider = Partial<Omit<Provider, 'name' | 'models'>> & { model?: string }

/** One process. */
export interface Service {
  readonly name: string
  readonly pid: number
  /** Of an ingress: `http://127.0.0.1:PORT`. */
  readonly url: string
  readonly running: boolean
  /** The last lines of its log. */
  readonly lines: readonly string[]
  readonly exited: Promise<{ code: number | null; signal: string | null }>
  /** Sends the signal. */
  kill(signal: NodeJS.Signals): void
}

export interface Stack {
  readonly simulator: Simulator
  readonly nats: NatsServer
  /** The bus, as any service sees it. */
  readonly bus: Bus
  /** Of the first ingress. */
  readonly url: string
  readonly ingresses: Service[]
  readonly routers: Service[]
  readonly workers: Service[]
  /** Everything told to the event log since `reset`. */
  readonly facts: Event[]
  /** Chats opened since `reset`. */
  readonly requests: number
  /** Leases that the living routers hold. */
  readonly openLeases: string[]
  /** `env`: on top of what all have. */
  start(role: 'ingress' | 'router' | 'worker' | 'telemetry', args?: string[], env?: Record<string, string>): Promise<Service>
  /** Forgets faults, calls, facts and leases of the test before, and lets every provider say `load`. */
  reset(): void
  [Symbol.asyncDispose](): Promise<void>
}

/** What every provider says unless a test wants something else: pieces of text that name their place. */
export const load = { chunks: 20, size: 24 }

export const secretOf = (provider: string) => `sk-canary-${provider}-7Zq3Vx9LmB2kTnR4`

/** One test after the other fails on purpose, within the minute that a budget is for. */
const unlimited = { at_least: 10_000 }

const KEPT_LINES = 200
/** None may outlive the test run, however it ends. */
const children = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of children) child.kill('SIGKILL')
})
const entry = join(import.meta.dirname, '../../services/freeway.ts')

export async function startStack(options: StackOptions = {}): Promise<Stack> {
  const { ingress = 1, routers = 1, workers = [['alpha'], ['beta']], providers = { alpha: { weight: 2 }, beta: {} } } = options
  await using stack = new AsyncDisposableStack()
  let owner: AsyncDisposableStack = stack
  const dir = await mkdtemp(join(tmpdir(), 'freeway-faults-'))
  stack.defer(() => rm(dir, { recursive: true, force: true }))
  const simulator = await startSimulator()
  stack.defer(() => simulator.close())
  const nats = await startTestNats()
  stack.defer(() => nats.stop())
  const config = join(dir, 'freeway.json')
  await writeFile(config, JSON.stringify({ providers: Object.fromEntries(entriesOf(providers, simulator)), retry_budget: unlimited }))
  const env = { ...base(dir), FREEWAY_CONFIG: config, NATS_URL: nats.url, ...options.env }

  const facts: Event[] = []
  /** Requests of tests before: a worker may tell of them when their ingress has gone. */
  const former = new Set<string>()
  const watch = await connectNats({ servers: nats.url, role: 'telemetry', instance: 'faults' })
  stack.defer(() => watch.close())
  await follow(watch, facts, former)

  const leases = new Map<Service, Set<string>>()
  const running = { ingress: [] as Service[], router: [] as Service[], worker: [] as Service[], telemetry: [] as Service[] }

  async function start(role: keyof typeof running, args: string[] = [], own: Record<string, string> = {}): Promise<Service> {
    const open = new Set<string>()
    const service = await startService(`${role} ${args.join(' ')}`, [role, ...args], { ...env, ...own }, owner, (line) =>
      readLease(line, open),
    )
    if (role === 'router') leases.set(service, open)
    running[role].push(service)
    return service
  }

  // The first router publishes the catalogue that the others wait for.
  for (let i = 0; i < routers; i++) await start('router')
  await Promise.all([...workers.map((names) => start('worker', names)), ...Array.from({ length: ingress }, () => start('ingress'))])
  await Promise.all(running.ingress.map(isReady))
  owner = stack.move()
  let before = 0

  const self: Stack = {
    simulator,
    nats,
    bus: watch.bus,
    get url() {
      return running.ingress[0]?.url ?? ''
    },
    ingresses: running.ingress,
    routers: running.router,
    workers: running.worker,
    facts,
    get openLeases() {
      return [...leases].filter(([router]) => router.running).flatMap(([, open]) => [...open])
    },
    get requests() {
      return openedChats() - before
    },
    start,
    reset() {
      before = openedChats()
      for (const open of leases.values()) open.clear()
      simulator.reset()
      simulator.setFault({}, load)
      for (const fact of facts) if ('request' in fact) former.add(fact.request)
      facts.length = 0
    },
    [Symbol.asyncDispose]: () => owner.disposeAsync(),
  }
  self.reset()
  return self
}

function entriesOf(providers: Record<string, TestProvider>, simulator: Simulator): [string, unknown][] {
  return Object.entries(providers).map(([name, { model = 'm', ...own }]) => [
    name,
    {
      api_key: secretOf(name),
      models: [{ id: model, capabilities: ['chat', 'tools'], context_window: 100_000_000 }],
      ...own,
      // For a provider that is the simulator under another name.
      base_url: (own.base_url ?? `${simulator.url}/v1`).replace('SIMULATOR', `127.0.0.1:${simulator.port}`),
    },
  ])
}

function base(dir: string): Record<string, string> {
  return {
    ...environment(),
    PORT: '0',
    FREEWAY_DATA: join(dir, 'data'),
    FREEWAY_DEMO: 'off',
    FREEWAY_ADMIN_TOKEN: randomBytes(24).toString('base64url'),
    FREEWAY_LOG_LEVEL: 'debug',
  }
}

/** Resolves when it says that it is ready. Rejects with its last lines if it ends before that. `program`: the command line of another version. */
export async function startService(
  name: string,
  args: string[],
  env: Record<string, string>,
  stack: AsyncDisposableStack,
  onLine: (line: string) => void,
  program = entry,
): Promise<Service> {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', program, ...args], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const exited = once(child, 'close').then(([code, signal]) => ({ code, signal }))
  children.add(child)
  stack.defer(async () => {
    child.kill('SIGKILL')
    await exited
    children.delete(child)
  })
  const lines: string[] = []
  const { promise: ready, resolve, reject } = Promise.withResolvers<string>()
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      lines.push(line)
      if (lines.length > KEPT_LINES) lines.shift()
      onLine(line)
      if (line.includes('"msg":"ready"')) resolve(line)
    })
  }
  void exited.then(({ code, signal }) => reject(new Error(`${name} ended (${code ?? signal}) before it was ready:\n${lines.join('\n')}`)))
  const said = JSON.parse(await ready) as { url?: string }
  return {
    name,
    pid: child.pid as number,
    url: said.url ?? '',
    get running() {
      return child.exitCode === null && child.signalCode === null
    },
    lines,
    exited,
    kill: (signal) => void child.kill(signal),
  }
}

async function isReady({ url }: Service): Promise<void> {
  await until('the ingress is ready', async () => (await fetch(`${url}/ready`)).status === 200)
}

function readLease(line: string, open: Set<string>): void {
  const [, what, lease = ''] = /"msg":"lease (reserved|closed)".*?"lease":"([^"]+)"/.exec(line) ?? []
  if (what === 'reserved') open.add(lease)
  if (what === 'closed') open.delete(lease)
}

/** Told at least once each, so repeats are left out. */
async function follow({ events }: Backbone, facts: Event[], former: ReadonlySet<string>): Promise<void> {
  const seen = new Set<string>()
  await events.consume({ durable: 'faults', maxBatch: 500, maxWaitMs: 10, ackWaitMs: 10_000 }, async (batch) => {
    for (const message of batch) {
      for (const fact of eventBatch.parse(JSON.parse(new TextDecoder().decode(message.data))).events.flatMap(unfold)) {
        if (!seen.has(fact.id) && !('request' in fact && former.has(fact.request))) facts.push(fact)
        seen.add(fact.id)
      }
      await message.ack()
    }
  })
}
