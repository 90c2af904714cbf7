// A document of settings in a key-value bucket: held in memory, watched, and changed by compare-and-set, all of it or nothing.
// Its version tells whether a process knows of a change.

import type { z } from 'zod'
import { type KeyValue, PayloadTooLarge } from '#contracts/bus.ts'
import { NewerEntry, newerFormat } from './data-format.ts'
import { openLedger } from './ledger.ts'

interface Versioned {
  version: number
}

export interface Document<T extends Versioned> {
  readonly current: T
  /** Calls back with every further state, until the returned function is called. */
  onChange(listener: (now: T) => void): () => void
  /** Resolves when this process knows of that version, at the latest after two seconds. */
  seen(version: number): Promise<void>
  /**
   * Replaces it by `apply(current)`, and resolves when this process knows of it. `apply` may run several times; what it throws, this
   * throws. Throws DocumentUnreadable, PayloadTooLarge, and what the bucket throws.
   */
  change(apply: (current: T) => T): Promise<{ before: T; after: T }>
  close(): void
}

/** It was written by a newer version: to change it would lose what we do not know of. */
export class DocumentUnreadable extends Error {
  override name = 'DocumentUnreadable'
}

const SEEN_WITHIN_MS = 2_000
/** Half of what a message of the broker surely holds: what is made of it, e.g. the catalogue, has to fit as well. */
const MAX_BYTES = 500_000

/** `schema` has to make a document of `{}`. `onUnreadable`: what stands there cannot be read; what we know stays in force. */
export async function openDocument<T extends Versioned>(
  kv: KeyValue,
  key: string,
  schema: z.ZodType<T>,
  onUnreadable: () => void = () => {},
): Promise<Document<T>> {
  const ledger = openLedger(kv)
  const listeners = new Set<(now: T) => void>()
  let current = schema.parse({})

  const subscription = await kv.watch(key, ({ value }) => {
    const stored = value === undefined ? {} : jsonOf(value)
    const read = schema.safeParse(stored)
    if (newerFormat(stored) !== undefined || !read.success) return onUnreadable()
    current = read.data
    for (const listener of listeners) listener(current)
  })

  async function seen(version: number): Promise<void> {
    if (current.version >= version) return
    const { promise, resolve } = Promise.withResolvers<void>()
    const look = (now: T) => {
      if (now.version >= version) resolve()
    }
    listeners.add(look)
    const timer = setTimeout(resolve, SEEN_WITHIN_MS)
    await promise
    clearTimeout(timer)
    listeners.delete(look)
  }

  return {
    get current() {
      return current
    },
    onChange(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    seen,
    async change(apply) {
      let before = current
      let after = current
      const written = ledger.update<unknown>(key, (stored) => {
        const read = schema.safeParse(stored ?? {})
        if (!read.success) throw new DocumentUnreadable('the stored settings are those of another version of freeway')
        before = read.data
        after = schema.parse({ ...apply(before), version: before.version + 1 })
        const { byteLength } = new TextEncoder().encode(JSON.stringify(after))
        if (byteLength > MAX_BYTES) throw new PayloadTooLarge(`${byteLength} bytes of settings are more than ${MAX_BYTES}`)
        return after
      })
      await written.catch((error: unknown) => {
        throw error instanceof NewerEntry ? new DocumentUnreadable(error.message) : error
      })
      await seen(after.version)
      return { before, after }
    },
    close: () => subscription.unsubscribe(),
  }
}

function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes))
  } catch {
    return undefined // the schema refuses it
  }
}
