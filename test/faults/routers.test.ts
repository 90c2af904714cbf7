// Routers that die, freeze, stop or are not there: F3, F6, F12, rows 21-25.

import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { chat } from '#test/support/chat.ts'
import { expectInvariants } from '#test/support/invariants.ts'
import { report } from '#test/support/measured.ts'
import { keepAsking } from '#test/support/requests.ts'
import { type Service, type Stack, startStack } from '#test/support/stack.ts'

/** The figure to reach is 5. Shorter than the second that placing may take, so it proves that nobody waited for it. */
const BOUND_MS = 900

let stack: Stack
beforeAll(async () => {
  stack = await startStack({ routers: 2, providers: { alpha: { weight: 2 }, beta: {}, nobody: { model: 'unserved' } } })
})
afterAll(() => stack?.[Symbol.asyncDispose]())
beforeEach(() => stack.reset())
afterEach(async () => {
  while (alive().length < 2) await stack.start('router')
})

const alive = () => stack.routers.filter(({ running }) => running)
const first = () => alive()[0] as Service

it('a router killed under load fails no request', async () => {
  const load = keepAsking(stack.url)
  await new Promise((resolve) => setTimeout(resolve, 200))
  first().kill('SIGKILL')
  await new Promise((resolve) => setTimeout(resolve, 500))
  const replies = await load.stop()
  expect(replies.length).toBeGreaterThan(3)
  for (const reply of replies) expect(reply).toMatchObject({ status: 200, error: undefined, finish: 'stop' })
  report('router killed under load, slowest request', Math.max(...replies.map(({ ms }) => ms)))
  await expectInvariants(stack, replies)
})

it('a router asked to stop under load fails no request and exits cleanly', async () => {
  const load = keepAsking(stack.url)
  await new Promise((resolve) => setTimeout(resolve, 100))
  const router = first()
  router.kill('SIGTERM')
  expect(await router.exited).toEqual({ code: 0, signal: null })
  const replies = await load.stop()
  expect(replies.length).toBeGreaterThan(3)
  for (const reply of replies) expect(reply).toMatchObject({ status: 200, error: undefined, finish: 'stop' })
  report('router stopped under load, slowest request', Math.max(...replies.map(({ ms }) => ms)))
  await expectInvariants(stack, replies)
})

it('a frozen router delays requests by a try or two, and places nothing late', async () => {
  // Each try meets the frozen one by chance, so there must be more of the others than a handful of tries can miss.
  while (alive().length < 4) await stack.start('router')
  const router = first()
  router.kill('SIGSTOP')
  try {
    const replies = []
    for (let i = 0; i < 6; i++) replies.push(await chat(stack.url))
    for (const reply of replies) expect(reply).toMatchObject({ status: 200, error: undefined, finish: 'stop' })
    const calls = stack.simulator.calls.length
    router.kill('SIGCONT')
    await expectInvariants(stack, replies)
    expect(stack.simulator.calls).toHaveLength(calls)
  } finally {
    router.kill('SIGCONT')
  }
})

it.each([{ stream: true }, { stream: false }])('without any router a request is refused at once (stream: $stream)', async ({ stream }) => {
  const routers = alive()
  for (const router of routers) router.kill('SIGKILL')
  await Promise.all(routers.map(({ exited }) => exited))
  const reply = await chat(stack.url, { stream })
  report('no router, until the refusal', reply.ms)
  expect(reply).toMatchObject({
    status: 503,
    headers: { 'retry-after': '1' },
    error: { type: 'server_error', code: 'server_error', param: null },
  })
  expect(reply.ms).toBeLessThan(BOUND_MS)
  await stack.start('router')
  await expectInvariants(stack, [reply])
})

it.each([{ stream: true }, { stream: false }])('without any worker a request is refused at once (stream: $stream)', async ({ stream }) => {
  const reply = await chat(stack.url, { model: 'unserved', stream })
  report('no worker, until the refusal', reply.ms)
  expect(reply).toMatchObject({ status: 503, error: { type: 'provider_unavailable', code: 'provider_unavailable', param: null } })
  expect(Number(reply.headers['retry-after'])).toBeGreaterThan(0)
  expect(reply.ms).toBeLessThan(BOUND_MS)
  await expectInvariants(stack, [reply])
})
