// Pure. How much was asked of each provider today and this minute, whether or not a limit counts it. Every router hears the end of
// every attempt, so that each of them counts all.

import { z } from 'zod'
import type { Usage } from '#contracts/settlement.ts'
import type { Usage as UsageToday } from './facts.ts'

const MINUTE_MS = 60_000
const DAY_MS = 86_400_000
/** Repeats of what was told come within seconds. */
const MAX_TOLD = 10_000

/** Days and minutes since 1970, UTC. */
const counted = z.object({
  day: z.int(),
  requests: z.int().min(0),
  tokens: z.int().min(0),
  minute: z.int(),
  of_minute: z.int().min(0),
})
/** By provider. */
export const tallySnapshot = z.record(z.string(), counted)
export type TallySnapshot = z.infer<typeof tallySnapshot>

export interface Tally {
  /** An attempt of this lease has ended; once for each lease. `nowMs`: since 1970. */
  count(provider: string, lease: string, usage: Usage, nowMs: number): void
  of(provider: string, nowMs: number): UsageToday
  snapshot(): TallySnapshot
}

export function createTally(from: TallySnapshot = {}): Tally {
  const byProvider = new Map(Object.entries(from))
  const told = new Set<string>()
  return {
    count(provider, lease, usage, nowMs) {
      if (told.has(lease)) return
      if (told.size >= MAX_TOLD) told.clear()
      told.add(lease)
      const { day, minute } = timeOf(nowMs)
      const known = byProvider.get(provider)
      const today = known?.day === day ? known : { requests: 0, tokens: 0 }
      byProvider.set(provider, {
        day,
        requests: today.requests + 1,
        tokens: today.tokens + usage.in + usage.out,
        minute,
        of_minute: (known?.minute === minute ? known.of_minute : 0) + 1,
      })
    },
    of(provider, nowMs) {
      const { day, minute } = timeOf(nowMs)
      const known = byProvider.get(provider)
      return {
        requests_today: known?.day === day ? known.requests : 0,
        requests_this_minute: known?.minute === minute ? known.of_minute : 0,
        tokens_today: known?.day === day ? known.tokens : 0,
      }
    },
    snapshot: () => Object.fromEntries(byProvider),
  }
}

function timeOf(nowMs: number): { day: number; minute: number } {
  return { day: Math.floor(nowMs / DAY_MS), minute: Math.floor(nowMs / MINUTE_MS) }
}
