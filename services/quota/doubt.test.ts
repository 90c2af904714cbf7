import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, expect, it } from 'vitest'
import type { KeyValue } from '#contracts/bus.ts'
import type { Limit } from '#contracts/limit.ts'
import { openMemoryBroker } from '#services/bus/memory.ts'
import { until } from '#test/support/until.ts'
import { type Claim, openQuota, type Quota } from './quota.ts'

let stack = new AsyncDisposableStack()
afterEach(async () => {
  await stack.disposeAsync()
  stack = new AsyncDisposableStack()
})

const limits: Limit[] = [{ unit: 'requests', max: 3, per: 'minute' }]
const claims: Claim[] = [{ pool: 'groq-1', limits, amounts: { requests: 1 } }]

/** A bucket whose writes wait until each is let through. */
function gated(kv: KeyValue) {
  let open = true
  const waiting: (() => void)[] = []
  const keyValue: KeyValue = {
    ...kv,
    async update(key, value, revision) {
      if (!open) await new Promise<void>((resolve) => waiting.push(resolve))
      return await kv.update(key, value, revision)
    },
  }
  return {
    keyValue,
    close() {
      open = false
    },
    letOneThrough: () => waiting.shift()?.(),
    open() {
      open = true
      for (const go of waiting.splice(0)) go()
    },
  }
}

/** Two replicas; what the first one writes waits at the gate. */
async function start(): Promise<{ gate: ReturnType<typeof gated>; owner: Quota; other: Quota }> {
  const broker = await openMemoryBroker()
  stack.defer(() => broker.close())
  const openAt = async (instance: string, keyValue: KeyValue): Promise<Quota> => {
    const quota = await openQuota({ keyValue, scope: 'provider', instance })
    stack.defer(() => quota.close())
    return quota
  }
  const gate = gated(await broker.connect('a').keyValue('quota'))
  const owner = await openAt('a', gate.keyValue)
  return { gate, owner, other: await openAt('b', await broker.connect('b').keyValue('quota')) }
}

it('what was reserved without an answer of the bucket and given back is not taken back once more by others', async () => {
  const { gate, owner, other } = await start()
  const used = () => other.status(claims)[0]?.used

  expect((await owner.reserve('0.1', claims, 60_000)).ok).toBe(true)
  await until('the other knows of it', () => used() === 1)
  gate.close()
  expect((await owner.reserve('1.1', claims, 60_000)).ok).toBe(true)
  owner.release('1.1')
  gate.letOneThrough()
  await until('the write has arrived after all', () => used() === 2)
  other.abandon('1.1')
  await until('the other has taken it back', () => used() === 1)
  gate.open()
  await until('the owner has told the rest', () => owner.status(claims)[0]?.used === 1 && used() === 1)
  let taken = 0
  let tries = 0
  const take = async () => (await (tries % 2 ? owner : other).reserve(`2.${tries++}`, claims, 60_000)).ok
  await until('all of it is spent', async () => {
    if (await take()) taken++
    return taken === 2
  })
  for (let i = 0; i < 6; i++) expect(await take()).toBe(false)
})

it('a bucket that says something now and then is slow and not away: nobody decides without it', async () => {
  const { gate, owner: waiting, other } = await start()
  gate.close()
  const asked = Promise.resolve(waiting.reserve('1.1', claims, 60_000))
  let answer: string | undefined
  void asked.then(({ ok }) => {
    answer = String(ok)
  })
  // Three are all there are, and the other takes them while the first one waits: longer than for a bucket that says nothing.
  for (let i = 0; i < 3; i++) {
    expect((await other.reserve(`2.${i}`, claims, 60_000)).ok).toBe(true)
    await pause(800)
  }
  expect(answer).toBeUndefined()
  gate.open()
  expect((await asked).ok).toBe(false)
})
