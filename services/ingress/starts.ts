// Requests whose start nobody has been told: most end so soon that their end says all of it.

import { InFlight } from '#services/in-flight.ts'

/** A request that ends earlier is told of once. One whose process is killed earlier is known from its worker alone, if it had one. */
const TOLD_AFTER_MS = 1_000

export interface Starts {
  add(request: string, start: { tellStart(): void }): void
  ended(request: string): void
  /** Called every few milliseconds. */
  tick(nowMs: number): void
}

export function openStarts(): Starts {
  /** The oldest first. */
  const waiting = new InFlight<{ request: string; start: { tellStart(): void }; dueMs: number }>()
  return {
    add: (request, start) => waiting.set(request, { request, start, dueMs: performance.now() + TOLD_AFTER_MS }),
    ended: (request) => waiting.delete(request),
    tick(nowMs) {
      for (const { request, start, dueMs } of waiting.values()) {
        if (nowMs < dueMs) return
        waiting.delete(request)
        start.tellStart()
      }
    },
  }
}
