// Requests of one ingress on a real bus, whose router and workers say what the test has them say.

import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { type InboxMessage, type Submit, submit } from '#contracts/attempt.ts'
import type { Bus } from '#contracts/bus.ts'
import { utf8 } from '#contracts/bytes.ts'
import type { Event } from '#contracts/event.ts'
import { decode, decodeKind, Message } from '#contracts/message.ts'
import { type Settlements, settlementKinds } from '#contracts/settlement.ts'
import { control, inbox, jobQueue, jobs, leases, offerReturn, type Subject } from '#contracts/subjects.ts'
import { readRequest } from '#contracts/wire/chat-completions/request.ts'
import { openaiEnvelope } from '#contracts/wire/envelope.ts'
import { openMemoryBroker } from '#services/bus/memory.ts'
import { openSettlements } from '#services/settlements.ts'
import { collected } from './delivery.ts'
import { Desk } from './desk.ts'
import type { Failover } from './failover.ts'
import { chatAnswer } from './formats/chat-completions.ts'
import { newRequestId } from './request-id.ts'
import { RequestTrace } from './request-trace.ts'

let stack: AsyncDisposableStack
beforeEach(() => {
  stack = new AsyncDisposableStack()
})
afterEach(() => stack.disposeAsync())

const target = { prov: 'alpha', account: 'alpha-1', model: 'm', billable: false }
const said = {
  refused: { t: 'refused', prov: 'alpha', reason: 'no_worker' },
  nobody: { t: 'noroute', reason: 'unknown_model' },
  waiting: { t: 'waiting', wait_ms: 20_000, position: 1 },
  accept: { t: 'accept', w: 'w1', ...target },
  rejected: { t: 'fail', seq: 0, phase: 'status', status: 400, code: 'invalid_request', sent: true, key_fault: false, detail: '' },
} as const satisfies Record<string, InboxMessage>
const routed = ({ id, n }: Submit) => ({ t: 'routed', ...target, lease: `${id}.${n}`, reason: 'weight' }) as const
const busy = ({ id, n }: Submit): InboxMessage => ({
  t: 'busy',
  prov: 'alpha',
  account: 'alpha-1',
  lease: `${id}.${n}`,
  w: 'w1',
  reason: 'full',
})

/** `onJob` is told of every submission, the first as 1. */
async function openDesk(onJob: (job: Submit, count: number, say: (...messages: InboxMessage[]) => void) => void) {
  const broker = await openMemoryBroker()
  stack.defer(() => broker.close())
  const { bus } = broker.connect('ingress')
  const others: Bus = broker.connect('router').bus
  const facts: Event[] = []
  const outbox = {
    record: (fact: Event) => void facts.push(fact),
    depth: { events: 0, spoolBytes: 0, dropped: 0 },
    storedBeforeMs: 0,
    close: async () => {},
  }
  const settlements = openSettlements(bus)
  stack.defer(() => settlements.close(0))
  const catalog = { current: { providers: [], aliases: [] }, close() {} }
  const desk = new Desk({ bus, ingress: 'i1', catalog, outbox, settlements, retryBudget: { client: 0.1, provider: 0.2, at_least: 3 } })
  stack.defer(() => desk.close())
  let count = 0
  others.subscribe(
    jobs,
    ({ data }) => {
      const job = decode(submit, data)?.message
      if (!job) return
      const to = inbox('i1', job.id, job.n)
      onJob(job, ++count, (...messages) => {
        for (const message of messages) others.publish(to, new Message(message), { reply: replyOf(message, job) })
      })
    },
    { queue: jobQueue },
  )

  /** `receivedMs`: how long ago the first byte of the request came in. */
  function ask(receivedMsAgo = 0): { request: Failover; response: Promise<Response> } {
    const receivedMs = performance.now() - receivedMsAgo
    const id = newRequestId()
    const delivery = collected(chatAnswer, openaiEnvelope)
    const request = desk.begin({
      id,
      publicId: id,
      format: 'chat/completions',
      job: readRequest(utf8('{"messages":[{"role":"user","content":"Hi"}]}')),
      admitted: { account: undefined, roles: undefined, finished() {}, named: (error) => error },
      delivery,
      receivedMs,
      deadlineMs: receivedMs + 120_000,
      maxWaitMs: 0,
      trace: new RequestTrace({ route: '/v1/chat/completions', id, publicId: id, receivedMs, parent: undefined, forced: false }),
    })
    return { request, response: delivery.response }
  }

  return { desk, ask, facts, others }
}

