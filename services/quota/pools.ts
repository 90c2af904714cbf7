// All pools of one scope: made when they are first asked for, each told what the bucket says of it, all told who shares them.

import { createHash } from 'node:crypto'
import type { KeyValue, KeyValueEntry } from '#contracts/bus.ts'
import { Pool } from './pool.ts'
import { openReplicas } from './replicas.ts'

export interface Pools {
  named(name: string): Pool
  all(): Iterable<Pool>
  /** Gives back what is held, for at most `graceMs`. */
  close(graceMs: number): Promise<void>
}

export interface PoolsOptions {
  keyValue: KeyValue
  scope: string
  instance: string
  now: () => number
  leaseMs: number | undefined
  here: boolean
  onRoom: () => void
}

export async function openPools({ keyValue, scope, instance, now, leaseMs, here, onRoom }: PoolsOptions): Promise<Pools> {
  const pools = new Map<string, Pool>()
  const byKey = new Map<string, Pool>()
  /** Entries of pools that nobody has asked for here yet. */
  const unclaimed = new Map<string, KeyValueEntry>()
  const replicas = await openReplicas({ keyValue, scope, instance, now, leaseMs, onChange: replicasChanged })
  const world = { keyValue, me: instance, now, replicas: () => replicas.count, isGone: replicas.isGone, here, onRoom }
  const watch = await keyValue.watch(`${scope}.*`, (entry) => {
    const pool = byKey.get(entry.key)
    if (pool) pool.onEntry(entry)
    else unclaimed.set(entry.key, entry)
  })

  function replicasChanged(): void {
    for (const pool of pools.values()) pool.recount()
    onRoom()
  }

  return {
    named(name) {
      const known = pools.get(name)
      if (known) return known
      const key = `${scope}.${createHash('sha256').update(name).digest('base64url').slice(0, 32)}`
      const pool = new Pool(name, key, world)
      pools.set(name, pool)
      byKey.set(key, pool)
      const entry = unclaimed.get(key)
      if (entry) pool.onEntry(entry)
      unclaimed.delete(key)
      return pool
    },
    all: () => pools.values(),
    async close(graceMs) {
      await Promise.all([...pools.values()].map((pool) => pool.close(graceMs)))
      watch.unsubscribe()
      await replicas.close()
    },
  }
}
