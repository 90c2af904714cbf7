import { afterEach, describe, expect, test } from 'vitest'
import type { KeyValue } from '#contracts/bus.ts'
import type { Limit } from '#contracts/limit.ts'
import { openMemoryBroker } from '#services/bus/memory.ts'
import { until } from '#test/support/until.ts'
import { type Claim, openQuota, type Quota } from './quota.ts'

const LEASE_MS = 150
const opened: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close()
})

interface Replica {
  quota: Quota
  /** Nothing that it writes arrives any more, and nothing is said for it, until it is `back`. */
  dies(): void
  back(): void
}

async function world() {
  const broker = await openMemoryBroker()
  opened.push(broker)
  let count = 0
  return async (leaseMs: number | undefined = LEASE_MS): Promise<Replica> => {
    const line = { cut: false }
    const instance = `r${++count}`
    const keyValue = cuttable(await broker.connect(instance).keyValue('quota'), line)
    const quota = await openQuota({ keyValue, scope: 'client', instance, ...(leaseMs === 0 ? {} : { leaseMs }) })
    opened.push({
      close() {
        line.cut = false
        return quota.close()
      },
    })
    const cut = (is: boolean) => () => {
      line.cut = is
    }
    return { quota, dies: cut(true), back: cut(false) }
  }
}

function cuttable(kv: KeyValue, line: { cut: boolean }): KeyValue {
  const gone = () => Promise.reject(new Error('the line is cut'))
  return {
    ...kv,
    put: (key, value) => (line.cut ? gone() : kv.put(key, value)),
    update: (key, value, revision) => (line.cut ? gone() : kv.update(key, value, revision)),
    delete: (key) => (line.cut ? gone() : kv.delete(key)),
  }
}

const slots: Limit[] = [{ unit: 'concurrency', max: 2 }]
const slot: Claim[] = [{ pool: 'app', limits: slots, amounts: { concurrency: 1 } }]
/** Places that this replica takes for free. */
const room = ({ quota }: Replica) => Math.round(quota.room(slot).headroom * 2)
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

describe('what a replica has open', () => {
  test('is free soon after it has died, and not before', async () => {
    const start = await world()
    const [dead, alive] = [await start(), await start()]
    await dead.quota.reserve('1.1', slot, 300_000)
    await dead.quota.reserve('2.1', slot, 300_000)
    await until('the other one has heard of it', () => room(alive) === 0)
    expect(await alive.quota.reserve('3.1', slot, 300_000)).toMatchObject({ ok: false, opensInMs: 1_000 })
    dead.dies()
    const diedMs = performance.now()
    await until('its places are free', () => room(alive) === 2)
    expect(performance.now() - diedMs).toBeGreaterThan(LEASE_MS / 2)
    const taken = [await alive.quota.reserve('4.1', slot, 300_000), await alive.quota.reserve('5.1', slot, 300_000)]
    expect(taken).toEqual([{ ok: true }, { ok: true }])
    expect((await alive.quota.reserve('6.1', slot, 300_000)).ok).toBe(false)
  })

  test('stays taken for as long as it lives, without a word about it', async () => {
    const start = await world()
    const [one, other] = [await start(), await start()]
    await one.quota.reserve('1.1', slot, 300_000)
    await one.quota.reserve('2.1', slot, 300_000)
    await until('the other one has heard of it', () => room(other) === 0)
    for (let i = 0; i < 10; i++) {
      await pause(LEASE_MS / 2)
      expect((await other.quota.reserve(`a.${i}`, slot, 300_000)).ok).toBe(false)
    }
    one.quota.settle('1.1', {})
    await until('one place is free', () => room(other) === 1)
  })

  test('is found free by a replica that starts after the death', async () => {
    const start = await world()
    const dead = await start()
    await dead.quota.reserve('1.1', slot, 300_000)
    await dead.quota.reserve('2.1', slot, 300_000)
    dead.dies()
    const next = await start()
    expect((await next.quota.reserve('3.1', slot, 300_000)).ok).toBe(false)
    await until('the places are free', async () => (await next.quota.reserve('4.1', slot, 300_000)).ok)
  })

  test('counts again when it turns out to live', async () => {
    const start = await world()
    const [away, other] = [await start(), await start()]
    await away.quota.reserve('1.1', slot, 300_000)
    await until('the other one has heard of it', () => room(other) === 1)
    away.dies()
    await until('it is taken for dead', () => room(other) === 2)
    away.back()
    await until('it is heard again', () => room(other) === 1)
  })

  test('is not taken for free by one that is cut off itself', async () => {
    const start = await world()
    const [one, cutOff] = [await start(), await start()]
    await one.quota.reserve('1.1', slot, 300_000)
    await one.quota.reserve('2.1', slot, 300_000)
    await until('the other one has heard of it', () => room(cutOff) === 0)
    cutOff.dies()
    one.dies()
    await pause(3 * LEASE_MS)
    expect(room(cutOff)).toBe(0)
    // Both come back, one a little later than the other.
    cutOff.back()
    await pause(LEASE_MS / 2)
    one.back()
    for (let i = 0; i < 10; i++) {
      await pause(LEASE_MS / 4)
      expect(room(cutOff)).toBe(0)
    }
  })

  test('goes on without its replica where there is no lease', async () => {
    const start = await world()
    const [dead, alive] = [await start(0), await start(0)]
    await dead.quota.reserve('1.1', slot, 300_000)
    await until('the other one has heard of it', () => room(alive) === 1)
    dead.dies()
    await pause(3 * LEASE_MS)
    expect(room(alive)).toBe(1)
  })
})

