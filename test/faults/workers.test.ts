// Workers that die, freeze or stop: F2, F3, F12, rows 27-32.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type InboxMessage, inboxMessage, type Offer } from '#contracts/attempt.ts'
import { decode, encode } from '#contracts/message.ts'
import { asControl, inbox, inboxes, offerReturn, type Subject, work } from '#contracts/subjects.ts'
import { chat, openChat, type Reply } from '#test/support/chat.ts'
import { callsOf, expectInvariants, facts, textOf } from '#test/support/invariants.ts'
import { report } from '#test/support/measured.ts'
import { keepAsking } from '#test/support/requests.ts'
import { type Service, type Stack, startStack } from '#test/support/stack.ts'
import { until } from '#test/support/until.ts'

/** 600 to notice, the rest is room for a busy machine. */
const BOUND_MS = 1_500

let stack: Stack
let alpha: Service
beforeAll(async () => {
  stack = await startStack({ workers: [['alpha'], ['beta']] })
})
afterAll(() => stack?.[Symbol.asyncDispose]())
beforeEach(() => {
  alpha = stack.workers.find((worker) => worker.running && worker.name === 'worker alpha') as Service
  stack.reset()
})
afterEach(async () => {
  if (!alpha.running) await stack.start('worker', ['alpha'])
})

const slow = { chunks: 60, size: 24, tps: 40 }
const whole = textOf(slow)

describe.each([
  { name: 'streamed', stream: true },
  { name: 'not streamed', stream: false },
])('$name', ({ stream }) => {
  it('a worker killed before the first byte is replaced unseen', async () => {
    stack.simulator.setFault({ model: 'm' }, { stall: 'head' }, 1)
    const open = openChat(stack.url, { stream })
    await stack.simulator.waitFor(({ body }) => JSON.stringify(body ?? '').includes(open.marker))
    const killedMs = performance.now()
    alpha.kill('SIGKILL')
    const reply = await open.ended
    report(`worker killed before the first byte, ${stream ? 'streamed' : 'not streamed'}`, performance.now() - killedMs)
    expect(reply).toMatchObject({ status: 200, finish: 'stop', error: undefined, done: stream, headers: { 'x-freeway-provider': 'beta' } })
    expect(performance.now() - killedMs).toBeLessThan(BOUND_MS)
    expect(callsOf(stack, reply)).toHaveLength(2)
    await expectInvariants(stack, [reply])
  })
})

it('a worker killed in mid-stream ends the answer with an error, never with a clean end', async () => {
  stack.simulator.setFault({}, slow)
  // By name, so that no other provider can stand in for a worker that was slow to take the job.
  const open = openChat(stack.url, { model: 'alpha/m' })
  await open.untilText(240)
  const killedMs = performance.now()
  alpha.kill('SIGKILL')
  const reply = await open.ended
  report('worker killed in mid-stream, until the error', performance.now() - killedMs)
  expect(reply).toMatchObject({ status: 200, done: true, finish: undefined, broken: false, error: { type: 'provider_error' } })
  expect(performance.now() - killedMs).toBeLessThan(BOUND_MS)
  await expectInvariants(stack, [reply], { whole })
  expect(facts(stack, 'req.end').map(({ outcome }) => outcome)).toEqual(['truncated'])
})

it('a worker killed in mid-answer is replaced as long as nothing was delivered', async () => {
  stack.simulator.setFault({ model: 'm' }, { stall: 0 }, 1)
  const open = openChat(stack.url, { stream: false })
  await stack.simulator.waitFor(({ body }) => JSON.stringify(body ?? '').includes(open.marker))
  alpha.kill('SIGKILL')
  const reply = await open.ended
  expect(reply).toMatchObject({ status: 200, finish: 'stop', headers: { 'x-freeway-provider': 'beta' } })
  await expectInvariants(stack, [reply])
})

it('a frozen worker is passed over, and calls nobody when it wakes', async () => {
  alpha.kill('SIGSTOP')
  try {
    const replies = [await chat(stack.url), await chat(stack.url, { stream: false })]
    for (const reply of replies) {
      report('worker frozen before its accept, whole answer', reply.ms)
      expect(reply).toMatchObject({ status: 200, finish: 'stop', headers: { 'x-freeway-provider': 'beta', 'x-freeway-attempts': '1' } })
      // Shorter than the two seconds after which silence would find out, so it proves that the accept was missed.
      expect(reply.ms).toBeLessThan(1_900)
    }
    alpha.kill('SIGCONT')
    await expectNoLateCalls(() => facts(stack, 'att.end').filter(({ result }) => result === 'denied' || result === 'expired').length === 2)
    await expectInvariants(stack, replies)
  } finally {
    alpha.kill('SIGCONT')
  }
})

it('a worker frozen after its grant is given up after two seconds, and ends its call when it wakes', async () => {
  stack.simulator.setFault({ model: 'm' }, { stall: 'head' }, 1)
  const open = openChat(stack.url)
  await stack.simulator.waitFor(({ body }) => JSON.stringify(body ?? '').includes(open.marker))
  alpha.kill('SIGSTOP')
  try {
    const frozenMs = performance.now()
    const reply = await open.ended
    report('worker frozen after its grant, until the whole answer of another', performance.now() - frozenMs)
    expect(reply).toMatchObject({ status: 200, finish: 'stop', headers: { 'x-freeway-provider': 'beta' } })
    expect(performance.now() - frozenMs).toBeLessThan(6_000)
    alpha.kill('SIGCONT')
    await expectInvariants(stack, [reply])
    expect(stack.simulator.calls).toHaveLength(2)
  } finally {
    alpha.kill('SIGCONT')
  }
})

