// A nats-server process of our own: found on this machine, configured, started and stopped by us.

import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { accessSync, constants, realpathSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import process from 'node:process'
import { promisify } from 'node:util'
import { SettingsError } from '../settings-error.ts'
import type { ServerConfig } from './server-config.ts'
import { writeServerConfig } from './server-config.ts'

export interface NatsServer {
  readonly url: string
  /** Address of the monitor's HTTP pages, if one was asked for. */
  readonly monitorUrl: string | undefined
  /** Of the process that runs now. */
  readonly pid: number
  readonly version: string
  /** Resolves when the process that runs now has ended, whoever has ended it. */
  untilEnded(): Promise<void>
  /** Sends the signal; for one that ends the process, resolves when it is gone. */
  kill(signal: NodeJS.Signals): Promise<void>
  /** Ends what still runs, then starts again on the same port and store. */
  restart(): Promise<void>
  stop(): Promise<void>
}

export interface NatsServerOptions {
  /** For configuration, log and store; created if missing. */
  dir: string
  /** Default: one found by `findNatsServer`. */
  binary?: string
  /** Default: a free one. */
  port?: number
  monitor?: boolean
  /** Who may connect; without it everybody on this machine. */
  access?: Pick<ServerConfig, 'users' | 'systemUser' | 'tls'>
  /** One of several that hold everything together. */
  cluster?: NonNullable<ServerConfig['cluster']>
}

type Environment = Readonly<Record<string, string | undefined>>

const START_TIMEOUT_MS = 10_000
const POLL_MS = 20
const STOP_GRACE_MS = 5_000
/** A server that was left behind ends once nobody drains over it any more. */
const LEFT_BEHIND_MS = 3_000

/** The first nats-server of `natsServers`. */
export function findNatsServer(env: Environment): string | undefined {
  return natsServers(env)[0]
}

/** Every place where a nats-server was found, best first. `NATS_SERVER_BIN` alone counts if it is set. */
export function natsServers(env: Environment): string[] {
  if (env.NATS_SERVER_BIN) return isExecutable(env.NATS_SERVER_BIN) ? [env.NATS_SERVER_BIN] : []
  // Debian installs it into a folder that is not on a user's PATH.
  const folders = [
    ...(env.PATH ?? '').split(delimiter),
    '/usr/sbin',
    '/usr/local/bin',
    '/opt/homebrew/bin',
    join(env.HOME ?? homedir(), 'go', 'bin'),
  ]
  const found = new Set<string>()
  for (const folder of folders) {
    const file = join(folder, 'nats-server')
    if (folder && isExecutable(file)) found.add(realpathSync(file))
  }
  return [...found]
}

/**
 * Throws if there is no binary, or if the server does not accept connections within ten seconds; SettingsError if another one keeps its
 * data in the same folder.
 */
export async function startNatsServer({ dir, binary, port, monitor, access, cluster }: NatsServerOptions): Promise<NatsServer> {
  const program = binary ?? findNatsServer(process.env)
  if (!program)
    throw new Error('no nats-server found; set NATS_SERVER_BIN, or install one (apt install nats-server, brew install nats-server)')
  await mkdir(dir, { recursive: true })
  const version = await versionOf(program)
  const listen = port ?? (await freePort())
  const monitorPort = monitor ? await freePort() : undefined
  const file = join(dir, 'nats.conf')
  await untilLeft(file)
  await writeFile(
    file,
    writeServerConfig({
      host: '127.0.0.1',
      port: listen,
      storeDir: join(dir, 'store'),
      version,
      logFile: join(dir, 'nats.log'),
      ...(monitorPort !== undefined && { monitor: `127.0.0.1:${monitorPort}` }),
      ...access,
      ...(cluster && { cluster }),
    }),
  )
  let running: ChildProcess
  let exited: Promise<void>

  async function start(): Promise<void> {
    // In a process group of its own: Ctrl-C on a terminal must not end the broker before those who drain over it.
    running = spawn(program as string, ['-c', file], { stdio: 'ignore', detached: true })
    const gone = Promise.withResolvers<void>()
    exited = gone.promise
    running.once('exit', () => gone.resolve())
    running.once('error', () => gone.resolve())
    const deadline = performance.now() + START_TIMEOUT_MS
    while (!(await accepts(listen))) {
      if (isGone(running) || performance.now() > deadline) {
        running.kill('SIGKILL')
        const log = await readFile(join(dir, 'nats.log'), 'utf8').catch(() => 'no log was written')
        throw new Error(`nats-server ${version} did not start on port ${listen}: ${log.trim().split('\n').slice(-3).join(' | ')}`)
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS))
    }
  }

  async function kill(signal: NodeJS.Signals): Promise<void> {
    if (isGone(running)) return
    running.kill(signal)
    if (signal === 'SIGKILL' || signal === 'SIGTERM' || signal === 'SIGINT') await exited
  }

  async function stop(): Promise<void> {
    const timer = setTimeout(() => running.kill('SIGKILL'), STOP_GRACE_MS)
    await kill('SIGTERM')
    clearTimeout(timer)
  }

  await start()
  return {
    url: `nats://127.0.0.1:${listen}`,
    monitorUrl: monitorPort === undefined ? undefined : `http://127.0.0.1:${monitorPort}`,
    get pid() {
      return running.pid as number
    },
    version,
    untilEnded: () => exited,
    kill,
    async restart() {
      await stop()
      await start()
    },
    stop,
  }
}

/** Two servers that write to one store spoil it, and no server looks whether there is another. */
async function untilLeft(file: string): Promise<void> {
  const written = await readFile(file, 'utf8').catch(() => '') // nobody has been there yet
  const port = Number(/^port: (\d+)$/m.exec(written)?.[1] ?? 0)
  const deadline = performance.now() + LEFT_BEHIND_MS
  while (port > 0 && (await accepts(port))) {
    if (performance.now() > deadline)
      throw new SettingsError(
        `${file}: the nats-server at port ${port} keeps its data beside it: another cluster runs, or one that was killed ` +
          'still ends its streams. Stop it, or set FREEWAY_DATA to another directory',
      )
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}

async function versionOf(program: string): Promise<string> {
  const { stdout } = await promisify(execFile)(program, ['--version'])
  const version = /v(\d+\.\d+\.\d+)/.exec(stdout)?.[1]
  if (!version) throw new Error(`${program} --version says ${JSON.stringify(stdout.trim())}, which is no nats-server`)
  return version
}

function isGone(child: ChildProcess): boolean {
  return child.pid === undefined || child.exitCode !== null || child.signalCode !== null
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    // Missing or not ours to run: either way it is not a candidate.
    return false
  }
}

/** A NATS server speaks first; the first byte means that it is ready. */
function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    const settle = (ready: boolean) => {
      socket.destroy()
      resolve(ready)
    }
    socket.once('data', () => settle(true))
    socket.once('error', () => settle(false))
    socket.setTimeout(1000, () => settle(false))
  })
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })
}
