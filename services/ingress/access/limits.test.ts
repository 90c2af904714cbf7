import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Account } from '#contracts/account.ts'
import type { FreewayError } from '#contracts/failure.ts'
import { buckets } from '#contracts/subjects.ts'
import { type Broker, openMemoryBroker } from '#services/bus/memory.ts'
import { openQuota, type Quota } from '#services/quota/quota.ts'
import { type ClientLimits, clientLimits, type Hold } from './limits.ts'

const account: Account = { id: 'c1', name: 'a', key_hash: 'a'.repeat(64), created_ms: 0 }
let broker: Broker
let quotas: Quota[]
let nowMs: number

async function open(): Promise<ClientLimits> {
  const keyValue = await broker.connect('ingress').keyValue(buckets.quota)
  const quota = await openQuota({ keyValue, scope: 'client', instance: `i${quotas.length}`, now: () => nowMs, here: true })
  quotas.push(quota)
  return clientLimits(quota, 60_000)
}

beforeEach(async () => {
  broker = await openMemoryBroker()
  quotas = []
  nowMs = Date.UTC(2026, 0, 31, 12)
})
afterEach(async () => {
  for (const quota of quotas) await quota.close()
  await broker.close()
})

/** The error's type, or what was taken. */
async function attempt(limits: ClientLimits, of: Account): Promise<Hold | undefined | FreewayError> {
  try {
    return await limits.take(of, nowMs)
  } catch (error) {
    return error as FreewayError
  }
}
const isHeld = (hold: unknown): hold is Hold => typeof (hold as Hold | undefined)?.finished === 'function'

it('an account without limits takes nothing and has no standing', async () => {
  const limits = await open()
  expect(await limits.take(account, nowMs)).toBeUndefined()
  expect(limits.standing(account, nowMs)).toEqual({ rate: undefined, day: undefined, concurrency: undefined })
})

describe('requests per minute', () => {
  it('are exact over three replicas, and count whatever came of them', async () => {
    const replicas = [await open(), await open(), await open()]
    const limited = { ...account, rpm_limit: 60 }
    const taken = await Promise.all(Array.from({ length: 200 }, (_, i) => attempt(replicas[i % 3] as ClientLimits, limited)))
    const held = taken.filter(isHeld)
    expect(held).toHaveLength(60)
    for (const hold of held) hold.finished(false)
    expect(await attempt(replicas[0] as ClientLimits, limited)).toMatchObject({ type: 'rate_limit_error', shouldRetry: undefined })
  })
})

describe('successes per day', () => {
  const limited = { ...account, daily_limit: 3 }

  it('are given back by requests of which nothing came', async () => {
    const limits = await open()
    for (let i = 0; i < 10; i++) (await limits.take(limited, nowMs))?.finished(false)
    expect(limits.standing(limited, nowMs).day).toMatchObject({ limit: 3, remaining: 3 })
    for (let i = 0; i < 3; i++) (await limits.take(limited, nowMs))?.finished(true)
    const refused = (await attempt(limits, limited)) as FreewayError
    expect(refused).toMatchObject({ type: 'rate_limit_error', shouldRetry: false, retryAfterMs: 12 * 3_600_000 })
    expect(limits.standing(limited, nowMs).day).toEqual({ limit: 3, remaining: 0, resetMs: Date.UTC(2026, 1, 1) })
  })

  it('begin anew at 00:00 UTC', async () => {
    const limits = await open()
    for (let i = 0; i < 3; i++) (await limits.take(limited, nowMs))?.finished(true)
    nowMs = Date.UTC(2026, 1, 1) - 1
    expect(isHeld(await attempt(limits, limited))).toBe(false)
    nowMs = Date.UTC(2026, 1, 1)
    expect(isHeld(await attempt(limits, limited))).toBe(true)
  })

  it('of the last moment of a day take nothing of the next', async () => {
    const limits = await open()
    nowMs = Date.UTC(2026, 1, 1) - 1
    for (let i = 0; i < 3; i++) (await limits.take(limited, nowMs))?.finished(true)
    nowMs = Date.UTC(2026, 1, 1)
    for (let i = 0; i < 3; i++) expect(isHeld(await attempt(limits, limited))).toBe(true)
    expect(isHeld(await attempt(limits, limited))).toBe(false)
  })

  it('cannot be exceeded by requests that run at the same time', async () => {
    const replicas = [await open(), await open()]
    const taken = await Promise.all(Array.from({ length: 20 }, (_, i) => attempt(replicas[i % 2] as ClientLimits, limited)))
    expect(taken.filter(isHeld)).toHaveLength(3)
  })
})

