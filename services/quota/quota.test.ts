import fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import type { KeyValue } from '#contracts/bus.ts'
import type { Limit } from '#contracts/limit.ts'
import { openMemoryBroker } from '#services/bus/memory.ts'
import { until } from '#test/support/until.ts'
import { type Claim, openQuota, type Quota } from './quota.ts'

const startMs = Date.UTC(2026, 2, 1, 12)
const opened: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close()
})

/** Replicas over one bucket, with one clock that only the test moves. */
async function replicas(count: number) {
  const broker = await openMemoryBroker()
  opened.push(broker)
  const clock = { nowMs: startMs }
  const writes = { count: 0, broken: false }
  const quotas: Quota[] = []
  const add = async () => {
    const kv = await broker.connect(`r${quotas.length}`).keyValue('quota')
    const quota = await openQuota({
      keyValue: counted(kv, writes),
      scope: 'provider',
      instance: `r${quotas.length}`,
      now: () => clock.nowMs,
    })
    opened.push(quota)
    quotas.push(quota)
    return quota
  }
  for (let i = 0; i < count; i++) await add()
  return { clock, writes, quotas, add, first: quotas[0] as Quota }
}

function counted(kv: KeyValue, writes: { count: number; broken: boolean }): KeyValue {
  return {
    ...kv,
    update(key, value, revision) {
      writes.count++
      return writes.broken ? Promise.reject(new Error('the disk is full')) : kv.update(key, value, revision)
    },
  }
}

const rpm = (max: number): Limit[] => [{ unit: 'requests', max, per: 'minute' }]
const claim = (limits: Limit[], amounts: Claim['amounts'] = { requests: 1 }, pool = 'groq-1'): Claim[] => [{ pool, limits, amounts }]
const settled = () => new Promise((resolve) => setTimeout(resolve, 20))

describe('reserve', () => {
  test.each([1, 2, 4])('of a hundred at once through %i replicas exactly as many get in as the limit says', async (count) => {
    const { quotas } = await replicas(count)
    const claims = claim(rpm(10))
    const all = await Promise.all(Array.from({ length: 100 }, (_, i) => (quotas[i % count] as Quota).reserve(`a.${i}`, claims, 60_000)))
    expect(all.filter(({ ok }) => ok)).toHaveLength(10)
    for (const one of all) if (!one.ok) expect(one.opensInMs).toBe(62_000)
  })

  test('what is refused gets in when it was told that it would, and not earlier', async () => {
    const { quotas, clock } = await replicas(2)
    const [a, b] = quotas as [Quota, Quota]
    const claims = claim(rpm(2))
    await a.reserve('1.1', claims, 60_000)
    clock.nowMs += 10_000
    await b.reserve('2.1', claims, 60_000)
    await settled()
    const refused = await a.reserve('3.1', claims, 60_000)
    if (refused.ok) throw new Error('expected a refusal')
    clock.nowMs += refused.opensInMs - 1
    expect((await b.reserve('4.1', claims, 60_000)).ok).toBe(false)
    clock.nowMs += 1
    expect((await b.reserve('5.1', claims, 60_000)).ok).toBe(true)
    expect((await a.reserve('6.1', claims, 60_000)).ok).toBe(false)
  })

  test('a large limit costs at most one write for twenty requests', async () => {
    const { first, writes } = await replicas(2)
    const claims = claim(
      [
        { unit: 'requests', max: 100_000, per: 'day', clock: 'UTC' },
        { unit: 'tokens', max: 10_000_000, per: 'minute' },
      ],
      {
        requests: 1,
        tokens: 700,
      },
    )
    for (let i = 0; i < 1_000; i++) {
      await first.reserve(`a.${i}`, claims, 60_000)
      first.settle(`a.${i}`, { tokens: 300 })
    }
    expect(writes.count).toBeLessThanOrEqual(50)
  })

  test('takes all of several pools or nothing of any', async () => {
    const { quotas } = await replicas(2)
    const [a, b] = quotas as [Quota, Quota]
    const account = claim(rpm(3), undefined, 'account')
    const both = [...account, ...claim(rpm(1), undefined, 'model')]
    expect((await a.reserve('1.1', both, 60_000)).ok).toBe(true)
    expect(await a.reserve('2.1', both, 60_000)).toMatchObject({ ok: false, pool: 'model' })
    await settled()
    expect((await b.reserve('3.1', account, 60_000)).ok).toBe(true)
    expect((await b.reserve('4.1', account, 60_000)).ok).toBe(true)
    expect((await b.reserve('5.1', account, 60_000)).ok).toBe(false)
  })

  test('a repeat of the same reservation takes nothing more', async () => {
    const { first } = await replicas(1)
    for (let i = 0; i < 3; i++) expect((await first.reserve('1.1', claim(rpm(2)), 60_000)).ok).toBe(true)
    expect((await first.reserve('2.1', claim(rpm(2)), 60_000)).ok).toBe(true)
  })

  test('more than the whole limit gets in when nothing else is', async () => {
    const { first } = await replicas(1)
    const tokens = claim([{ unit: 'tokens', max: 6_000, per: 'minute' }], { tokens: 9_000 })
    expect((await first.reserve('1.1', tokens, 60_000)).ok).toBe(true)
    expect((await first.reserve('2.1', claim([{ unit: 'tokens', max: 6_000, per: 'minute' }], { tokens: 1 }), 60_000)).ok).toBe(false)
  })
})

