// What a router does with jobs that may wait, over a real quota on an in-process bus; the other end of the bus belongs to the test.

import { afterEach, expect, it } from 'vitest'
import { inboxMessage, type Submit } from '#contracts/attempt.ts'
import { decode } from '#contracts/message.ts'
import { attemptOf, inbox, inboxes, work } from '#contracts/subjects.ts'
import { openMemoryBroker } from '#services/bus/memory.ts'
import { createLogger } from '#services/logger.ts'
import { openQuota } from '#services/quota/quota.ts'
import { collect } from '#test/support/collect.ts'
import { catalogOf, jobFor } from '#test/support/routing.ts'
import { until } from '#test/support/until.ts'
import { createBudget } from './budget.ts'
import { createLeases } from './leases.ts'
import { createPlacing, type Placing } from './placing.ts'
import { route } from './route.ts'
import { routingTable } from './table.ts'

let stack: AsyncDisposableStack
let placing: Placing
let decisions: number
let told: ReturnType<typeof collect<string>>
let logged: ReturnType<typeof collect<string>>

/** One provider with this limit. */
async function open(limit: object, onPlaced: () => void = () => {}): Promise<void> {
  stack = new AsyncDisposableStack()
  const broker = await openMemoryBroker()
  stack.defer(() => broker.close())
  const ingress = broker.connect('ingress').bus
  told = collect()
  logged = collect()
  ingress.subscribe(inboxes('i1'), ({ subject, data }) => {
    const { t } = decode(inboxMessage, data)?.message ?? {}
    if (t !== 'waiting') told.add(`${attemptOf(subject)?.request} ${t}`)
  })
  broker.connect('worker').bus.subscribe(work('alpha'), () => {})
  const backbone = broker.connect('router')
  const quota = await openQuota({ keyValue: await backbone.keyValue('quota'), scope: 'provider', instance: 'r1' })
  stack.defer(() => quota.close())
  const budget = createBudget(quota)
  const table = routingTable(catalogOf({ alpha: { limits: [limit] } }))
  decisions = 0
  placing = createPlacing({
    bus: backbone.bus,
    instance: 'r1',
    logger: createLogger({ service: 'router', write: (line) => logged.add(line) }),
    leases: createLeases(),
    budget,
    decide({ job }) {
      decisions++
      return route(job, table, { health: new Map(), roomOf: budget.roomFor(job), wish: undefined, nowMs: 0, random: () => 0.5 })
    },
    onPlaced,
    onUnplaced: () => {},
  })
  stack.defer(() => placing.close())
  quota.onRoom(() => placing.onRoom())
}
afterEach(() => stack.disposeAsync())

function place(id: string, change: Partial<Submit> = {}): void {
  placing.place(jobFor({ id, key_id: id, ttl_ms: 200_000, ...change }), undefined, inbox('i1', id, 1))
}

it('whom a window opens too late for is refused as soon as that is known, however many wait before it', async () => {
  await open({ unit: 'requests', max: 1, per: 'second' })
  place('first')
  await told.until(1)
  // More than are looked at together.
  for (let i = 0; i < 70; i++) place(`r${i}`, { max_wait_ms: 30_000 })
  place('short', { max_wait_ms: 2_000 })
  expect(placing.waiting).toBe(71)
  expect(await told.until(3)).toEqual(['first routed', 'r0 routed', 'short noroute'])
})

it('a fault of ours is told in the log, and ends nobody', async () => {
  await open({ unit: 'requests', max: 1, per: 'minute' }, () => {
    throw new Error('this is a bug')
  })
  place('first')
  expect((await logged.until(1))[0]).toContain('this is a bug')
})

it('where one found no room, those that need more do not look', async () => {
  await open({ unit: 'requests', max: 1, per: 'minute' })
  place('first')
  await told.until(1)
  for (let i = 0; i < 50; i++)
    place(`r${i}`, { max_wait_ms: 100_000, need: { ...jobFor().need, ctx: 100 + i }, est: { in: 10 + i, out: 90 } })
  place('other', { max_wait_ms: 100_000, est: { in: 1, out: 1 } })
  expect(placing.waiting).toBe(51)
  const before = decisions
  placing.onRoom()
  await until('it has looked', () => decisions > before)
  expect(decisions - before).toBe(2)
})
