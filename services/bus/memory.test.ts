// What the in-process broker has beyond the rules of the bus: a file that survives it, bounds, and faults for tests.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { type BusMessage, type BusStatus, LogFull } from '#contracts/bus.ts'
import { event as eventSubject, inbox, inboxes } from '#contracts/subjects.ts'
import { collect } from '#test/support/collect.ts'
import { type Broker, openMemoryBroker } from './memory.ts'

const bytes = (text: string) => new TextEncoder().encode(text)
const text = (message: { data: Uint8Array }) => new TextDecoder().decode(message.data)
const subject = eventSubject('ingress', 'batch', 'v1')
const options = { durable: 'telemetry', maxBatch: 10, maxWaitMs: 5, ackWaitMs: 30_000 }

let stack = new AsyncDisposableStack()
afterEach(async () => {
  await stack.disposeAsync()
  stack = new AsyncDisposableStack()
})

async function open(settings: Parameters<typeof openMemoryBroker>[0] = {}): Promise<Broker> {
  const broker = await openMemoryBroker(settings)
  stack.defer(() => broker.close())
  return broker
}

async function temporaryFile(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'freeway-memory-'))
  stack.defer(() => rm(dir, { recursive: true }))
  return join(dir, 'bus.db')
}

test('key-value entries and their revisions outlive the broker', async () => {
  const file = await temporaryFile()
  const before = await openMemoryBroker({ file })
  const kv = await before.connect('a').keyValue('fw_config')
  await kv.put('kept', bytes('1'))
  await kv.put('gone', bytes('2'))
  await kv.delete('gone')
  const revision = await kv.put('kept', bytes('3'))
  await before.close()

  const after = await (await open({ file })).connect('a').keyValue('fw_config')
  const entry = await after.get('kept')
  expect([entry?.revision, entry?.value && text({ data: entry.value })]).toEqual([revision, '3'])
  expect(await after.get('gone')).toBeUndefined()
  expect(await after.update('gone', bytes('4'), 0)).toBeGreaterThan(revision)
})

test('events that nobody acknowledged outlive the broker, and so do the ids of all', async () => {
  const file = await temporaryFile()
  const before = await openMemoryBroker({ file })
  const first = before.connect('a')
  const seen = collect<string>()
  for (const id of ['1', '2', '3']) await first.events.append(subject, id, bytes(id))
  await first.events.consume({ ...options, maxBatch: 1 }, async ([event]) => {
    if (event?.id === '1') await event.ack()
    seen.add(event?.id ?? '')
  })
  await seen.until(2)
  await before.close()

  const second = (await open({ file })).connect('a')
  const again = collect<string>()
  await second.events.append(subject, '1', bytes('1'))
  await second.events.append(subject, '4', bytes('4'))
  await second.events.consume(options, async (events) => {
    for (const event of events) again.add(event.id)
  })
  expect(await again.until(3)).toEqual(['2', '3', '4'])
})

test('a full event log says so, and takes an event it has already', async () => {
  const { events } = (await open({ maxLogBytes: 10 })).connect('a')
  await events.append(subject, '1', bytes('12345678'))
  await expect(events.append(subject, '2', bytes('123'))).rejects.toThrow(LogFull)
  await events.append(subject, '1', bytes('12345678'))
  await events.append(subject, '2', bytes('12'))
})

test('closing the broker is told to those who are still connected', async () => {
  const broker = await openMemoryBroker()
  const told = collect<BusStatus>()
  broker.connect('a').bus.onStatus(told.add)
  await broker.close()
  expect(await told.until(1)).toEqual(['closed'])
})

async function pair() {
  const broker = await open()
  const sender = broker.connect('sender')
  const receiver = broker.connect('receiver')
  const got = collect<string>()
  receiver.bus.subscribe(inboxes('r'), (message) => got.add(text(message)))
  const send = (...texts: string[]) => {
    for (const each of texts) sender.bus.publish(inbox('r', 'x', 1), bytes(each))
  }
  return { broker, sender, receiver, got, send, faults: broker.faults(receiver) }
}

test('faults drop, duplicate, delay and reorder what is addressed to one handle', async () => {
  const { got, send, faults } = await pair()
  const is = (wanted: string) => (message: BusMessage) => text(message) === wanted
  faults.drop(is('2'))
  send('1', '2', '3')
  expect(await got.until(2)).toEqual(['1', '3'])
  faults.duplicate(is('4'))
  send('4', '5')
  expect((await got.until(5)).slice(2)).toEqual(['4', '4', '5'])
  faults.delay(is('6'), 20)
  send('6', '7')
  expect((await got.until(7)).slice(5)).toEqual(['7', '6'])
  faults.reorder(is('8'))
  send('8', '9', '10')
  expect((await got.until(10)).slice(7)).toEqual(['9', '8', '10'])
  faults.heal()
  send('2', '8')
  expect((await got.until(12)).slice(10)).toEqual(['2', '8'])
})

test('a frozen handle still has interest, and does everything late', async () => {
  const { sender, receiver, got, send, faults } = await pair()
  const signals = collect<BusMessage>()
  sender.bus.subscribe(inboxes('s'), signals.add)
  faults.freeze()
  send('while frozen')
  sender.bus.publish(inbox('r', 'x', 2), bytes('with reply'), { reply: inbox('s', 'x', 1) })
  receiver.bus.publish(inbox('s', 'x', 1), bytes('from the frozen one'))
  await new Promise((resolve) => setTimeout(resolve, 20))
  expect([got.items, signals.items]).toEqual([[], []])
  faults.thaw()
  expect(await got.until(2)).toEqual(['while frozen', 'with reply'])
  expect((await signals.until(1)).map(text)).toEqual(['from the frozen one'])
})

test('a disconnected handle loses what was on its way, and nobody sees interest of it', async () => {
  const { sender, got, send, faults } = await pair()
  const signals = collect<BusMessage>()
  sender.bus.subscribe(inboxes('s'), signals.add)
  send('on its way')
  faults.disconnect()
  sender.bus.publish(inbox('r', 'x', 2), bytes('nobody'), { reply: inbox('s', 'x', 1) })
  expect((await signals.until(1)).map(({ noResponders }) => noResponders)).toEqual([true])
  faults.reconnect()
  send('afterwards')
  expect(await got.until(1)).toEqual(['afterwards'])
})
