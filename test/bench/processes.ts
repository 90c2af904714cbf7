// Starts the processes of the benchmark, and reads from /proc what they use.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { createInterface } from 'node:readline'

export interface Process {
  name: string
  pid: number
  child: ChildProcess
  /** The process' `ready` line. */
  ready: { port?: number }
  /** The last lines of its output. */
  last: string[]
  stop(): Promise<void>
}

export interface Start {
  name: string
  command?: string
  args: string[]
  env?: Record<string, string>
  cwd?: string
  /** Opens a channel for messages; the benchmark's own processes end when it closes. */
  channel?: boolean
  /** Whether a line of its output says that it can serve. Default: JSON with `"msg":"ready"`. */
  isReady?: (line: string) => boolean
}

const START_TIMEOUT_MS = 20_000
const STOP_TIMEOUT_MS = 8_000
const LAST_LINES = 12

/** Called once per process, as soon as there is one to stop, which is long before it is ready. */
export type Own = (stop: () => Promise<void>) => void

/** Resolves when the process can serve. Throws with its last lines if it ends or stays silent instead. */
export async function start(options: Start, own: Own): Promise<Process> {
  const { name, args, cwd, isReady = isReadyLine } = options
  const child = spawn(options.command ?? process.execPath, args, {
    cwd,
    // Nothing of the caller's environment leaks in: a NATS_URL or a provider key would change what is measured.
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...options.env },
    stdio: options.channel ? ['ignore', 'pipe', 'pipe', 'ipc'] : ['ignore', 'pipe', 'pipe'],
  })
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()).once('error', () => resolve()))
  const stop = async () => {
    child.kill('SIGTERM')
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS)
    await ended
    clearTimeout(timer)
  }
  try {
    own(stop)
  } catch (error) {
    await stop() // its owner is closing down already
    throw error
  }
  const last: string[] = []
  const line = await new Promise<string>((resolve, reject) => {
    const timer = setTimeout(() => child.kill('SIGKILL'), START_TIMEOUT_MS)
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream as NodeJS.ReadableStream }).on('line', (text) => {
        last.push(text)
        if (last.length > LAST_LINES) last.shift()
        if (isReady(text)) {
          clearTimeout(timer)
          resolve(text)
        }
      })
    }
    void ended.then(() => {
      clearTimeout(timer)
      reject(new Error(`${name} did not start (exit ${child.exitCode ?? child.signalCode}):\n${last.join('\n')}`))
    })
  })
  return {
    name,
    pid: child.pid as number,
    child,
    ready: line.startsWith('{') ? JSON.parse(line) : {},
    last,
    stop,
  }
}

function isReadyLine(line: string): boolean {
  return line.startsWith('{') && line.includes('"msg":"ready"')
}

/** Sends `message` over the channel and waits for the answer. */
export async function ask<T>({ child, name }: Process, message: object): Promise<T> {
  const gone = new AbortController()
  const onClose = () => gone.abort(new Error(`${name} ended`))
  child.once('close', onClose)
  try {
    child.send(message)
    const [answer] = await once(child, 'message', { signal: gone.signal })
    return answer as T
  } finally {
    child.off('close', onClose)
  }
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** Linux counts in hundredths of a second for every program, whatever the kernel's own clock does. */
const TICK_MS = 10

/** User and system time of all threads since the process began. */
export function cpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  // The second field is the name in brackets and may hold blanks; `state` is the first after it, utime and stime the 12th and 13th.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS
}

/** Resident memory in MB: now, and the most there ever was. */
export function memory(pid: number): { nowMb: number; peakMb: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1')
  const mb = (field: string) => Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) / 1024
  return { nowMb: mb('VmRSS'), peakMb: mb('VmHWM') }
}