describe('settle and release', () => {
  test('what is released is there for another replica', async () => {
    const { quotas } = await replicas(2)
    const [a, b] = quotas as [Quota, Quota]
    const claims = claim(rpm(1))
    await a.reserve('1.1', claims, 60_000)
    await settled()
    expect((await b.reserve('2.1', claims, 60_000)).ok).toBe(false)
    expect([a.release('1.1'), a.release('1.1')]).toEqual([true, false])
    await settled()
    expect((await b.reserve('3.1', claims, 60_000)).ok).toBe(true)
  })

  test('the difference between estimate and actual is given back, or taken even into debt', async () => {
    const { first, clock } = await replicas(1)
    const limits: Limit[] = [{ unit: 'tokens', max: 1_000, per: 'minute' }]
    const remaining = () => first.status(claim(limits))[0]?.remaining
    await first.reserve('1.1', claim(limits, { tokens: 600 }), 60_000)
    first.settle('1.1', { tokens: 100 })
    expect(remaining()).toBe(900)
    await first.reserve('2.1', claim(limits, { tokens: 900 }), 60_000)
    first.settle('2.1', { tokens: 1_500 })
    expect([remaining(), first.room(claim(limits, { tokens: 1 })).opensInMs]).toEqual([0, 62_000])
    clock.nowMs += 62_000
    expect(remaining()).toBe(1_000)
  })

  test('an estimate may be replaced by the actual amounts, never the reverse, and a repeat does nothing', async () => {
    const { first } = await replicas(1)
    const limits: Limit[] = [{ unit: 'tokens', max: 1_000, per: 'day' }]
    const used = () => first.status(claim(limits))[0]?.used
    await first.reserve('1.1', claim(limits, { tokens: 600 }), 60_000)
    expect([first.settle('1.1', { tokens: 500 }, 'estimate'), used()]).toEqual([true, 500])
    expect([first.settle('1.1', { tokens: 400 }, 'estimate'), first.release('1.1'), used()]).toEqual([false, false, 500])
    expect([first.settle('1.1', { tokens: 300 }), first.settle('1.1', { tokens: 100 }), used()]).toEqual([true, false, 300])
  })

  test('concurrency is what is open now', async () => {
    const { quotas } = await replicas(2)
    const [a, b] = quotas as [Quota, Quota]
    const claims = claim([{ unit: 'concurrency', max: 2 }], { concurrency: 1 })
    await a.reserve('1.1', claims, 60_000)
    await b.reserve('2.1', claims, 60_000)
    await settled()
    expect((await a.reserve('3.1', claims, 60_000)).ok).toBe(false)
    b.settle('2.1', {})
    await settled()
    expect((await a.reserve('4.1', claims, 60_000)).ok).toBe(true)
    expect((await b.reserve('5.1', claims, 60_000)).ok).toBe(false)
  })
})

