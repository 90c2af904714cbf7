// Ingresses that die or stop, and clients that never read: F4, F12, F17, rows 7, 9-13.

import { connect } from 'node:net'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { memory } from '#test/bench/processes.ts'
import { chat, openChat } from '#test/support/chat.ts'
import { expectInvariants, facts, textOf } from '#test/support/invariants.ts'
import { report } from '#test/support/measured.ts'
import { type Service, type Stack, startStack } from '#test/support/stack.ts'
import { until } from '#test/support/until.ts'

let stack: Stack
let ingress: Service
beforeAll(async () => {
  stack = await startStack({ ingress: 0, env: { FREEWAY_DRAIN_MS: '3000' } })
})
afterAll(() => stack?.[Symbol.asyncDispose]())
beforeEach(async () => {
  ingress = stack.ingresses.find(({ running }) => running) ?? (await stack.start('ingress'))
  await until('the ingress is ready', async () => (await fetch(`${ingress.url}/ready`)).status === 200)
  stack.reset()
})

const slow = { chunks: 40, size: 24, tps: 40 }

it('an ingress that is killed takes its upstream calls with it', async () => {
  stack.simulator.setFault({}, { ...slow, chunks: 1_000 })
  const streams = Array.from({ length: 30 }, () => openChat(ingress.url))
  await Promise.all(streams.map((stream) => stream.untilText(120)))
  await until('all calls are told', () => facts(stack, 'att.granted').length === 30)
  const killedMs = performance.now()
  ingress.kill('SIGKILL')
  await until('every call is given up', () => stack.simulator.openCalls === 0)
  const ms = performance.now() - killedMs
  report('ingress killed with 30 streams, until the last call is closed', ms)
  // The figure to reach is 100. Shorter than the 3 s of silence after which a worker gives up, so it proves the signal.
  expect(ms).toBeLessThan(1_500)
  const replies = await Promise.all(streams.map(({ ended }) => ended))
  for (const reply of replies) expect(reply).toMatchObject({ broken: true, done: false })
  await expectInvariants(stack, replies, { whole: textOf({ chunks: 1_000, size: 24 }), lostRequests: 30 })
  expect(facts(stack, 'att.end').filter(({ result }) => result === 'canceled(orphan)')).toHaveLength(30)
})

it('an ingress that is killed before the first byte takes its upstream calls with it', async () => {
  stack.simulator.setFault({}, { stall: 'head' })
  const asked = Array.from({ length: 10 }, (_, i) => openChat(ingress.url, { stream: i % 2 === 0 }))
  await until('all calls are made and told', () => stack.simulator.calls.length === 10 && facts(stack, 'att.granted').length === 10)
  const killedMs = performance.now()
  ingress.kill('SIGKILL')
  await until('every call is given up', () => stack.simulator.openCalls === 0)
  report('ingress killed before the first byte, until the last call is closed', performance.now() - killedMs)
  expect(performance.now() - killedMs).toBeLessThan(2_500)
  await Promise.all(asked.map(({ ended }) => ended))
  await expectInvariants(stack, [], { lostRequests: 10 })
})

it('an ingress that is killed as soon as a client has its answer: what became of the request is known all the same', async () => {
  const reply = await chat(ingress.url)
  ingress.kill('SIGKILL')
  expect(reply).toMatchObject({ status: 200, done: true })
  // By the ingress, if that was quick; else by the worker, which notices within a second or two that nobody stored it.
  await until('somebody has told', () => facts(stack, 'att.end').some(({ result, sent }) => result === 'ok' && sent))
  expect(new Set(facts(stack, 'att.end').map(({ request }) => request)).size).toBe(1)
  await until('somebody has settled', () => stack.openLeases.length === 0)
})

it('an ingress that is killed before a worker was granted: the worker that was offered the job tells of it', async () => {
  const worker = stack.workers.find(({ running, name }) => running && name === 'worker alpha') as Service
  worker.kill('SIGSTOP')
  try {
    const open = openChat(ingress.url, { model: 'alpha/m' })
    await until('it is offered', () => stack.openLeases.length > 0)
    ingress.kill('SIGKILL')
    expect(await open.ended).toMatchObject({ broken: true })
  } finally {
    worker.kill('SIGCONT')
  }
  await until('the worker tells', () => facts(stack, 'att.end').some(({ result, sent }) => /^(expired|denied)$/.test(result) && !sent))
  await until('nothing is reserved any more', () => stack.openLeases.length === 0)
  expect(stack.simulator.calls).toEqual([])
})

it('an ingress asked to stop finishes its streams, refuses new connections and exits cleanly', async () => {
  stack.simulator.setFault({}, slow)
  const open = openChat(ingress.url)
  const collected = openChat(ingress.url, { stream: false })
  await open.untilText(120)
  const exited = ingress.exited.then((how) => ({ how, atMs: performance.now() }))
  ingress.kill('SIGTERM')
  await until('new connections are refused', () => isRefused(ingress.url))
  const reply = await open.ended
  const repliedMs = performance.now()
  expect(reply).toMatchObject({ status: 200, done: true, finish: 'stop', error: undefined })
  expect(await collected.ended).toMatchObject({ status: 200, finish: 'stop' })
  const { how, atMs } = await exited
  report('ingress asked to stop, from its last answer to its exit', atMs - repliedMs)
  expect(how).toEqual({ code: 0, signal: null })
  await expectInvariants(stack, [reply, await collected.ended], { whole: textOf(slow) })
})