it('a worker frozen in mid-stream ends the answer with an error after two seconds', async () => {
  stack.simulator.setFault({}, { ...slow, chunks: 1000 })
  const open = openChat(stack.url)
  await open.untilText(240)
  alpha.kill('SIGSTOP')
  try {
    const reply = await open.ended
    expect(reply).toMatchObject({ status: 200, done: true, broken: false, error: { type: 'provider_error' } })
    alpha.kill('SIGCONT')
    await expectInvariants(stack, [reply], { whole: textOf({ chunks: 1000, size: 24 }) })
  } finally {
    alpha.kill('SIGCONT')
  }
})

it('a worker frozen around its grant calls nobody late', async () => {
  // No process can look at the clock and write in one step. Code that has run takes some fifty microseconds from one to the other, so a freeze
  // may fall in between once; it does not twice.
  const before: Reply[] = []
  for (let i = 0; i < 100; i++) before.push(await openChat(stack.url).ended)
  await expectInvariants(stack, before)
  let late = 0
  for (let i = 0; i < 6; i++) {
    stack.reset()
    const open = openChat(stack.url)
    // Wherever the offer is by now, a freeze of this length makes everybody give the worker up.
    await new Promise((resolve) => setTimeout(resolve, i))
    alpha.kill('SIGSTOP')
    const reply = await open.ended
    const calls = stack.simulator.calls.length
    alpha.kill('SIGCONT')
    await expectInvariants(stack, [reply])
    late += stack.simulator.calls.length - calls
  }
  expect(late).toBeLessThanOrEqual(1)
})

it('a grant that was in the socket of a frozen worker starts no call when it wakes', async () => {
  // This test is the ingress: only so the freeze can be put exactly between the accept and the grant.
  const id = `frozen-${process.pid}`
  const answers: { message: InboxMessage; reply: string | undefined }[] = []
  const listening = stack.bus.subscribe(inboxes('faults'), ({ data, reply }) => {
    const read = decode(inboxMessage, data)
    if (read) answers.push({ message: read.message, reply })
  })
  const body = new TextEncoder().encode(JSON.stringify({ messages: [{ role: 'user', content: 'late' }] }))
  stack.bus.publish(work('alpha'), encode(offerOf(id), body), { reply: offerReturn('faults', id, 1) })
  await until('the worker accepts', () => answers.length > 0)
  alpha.kill('SIGSTOP')
  const control = asControl(answers[0]?.reply, 'alpha', id, 1)
  const grant = () =>
    stack.bus.publish(control as Subject, encode({ t: 'grant', window: 262_144, ttl_ms: 30_000 }), { reply: inbox('faults', id, 1) })
  grant()
  grant()
  await stack.bus.flush()
  await new Promise((resolve) => setTimeout(resolve, 1_100))
  alpha.kill('SIGCONT')
  await until('the worker says that it has let the offer go', () => answers.some(({ message }) => message.t === 'fail'))
  listening.unsubscribe()
  expect(answers.at(-1)?.message).toMatchObject({ t: 'fail', phase: 'expired', sent: false })
  expect(stack.simulator.calls).toHaveLength(0)
})

function offerOf(id: string): Offer {
  const target = { prov: 'alpha', account: 'alpha-1', model: 'm', billable: false }
  return {
    v: 1,
    t: 'offer',
    id,
    n: 1,
    ttl_ms: 30_000,
    inbox: inbox('faults', id, 1),
    kind: 'chat',
    stream: true,
    include_usage: false,
    est: { in: 1, out: 1 },
    ...target,
    lease: `${id}.1`,
  }
}

it('a worker asked to stop finishes its streams and takes no more', async () => {
  stack.simulator.setFault({}, slow)
  const open = openChat(stack.url)
  await open.untilText(120)
  alpha.kill('SIGTERM')
  const others = [await chat(stack.url), await chat(stack.url)]
  const reply = await open.ended
  expect(reply).toMatchObject({ status: 200, done: true, finish: 'stop', error: undefined })
  for (const other of others) expect(other).toMatchObject({ status: 200, finish: 'stop', headers: { 'x-freeway-provider': 'beta' } })
  expect(await alpha.exited).toEqual({ code: 0, signal: null })
  await expectInvariants(stack, [reply, ...others], { whole })
})

it('a worker replaced under load breaks nothing', async () => {
  const load = keepAsking(stack.url)
  await stack.start('worker', ['alpha'])
  alpha.kill('SIGTERM')
  expect(await alpha.exited).toEqual({ code: 0, signal: null })
  const replies = await load.stop()
  for (const reply of replies) expect(reply).toMatchObject({ status: 200, error: undefined, finish: 'stop' })
  expect(replies.length).toBeGreaterThan(10)
  await expectInvariants(stack, replies)
})

async function expectNoLateCalls(woken: () => boolean): Promise<void> {
  const calls = stack.simulator.calls.length
  await until('the worker has woken and let its offers go', woken, {
    state: () => facts(stack, 'att.end').map(({ id, result }) => ({ id, result })),
  })
  expect(stack.simulator.calls).toHaveLength(calls)
}
