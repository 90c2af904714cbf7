// What may happen only so often within a while, over all replicas: answers to a challenge, a sign-up of one owner, a round of look-ups.
// Counts lie in a few entries of the bucket; what has run out is left out at the next write, so they stay small.

import { hash } from 'node:crypto'
import { z } from 'zod'
import type { KeyValue } from '#contracts/bus.ts'
import { accessKeys } from '#contracts/subjects.ts'
import { openLedger } from '#services/ledger.ts'

export interface Tally {
  /**
   * Replaces the count of `name` by `next(count)`, and returns what it was before. Nobody else's change comes in between.
   * From `untilMs` on the count is 0 again. Throws what the bucket throws.
   */
  change(name: string, untilMs: number, next: (count: number) => number): Promise<number>
}

/** Also when a clock is set back by less than this, a count is not forgotten too early. */
const KEPT_LONGER_MS = 3_600_000

const entries = z.record(z.string(), z.tuple([z.number(), z.number()]))

export function openTally(kv: KeyValue, now: () => number): Tally {
  const ledger = openLedger(kv)
  return {
    async change(name, untilMs, next) {
      const digest = hash('sha256', name, 'hex')
      const id = digest.slice(0, 32)
      let before = 0
      await ledger.update<unknown>(accessKeys.tally(digest), (stored) => {
        const oldestMs = now() - KEPT_LONGER_MS
        const kept = Object.entries(entries.parse(stored ?? {})).filter(([, [, until]]) => until > oldestMs)
        const counts = Object.fromEntries(kept)
        const [count, until] = counts[id] ?? [0, 0]
        before = until > now() ? count : 0
        return { ...counts, [id]: [next(before), untilMs] }
      })
      return before
    },
  }
}
