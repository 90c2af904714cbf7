// The broker dies and comes back, or stands still: F7, F8, rows 15-19.

import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { chat, openChat } from '#test/support/chat.ts'
import { expectInvariants, textOf } from '#test/support/invariants.ts'
import { report } from '#test/support/measured.ts'
import { keepAsking } from '#test/support/requests.ts'
import { type Service, type Stack, startStack } from '#test/support/stack.ts'
import { until } from '#test/support/until.ts'

let stack: Stack
beforeAll(async () => {
  stack = await startStack({ routers: 2, workers: [['alpha'], ['beta']] })
})
afterAll(() => stack?.[Symbol.asyncDispose]())
beforeEach(() => stack.reset())

const isReady = async () => (await fetch(`${stack.url}/ready`)).status === 200
const slow = { chunks: 60, size: 24, tps: 30 }
const BROKER_LOST = { timeoutMs: 10_000, brokerLost: true }
/** The figure to reach is 1,000; the rest is room for a busy machine. */
const REFUSED_MS = 2_500

it('streams survive the death of the broker: complete, in order, one call each', async () => {
  stack.simulator.setFault({}, slow)
  const streams = Array.from({ length: 20 }, () => openChat(stack.url))
  await Promise.all(streams.map((stream) => stream.untilText(240)))
  const killedMs = performance.now()
  await stack.nats.kill('SIGKILL')
  await new Promise((resolve) => setTimeout(resolve, 300))
  await stack.nats.restart()
  report('broker away', performance.now() - killedMs)
  const replies = await Promise.all(streams.map(({ ended }) => ended))
  report('20 streams of 2,000 ms across a restart of the broker, slowest', Math.max(...replies.map(({ ms }) => ms)))
  for (const reply of replies)
    expect(reply).toMatchObject({ status: 200, done: true, finish: 'stop', error: undefined, text: textOf(slow) })
  expect(stack.simulator.calls).toHaveLength(20)
  await expectInvariants(stack, replies, { whole: textOf(slow), ...BROKER_LOST })
})

it('answers that were collected meanwhile are complete too', async () => {
  stack.simulator.setFault({}, { ...slow, ttft: 700 })
  const asked = Array.from({ length: 10 }, () => openChat(stack.url, { stream: false }))
  await until('all calls are made', () => stack.simulator.calls.length === 10)
  await stack.nats.kill('SIGKILL')
  await new Promise((resolve) => setTimeout(resolve, 1_000))
  await stack.nats.restart()
  const replies = await Promise.all(asked.map(({ ended }) => ended))
  for (const reply of replies) expect(reply).toMatchObject({ status: 200, finish: 'stop' })
  expect(stack.simulator.calls).toHaveLength(10)
  await expectInvariants(stack, replies, { whole: textOf(slow), ...BROKER_LOST })
})

it('a stream whose window is full while the broker is away goes on, though its worker comes back last', async () => {
  const long = { chunks: 4_000, size: 1_000 }
  stack.simulator.setFault({}, { ...long, tps: 4_000 })
  const open = openChat(stack.url)
  await open.untilText(200_000)
  await stack.nats.kill('SIGKILL')
  await new Promise((resolve) => setTimeout(resolve, 300))
  const worker = stack.workers.find(({ name }) => name === 'worker alpha') as Service
  worker.kill('SIGSTOP')
  await stack.nats.restart()
  await until('the ingress is back, and what it asked of the worker is lost', isReady)
  worker.kill('SIGCONT')
  const reply = await open.ended
  expect(reply).toMatchObject({ status: 200, done: true, finish: 'stop', error: undefined })
  await expectInvariants(stack, [reply], { whole: textOf(long), ...BROKER_LOST })
}, 20_000)

it('a new request waits one second for the broker, and is then refused', async () => {
  await stack.nats.kill('SIGKILL')
  const reply = await chat(stack.url)
  report('broker away, until the refusal', reply.ms)
  expect(reply).toMatchObject({ status: 503, headers: { 'retry-after': '1' }, error: { type: 'server_error' } })
  expect(reply.ms).toBeLessThan(REFUSED_MS)
  await stack.nats.restart()
  await expectInvariants(stack, [reply], BROKER_LOST)
})

// Several times, because it depends on who is back first.
it.each([1, 2, 3])('requests that arrive while the broker restarts are served once it is back (%i)', async () => {
  await stack.nats.kill('SIGKILL')
  const asked = Array.from({ length: 10 }, (_, i) => openChat(stack.url, { stream: i % 2 === 0 }))
  await new Promise((resolve) => setTimeout(resolve, 200))
  await stack.nats.restart()
  const replies = await Promise.all(asked.map(({ ended }) => ended))
  report('requests during a restart of the broker, slowest', Math.max(...replies.map(({ ms }) => ms)))
  for (const reply of replies) expect(reply).toMatchObject({ status: 200, finish: 'stop', error: undefined })
  await expectInvariants(stack, replies, BROKER_LOST)
})

it('a broker that restarts under load fails no request', async () => {
  const load = keepAsking(stack.url)
  await new Promise((resolve) => setTimeout(resolve, 200))
  await stack.nats.kill('SIGKILL')
  await new Promise((resolve) => setTimeout(resolve, 200))
  await stack.nats.restart()
  await new Promise((resolve) => setTimeout(resolve, 300))
  const replies = await load.stop()
  expect(replies.length).toBeGreaterThan(3)
  for (const reply of replies) expect(reply).toMatchObject({ status: 200, finish: 'stop', error: undefined })
  report('broker restarted under load, slowest request', Math.max(...replies.map(({ ms }) => ms)))
  await expectInvariants(stack, replies, BROKER_LOST)
})

it('the gateway is ready again one second after the broker is', async () => {
  await stack.nats.kill('SIGKILL')
  await until('the ingress says that it is not ready', async () => (await fetch(`${stack.url}/ready`)).status === 503)
  await stack.nats.restart()
  const backMs = performance.now()
  await until('the ingress is ready', isReady)
  report('broker back, until ready', performance.now() - backMs)
  const reply = await chat(stack.url)
  expect(reply).toMatchObject({ status: 200, finish: 'stop' })
  await expectInvariants(stack, [reply], BROKER_LOST)
})

it('a frozen broker stalls running streams and refuses new requests soon', async () => {
  stack.simulator.setFault({}, { ...slow, chunks: 30 })
  const open = openChat(stack.url)
  await open.untilText(240)
  await stack.nats.kill('SIGSTOP')
  const refused = await chat(stack.url)
  await stack.nats.kill('SIGCONT')
  report('broker frozen, until the refusal', refused.ms)
  expect(refused).toMatchObject({ status: 503, headers: { 'retry-after': expect.any(String) } })
  expect(refused.ms).toBeLessThan(REFUSED_MS)
  const reply = await open.ended
  expect(reply).toMatchObject({ status: 200, done: true, finish: 'stop', error: undefined })
  await expectInvariants(stack, [reply, refused], { whole: textOf({ chunks: 30, size: 24 }), ...BROKER_LOST })
})