describe('faults', () => {
  test('what a dead replica held counts as used at the end of its hold, and what it had open until it must have ended', async () => {
    const { quotas, clock } = await replicas(2)
    const [dead, alive] = quotas as [Quota, Quota]
    const limits: Limit[] = [
      { unit: 'requests', max: 1_000, per: 'minute' },
      { unit: 'concurrency', max: 200 },
    ]
    await dead.reserve('1.1', claim(limits, { requests: 1, concurrency: 1 }), 30_000)
    clock.nowMs += 13_000
    await settled()
    await alive.reserve('2.1', claim(limits, { requests: 1, concurrency: 1 }), 30_000)
    const used = () =>
      alive.status(claim(limits)).map((one) => one.limit.max - Math.round(alive.room(claim([one.limit])).headroom * one.limit.max))
    const [requests = 0, calls = 0] = used()
    expect(requests).toBeGreaterThan(2)
    expect(calls).toBeGreaterThan(1)
    clock.nowMs += 75_000
    alive.release('2.1')
    await alive.reserve('3.1', claim(limits, { requests: 1, concurrency: 1 }), 30_000)
    alive.release('3.1')
    await settled()
    expect(used()).toEqual([0, 0])
  })

  test('what a dead replica took last for an attempt that came to nothing is taken back by another, once', async () => {
    const { quotas } = await replicas(3)
    const [dead, alive, other] = quotas as [Quota, Quota, Quota]
    const claims = [...claim(rpm(2)), ...claim([{ unit: 'concurrency', max: 2 }], { concurrency: 1 }, 'calls')]
    await dead.reserve('1.1', claims, 60_000)
    await dead.reserve('2.1', claims, 60_000)
    await settled()
    expect((await alive.reserve('3.1', claims, 60_000)).ok).toBe(false)
    alive.abandon('1.1')
    other.abandon('1.1')
    await settled()
    // Not dead after all, and it tells the same.
    dead.release('1.1')
    await settled()
    const taken = [
      await alive.reserve('4.1', claims, 60_000),
      await other.reserve('5.1', claims, 60_000),
      await dead.reserve('6.1', claims, 60_000),
    ]
    expect(taken.filter(({ ok }) => ok)).toHaveLength(1)
  })

  test('what its owner has given back is not taken back once more', async () => {
    const { quotas } = await replicas(2)
    const [owner, other] = quotas as [Quota, Quota]
    await owner.reserve('1.1', claim(rpm(2)), 60_000)
    await owner.reserve('2.1', claim(rpm(2)), 60_000)
    await settled()
    owner.release('1.1')
    other.abandon('1.1')
    owner.abandon('1.1')
    await settled()
    const taken = await Promise.all(['3.1', '4.1', '5.1'].map((id, i) => (quotas[i % 2] as Quota).reserve(id, claim(rpm(2)), 60_000)))
    expect(taken.filter(({ ok }) => ok)).toHaveLength(1)
  })

  test('a bucket that cannot be written delays nobody, and replicas together stay within the limit', async () => {
    const { quotas, writes } = await replicas(4)
    const claims = claim(rpm(10))
    await (quotas[0] as Quota).reserve('0.1', claims, 60_000)
    await settled()
    writes.broken = true
    const began = performance.now()
    const all = await Promise.all(Array.from({ length: 100 }, (_, i) => (quotas[i % 4] as Quota).reserve(`a.${i}`, claims, 60_000)))
    expect(performance.now() - began).toBeLessThan(700)
    const granted = all.filter(({ ok }) => ok).length
    expect(granted).toBeGreaterThanOrEqual(4)
    expect(granted).toBeLessThanOrEqual(9)
    writes.broken = false
    let spent = granted + 1
    let tries = 0
    await until('all of it is spent', async () => {
      const { ok } = await (quotas[tries % 4] as Quota).reserve(`b.${tries++}`, claims, 60_000)
      if (ok) spent++
      return spent === 10
    })
    const more = await Promise.all(Array.from({ length: 20 }, (_, i) => (quotas[i % 4] as Quota).reserve(`c.${i}`, claims, 60_000)))
    expect(more.filter(({ ok }) => ok)).toEqual([])
  })
})

