// A key-value bucket of the in-process broker: read from memory, written through to the store.

import { Disconnected, type KeyValue, type KeyValueEntry, RevisionConflict } from '#contracts/bus.ts'
import { bucketAgesMs } from '#contracts/subjects.ts'
import { callHandler } from './handler.ts'
import type { Handle } from './memory.ts'
import type { Store } from './sqlite.ts'
import { matches } from './subject-trie.ts'

/** Revisions rise over the whole bucket, as they do in NATS. */
export function openMemoryBucket(store: Store, bucket: string) {
  const entries = new Map<string, KeyValueEntry>()
  const watchers = new Set<(entry: KeyValueEntry) => void>()
  /** When each entry was last written, oldest first, in ms; only where entries have an age. */
  const written = new Map<string, number>()
  const maxAgeMs = bucketAgesMs[bucket]
  let lastRevision = 0
  for (const entry of store.entries(bucket)) {
    entries.set(entry.key, entry)
    // Nobody knows any more when that was: it counts from now.
    if (maxAgeMs !== undefined) written.set(entry.key, performance.now())
    lastRevision = entry.revision
  }

  /** What is too old goes whenever something is written or looked for. */
  function expire(): void {
    if (maxAgeMs === undefined) return
    const beforeMs = performance.now() - maxAgeMs
    for (const [key, atMs] of written) {
      if (atMs > beforeMs) return
      written.delete(key)
      entries.delete(key)
      void store.removeEntry(bucket, key)
    }
  }

  async function write(key: string, value: Uint8Array | undefined): Promise<number> {
    const entry = { key, value: value && new Uint8Array(value), revision: ++lastRevision }
    entries.set(key, entry)
    if (maxAgeMs !== undefined) {
      written.delete(key)
      written.set(key, performance.now())
      expire()
    }
    for (const tell of watchers) tell(entry)
    await store.saveEntry(bucket, entry)
    return entry.revision
  }

  /** The bucket as one service sees it. */
  function through(handle: Handle): KeyValue {
    const check = () => {
      if (!handle.connected) throw new Disconnected(`bucket ${bucket}: the connection to the broker is down`)
    }
    return {
      async get(key) {
        check()
        expire()
        const entry = entries.get(key)
        return entry?.value && copyOf(entry)
      },
      async put(key, value) {
        check()
        return await write(key, value)
      },
      async update(key, value, revision) {
        check()
        const current = entries.get(key)
        const stands = revision === 0 ? !current?.value : current?.revision === revision
        if (!stands) throw new RevisionConflict(`${bucket}/${key} is no longer at revision ${revision}`)
        return await write(key, value)
      },
      async delete(key) {
        check()
        await write(key, undefined)
      },
      async watch(pattern, onEntry) {
        check()
        expire()
        let open = true
        let seen = 0
        const tell = (entry: KeyValueEntry) => {
          if (!handle.connected || !matches(pattern, entry.key)) return
          handle.receive(() => hand(entry))
        }
        const hand = (entry: KeyValueEntry) => {
          if (!open || entry.revision <= seen) return
          seen = entry.revision
          callHandler(onEntry, copyOf(entry))
        }
        const catchUp = () => {
          for (const entry of [...entries.values()].sort((a, b) => a.revision - b.revision)) tell(entry)
        }
        const stop = () => {
          open = false
          watchers.delete(tell)
          forgetReconnect()
          forgetClose()
        }
        watchers.add(tell)
        const forgetReconnect = handle.onReconnect(catchUp)
        const forgetClose = handle.onClose(stop)
        const present = [...entries.values()].filter(({ key, value }) => value && matches(pattern, key))
        for (const entry of present.sort((a, b) => a.revision - b.revision)) hand(entry)
        seen = lastRevision
        return { unsubscribe: stop }
      },
    }
  }

  return { through }
}

function copyOf({ key, value, revision }: KeyValueEntry): KeyValueEntry {
  return { key, value: value && new Uint8Array(value), revision }
}
