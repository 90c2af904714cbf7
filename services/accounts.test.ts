import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { StoredAccount } from '#contracts/account.ts'
import type { KeyValue } from '#contracts/bus.ts'
import { accessKeys, buckets } from '#contracts/subjects.ts'
import { AccountError, type Accounts, accountId, openAccounts } from './accounts.ts'
import { type Broker, openMemoryBroker } from './bus/memory.ts'
import { hashOfKey } from './client-key.ts'

let broker: Broker
let kv: KeyValue
let accounts: Accounts
let other: Accounts

const stack: (() => unknown)[] = []
const configuredHash = hashOfKey('configured')

async function open(): Promise<Accounts> {
  const opened = await openAccounts(await broker.connect('ingress').keyValue(buckets.access), [
    { name: 'fixed', key_hash: `sha256:${configuredHash}`, rpm_limit: 7, tier: 'member' },
  ])
  stack.push(() => opened.close())
  return opened
}

beforeEach(async () => {
  broker = await openMemoryBroker()
  kv = await broker.connect('other').keyValue(buckets.access)
  accounts = await open()
  other = await open()
})
afterEach(async () => {
  for (const close of stack.splice(0)) close()
  await broker.close()
})

function account(key: string, change: Partial<StoredAccount> = {}): StoredAccount {
  const key_hash = hashOfKey(key)
  return { id: accountId(key_hash), name: key, key_hash, created_ms: 1, ...change }
}

const why = async (act: Promise<unknown>) => {
  const error = await act.catch((error: unknown) => error)
  expect(error).toBeInstanceOf(AccountError)
  return (error as AccountError).why
}

describe('an account', () => {
  it('is found by digest as soon as it is created, here and by every other process', async () => {
    await accounts.create(account('a', { roles: ['member'] }))
    expect(accounts.find(hashOfKey('a'))).toMatchObject({ name: 'a', roles: ['member'] })
    await expect.poll(() => other.find(hashOfKey('a'))?.name).toBe('a')
    expect((await open()).find(hashOfKey('a'))?.name).toBe('a')
    expect(accounts.find(hashOfKey('b'))).toBeUndefined()
    expect(accounts.size).toBe(2)
  })

  it('is gone everywhere when it is removed', async () => {
    await accounts.create(account('a'))
    await expect.poll(() => other.size).toBe(2)
    await other.remove(hashOfKey('a'))
    expect(other.find(hashOfKey('a'))).toBeUndefined()
    await expect.poll(() => accounts.find(hashOfKey('a'))).toBeUndefined()
  })

  it('keeps its id and its key, whatever is changed', async () => {
    const before = await accounts.create(account('a', { paused: true }))
    const { after } = await accounts.change(before.key_hash, () => ({ ...account('b'), daily_limit: 3 }))
    expect(after).toMatchObject({ id: before.id, key_hash: before.key_hash, name: 'b', daily_limit: 3 })
    expect(accounts.find(before.key_hash)?.paused).toBeUndefined()
  })

  it('changed by several at once loses no change', async () => {
    const { key_hash } = await accounts.create(account('a', { daily_limit: 1 }))
    await expect.poll(() => other.size).toBe(2)
    const add = (where: Accounts) => where.change(key_hash, (now) => ({ ...now, daily_limit: (now.daily_limit ?? 0) + 1 }))
    await Promise.all([...Array(10)].flatMap(() => [add(accounts), add(other)]))
    await expect.poll(() => accounts.find(key_hash)?.daily_limit).toBe(21)
  })

  it('with another key is the same account, and remembers the old one', async () => {
    const { id, key_hash } = await accounts.create(account('a', { owner: 'm' }))
    await accounts.rotate(key_hash, hashOfKey('b'), 5)
    await accounts.rotate(hashOfKey('b'), hashOfKey('c'), 6)
    expect(accounts.find(key_hash)).toBeUndefined()
    expect(accounts.find(hashOfKey('c'))).toMatchObject({
      id,
      owner: 'm',
      former_keys: [
        { key_hash, until_ms: 5 },
        { key_hash: hashOfKey('b'), until_ms: 6 },
      ],
    })
    expect(accounts.ownedBy('m')).toHaveLength(1)
  })

  it('that gets two keys at the same time has one of them', async () => {
    const { key_hash } = await accounts.create(account('a', { owner: 'm' }))
    await expect.poll(() => other.size).toBe(2)
    const rotated = await Promise.allSettled([accounts.rotate(key_hash, hashOfKey('b'), 5), other.rotate(key_hash, hashOfKey('c'), 5)])
    expect(rotated.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
    await expect.poll(() => [accounts.ownedBy('m').length, other.ownedBy('m').length]).toEqual([1, 1])
  })

  it('keeps what is changed of it while it gets another key', async () => {
    const { key_hash } = await accounts.create(account('a', { owner: 'm', daily_limit: 1 }))
    await expect.poll(() => other.size).toBe(2)
    const paused = other.change(key_hash, (now) => ({ ...now, paused: true, daily_limit: undefined }))
    const [{ after }] = await Promise.all([accounts.rotate(key_hash, hashOfKey('b'), 5), paused])
    expect(after).toMatchObject({ owner: 'm', paused: true, former_keys: [{ key_hash, until_ms: 5 }] })
    expect(accounts.find(hashOfKey('b'))?.paused).toBe(true)
    expect(accounts.find(hashOfKey('b'))?.daily_limit).toBeUndefined()
  })

  it('is refused where there is one already, and where there is none', async () => {
    await accounts.create(account('a'))
    expect(await why(accounts.create(account('a')))).toBe('exists')
    expect(await why(accounts.change(hashOfKey('x'), (now) => now))).toBe('unknown')
    expect(await why(accounts.remove(hashOfKey('x')))).toBe('unknown')
    expect(await why(accounts.rotate(hashOfKey('x'), hashOfKey('y'), 0))).toBe('unknown')
  })
})

it('clients of freeway.json are found beside the others, and cannot be changed', async () => {
  expect(accounts.find(configuredHash)).toMatchObject({ name: 'fixed', rpm_limit: 7, roles: ['member'], configured: true })
  expect(await why(accounts.change(configuredHash, (now) => now))).toBe('configured')
  expect(await why(accounts.remove(configuredHash))).toBe('configured')
  expect(await why(accounts.rotate(configuredHash, hashOfKey('b'), 0))).toBe('configured')
})

it('accounts whose digests begin alike share an entry without knowing of each other', async () => {
  const twins = ['0'.repeat(64), `000${'1'.repeat(61)}`]
  for (const key_hash of twins) await accounts.create({ ...account('twin'), key_hash })
  await accounts.remove(twins[0] as string)
  expect(accounts.find(twins[1] as string)).toBeDefined()
  expect(accounts.find(twins[0] as string)).toBeUndefined()
})

it('an entry that cannot be read takes no account away', async () => {
  const { key_hash } = await accounts.create(account('a'))
  const entry = accessKeys.account(key_hash)
  await kv.put(entry, new TextEncoder().encode('{"accounts":[{"of":"a newer version"}]}'))
  await kv.put('settings', new TextEncoder().encode('{}'))
  const settled = Promise.withResolvers<void>()
  const watch = await (await broker.connect('ingress').keyValue(buckets.access)).watch('settings', () => settled.resolve())
  await settled.promise
  watch.unsubscribe()
  expect(accounts.find(key_hash)?.name).toBe('a')
})
