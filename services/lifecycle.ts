// Start and stop of a process: signals, and the bound on how long an orderly stop may take.

import process from 'node:process'

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** Resolves at the first signal. The second one ends the process at once: whoever sends it will not wait. */
export function untilSignal(): Promise<string> {
  return new Promise((resolve) => {
    let asked = false
    for (const signal of SIGNALS) {
      process.on(signal, () => {
        if (asked) process.exit(1)
        asked = true
        resolve(signal)
      })
    }
  })
}
