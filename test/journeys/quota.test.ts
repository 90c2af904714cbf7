// Exact quotas and waiting, through real processes: four routers, two ingresses, one broker, and a provider that counts its calls.

import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { inboxMessage } from '#contracts/attempt.ts'
import type { Limit } from '#contracts/limit.ts'
import { decode } from '#contracts/message.ts'
import { below } from '#contracts/subjects.ts'
import { type Service, type Stack, startStack } from '#test/support/stack.ts'
import { until } from '#test/support/until.ts'

const requests = (max: number, per: 'second' | 'minute'): { limits: Limit[] } => ({ limits: [{ unit: 'requests', max, per }] })
const providers = {
  burst: { ...requests(10, 'minute'), model: 'm-burst' },
  killed: { ...requests(10, 'minute'), model: 'm-killed' },
  exact: { ...requests(2, 'minute'), model: 'm-exact' },
  left: { ...requests(1, 'minute'), model: 'm-left' },
  second: { ...requests(10, 'second'), model: 'm-second' },
  parked: { ...requests(4, 'second'), model: 'm-parked' },
}

let stack: Stack
beforeAll(async () => {
  stack = await startStack({ ingress: 2, routers: 4, workers: [Object.keys(providers)], providers })
})
afterAll(() => stack?.[Symbol.asyncDispose]())
beforeEach(() => stack.reset())

interface Answer {
  status: number
  type: string | undefined
  retryAfterS: number
}

async function ask(i: number, body: object, headers: Record<string, string> = {}, signal?: AbortSignal): Promise<Answer> {
  const { url } = stack.ingresses[i % stack.ingresses.length] as Service
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ messages: [{ role: 'user', content: `question ${i}` }], ...body }),
    signal,
  })
  const text = await response.text()
  const type = response.headers.get('content-type')?.includes('json') ? JSON.parse(text).error?.type : undefined
  return { status: response.status, type, retryAfterS: Number(response.headers.get('retry-after')) }
}

const many = (count: number, body: object, headers?: Record<string, string>) =>
  Promise.all(Array.from({ length: count }, (_, i) => ask(i, body, headers)))
const callsOf = (model: string) => stack.simulator.calls.filter(({ body }) => (body as { model?: string })?.model === model)

it('a hundred requests at once into a limit of ten make exactly ten calls, and every other one is told when to come again', async () => {
  const answers = await many(100, { model: 'm-burst' })
  expect(callsOf('m-burst')).toHaveLength(10)
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(10)
  for (const { status, type, retryAfterS } of answers.filter((answer) => answer.status !== 200)) {
    expect([status, type]).toEqual([429, 'rate_limit_error'])
    expect(retryAfterS).toBeGreaterThan(55)
    expect(retryAfterS).toBeLessThanOrEqual(62)
  }
})

it('ten calls are made while a router is killed, no more and no less', async () => {
  const asking = many(100, { model: 'm-killed' })
  await until('the first calls are there', () => callsOf('m-killed').length > 0)
  stack.routers[0]?.kill('SIGKILL')
  const answers = await asking
  // What it had reserved and not yet offered is taken back by whoever places those requests instead.
  expect(callsOf('m-killed')).toHaveLength(10)
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(callsOf('m-killed').length)
  await stack.start('router')
})

it('requests that may wait are answered as windows open, in no window more than the limit', async () => {
  const answers = await many(45, { model: 'm-second' }, { 'x-freeway-max-wait': '20' })
  expect(answers.map(({ status }) => status)).toEqual(Array(45).fill(200))
  const times = callsOf('m-second').map(({ receivedAt }) => receivedAt)
  expect(times).toHaveLength(45)
  for (const from of times) expect(times.filter((at) => at >= from && at < from + 1_000).length).toBeLessThanOrEqual(10)
})

it('a request whose window opens too late is refused at once with the exact time', async () => {
  await many(2, { model: 'm-exact' })
  const began = performance.now()
  const answer = await ask(0, { model: 'm-exact' }, { 'x-freeway-max-wait': '10' })
  expect(answer).toMatchObject({ status: 429, type: 'rate_limit_error' })
  expect(answer.retryAfterS).toBeGreaterThan(50)
  expect(performance.now() - began).toBeLessThan(2_000)
})

it('a client that leaves while it waits causes no call, and one that says nonsense is told so', async () => {
  await ask(0, { model: 'm-left' })
  const leaving = new AbortController()
  let parked = false
  const listening = stack.bus.subscribe(below('in'), ({ data }) => {
    parked ||= decode(inboxMessage, data)?.message.t === 'waiting'
  })
  const waiting = ask(1, { model: 'm-left' }, { 'x-freeway-max-wait': '120' }, leaving.signal)
  await until('a router has parked it', () => parked)
  listening.unsubscribe()
  leaving.abort()
  await expect(waiting).rejects.toThrow()
  expect(await ask(0, {}, { 'x-freeway-max-wait': 'soon' })).toMatchObject({ status: 400, type: 'invalid_request_error' })
  expect(callsOf('m-left')).toHaveLength(1)
})

it('what waits with a router that is killed is submitted again, and answered', async () => {
  const asking = many(16, { model: 'm-parked' }, { 'x-freeway-max-wait': '25' })
  await until('the first calls are there', () => callsOf('m-parked').length > 0)
  for (const router of stack.routers.filter(({ running }) => running).slice(0, 2)) router.kill('SIGKILL')
  expect((await asking).map(({ status }) => status)).toEqual(Array(16).fill(200))
  const times = callsOf('m-parked').map(({ receivedAt }) => receivedAt)
  for (const from of times) expect(times.filter((at) => at >= from && at < from + 1_000).length).toBeLessThanOrEqual(4)
})

it('a streaming client that waits is kept on the line', async () => {
  await ask(0, { model: 'm-left' })
  const leaving = new AbortController()
  const response = await fetch(`${stack.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-freeway-max-wait': '120' },
    body: JSON.stringify({ model: 'm-left', stream: true, messages: [{ role: 'user', content: 'slowly' }] }),
    signal: leaving.signal,
  })
  expect(response.status).toBe(200)
  const { value } = (await response.body?.getReader().read()) ?? {}
  expect(new TextDecoder().decode(value)).toMatch(/^: /)
  leaving.abort()
  expect(callsOf('m-left').length).toBeLessThanOrEqual(1)
})