test('what a dead replica took of a window stays used', async () => {
  const start = await world()
  const [dead, alive] = [await start(), await start()]
  const limits: Limit[] = [{ unit: 'requests', max: 3, per: 'minute' }, ...slots]
  const both: Claim[] = [{ pool: 'app', limits, amounts: { requests: 1, concurrency: 1 } }]
  await dead.quota.reserve('1.1', both, 300_000)
  await dead.quota.reserve('2.1', both, 300_000)
  dead.dies()
  await until('the places are free', () => room(alive) === 2)
  const taken = [await alive.quota.reserve('3.1', both, 300_000), await alive.quota.reserve('4.1', both, 300_000)]
  expect(taken).toMatchObject([{ ok: true }, { ok: false, limit: { unit: 'requests' } }])
})

test('who comes back first takes nothing of the parts of those who were cut off as well', async () => {
  const start = await world()
  const replicas = [await start(0), await start(0), await start(0)]
  const [first] = replicas as [Replica]
  const rate: Claim[] = [{ pool: 'app', limits: [{ unit: 'requests', max: 12, per: 'minute' }], amounts: { requests: 1 } }]
  let count = 0
  const takeAll = async ({ quota }: Replica) => {
    let taken = 0
    while ((await quota.reserve(`a.${++count}`, rate, 300_000)).ok) taken++
    return taken
  }
  for (const replica of replicas) replica.dies()
  const parts = await Promise.all(replicas.map(takeAll))
  expect(parts.reduce((sum, part) => sum + part)).toBeLessThanOrEqual(12)
  expect(parts[0]).toBeGreaterThan(2)
  first.back()
  await until('it has told what it took', () => replicas[1]?.quota.status(rate)[0]?.used === (parts[0] ?? 0) + (parts[1] ?? 0))
  expect(await takeAll(first)).toBe(0)
  for (const replica of replicas) replica.back()
  let rest = 0
  await until('all is spent, and no more', async () => {
    for (const replica of replicas) rest += await takeAll(replica)
    return parts.reduce((sum, part) => sum + part) + rest >= 12
  })
  expect(parts.reduce((sum, part) => sum + part) + rest).toBe(12)
})
