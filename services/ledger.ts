// Shared numbers that must never lose a change: JSON values in a key-value bucket, changed by compare-and-set.
// Changes that wait for the same key are written together, so one busy key costs one write for many changes.

import { type KeyValue, type KeyValueEntry, RevisionConflict } from '#contracts/bus.ts'
import { refuseNewerEntry } from './data-format.ts'

export interface Ledger {
  get<T>(key: string): Promise<T | undefined>
  /**
   * Replaces the value by `change(value)`; undefined leaves it as it is. Resolves with what stands there afterwards.
   * `change` may run several times, so it must not do anything else. What it throws, this throws.
   * Throws RevisionConflict when others were faster too many times, NewerEntry, and what the bucket throws.
   */
  update<T>(key: string, change: (current: T | undefined) => T | undefined): Promise<T | undefined>
}

interface Change {
  apply(current: unknown): unknown
  resolve(value: unknown): void
  reject(reason: unknown): void
}

const MAX_TRIES = 25
const MAX_PAUSE_MS = 50

const encoder = new TextEncoder()
const decoder = new TextDecoder()

export function openLedger(kv: KeyValue): Ledger {
  const queues = new Map<string, Change[]>()

  async function work(key: string, queue: Change[]): Promise<void> {
    while (queue.length > 0) {
      const changes = queue.splice(0)
      try {
        await write(key, changes)
      } catch (error) {
        for (const change of changes) change.reject(error)
      }
    }
    queues.delete(key)
  }

  async function write(key: string, changes: Change[]): Promise<void> {
    for (let tries = 1; ; tries++) {
      const entry = await kv.get(key)
      const before = parsed(entry)
      refuseNewerEntry(key, before)
      const { after, settle } = applyAll(before, changes)
      try {
        if (after !== before) await kv.update(key, encoder.encode(JSON.stringify(after)), entry?.revision ?? 0)
        return settle()
      } catch (error) {
        if (!(error instanceof RevisionConflict) || tries === MAX_TRIES) throw error
        await new Promise((resolve) => setTimeout(resolve, Math.random() * Math.min(2 ** tries, MAX_PAUSE_MS)))
      }
    }
  }

  return {
    async get<T>(key: string) {
      return parsed(await kv.get(key)) as T | undefined
    },
    update<T>(key: string, change: (current: T | undefined) => T | undefined) {
      return new Promise<T | undefined>((resolve, reject) => {
        const entry = { apply: change as Change['apply'], resolve: resolve as Change['resolve'], reject }
        const queue = queues.get(key)
        if (queue) {
          queue.push(entry)
          return
        }
        const opened = [entry]
        queues.set(key, opened)
        void work(key, opened)
      })
    },
  }
}

/** Runs the changes one after the other; what each one made of the value is told only once it is written. */
function applyAll(before: unknown, changes: Change[]): { after: unknown; settle(): void } {
  let after = before
  const outcomes = changes.map((change) => {
    try {
      const next = change.apply(after)
      if (next !== undefined) after = next
      const value = after
      return () => change.resolve(value)
    } catch (error) {
      return () => change.reject(error)
    }
  })
  return {
    after,
    settle() {
      for (const tell of outcomes) tell()
    },
  }
}

function parsed(entry: KeyValueEntry | undefined): unknown {
  return entry?.value && JSON.parse(decoder.decode(entry.value))
}
