import { afterEach, beforeEach, expect, it } from 'vitest'
import type { KeyValue } from '#contracts/bus.ts'
import type { AttemptOutcome } from '#contracts/settlement.ts'
import { buckets, healthKey } from '#contracts/subjects.ts'
import { type Broker, openMemoryBroker } from '#services/bus/memory.ts'
import { createLogger } from '#services/logger.ts'
import { learn, stateOf } from './health.ts'
import { type Memory, openMemory } from './memory.ts'

let broker: Broker
let config: KeyValue
let written: number
const opened: Memory[] = []
beforeEach(async () => {
  broker = await openMemoryBroker()
  config = await broker.connect('router').keyValue(buckets.config)
  written = 0
  await config.watch(healthKey, () => void written++)
})
afterEach(async () => {
  for (const memory of opened.splice(0)) await memory.close()
  await broker.close()
})

async function open(resets: Record<string, number> = {}, everyMs = 60_000, keyIds: Record<string, string> = {}): Promise<Memory> {
  const logger = createLogger({ service: 'router', write() {} })
  const memory = await openMemory({ config, logger, resets: () => resets, keyIds: () => keyIds, everyMs })
  opened.push(memory)
  return memory
}
const refused = (prov: string): AttemptOutcome => ({
  ...{ prov, account: `${prov}-1`, model: 'm', status: 401, phase: 'status', code: 'auth' },
  ...{ key_fault: true, retry_after_ms: null, ttfb_ms: null },
})
const rests = ({ health }: Memory, prov: string) =>
  stateOf(health, { prov, account: `${prov}-1`, model: 'm' }, performance.now()) === 'resting'

it('a router that starts knows what another has learned', async () => {
  const first = await open()
  learn(first.health, refused('groq'), performance.now())
  first.tally.count('groq', 'r1.1', { in: 1, out: 2 }, Date.now())
  first.news()
  await first.close()
  const second = await open()
  expect(rests(second, 'groq')).toBe(true)
  expect(second.health.get('groq')?.lastError).toBe('auth (401)')
  expect(second.tally.of('groq', Date.now())).toMatchObject({ requests_today: 1, tokens_today: 3 })
})

it('what was reset since is not remembered, the rest is', async () => {
  const first = await open({ groq: 1 })
  for (const provider of ['groq', 'gemini']) learn(first.health, refused(provider), performance.now())
  first.news()
  await first.close()
  const second = await open({ groq: 2 })
  expect([rests(second, 'groq'), rests(second, 'gemini')]).toEqual([false, true])
})

it('what a key has done is not held against the one that takes its place', async () => {
  const first = await open({}, 60_000, { 'groq/groq-1': 'old', 'gemini/gemini-1': 'same' })
  for (const provider of ['groq', 'gemini', 'cohere']) learn(first.health, refused(provider), performance.now())
  first.news()
  await first.close()
  const second = await open({}, 60_000, { 'groq/groq-1': 'new', 'gemini/gemini-1': 'same', 'cohere/cohere-1': 'known only now' })
  expect(['groq', 'gemini', 'cohere'].map((provider) => rests(second, provider))).toEqual([false, true, true])
  expect(second.health.get('groq')?.lastError).toBe('auth (401)')
})

it('is written soon where there is news, once', async () => {
  const memory = await open({}, 10)
  const [first, further] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  await config.watch(healthKey, () => (written === 1 ? first : further).resolve())
  memory.tally.count('groq', 'r1.1', { in: 1, out: 2 }, Date.now())
  memory.news()
  await first.promise
  expect(JSON.parse(new TextDecoder().decode((await config.get(healthKey))?.value))).toMatchObject({ tally: { groq: { requests: 1 } } })
  memory.news()
  await further.promise
  expect(written).toBe(2)
})

it('is not written where there is none', async () => {
  const memory = await open({}, 10)
  await memory.close()
  expect(await config.get(healthKey)).toBeUndefined()
})

it('a memory of another version is no reason not to start', async () => {
  await config.put(healthKey, new TextEncoder().encode('{"health":[]}'))
  expect((await open()).health.size).toBe(0)
})
