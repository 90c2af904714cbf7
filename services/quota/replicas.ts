// Who shares the quotas: each replica says again and again that it is there. All divide by the same number when they must, and what
// one had open is free soon after it has died.

import type { KeyValue } from '#contracts/bus.ts'

const REPEAT_MS = 15_000
/** Of words in a lease: one or two may be late. */
const REPEATS = 3
/** As often at least where there is a lease, however long that of this replica is: others may have a shorter one. */
const REPEAT_IN_LEASE_MS = 5_000
/** Who has not been heard of for this long is gone. */
const REMEMBERED_MS = 45_000

const encoder = new TextEncoder()
const decoder = new TextDecoder()

export interface Replicas {
  /** Ourselves included. */
  readonly count: number
  /** Whether it has died: nothing was heard of it for a whole lease, while words got through. Never where there is no lease. */
  isGone(instance: string): boolean
  close(): Promise<void>
}

export interface ReplicasOptions {
  keyValue: KeyValue
  scope: string
  instance: string
  now: () => number
  leaseMs: number | undefined
  /** Somebody has gone or come. */
  onChange: () => void
}

interface Word {
  /** By the clock of its sender. */
  atMs: number
  /** When it came, by a clock that nobody sets. */
  heardMs: number
}

export async function openReplicas({ keyValue, scope, instance, now, leaseMs, onChange }: ReplicasOptions): Promise<Replicas> {
  const words = new Map<string, Word>()
  const keyOf = (of: string) => `${scope}-replica.${of}`
  const key = keyOf(instance)
  /** When our own word got through last, and since when it has done so without a gap. */
  let saidMs = performance.now()
  let heardSinceMs = saidMs
  let gone = ''
  const watch = await keyValue.watch(keyOf('*'), (entry) => {
    if (entry.value) words.set(entry.key, { atMs: Number(decoder.decode(entry.value)), heardMs: performance.now() })
    else words.delete(entry.key)
    look()
  })
  await say()
  const repeatMs = leaseMs === undefined ? REPEAT_MS : Math.min(REPEAT_IN_LEASE_MS, leaseMs / REPEATS)
  const timer = setInterval(() => {
    // What cannot be written now is written the next time.
    say().catch(() => {})
    forget()
    look()
  }, repeatMs)
  forget()

  async function say(): Promise<void> {
    await keyValue.put(key, encoder.encode(String(now())))
    const nowMs = performance.now()
    // Where ours did not get through, theirs did not either: from now on they have a whole lease to be heard.
    if (nowMs - saidMs > (leaseMs ?? 0)) heardSinceMs = nowMs
    saidMs = nowMs
  }

  /** The word of a replica that was killed stays until somebody takes it away. */
  function forget(): void {
    for (const [other, { atMs }] of words) {
      if (atMs + REMEMBERED_MS > now()) continue
      words.delete(other)
      // Another replica does the same, or the next time does.
      keyValue.delete(other).catch(() => {})
    }
  }

  /** Also for those of whom no word is left: all of them are gone or none. */
  function isGoneAt(other: string): boolean {
    const nowMs = performance.now()
    if (leaseMs === undefined || nowMs - saidMs > leaseMs) return false
    return nowMs - Math.max(words.get(other)?.heardMs ?? 0, heardSinceMs) > leaseMs
  }

  function look(): void {
    const before = gone
    gone = ['', ...words.keys()].filter(isGoneAt).join(' ')
    if (gone !== before) onChange()
  }

  return {
    get count() {
      const nowMs = now()
      let others = 0
      for (const [other, { atMs }] of words) if (other !== key && atMs + REMEMBERED_MS > nowMs) others++
      return others + 1
    },
    isGone: (of) => isGoneAt(keyOf(of)),
    async close() {
      clearInterval(timer)
      watch.unsubscribe()
      // Without a broker there is nobody to be told.
      await keyValue.delete(key).catch(() => {})
    },
  }
}
