// How many replicas share the quotas: each leaves word that it is there, so that all can divide by the same number when they must.

import type { KeyValue } from '#contracts/bus.ts'

const REPEAT_MS = 15_000
/** Who has not been heard of for this long is gone. */
const REMEMBERED_MS = 45_000

const encoder = new TextEncoder()
const decoder = new TextDecoder()

export interface Replicas {
  /** Ourselves included. */
  readonly count: number
  close(): Promise<void>
}

export interface ReplicasOptions {
  keyValue: KeyValue
  scope: string
  instance: string
  now: () => number
}

export async function openReplicas({ keyValue, scope, instance, now }: ReplicasOptions): Promise<Replicas> {
  const seenMs = new Map<string, number>()
  const key = `${scope}-replica.${instance}`
  const watch = await keyValue.watch(`${scope}-replica.*`, (entry) => {
    if (entry.value) seenMs.set(entry.key, Number(decoder.decode(entry.value)))
    else seenMs.delete(entry.key)
  })
  await say()
  const timer = setInterval(() => {
    // What cannot be written now is written the next time.
    say().catch(() => {})
    forget()
  }, REPEAT_MS)
  forget()

  async function say(): Promise<void> {
    await keyValue.put(key, encoder.encode(String(now())))
  }

  /** The word of a replica that was killed stays until somebody takes it away. */
  function forget(): void {
    for (const [other, atMs] of seenMs) {
      if (atMs + REMEMBERED_MS > now()) continue
      seenMs.delete(other)
      // Another replica does the same, or the next time does.
      keyValue.delete(other).catch(() => {})
    }
  }

  return {
    get count() {
      const nowMs = now()
      let others = 0
      for (const [other, atMs] of seenMs) if (other !== key && atMs + REMEMBERED_MS > nowMs) others++
      return others + 1
    },
    async close() {
      clearInterval(timer)
      watch.unsubscribe()
      // Without a broker there is nobody to be told.
      await keyValue.delete(key).catch(() => {})
    },
  }
}
