// Pure. Jobs that wait for a window of quota to open, in fair order: every client's first before any client's second,
// and whoever was served last comes last. Times are ms of the caller's clock.

import type { Asked } from './asked.ts'

/** Beyond this a job is refused instead: the ingresses hold the same jobs, and nobody waits usefully behind so many. */
export const MAX_PARKED = 2_000
export const MAX_PARKED_BYTES = 64 * 1024 * 1024

export interface Parked<Job> {
  key: string
  /** Who asks; one for all that are unknown. */
  client: string
  asked: Asked
  bytes: number
  job: Job
  /** When it may be placed, as far as is known. */
  opensAtMs: number
  /** It waits no longer than this. */
  untilMs: number
  /** An answer to its reservation is on its way. */
  trying: boolean
}

export interface WaitingRoom<Job> {
  readonly size: number
  /** False if there is no room for it, or nothing opens in time. */
  park(parked: Parked<Job>): boolean
  get(key: string): Parked<Job> | undefined
  /** `served`: its client comes last from now on. */
  leave(key: string, served: boolean): void
  /** All of them, the next to be served first. */
  inOrder(): Parked<Job>[]
  /** When the next one may be placed. */
  nextMs(): number
}

export function createWaitingRoom<Job>(): WaitingRoom<Job> {
  const byKey = new Map<string, Parked<Job>>()
  /** In the order in which clients are served. */
  const byClient = new Map<string, Set<Parked<Job>>>()
  let bytes = 0

  return {
    get size() {
      return byKey.size
    },
    park(parked) {
      if (byKey.has(parked.key) || parked.opensAtMs > parked.untilMs) return false
      if (byKey.size >= MAX_PARKED || bytes + parked.bytes > MAX_PARKED_BYTES) return false
      bytes += parked.bytes
      byKey.set(parked.key, parked)
      const others = byClient.get(parked.client)
      if (others) others.add(parked)
      else byClient.set(parked.client, new Set([parked]))
      return true
    },
    get: (key) => byKey.get(key),
    leave(key, served) {
      const parked = byKey.get(key)
      if (!parked) return
      bytes -= parked.bytes
      byKey.delete(key)
      const others = byClient.get(parked.client)
      others?.delete(parked)
      if (!others || (!served && others.size > 0)) return
      byClient.delete(parked.client)
      if (others.size > 0) byClient.set(parked.client, others)
    },
    inOrder() {
      const order: Parked<Job>[] = []
      const queues = [...byClient.values()].map((queue) => [...queue])
      for (let round = 0; order.length < byKey.size; round++)
        for (const queue of queues) {
          const parked = queue[round]
          if (parked) order.push(parked)
        }
      return order
    },
    nextMs() {
      let next = Number.POSITIVE_INFINITY
      for (const { opensAtMs, untilMs, trying } of byKey.values()) if (!trying) next = Math.min(next, opensAtMs, untilMs)
      return next
    },
  }
}
