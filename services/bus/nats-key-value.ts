// A key-value bucket on JetStream. The bucket is used as it is found, and created where it is missing.

import type { JetStreamManager, KV, KvEntry, NatsError, QueuedIterator, StorageType } from 'nats'
import { Disconnected, type KeyValue, type KeyValueEntry, NoResponders, RequestTimeout, RevisionConflict } from '#contracts/bus.ts'
import { bucketAgesMs } from '#contracts/subjects.ts'
import { callHandler } from './handler.ts'
import type { NatsLink } from './nats.ts'

const RETRY_MS = 250
/** How long a cluster may be too busy to answer, or not yet whole: one that has just begun is both. */
const BUSY_MS = 30_000
/** "temporarily unavailable" and "not the leader": the cluster is about to agree on one. */
const BUSY_CODES = [10008, 10009]
/** "wrong last sequence", as a single server and as a cluster spell it. */
const CONFLICT_CODES = [10071, 10164]
/** "no suitable peers" and "replicas not supported": a cluster of fewer than three. */
export const TOO_FEW_PEERS_CODES = [10005, 10074]

export async function openNatsKeyValue(link: NatsLink, bucket: string): Promise<KeyValue> {
  const store = await whenServed(() => attempt(bucket, link, () => bind(link, bucket)))
  return {
    async get(key) {
      const entry = await attempt(bucket, link, () => store.get(key))
      return entry && entry.operation === 'PUT' ? { key, value: entry.value, revision: entry.revision } : undefined
    },
    async put(key, value) {
      const copy = new Uint8Array(value)
      return await attempt(bucket, link, () => store.put(key, copy))
    },
    async update(key, value, revision) {
      const copy = new Uint8Array(value)
      const write = () => (revision === 0 ? store.create(key, copy) : store.update(key, copy, revision))
      return await attempt(`${bucket}/${key}`, link, write)
    },
    delete: (key) => attempt(bucket, link, () => store.delete(key)),
    watch: (pattern, onEntry) => attempt(bucket, link, () => watch(link, store, pattern, onEntry)),
  }
}

async function bind(link: NatsLink, bucket: string): Promise<KV> {
  const { nc } = link
  const manager = await nc.jetstreamManager({ checkAPI: false })
  const { views } = nc.jetstream()
  if (!(await streamExists(manager, `KV_${bucket}`))) {
    // An age of 0 is none.
    const ttl = bucketAgesMs[bucket] ?? 0
    const create = (replicas: number) => views.kv(bucket, { history: 1, storage: 'file' as StorageType, replicas, ttl })
    await withReplicas(link, create)
  }
  return await views.kv(bucket, { bindOnly: true })
}

export async function streamExists(manager: JetStreamManager, name: string): Promise<boolean> {
  try {
    await manager.streams.info(name)
    return true
  } catch (error) {
    if ((error as NatsError).api_error?.code === 404) return false
    throw error
  }
}

/** Asks again while a cluster cannot answer yet; what it has made by then is found there. Rejects as the last call did. */
export async function whenServed<T>(call: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + BUSY_MS
  for (;;) {
    try {
      return await call()
    } catch (error) {
      const busy = error instanceof RequestTimeout || BUSY_CODES.includes((error as NatsError).api_error?.err_code ?? 0)
      if (!busy || performance.now() > deadline) throw error
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
    }
  }
}

/** Three copies where the cluster has room for them, else one. Rejects instead if the link asks for a number. */
export async function withReplicas<T>(link: NatsLink, create: (replicas: number) => Promise<T>): Promise<T> {
  if (link.copies !== undefined) return await create(link.copies)
  if (link.topology === 'single') return await create(1)
  try {
    return await create(3)
  } catch (error) {
    if (!TOO_FEW_PEERS_CODES.includes((error as NatsError).api_error?.err_code ?? 0)) throw error
    return await create(1)
  }
}

/**
 * The watch begins anew after each reconnect: a restarted server has forgotten it, and the library finds that out after ten seconds only.
 * What had been told before is not told again.
 */
async function watch(link: NatsLink, store: KV, pattern: string, onEntry: (entry: KeyValueEntry) => void) {
  const told = new Map<string, number>()
  let entries: QueuedIterator<KvEntry> | undefined
  let open = true
  let first = true

  async function begin(): Promise<{ current: Promise<void>; ended: Promise<void> }> {
    let initial = true
    const current = Promise.withResolvers<void>()
    const initializedFn = () => {
      initial = false
      current.resolve()
    }
    const iterator = await store.watch({ key: pattern, initializedFn })
    entries = iterator
    const ended = (async () => {
      for await (const { key, value, revision, operation } of iterator) {
        if (!open) break
        const deleted = operation !== 'PUT'
        if (told.get(key) === revision || (initial && deleted && (first || !told.has(key)))) continue
        told.set(key, revision)
        callHandler(onEntry, { key, value: deleted ? undefined : value, revision })
      }
    })()
    ended.catch(current.reject)
    // Only the first watch is waited for; of a later one it is enough that it ends.
    current.promise.catch(() => {})
    return { current: current.promise, ended }
  }

  async function keepWatching(ended: Promise<void>): Promise<void> {
    for (;;) {
      // However the watch ended, what matters is whether it is still wanted.
      await ended.catch(() => {})
      while (open && !link.nc.isClosed()) {
        try {
          ;({ ended } = await begin())
          break
        } catch {
          // The server is not back yet, or JetStream is not: try again.
          await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
        }
      }
      if (!open || link.nc.isClosed()) return
    }
  }

  const { current, ended } = await begin()
  await current
  first = false
  const forget = link.onStatus((status) => {
    if (status === 'reconnected') entries?.stop()
  })
  void keepWatching(ended)
  return {
    unsubscribe() {
      open = false
      forget()
      entries?.stop()
    },
  }
}

/** Runs one JetStream call and puts its failure into our words. */
export async function attempt<T>(what: string, link: NatsLink, call: () => Promise<T>): Promise<T> {
  try {
    return await link.whileConnected(what, call)
  } catch (error) {
    const { code, api_error: refusal } = error as NatsError
    if (CONFLICT_CODES.includes(refusal?.err_code ?? 0))
      throw new RevisionConflict(`${what} was changed by somebody else`, { cause: error })
    if (code === 'TIMEOUT') throw new RequestTimeout(`${what}: JetStream did not answer in time`, { cause: error })
    if (code === '503' && !refusal) throw new NoResponders(`${what}: no JetStream on this server`, { cause: error })
    if (code === 'CONNECTION_CLOSED' || code === 'DISCONNECT')
      throw new Disconnected(`${what}: the connection to the broker went down`, { cause: error })
    throw error
  }
}