describe('parallel requests', () => {
  const limited = { ...account, max_concurrency: 2 }

  it('are free again when they are over, however they ended', async () => {
    const limits = await open()
    const [a, b] = [await attempt(limits, limited), await attempt(limits, limited)]
    expect(await attempt(limits, limited)).toMatchObject({ type: 'concurrency_limit_error', retryAfterMs: 1_000 })
    expect(limits.standing(limited, nowMs).concurrency).toMatchObject({ limit: 2, remaining: 0 })
    if (isHeld(a)) a.finished(false)
    if (isHeld(b)) b.finished(true)
    expect(limits.standing(limited, nowMs).concurrency).toMatchObject({ limit: 2, remaining: 2 })
  })

  it('of a replica that has died are free once no request of it can be left', async () => {
    const dead = await open()
    await dead.take(limited, nowMs)
    await dead.take(limited, nowMs)
    const limits = await open()
    expect(isHeld(await attempt(limits, limited))).toBe(false)
    nowMs += 70_000
    expect(isHeld(await attempt(limits, limited))).toBe(true)
  })
})

it('the first limit that is spent is the one that is told: minute, day, places', async () => {
  const limits = await open()
  const limited = { ...account, rpm_limit: 1, daily_limit: 1, max_concurrency: 1 }
  await limits.take(limited, nowMs)
  expect(await attempt(limits, limited)).toMatchObject({ message: expect.stringContaining('per minute') })
  nowMs += 65_000
  expect(await attempt(limits, limited)).toMatchObject({ message: expect.stringContaining('daily') })
})

describe('whatever the clock does', () => {
  const limited = { ...account, rpm_limit: 5, daily_limit: 12 }
  /** Ends of days, of months, of years, and the day that most Februaries lack. */
  const starts = ['2026-01-31T23:58:30Z', '2026-02-28T23:59:50Z', '2028-02-29T23:59:59Z', '2026-12-31T23:59:00Z', '2026-06-15T12:00:00Z']
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ do: fc.constant('take' as const), at: fc.nat(1), succeeds: fc.boolean() }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.nat(30_000) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('jump' as const), ms: fc.nat(40 * 86_400_000) }) },
  )

  it('no minute and no day holds more than the limit, and the next ones hold as much again', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...starts),
        fc.array(step, { maxLength: 60 }),
        fc.nat(3 * 86_400_000),
        async (start, steps, backMs) => {
          quotas = []
          broker = await openMemoryBroker()
          nowMs = Date.parse(start)
          const replicas = [await open(), await open()]
          const taken: number[] = []
          const days = new Map<number, number>()
          const dayOf = (atMs: number) => Math.floor(atMs / 86_400_000)
          for (const one of steps) {
            if (one.do !== 'take') {
              nowMs += one.ms
              continue
            }
            const hold = await attempt(replicas[one.at] as ClientLimits, limited)
            if (!isHeld(hold)) {
              expect((hold as FreewayError).retryAfterMs).toBeGreaterThan(0)
              continue
            }
            hold.finished(one.succeeds)
            taken.push(nowMs)
            if (one.succeeds) days.set(dayOf(nowMs), (days.get(dayOf(nowMs)) ?? 0) + 1)
            expect(taken.filter((atMs) => atMs > nowMs - 60_000).length).toBeLessThanOrEqual(5)
            expect(days.get(dayOf(nowMs)) ?? 0).toBeLessThanOrEqual(12)
          }
          // Set back: what is counted already goes on to count, and nothing is given twice.
          nowMs -= backMs
          const burst = await Promise.all(Array.from({ length: 20 }, (_, i) => attempt(replicas[i % 2] as ClientLimits, limited)))
          expect(burst.filter(isHeld).length).toBeLessThanOrEqual(5)
          for (const hold of burst.filter(isHeld)) hold.finished(true)
          // At noon of a later day everything is there.
          nowMs = (dayOf(nowMs + backMs) + 2.5) * 86_400_000
          let again = 0
          for (let i = 0; i < 4; i++, nowMs += 65_000) {
            for (let j = 0; j < 6; j++) {
              const hold = await attempt(replicas[j % 2] as ClientLimits, limited)
              if (isHeld(hold)) again++
              if (isHeld(hold)) hold.finished(true)
            }
          }
          expect(again).toBe(12)
          for (const quota of quotas) await quota.close()
          quotas = []
          await broker.close()
        },
      ),
      { numRuns: 30 },
    )
  }, 30_000)
})
