// Quotas over both adapters of the key-value port: several replicas, each with its own connection, and a broker that goes and comes back.

import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { Limit } from '#contracts/limit.ts'
import { type Claim, openQuota, type Quota } from '#services/quota/quota.ts'
import { describeAdapters } from '#test/support/adapters.ts'
import type { Harness } from '#test/support/backbones.ts'

describeAdapters('quota', (open) => {
  let harness: Harness
  let count = 0
  const opened: Quota[] = []
  beforeAll(async () => {
    harness = await open()
  })
  afterAll(() => harness.close())
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((quota) => quota.close()))
  })

  async function replicas(size: number): Promise<Quota[]> {
    const bucket = `quota_${++count}`
    for (let i = 0; i < size; i++) {
      const backbone = await harness.connect('router')
      opened.push(await openQuota({ keyValue: await backbone.keyValue(bucket), scope: 'provider', instance: `r${i}` }))
    }
    return [...opened]
  }

  const claims = (max: number, per: Limit['per'] = 'minute'): Claim[] => [
    { pool: 'groq-1', limits: [{ unit: 'requests', max, per }], amounts: { requests: 1 } },
  ]
  const burst = async (quotas: Quota[], name: string, size: number, of: Claim[]) => {
    const answers = await Promise.all(
      Array.from({ length: size }, (_, i) => (quotas[i % quotas.length] as Quota).reserve(`${name}.${i}`, of, 60_000)),
    )
    return answers.filter(({ ok }) => ok).length
  }

  test.each([1, 2, 4])('a hundred at once through %i replicas take ten of ten', async (size) => {
    expect(await burst(await replicas(size), 'a', 100, claims(10))).toBe(10)
  })

  test.each([
    ['one after the other, a replica each', (i: number) => i % 3],
    ['one after the other, each replica for a while', (i: number) => Math.floor(i / 7) % 3],
    ['most of them through one', (i: number) => (i < 50 ? 0 : i % 3)],
  ])('of sixty a minute exactly sixty are let in: %s', async (_, at) => {
    const quotas = await replicas(3)
    const of = claims(60)
    const refused: unknown[] = []
    for (let i = 0; i < 60; i++) {
      const answer = await (quotas[at(i)] as Quota).reserve(`a.${i}`, of, 60_000)
      if (!answer.ok) refused.push([i, at(i), answer.opensInMs])
    }
    expect(refused).toEqual([])
    for (const [i, quota] of quotas.entries()) expect((await quota.reserve(`b.${i}`, of, 60_000)).ok).toBe(false)
  })

  test('what one replica gives back the others take, and it is never more than the limit', async () => {
    const quotas = await replicas(3)
    const limit = claims(40)
    expect(await burst(quotas, 'a', 120, limit)).toBe(40)
    let released = 0
    for (const [i, quota] of quotas.entries()) for (let n = 0; n < 120; n++) if (n % 3 === i && quota.release(`a.${n}`)) released++
    expect(released).toBe(40)
    let taken = 0
    for (let round = 0; taken < 40 && round < 100; round++) {
      taken += await burst(quotas, `b${round}`, 10, limit)
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    expect(taken).toBe(40)
    expect(await burst(quotas, 'c', 30, limit)).toBe(0)
  })

  test('a broker that goes and comes back lets nobody over the limit, and in the end all of it is spent', async () => {
    const quotas = await replicas(3)
    const limit = claims(60)
    let taken = await burst(quotas, 'a', 20, limit)
    const asking = burst(quotas, 'b', 15, limit)
    await harness.breakBroker()
    taken += await asking
    taken += await burst(quotas, 'c', 30, limit)
    await harness.restoreBroker()
    for (let round = 0; taken < 60 && round < 200; round++) {
      taken += await burst(quotas, `d${round}`, 6, limit)
      await new Promise((resolve) => setTimeout(resolve, 25))
    }
    expect(taken).toBe(60)
    expect(await burst(quotas, 'e', 30, limit)).toBe(0)
  }, 15_000)
})