type Action =
  | { do: 'reserve'; at: number; tokens: number }
  | { do: 'settle' | 'release'; which: number; tokens: number }
  | { do: 'pass'; ms: number }
  | { do: 'kill'; at: number }

const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constant('reserve' as const), at: fc.nat(2), tokens: fc.integer({ min: 1, max: 400 }) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom('settle' as const, 'release' as const), which: fc.nat(), tokens: fc.nat(400) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.oneof(fc.nat(900), fc.nat(20_000), fc.nat(200_000)) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('kill' as const), at: fc.nat(2) }) },
)

test('whatever happens, no window ever holds more than its limit, and nothing is lost in the end', async () => {
  const limits: Limit[] = [
    { unit: 'requests', max: 40, per: 'minute' },
    { unit: 'requests', max: 60, per: 'hour', clock: 'UTC' },
    { unit: 'tokens', max: 5_000, per: 'minute' },
    { unit: 'concurrency', max: 12 },
  ]
  await fc.assert(
    fc.asyncProperty(fc.array(action, { maxLength: 60 }), async (actions) => {
      const { clock, quotas, add } = await replicas(3)
      const uses: { atMs: number; tokens: number }[] = []
      const open = new Map<string, { quota: Quota; use: { atMs: number; tokens: number }; untilMs: number }>()
      let count = 0
      for (const one of actions) {
        if (one.do === 'pass') clock.nowMs += one.ms
        else if (one.do === 'kill') {
          // Nobody hears of it; what it had open goes on until its time.
          const fresh = await add()
          quotas[one.at] = fresh
          quotas.pop()
        } else if (one.do === 'reserve') {
          const id = `${++count}.1`
          const quota = quotas[one.at] as Quota
          const answer = await quota.reserve(id, claim(limits, { requests: 1, tokens: one.tokens, concurrency: 1 }), 30_000)
          if (!answer.ok) continue
          const use = { atMs: clock.nowMs, tokens: one.tokens }
          uses.push(use)
          open.set(id, { quota, use, untilMs: clock.nowMs + 30_000 })
        } else {
          const [id, found] = [...open][one.which % Math.max(1, open.size)] ?? []
          if (!id || !found) continue
          open.delete(id)
          if (one.do === 'release') {
            if (found.quota.release(id)) uses.splice(uses.indexOf(found.use), 1)
          } else if (found.quota.settle(id, { tokens: Math.min(one.tokens, found.use.tokens) })) {
            found.use.tokens = Math.min(one.tokens, found.use.tokens)
          }
        }
        const stillOpen = [...open.values()].filter(({ untilMs }) => untilMs > clock.nowMs)
        expect(stillOpen.length).toBeLessThanOrEqual(12)
        const within = (ms: number) => uses.filter(({ atMs }) => atMs > clock.nowMs - ms)
        expect(within(60_000).length).toBeLessThanOrEqual(40)
        expect(within(60_000).reduce((sum, { tokens }) => sum + tokens, 0)).toBeLessThanOrEqual(5_000)
        const hour = Math.floor(clock.nowMs / 3_600_000)
        expect(uses.filter(({ atMs }) => Math.floor(atMs / 3_600_000) === hour).length).toBeLessThanOrEqual(60)
      }
      clock.nowMs += 2 * 3_600_000
      await settled()
      const [last] = quotas as [Quota]
      let fits = 0
      for (let i = 0; i < 14; i++) {
        const claims = claim(limits, { requests: 1, tokens: 1, concurrency: 1 })
        if ((await last.reserve(`z.${i}`, claims, 1_000)).ok) fits++
      }
      expect(fits).toBe(12)
      for (const quota of opened.splice(0).reverse()) await quota.close()
    }),
    { numRuns: 25 },
  )
}, 30_000)