it('an ingress that must stop ends what is left with an error in the stream, never with a bare cut', async () => {
  stack.simulator.setFault({}, { ...slow, chunks: 1_000 })
  const open = openChat(ingress.url)
  await open.untilText(120)
  stack.simulator.setFault({}, { stall: 'head' })
  const collected = openChat(ingress.url, { stream: false })
  await until('both calls are made', () => stack.simulator.calls.length === 2)
  ingress.kill('SIGTERM')
  const reply = await open.ended
  expect(reply).toMatchObject({ status: 200, broken: false, done: true, finish: undefined, error: { type: 'server_error' } })
  expect(await collected.ended).toMatchObject({ status: 503, broken: false, error: { type: 'server_error' } })
  expect(await ingress.exited).toEqual({ code: 0, signal: null })
  await expectInvariants(stack, [reply], { whole: textOf({ chunks: 1_000, size: 24 }) })
})

it('a worker that must stop ends what is left with an error in the stream', async () => {
  stack.simulator.setFault({}, { ...slow, chunks: 1_000 })
  const open = openChat(ingress.url)
  await open.untilText(120)
  const worker = stack.workers.find(({ running, name }) => running && name === 'worker alpha') as Service
  worker.kill('SIGTERM')
  const reply = await open.ended
  expect(reply).toMatchObject({ status: 200, broken: false, done: true, finish: undefined, error: { type: 'provider_error' } })
  expect(await worker.exited).toEqual({ code: 0, signal: null })
  await stack.start('worker', ['alpha'])
  await expectInvariants(stack, [reply], { whole: textOf({ chunks: 1_000, size: 24 }) })
})

it('an ingress frozen for a second in mid-stream loses nothing', async () => {
  stack.simulator.setFault({}, slow)
  const open = openChat(ingress.url)
  await open.untilText(120)
  ingress.kill('SIGSTOP')
  await new Promise((resolve) => setTimeout(resolve, 1_000))
  ingress.kill('SIGCONT')
  const reply = await open.ended
  expect(reply).toMatchObject({ status: 200, done: true, finish: 'stop', error: undefined })
  await expectInvariants(stack, [reply], { whole: textOf(slow) })
})

it('an ingress frozen for longer is given up by the worker, and ends the answer with an error when it wakes', async () => {
  stack.simulator.setFault({}, { ...slow, chunks: 1_000 })
  const open = openChat(ingress.url)
  await open.untilText(120)
  ingress.kill('SIGSTOP')
  const frozenMs = performance.now()
  await until('the call is given up', () => stack.simulator.openCalls === 0)
  report('ingress frozen, until its call is closed', performance.now() - frozenMs)
  expect(performance.now() - frozenMs).toBeLessThan(8_000)
  ingress.kill('SIGCONT')
  const reply = await open.ended
  expect(reply).toMatchObject({ status: 200, broken: false, done: true, finish: undefined, error: { type: 'provider_error' } })
  await expectInvariants(stack, [reply], { whole: textOf({ chunks: 1_000, size: 24 }) })
})

it('a client that never reads costs little, and its provider is paused', async () => {
  const huge = { chunks: 16_000, size: 4_000 }
  await chat(ingress.url)
  stack.simulator.setFault({}, huge)
  const processes = [ingress, ...stack.workers.filter(({ running }) => running)]
  const before = processes.map(({ pid }) => memory(pid).nowMb)
  const open = openChat(ingress.url, {}, { read: false })
  await open.opened
  const call = await stack.simulator.waitFor(({ body }) => JSON.stringify(body ?? '').includes(open.marker))
  await untilStill(() => call.bytesSent)
  const grown = processes.map(({ pid }, i) => memory(pid).nowMb - (before[i] as number))
  process.stdout.write(
    `measured: 64 MB never read: provider stopped after ${(call.bytesSent / 1e6).toFixed(1)} MB; ingress and workers grew by ${grown.map((mb) => mb.toFixed(1)).join(', ')} MB\n`,
  )
  expect(call.bytesSent).toBeLessThan(24e6)
  for (const mb of grown) expect(mb).toBeLessThan(64)
  const leftMs = performance.now()
  open.hangUp()
  await stack.simulator.waitFor((one) => one === call && one.closedAt !== undefined)
  report('a client that never read leaves, until the call is closed', performance.now() - leftMs)
  await expectInvariants(stack, [], { whole: textOf(huge) })
})

it('a client that pauses gets the whole answer when it goes on', async () => {
  const large = { chunks: 4_000, size: 4_000 }
  stack.simulator.setFault({}, large)
  const open = openChat(ingress.url)
  await open.untilText(100_000)
  open.pause()
  const call = stack.simulator.calls[0]
  await untilStill(() => call?.bytesSent ?? 0)
  open.resume()
  const reply = await open.ended
  expect(reply).toMatchObject({ status: 200, done: true, finish: 'stop', error: undefined })
  await expectInvariants(stack, [reply], { whole: textOf(large) })
})

/** Nothing changes for a while: there is no event for what does not happen. */
async function untilStill(value: () => number): Promise<void> {
  for (let before = -1; before !== value(); ) {
    before = value()
    await new Promise((resolve) => setTimeout(resolve, 300))
  }
}

function isRefused(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(false)
    })
    socket.once('error', () => resolve(true))
  })
}
