// Start and stop of a process: signals, whoever has started it, and the bound on how long an orderly stop may take.

import process from 'node:process'
import type { Readable } from 'node:stream'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** A supervisor signals the whole group, and the launcher passes the signal on: twice within this time is asked once. */
const SAME_REQUEST_MS = 500

/**
 * Environment of a process whose standard input is a pipe of ours: it stops when that ends. For the system closes it also for one who is
 * killed and can send no signal any more. (`launch.mjs` says the same.)
 */
export const heldByInput = { FREEWAY_LIFELINE: 'stdin' }

/** Standard input, if whoever has started this process holds it so. */
export function lifeline({ FREEWAY_LIFELINE }: NodeJS.ProcessEnv): Readable | undefined {
  return FREEWAY_LIFELINE === heldByInput.FREEWAY_LIFELINE ? process.stdin : undefined
}

/** Resolves at the first signal, or when `held` ends. A second signal, later, ends the process at once: whoever sends it will not wait. */
export function untilSignal(held?: Readable): Promise<string> {
  return new Promise((resolve) => {
    const abandoned = () => resolve('supervisor gone')
    held?.once('end', abandoned).once('error', abandoned).resume()
    let askedMs: number | undefined
    for (const signal of SIGNALS) {
      process.on(signal, () => {
        if (askedMs !== undefined && performance.now() - askedMs >= SAME_REQUEST_MS) process.exit(1)
        askedMs ??= performance.now()
        resolve(signal)
      })
    }
  })
}

/**
 * Gives back what starting has left behind: compiled modules and schemas double the heap of a process that then does little.
 * Measured at 13 MB of an ingress. Where the runtime has no such switch, nothing happens.
 */
export function collectStartupGarbage(): void {
  try {
    setFlagsFromString('--expose-gc')
    const collect: unknown = runInNewContext('gc')
    if (typeof collect === 'function') collect({ type: 'major', execution: 'sync', flavor: 'last-resort' })
  } catch {
    // Deno has no V8 flags at run time; its memory is then what it is.
  }
}

/**
 * V8 bounds the memory of buffers by what a small heap may grow to: a file of 20 MB on its way from socket to socket had the whole heap
 * marked three times, which was half of what it cost. With this switch the bound follows what is in use.
 */
export function makeRoomForBuffers(): void {
  try {
    setFlagsFromString('--external-memory-accounted-in-global-limit')
  } catch {
    // A runtime without V8 flags has bounds of its own.
  }
}
