// Faults for tests: what a network or a dying process does to the messages of one handle of the in-process broker.

import type { BusMessage } from '#contracts/bus.ts'

export interface Faults {
  /** The next four concern messages on their way to this handle; a later call replaces an earlier one. */
  drop(which: Which): void
  duplicate(which: Which): void
  delay(which: Which, delayMs: number): void
  /** Each message of these is delivered after the one that follows it. */
  reorder(which: Which): void
  /** The process stands still: nothing comes in, nothing goes out, but its interest remains. */
  freeze(): void
  /** Everything held since `freeze` happens now, late. */
  thaw(): void
  /** The connection breaks: messages under way are lost, and its interest is gone. */
  disconnect(): void
  reconnect(): void
  /** Ends all of the above. */
  heal(): void
}

export type Which = (message: BusMessage) => boolean

/** The part of a handle that faults act upon. */
export interface Faulty {
  intercept: ((message: BusMessage, deliver: (message: BusMessage) => void) => void) | undefined
  freeze(): void
  thaw(): void
  disconnect(): void
  reconnect(): void
}

export function openFaults(handle: Faulty): Faults {
  const timers = new Set<ReturnType<typeof setTimeout>>()
  let waiting: (() => void) | undefined

  const faults: Faults = {
    drop(which) {
      handle.intercept = (message, deliver) => {
        if (!which(message)) deliver(message)
      }
    },
    duplicate(which) {
      handle.intercept = (message, deliver) => {
        deliver(message)
        if (which(message)) deliver({ ...message, data: new Uint8Array(message.data) })
      }
    },
    delay(which, delayMs) {
      handle.intercept = (message, deliver) => {
        if (!which(message)) return deliver(message)
        const timer = setTimeout(() => {
          timers.delete(timer)
          deliver(message)
        }, delayMs)
        timers.add(timer)
      }
    },
    reorder(which) {
      handle.intercept = (message, deliver) => {
        if (!waiting && which(message)) {
          waiting = () => deliver(message)
          return
        }
        deliver(message)
        waiting?.()
        waiting = undefined
      }
    },
    freeze: () => handle.freeze(),
    thaw: () => handle.thaw(),
    disconnect: () => handle.disconnect(),
    reconnect: () => handle.reconnect(),
    heal() {
      handle.intercept = undefined
      for (const timer of timers) clearTimeout(timer)
      timers.clear()
      waiting?.()
      waiting = undefined
      handle.thaw()
      handle.reconnect()
    },
  }
  return faults
}
