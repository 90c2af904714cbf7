import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Backbone } from '#contracts/bus.ts'
import { type Event, eventBatch } from '#contracts/event.ts'
import { type Collector, collect } from '#test/support/collect.ts'
import { type Broker, openMemoryBroker } from './bus/memory.ts'
import { openOutbox } from './outbox.ts'

const event = (i: number): Event => ({
  name: 'req.start',
  id: `r${i}.0.req.start.ingress`,
  at: i,
  request: `r${i}`,
  model: null,
  stream: false,
})

let broker: Broker
let sender: Backbone
let stored: Collector<Event>
let batchIds: string[]

beforeEach(async () => {
  broker = await openMemoryBroker()
  sender = broker.connect('ingress')
  stored = collect()
  batchIds = []
  await broker.connect('telemetry').events.consume({ durable: 'd', maxBatch: 100, maxWaitMs: 1, ackWaitMs: 30_000 }, async (messages) => {
    for (const message of messages) {
      batchIds.push(message.id)
      for (const each of eventBatch.parse(JSON.parse(new TextDecoder().decode(message.data))).events) stored.add(each)
      await message.ack()
    }
  })
})
afterEach(() => broker.close())

const open = (settings: Partial<Parameters<typeof openOutbox>[0]> = {}) =>
  openOutbox({ events: sender.events, role: 'ingress', instance: 'i1', flushMs: 1, ...settings })

test('events arrive in order, many in one message, with ids that count', async () => {
  const outbox = open({ maxBatch: 100 })
  for (let i = 0; i < 250; i++) outbox.record(event(i))
  expect((await stored.until(250)).map(({ at }) => at)).toEqual(Array.from({ length: 250 }, (_, i) => i))
  expect(batchIds).toEqual(['i1.1', 'i1.2', 'i1.3'])
  await outbox.close()
})

test('while the broker is gone events wait, and afterwards each is stored once', async () => {
  const outbox = open()
  broker.faults(sender).disconnect()
  outbox.record(event(1))
  await new Promise((resolve) => setTimeout(resolve, 20))
  outbox.record(event(2))
  broker.faults(sender).reconnect()
  await stored.until(2)
  await outbox.close()
  expect(stored.items.map(({ at }) => at)).toEqual([1, 2])
})

test('a full ring drops the newest, and their number is an event', async () => {
  const outbox = open({ ringSize: 3 })
  broker.faults(sender).disconnect()
  for (let i = 0; i < 8; i++) outbox.record(event(i))
  broker.faults(sender).reconnect()
  const events = await stored.until(4)
  expect(events.map(({ name }) => name)).toEqual(['req.start', 'req.start', 'req.start', 'drop.count'])
  expect(events[3]).toMatchObject({ dropped: 5, instance: 'i1' })
  outbox.record(event(9))
  expect((await stored.until(5))[4]?.at).toBe(9)
  await outbox.close()
})

test('an event that no message can hold is counted as dropped and holds nobody up', async () => {
  const outbox = open()
  outbox.record({ ...event(1), name: 'req.start', model: 'm'.repeat(300 * 1024), request: 'r', stream: false })
  outbox.record(event(2))
  const events = await stored.until(2)
  expect(events.map(({ name, at }) => [name, name === 'drop.count' || at])).toEqual([
    ['req.start', 2],
    ['drop.count', true],
  ])
  await outbox.close()
})

test('closing sends what is left, and what is recorded afterwards is lost', async () => {
  const outbox = open({ flushMs: 60_000 })
  for (let i = 0; i < 700; i++) outbox.record(event(i))
  await outbox.close()
  outbox.record(event(1000))
  await outbox.close()
  await stored.until(700)
  expect(stored.items).toHaveLength(700)
})

test('recording costs next to nothing', () => {
  const outbox = open({ ringSize: 100_000, flushMs: 60_000 })
  broker.faults(sender).disconnect()
  const started = performance.now()
  for (let i = 0; i < 50_000; i++) outbox.record(event(i))
  expect(((performance.now() - started) * 1000) / 50_000).toBeLessThan(20)
})
