// How often and with whom a request is tried, and large bodies that travel by claim check: sections 6 and 11 of the protocol.

import { createHash } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { chat, openChat } from '#test/support/chat.ts'
import { callsOf, expectInvariants, facts } from '#test/support/invariants.ts'
import { report } from '#test/support/measured.ts'
import { type Stack, startStack, type TestProvider } from '#test/support/stack.ts'

/** Every test has providers of its own, so that none rests because of another. */
const tests = ['once', 'prefer', 'three', 'metered', 'blob', 'killed', 'full'] as const

let stack: Stack
beforeAll(async () => {
  const providers: Record<string, TestProvider> = {}
  for (const test of tests) {
    for (const [i, name] of ['a', 'b', 'c', 'd'].entries()) {
      providers[`${test}-${name}`] = { model: test, weight: 4 - i, metered: test === 'metered', max_concurrency: test === 'full' ? 2 : 64 }
    }
  }
  const served = () => Object.keys(providers).filter((name) => name !== 'killed-a')
  stack = await startStack({ workers: [served(), ['killed-a']], providers })
})
afterAll(() => stack?.[Symbol.asyncDispose]())
beforeEach(() => stack.reset())

it.each([true, false])('fallback: false makes one attempt only (stream: %s)', async (stream) => {
  stack.simulator.setFault({ model: 'once' }, { status: 500 })
  const reply = await chat(stack.url, { model: 'once', fallback: false, stream })
  expect(reply).toMatchObject({ status: 502, error: { type: 'provider_error' }, headers: { 'x-freeway-attempts': '1' } })
  expect(callsOf(stack, reply)).toHaveLength(1)
  await expectInvariants(stack, [reply])
})

it('the preferred provider is asked first, and nobody tells the provider of it', async () => {
  const reply = await chat(stack.url, { model: 'prefer', preferred_provider: 'prefer-c' })
  expect(reply).toMatchObject({ status: 200, headers: { 'x-freeway-provider': 'prefer-c', 'x-freeway-attempts': '1' } })
  expect(Object.keys(callsOf(stack, reply)[0]?.body as object)).not.toContain('preferred_provider')
  await expectInvariants(stack, [reply])
})

it('a preferred provider that fails is replaced', async () => {
  stack.simulator.setFault({ model: 'prefer' }, { status: 500 }, 1)
  const reply = await chat(stack.url, { model: 'prefer', preferred_provider: 'prefer-d' })
  expect(reply).toMatchObject({ status: 200, headers: { 'x-freeway-provider': 'prefer-a', 'x-freeway-attempts': '2' } })
  await expectInvariants(stack, [reply])
})

it.each([true, false])('at most three attempts are granted, whoever is left (stream: %s)', async (stream) => {
  stack.simulator.setFault({ model: 'three' }, { status: 500 })
  const reply = await chat(stack.url, { model: 'three', stream })
  expect(reply).toMatchObject({ status: 502, error: { type: 'provider_error' }, headers: { 'x-freeway-attempts': '3' } })
  expect(callsOf(stack, reply).length).toBeLessThanOrEqual(3)
  await expectInvariants(stack, [reply])
  const ended = facts(stack, 'att.end').filter(({ id }) => id.endsWith('.ingress'))
  expect(ended.toSorted((a, b) => a.n - b.n).map(({ provider }) => provider)).toEqual(['three-a', 'three-b', 'three-c'])
})

it('a call that may have cost money is not made twice', async () => {
  stack.simulator.setFault({ model: 'metered' }, { cut: 'head' })
  const reply = await chat(stack.url, { model: 'metered' })
  expect(reply).toMatchObject({ status: 502, error: { type: 'provider_error' }, headers: { 'x-freeway-attempts': '1' } })
  await expectInvariants(stack, [reply])
})

it('a provider that is full is passed over', async () => {
  stack.simulator.setFault({ model: 'full' }, { chunks: 20, size: 24, ttft: 300 })
  const asked = Array.from({ length: 8 }, () => openChat(stack.url, { model: 'full' }))
  const replies = await Promise.all(asked.map(({ ended }) => ended))
  for (const reply of replies) expect(reply).toMatchObject({ status: 200, finish: 'stop', headers: { 'x-freeway-attempts': '1' } })
  await expectInvariants(stack, replies)
})

it.each([
  { name: '1 MB', bytes: 1e6 },
  { name: '20 MB', bytes: 20e6 },
])(
  'a body of $name arrives whole, also at the second provider',
  async ({ name, bytes }) => {
    stack.simulator.setFault({ model: 'blob' }, { status: 503 }, 1)
    const padding = paddingOf(bytes)
    const reply = await openChat(stack.url, { model: 'blob' }, { padding }).ended
    report(`a body of ${name}, with failover`, reply.ms)
    expect(reply).toMatchObject({ status: 200, finish: 'stop', headers: { 'x-freeway-attempts': '2' } })
    const calls = callsOf(stack, reply)
    expect(calls.map((call) => digest(textSent(call.body)))).toEqual([digest(padding), digest(padding)])
    await expectInvariants(stack, [reply])
  },
  60_000,
)

it('a body of 1 MB is pulled again by the other worker when the first one is killed', async () => {
  stack.simulator.setFault({ model: 'killed' }, { stall: 'head' }, 1)
  const padding = paddingOf(1e6)
  const open = openChat(stack.url, { model: 'killed' }, { padding })
  const first = await stack.simulator.waitFor(({ model, body }) => model === 'killed' && body !== undefined)
  stack.workers.find(({ name }) => name === 'worker killed-a')?.kill('SIGKILL')
  const reply = await open.ended
  expect(reply).toMatchObject({ status: 200, finish: 'stop', headers: { 'x-freeway-attempts': '2', 'x-freeway-provider': 'killed-b' } })
  expect(first.closedBy).toBe('peer')
  expect(callsOf(stack, reply).map((call) => digest(textSent(call.body)))).toEqual([digest(padding), digest(padding)])
  await expectInvariants(stack, [reply])
})

function paddingOf(bytes: number): string {
  // Not one letter only: parts in the wrong order must show.
  return Array.from({ length: Math.ceil(bytes / 16) }, (_, i) => i.toString(36).padStart(15, '.')).join(' ')
}

function textSent(body: unknown): string {
  return (body as { messages: { content: string }[] }).messages[1]?.content ?? ''
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
