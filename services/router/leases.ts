// The leases a router has given out: one per attempt, settled or released once, however often it is told.

import type { Target } from '#contracts/attempt.ts'
import type { Settlement } from '#contracts/settlement.ts'
import type { Subject } from '#contracts/subjects.ts'

export interface Lease extends Target {
  inbox: Subject
  expiresMs: number
}

/** A lease that nobody reports is dropped this long after its request's deadline. */
const EXPIRY_GRACE_MS = 60_000
/** Repeats come within seconds, so forgetting all of them now and then does no harm. */
const MAX_TOLD = 10_000

export interface Leases {
  /** False if this attempt has one already: an attempt number is submitted once. */
  reserve(key: string, target: Target, inbox: Subject, ttlMs: number, nowMs: number): boolean
  get(key: string): Lease | undefined
  /** The lease that this transition closed; undefined if it was closed before. */
  close(settlement: Settlement): Lease | undefined
  /** True once for each lease: what is told again, to whichever router, must not be learned from twice. */
  isNews(lease: string): boolean
  sweep(nowMs: number): void
  readonly open: number
}

export function createLeases(): Leases {
  const leases = new Map<string, Lease>()
  const told = new Set<string>()
  return {
    reserve(key, target, inbox, ttlMs, nowMs) {
      if (leases.has(key)) return false
      leases.set(key, { ...target, inbox, expiresMs: nowMs + ttlMs + EXPIRY_GRACE_MS })
      return true
    },
    get: (key) => leases.get(key),
    close({ lease: key }) {
      const lease = leases.get(key)
      leases.delete(key)
      return lease
    },
    isNews(lease) {
      if (told.has(lease)) return false
      if (told.size >= MAX_TOLD) told.clear()
      told.add(lease)
      return true
    },
    sweep(nowMs) {
      for (const [key, lease] of leases) if (lease.expiresMs <= nowMs) leases.delete(key)
    },
    get open() {
      return leases.size
    },
  }
}