function replyOf({ t }: InboxMessage, { id, n }: Submit): Subject {
  return t === 'waiting' ? offerReturn('o1', id, n) : control('alpha', 'w1', id, n)
}

it('a place is looked for as long for a request that came in slowly as for any other', async () => {
  const { ask } = await openDesk((job, count, say) => (count === 1 ? say(routed(job), said.refused) : say(said.nobody)))
  expect((await ask(20_000).response).status).toBe(400)
})

it('where all are full, the next to ask is not the same request at once', async () => {
  const askedMs: number[] = []
  const { ask } = await openDesk((job, count, say) => {
    askedMs.push(performance.now())
    if (count < 4) say(routed(job), busy(job))
    else say(said.nobody)
  })
  await ask().response
  const [first = 0, second = 0, third = 0, fourth = 0] = askedMs
  // Another worker of the same provider may have room.
  expect(second - first).toBeLessThan(third - second)
  expect(third - second).toBeGreaterThanOrEqual(30)
  expect(fourth - third).toBeGreaterThanOrEqual(30)
})

it('who is full is left out next time also where the word of it overtakes the router’s', async () => {
  const asked: Submit[] = []
  const { ask } = await openDesk((job, count, say) => {
    asked.push(job)
    say(count === 1 ? busy(job) : said.nobody)
  })
  await ask().response
  expect(asked[1]?.avoid).toEqual(['alpha'])
})

it('a worker that says too late that it is full gives its room in the quota back all the same', async () => {
  const { promise: submitted, resolve } = Promise.withResolvers<{ job: Submit; say: (message: InboxMessage) => void }>()
  const { ask, others } = await openDesk((job, _, say) => resolve({ job, say }))
  const { promise: released, resolve: release } = Promise.withResolvers<string | undefined>()
  others.subscribe(leases, (message) => {
    const items = decodeKind<Settlements>(settlementKinds, message)?.message.items ?? []
    release(items.find(({ t }) => t === 'release')?.lease)
  })
  const { request } = ask()
  const { job, say } = await submitted
  request.cancel('client_canceled', performance.now())
  say(busy(job))
  expect(await released).toBe(`${job.id}.${job.n}`)
})

it('by which strategy a request was routed is known also where the worker’s word overtakes the router’s', async () => {
  const { ask, facts } = await openDesk((job, _, say) => say(said.accept, { ...routed(job), strategy: 'fast' }, said.rejected))
  expect((await ask().response).status).toBe(400)
  expect(facts.find(({ name }) => name === 'req.end')).toMatchObject({ strategy: 'fast', provider: 'alpha' })
})

it('a request that has not begun to be answered when the process ends has failed, and nothing of it was broken off', async () => {
  const { promise: submitted, resolve } = Promise.withResolvers<void>()
  const { ask, desk, facts } = await openDesk(() => resolve())
  const { response } = ask()
  await submitted
  desk.close()
  expect((await response).status).toBe(503)
  expect(facts.find(({ name }) => name === 'req.end')).toMatchObject({ outcome: 'gateway_error', status: 503, error: 'server_error' })
})

it.each([
  ['that took a job which a router had kept for long', true, 150],
  ['that wakes from a long freeze', false, 400],
])('a worker %s does not make others be waited for much longer', async (_, kept, atMostMs) => {
  vi.useFakeTimers({ toFake: ['performance'] })
  stack.defer(() => void vi.useRealTimers())
  const { promise: submitted, resolve } = Promise.withResolvers<{ job: Submit; say: (message: InboxMessage) => void }>()
  const { ask, desk, others } = await openDesk((job, count, say) => count === 1 && resolve({ job, say }))
  ask()
  const { job, say } = await submitted
  if (kept) say(said.waiting)
  await new Promise(setImmediate)
  vi.advanceTimersByTime(30_000)
  const { promise: heard, resolve: hear } = Promise.withResolvers<void>()
  others.subscribe(control('alpha', 'w1', job.id, job.n), () => hear())
  say(said.accept)
  await heard
  expect(desk.patience.acceptMs).toBeLessThanOrEqual(atMostMs)
})
