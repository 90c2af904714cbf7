// The places of a client among its parallel requests, through three ingresses of which one is killed while its streams run.

import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Chat, openChat } from '#test/support/chat.ts'
import { report } from '#test/support/measured.ts'
import { type Service, type Stack, startStack } from '#test/support/stack.ts'
import { until } from '#test/support/until.ts'

const LEASE_MS = 1_000
const PLACES = 4
const FREEWAY_ADMIN_TOKEN = 'Zk3vQ9xR7mW2pL5tN8bH'

let stack: Stack
let key: string
beforeAll(async () => {
  stack = await startStack({
    ingress: 3,
    workers: [['alpha']],
    providers: { alpha: {} },
    env: { FREEWAY_ADMIN_TOKEN, FREEWAY_SLOT_LEASE_MS: String(LEASE_MS) },
  })
  const response = await fetch(`${stack.url}/api/clients`, {
    method: 'POST',
    headers: { 'x-admin-token': FREEWAY_ADMIN_TOKEN, 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'app', rpm_limit: null, max_concurrency: PLACES }),
  })
  key = ((await response.json()) as { api_key: string }).api_key
})
afterAll(() => stack?.[Symbol.asyncDispose]())

async function stream(ingress: Service): Promise<Chat> {
  const chat = openChat(ingress.url, {}, { key })
  await chat.opened
  return chat
}

/** Takes all places that are left, through all of the ingresses. Returns the streams that were let in. */
async function takeAll(ingresses: Service[]): Promise<Chat[]> {
  const asked = await Promise.all(Array.from({ length: 3 * PLACES }, (_, i) => stream(ingresses[i % ingresses.length] as Service)))
  for (const { reply } of asked) expect([200, 429]).toContain(reply.status)
  return asked.filter(({ reply }) => reply.status === 200)
}

it('are free soon after it died; those of streams that live are not, however long they run', async () => {
  stack.simulator.setFault({}, { chunks: 10_000, size: 24, tps: 20 })
  const [killed, one, other] = stack.ingresses as [Service, Service, Service]
  await until('every ingress knows the key', async () => {
    const answers = await Promise.all(
      stack.ingresses.map(({ url }) => fetch(`${url}/v1/models`, { headers: { authorization: `Bearer ${key}` } })),
    )
    return answers.every(({ status }) => status === 200)
  })
  const lost = [await stream(killed), await stream(killed)]
  const kept = [await stream(one), await stream(other)]
  expect([...lost, ...kept].map(({ reply }) => reply.status)).toEqual([200, 200, 200, 200])
  await Promise.all([...lost, ...kept].map((chat) => chat.untilText(48)))
  const refused = await stream(other)
  expect(refused.reply.status).toBe(429)
  expect(await refused.ended).toMatchObject({
    error: { type: 'concurrency_limit_error' },
    headers: { 'retry-after': '1', 'x-concurrency-limit': '4', 'x-concurrency-remaining': '0' },
  })

  killed.kill('SIGKILL')
  const killedMs = performance.now()
  let next: Chat | undefined
  await until('a place is free', async () => {
    const chat = await stream(one)
    if (chat.reply.status === 200) next = chat
    return next !== undefined
  })
  report('ingress killed with streams, until their places are free (lease 1 s)', performance.now() - killedMs)
  const more = await takeAll([one, other])
  expect(more).toHaveLength(1)

  // Three leases later all of them run, and nobody else is let in.
  const untilMs = performance.now() + 3 * LEASE_MS
  while (performance.now() < untilMs) expect((await takeAll([one, other])).length).toBe(0)
  const living = [...kept, next as Chat, ...more]
  for (const { reply } of living) expect(reply.broken || reply.done).toBe(false)

  // A place is given back at once where the ingress lives.
  living[0]?.hangUp()
  await until('it is free again', async () => (await stream(other)).reply.status === 200)
  for (const chat of living) chat.hangUp()
})
