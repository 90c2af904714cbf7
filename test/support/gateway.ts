// One whole freeway in a process of its own, as an operator starts it: a free port, a folder of its own, and only the environment given here.

import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { environment } from './environment.ts'

export interface GatewayOptions {
  /** Content of freeway.json. */
  config?: unknown
  /** On top of a free port and nothing else: keys of the machine never reach the process. */
  env?: Record<string, string>
  /** A folder that outlives the process; without it one is made, and removed at the end. */
  dir?: string
  /** What runs services/freeway.ts; this Node unless told otherwise. */
  runtime?: string[]
}

export interface Run {
  /** Where it was started; holds freeway.json, and the data below `data`. */
  readonly dir: string
  readonly pid: number
  readonly stdout: string
  readonly stderr: string
  /** The lines of the log so far. */
  readonly log: LogLine[]
  readonly exited: Promise<{ code: number | null; signal: string | null }>
  /** Resolves with the match once standard output has it. Rejects if the process ends before, and after 20 seconds. */
  printed(pattern: RegExp): Promise<RegExpExecArray>
  kill(signal: NodeJS.Signals): void
  /** Ends the process, by force if it must, and removes its folder. */
  [Symbol.asyncDispose](): Promise<void>
}

export interface Gateway extends Run {
  /** `http://127.0.0.1:PORT` */
  readonly url: string
  readonly port: number
}

export interface LogLine {
  level: string
  msg: string
  [field: string]: unknown
}

const FORCE_AFTER_MS = 5_000
const PRINTED_WITHIN_MS = 20_000
const entry = join(import.meta.dirname, '../../services/freeway.ts')

/** What freeway.json has of a client's key. */
export const keyHash = (key: string): string => `sha256:${createHash('sha256').update(key).digest('hex')}`

/** Resolves when it can serve. Rejects with what it printed if it ends before that. */
export async function startGateway(options: GatewayOptions = {}): Promise<Gateway> {
  const run = await runFreeway(['start'], options)
  try {
    const [, url = ''] = await run.printed(/"msg":"ready","url":"([^"]+)"/)
    return Object.defineProperties(run, { url: { value: url }, port: { value: Number(new URL(url).port) } }) as Gateway
  } catch (error) {
    await run[Symbol.asyncDispose]()
    throw error
  }
}

export async function runFreeway(args: string[], { config, env, dir, runtime }: GatewayOptions = {}): Promise<Run> {
  const folder = dir ?? (await mkdtemp(join(tmpdir(), 'freeway-journey-')))
  if (config !== undefined) await writeFile(join(folder, 'freeway.json'), JSON.stringify(config))
  const [command = process.execPath, ...first] = runtime ?? [process.execPath, '--disable-warning=ExperimentalWarning']
  const child = spawn(command, [...first, entry, ...args], {
    cwd: folder,
    // Servers of models that happen to run on the machine are left alone.
    env: { ...environment(), PORT: '0', FREEWAY_LOCAL: 'off', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  let checks: (() => void)[] = []
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
    for (const check of checks) check()
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const exited = once(child, 'close').then(([code, signal]) => ({ code, signal }))

  return {
    dir: folder,
    pid: child.pid ?? 0,
    get stdout() {
      return stdout
    },
    get stderr() {
      return stderr
    },
    get log() {
      return stdout
        .split('\n')
        .filter((line) => line.startsWith('{"time"'))
        .map((line) => JSON.parse(line) as LogLine)
    },
    exited,
    printed(pattern) {
      const { promise, resolve, reject } = Promise.withResolvers<RegExpExecArray>()
      const giveUp = (why: string) => reject(new Error(`freeway ${why} before it printed ${pattern}:\n${stdout}${stderr}`))
      const timer = setTimeout(() => giveUp(`was waited for ${PRINTED_WITHIN_MS} ms`), PRINTED_WITHIN_MS)
      const check = () => {
        const match = pattern.exec(stdout)
        if (match) resolve(match)
      }
      checks.push(check)
      check()
      exited.then(({ code, signal }) => giveUp(`ended (${code ?? signal})`), reject)
      return promise.finally(() => {
        clearTimeout(timer)
        checks = checks.filter((one) => one !== check)
      })
    },
    kill: (signal) => void child.kill(signal),
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM')
      const force = setTimeout(() => child.kill('SIGKILL'), FORCE_AFTER_MS)
      await exited
      clearTimeout(force)
      if (dir === undefined) await rm(folder, { recursive: true, force: true })
    },
  }
}
