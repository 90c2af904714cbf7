// Who may call, over several replicas on either bus: what one of them changes, all of them act on.

import { afterAll, beforeAll, expect, test } from 'vitest'
import type { StoredAccount } from '#contracts/account.ts'
import { buckets } from '#contracts/subjects.ts'
import { type Accounts, accountId, openAccounts } from '#services/accounts.ts'
import { openAudit } from '#services/audit.ts'
import { hashOfKey, newClientKey } from '#services/client-key.ts'
import { describeAdapters } from '#test/support/adapters.ts'
import type { Harness } from '#test/support/backbones.ts'

const REPLICAS = 3

function account(): StoredAccount {
  const key_hash = hashOfKey(newClientKey('fai_'))
  return { id: accountId(key_hash), name: 'app', key_hash, created_ms: 1, rpm_limit: 60 }
}

describeAdapters('access', (open) => {
  let harness: Harness
  let replicas: Accounts[]

  beforeAll(async () => {
    harness = await open()
    replicas = []
    for (let i = 0; i < REPLICAS; i++) {
      replicas.push(await openAccounts(await (await harness.connect('ingress')).keyValue(buckets.access), []))
    }
  })
  afterAll(async () => {
    for (const accounts of replicas) accounts.close()
    await harness.close()
  })

  const [first, last] = [() => replicas[0] as Accounts, () => replicas[REPLICAS - 1] as Accounts]

  test('a key that is revoked on one replica is refused by all within a second', async () => {
    const { key_hash } = await first().create(account())
    await expect.poll(() => replicas.every((accounts) => accounts.find(key_hash))).toBe(true)
    const startedMs = performance.now()
    await last().remove(key_hash)
    while (replicas.some((accounts) => accounts.find(key_hash))) await new Promise((resolve) => setTimeout(resolve, 1))
    expect(performance.now() - startedMs).toBeLessThan(1_000)
  })

  test('changes of several replicas at once are all kept', async () => {
    const { key_hash } = await first().create(account())
    await expect.poll(() => replicas.every((accounts) => accounts.find(key_hash))).toBe(true)
    await Promise.all([
      replicas[0]?.change(key_hash, (now) => ({ ...now, paused: true })),
      replicas[1]?.change(key_hash, (now) => ({ ...now, daily_limit: 9 })),
      replicas[2]?.change(key_hash, (now) => ({ ...now, name: 'renamed' })),
    ])
    await expect.poll(() => first().find(key_hash)).toMatchObject({ paused: true, daily_limit: 9, name: 'renamed' })
  })

  test('a replica that starts later knows every account', async () => {
    const created = await Promise.all(Array.from({ length: 50 }, () => first().create(account())))
    const late = await openAccounts(await (await harness.connect('ingress')).keyValue(buckets.access), [])
    expect(created.every(({ key_hash }) => late.find(key_hash))).toBe(true)
    expect(late.begun).toBe(true)
    late.close()
  })

  test('changes are told in one order, wherever they were made', async () => {
    const audits = await Promise.all(replicas.map(async () => openAudit(await (await harness.connect('ingress')).keyValue(buckets.access))))
    const change = (target: string) => ({ actor: 'admin', address: '', action: 'test', target })
    await Promise.all(audits.flatMap((audit, i) => [1, 2, 3].map((j) => audit.record(change(`${i}-${j}`)))))
    const lists = await Promise.all(audits.map((audit) => audit.list(100)))
    expect(lists[0]).toHaveLength(9)
    expect(lists[1]).toEqual(lists[0])
    expect(lists[0]?.map(({ n }) => n)).toEqual([9, 8, 7, 6, 5, 4, 3, 2, 1])
  })
})
