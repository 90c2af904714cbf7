// A handler of ours that throws is our bug: it is reported with its stack, and nobody else notices.

import process from 'node:process'

/** Calls `handler`; what it throws becomes a process warning (on stderr), never an exception of the caller. */
export function callHandler<T>(handler: (value: T) => void, value: T): void {
  try {
    handler(value)
  } catch (error) {
    reportFault(error)
  }
}

export function reportFault(error: unknown): void {
  process.emitWarning(error instanceof Error ? error : new Error(String(error)))
}
