import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Backbone } from '#contracts/bus.ts'
import { type Event, eventBatch } from '#contracts/event.ts'
import { type Collector, collect } from '#test/support/collect.ts'
import { until } from '#test/support/until.ts'
import { type Broker, openMemoryBroker } from './bus/memory.ts'
import { openOutbox } from './outbox.ts'
import { type Batch, openSpool } from './outbox-spool.ts'

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
  expect(outbox.depth).toEqual({ events: 3, spoolBytes: 0, dropped: 5 })
  broker.faults(sender).reconnect()
  const events = await stored.until(4)
  expect(outbox.depth.dropped).toBe(5)
  expect(events.map(({ name }) => name)).toEqual(['req.start', 'req.start', 'req.start', 'drop.count'])
  expect(events[3]).toMatchObject({ dropped: 5, instance: 'i1' })
  outbox.record(event(9))
  expect((await stored.until(5))[4]?.at).toBe(9)
  await outbox.close()
})

test('a full ring goes to the file, and once the broker is back every event is stored once and the file is gone', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'freeway-outbox-'))
  const file = await openSpool({ dir, role: 'ingress', instance: 'i1' })
  let writing: Promise<boolean> | undefined
  const spool = {
    get bytes() {
      return file.bytes
    },
    drain: file.drain,
    write(batch: Batch) {
      writing = file.write(batch)
      return writing
    },
  }
  /** A ring that fills before the disk has taken the one before it is dropped, which is another test. */
  async function written(): Promise<void> {
    for (let seen: typeof writing; seen !== writing; await new Promise(setImmediate)) {
      seen = writing
      await seen
    }
  }
  const outbox = open({ ringSize: 100, maxBatch: 30, spool })
  broker.faults(sender).disconnect()
  for (let i = 0; i < 950; i++) {
    outbox.record(event(i))
    if (i % 50 === 49) await written()
  }
  expect(spool.bytes).toBeGreaterThan(0)
  expect(stored.items).toEqual([])
  broker.faults(sender).reconnect()
  await stored.until(950)
  await until('the file is gone', async () => (await readdir(dir)).length === 0)
  await outbox.close()
  expect(stored.items.map(({ at }) => at).sort((a, b) => a - b)).toEqual(Array.from({ length: 950 }, (_, i) => i))
  await rm(dir, { recursive: true })
})

test('what another process left in its file is sent by the next one', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'freeway-outbox-'))
  const before = await openSpool({ dir, role: 'ingress', instance: 'i0' })
  await before.write({ id: 'i0.1', data: new TextEncoder().encode(JSON.stringify({ events: [event(1), event(2)] })) })
  const outbox = open({ spool: await openSpool({ dir, role: 'ingress', instance: 'i1' }) })
  await stored.until(2)
  expect(batchIds).toEqual(['i0.1'])
  await outbox.close()
  await rm(dir, { recursive: true })
})

test('what does not fit into the file either is dropped, and their number is an event', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'freeway-outbox-'))
  const outbox = open({ ringSize: 3, spool: await openSpool({ dir, role: 'ingress', instance: 'i1', maxBytes: 10 }) })
  broker.faults(sender).disconnect()
  for (let i = 0; i < 8; i++) outbox.record(event(i))
  broker.faults(sender).reconnect()
  await until('every event is stored or counted', () => {
    const dropped = stored.items.reduce((sum, fact) => sum + (fact.name === 'drop.count' ? fact.dropped : 0), 0)
    return dropped > 0 && dropped + stored.items.filter(({ name }) => name === 'req.start').length === 8
  })
  await outbox.close()
  await rm(dir, { recursive: true })
})

test('it says up to when everything is stored, also while the broker is away and after a loss', async () => {
  const outbox = open({ ringSize: 2 })
  broker.faults(sender).disconnect()
  const beforeMs = performance.now()
  outbox.record(event(1))
  const afterMs = performance.now()
  await new Promise((resolve) => setTimeout(resolve, 10))
  outbox.record(event(2))
  expect(outbox.storedBeforeMs).toBeGreaterThanOrEqual(beforeMs)
  expect(outbox.storedBeforeMs).toBeLessThanOrEqual(afterMs)
  broker.faults(sender).reconnect()
  await stored.until(2)
  await until('it is told', () => outbox.storedBeforeMs > afterMs)
  expect(performance.now() - outbox.storedBeforeMs).toBeLessThan(5)
  broker.faults(sender).disconnect()
  for (let i = 3; i < 6; i++) outbox.record(event(i))
  const lostMs = performance.now()
  broker.faults(sender).reconnect()
  await stored.until(5)
  expect(outbox.storedBeforeMs).toBeLessThanOrEqual(lostMs)
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
