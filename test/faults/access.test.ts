// Limits and keys of clients through three ingresses, of which one is killed while streams run.

import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Chat, openChat } from '#test/support/chat.ts'
import { report } from '#test/support/measured.ts'
import { type Service, type Stack, startStack } from '#test/support/stack.ts'
import { until } from '#test/support/until.ts'

const LEASE_MS = 1_000
const PLACES = 4
const FREEWAY_ADMIN_TOKEN = 'Zk3vQ9xR7mW2pL5tN8bH'

let stack: Stack
beforeAll(async () => {
  stack = await startStack({
    ingress: 3,
    workers: [['alpha']],
    providers: { alpha: {} },
    env: { FREEWAY_ADMIN_TOKEN, FREEWAY_SLOT_LEASE_MS: String(LEASE_MS) },
  })
})
afterAll(() => stack?.[Symbol.asyncDispose]())

async function client(fields: object): Promise<{ key: string; revoke(): Promise<unknown> }> {
  const headers = { 'x-admin-token': FREEWAY_ADMIN_TOKEN, 'content-type': 'application/json' }
  const ingress = stack.ingresses.find(({ running }) => running) as Service
  const body = JSON.stringify({ name: 'app', rpm_limit: null, ...fields })
  const response = await fetch(`${ingress.url}/api/clients`, { method: 'POST', headers, body })
  const { api_key: key, key_hash } = (await response.json()) as { api_key: string; key_hash: string }
  await until('every ingress knows the key', async () => (await statuses(key)).every((status) => status === 200))
  return { key, revoke: () => fetch(`${ingress.url}/api/clients/${key_hash}`, { method: 'DELETE', headers }) }
}

/** Of a list of models, at every ingress. */
function statuses(key: string): Promise<number[]> {
  const running = stack.ingresses.filter(({ running }) => running)
  return Promise.all(
    running.map(async ({ url }) => (await fetch(`${url}/v1/models`, { headers: { authorization: `Bearer ${key}` } })).status),
  )
}

async function stream(ingress: Service, key: string): Promise<Chat> {
  const chat = openChat(ingress.url, {}, { key })
  await chat.opened
  return chat
}

/** Takes all places that are left, through all of the ingresses. Returns the streams that were let in. */
async function takeAll(ingresses: Service[], key: string): Promise<Chat[]> {
  const asked = await Promise.all(Array.from({ length: 3 * PLACES }, (_, i) => stream(ingresses[i % ingresses.length] as Service, key)))
  for (const { reply } of asked) expect([200, 429]).toContain(reply.status)
  return asked.filter(({ reply }) => reply.status === 200)
}

it.each([
  ['at once', (ask: (i: number) => Promise<number>) => Promise.all(Array.from({ length: 90 }, (_, i) => ask(i)))],
  [
    'one after the other',
    async (ask: (i: number) => Promise<number>) => {
      const told: number[] = []
      for (let i = 0; i < 66; i++) told.push(await ask(i))
      return told
    },
  ],
])('sixty a minute are exactly sixty, asked for %s', async (_, askAll) => {
  stack.simulator.setFault({}, { chunks: 1, size: 24 })
  const { key } = await client({ rpm_limit: 60 })
  const told = await askAll(async (i) => (await openChat((stack.ingresses[i % 3] as Service).url, {}, { key }).ended).status)
  expect(told.filter((status) => status === 200)).toHaveLength(60)
  expect(new Set(told)).toEqual(new Set([200, 429]))
})

it('a key that is revoked is refused everywhere within a second', async () => {
  const { key, revoke } = await client({})
  const startedMs = performance.now()
  await revoke()
  await until('all refuse it', async () => (await statuses(key)).every((status) => status === 401), { timeoutMs: 1_000 })
  report('key revoked, until three ingresses refuse it', performance.now() - startedMs)
})

it('places of an ingress that is killed are free soon; those of streams that live are not, however long they run', async () => {
  const { key } = await client({ max_concurrency: PLACES })
  stack.simulator.setFault({}, { chunks: 10_000, size: 24, tps: 20 })
  const [killed, one, other] = stack.ingresses as [Service, Service, Service]
  const lost = [await stream(killed, key), await stream(killed, key)]
  const kept = [await stream(one, key), await stream(other, key)]
  expect([...lost, ...kept].map(({ reply }) => reply.status)).toEqual([200, 200, 200, 200])
  await Promise.all([...lost, ...kept].map((chat) => chat.untilText(48)))
  const refused = await stream(other, key)
  expect(refused.reply.status).toBe(429)
  expect(await refused.ended).toMatchObject({
    error: { type: 'concurrency_limit_error' },
    headers: { 'retry-after': '1', 'x-concurrency-limit': '4', 'x-concurrency-remaining': '0' },
  })

  killed.kill('SIGKILL')
  const killedMs = performance.now()
  let next: Chat | undefined
  await until('a place is free', async () => {
    const chat = await stream(one, key)
    if (chat.reply.status === 200) next = chat
    return next !== undefined
  })
  report('ingress killed with streams, until their places are free (lease 1 s)', performance.now() - killedMs)
  const more = await takeAll([one, other], key)
  expect(more).toHaveLength(1)

  // Three leases later all of them run, and nobody else is let in.
  const untilMs = performance.now() + 3 * LEASE_MS
  while (performance.now() < untilMs) expect((await takeAll([one, other], key)).length).toBe(0)
  const living = [...kept, next as Chat, ...more]
  for (const { reply } of living) expect(reply.broken || reply.done).toBe(false)

  // A place is given back at once where the ingress lives.
  living[0]?.hangUp()
  await until('it is free again', async () => (await stream(other, key)).reply.status === 200)
  for (const chat of living) chat.hangUp()
})
