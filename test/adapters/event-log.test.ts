// The rules of the event log, which both adapters keep.

import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { type Backbone, Disconnected, type LoggedEvent, PayloadTooLarge, type Subscription } from '#contracts/bus.ts'
import { event as eventSubject } from '#contracts/subjects.ts'
import { describeAdapters } from '#test/support/adapters.ts'
import type { Harness } from '#test/support/backbones.ts'
import { collect } from '#test/support/collect.ts'

const bytes = (text: string) => new TextEncoder().encode(text)
const subject = eventSubject('ingress', 'batch', 'v1')
const ackAll = (events: LoggedEvent[]) => Promise.all(events.map((event) => event.ack()))

describeAdapters('the event log', (open) => {
  let harness: Harness
  let backbone: Backbone
  let other: Backbone
  let prefix = ''
  const consumers: Subscription[] = []
  let count = 0

  beforeAll(async () => {
    harness = await open()
    backbone = await harness.connect('ingress')
    other = await harness.connect('telemetry')
  })
  afterAll(() => harness.close())
  beforeEach(() => {
    prefix = `t${++count}`
  })

  afterEach(() => {
    for (const consumer of consumers.splice(0)) consumer.unsubscribe()
  })

  const append = (id: string, from = backbone) => from.events.append(subject, `${prefix}.${id}`, bytes(`data of ${id}`))

  /** A durable consumer of this test alone; events of earlier tests are acknowledged and left out. */
  async function consume(
    onBatch: (events: LoggedEvent[]) => Promise<unknown>,
    options: { ackWaitMs?: number; maxBatch?: number; maxWaitMs?: number } = {},
    from = other,
  ) {
    const mine = `${prefix}.`
    const consumer = await from.events.consume(
      { durable: `d_${prefix}`, maxBatch: 100, maxWaitMs: 20, ackWaitMs: 30_000, ...options },
      async (events) => {
        await ackAll(events.filter(({ id }) => !id.startsWith(mine)))
        const left = events.filter(({ id }) => id.startsWith(mine))
        if (left.length > 0) await onBatch(left)
      },
    )
    consumers.push(consumer)
    return consumer
  }
  const idOf = ({ id }: LoggedEvent) => id.slice(prefix.length + 1)

  test('what a reader had taken and not handed out when it stopped comes to the next one at once', async () => {
    const idle = await consume(async () => {}, { maxWaitMs: 20_000 })
    await append('1')
    // Nothing tells that it has arrived: so long it surely has.
    await new Promise((resolve) => setTimeout(resolve, 300))
    idle.unsubscribe()
    const got = collect<LoggedEvent>()
    await consume(async (events) => {
      for (const event of events) got.add(event)
      await ackAll(events)
    })
    expect((await got.until(1)).map(idOf)).toEqual(['1'])
  })

  test('what was appended is handed out in order, with subject, id and data, also what came before the consumer', async () => {
    await append('1')
    await append('2')
    const got = collect<LoggedEvent>()
    await consume(async (events) => {
      for (const event of events) got.add(event)
      await ackAll(events)
    })
    await append('3')
    const events = await got.until(3)
    expect(events.map((event) => [event.subject, idOf(event), new TextDecoder().decode(event.data), event.deliveries])).toEqual([
      [subject, '1', 'data of 1', 1],
      [subject, '2', 'data of 2', 1],
      [subject, '3', 'data of 3', 1],
    ])
  })

  test('an id that was seen before is stored once, whoever sends it', async () => {
    await Promise.all([append('same'), append('same'), append('same', other)])
    await append('same')
    await append('end')
    const got = collect<string>()
    await consume(async (events) => {
      for (const event of events) got.add(idOf(event))
      await ackAll(events)
    })
    await got.until(2)
    expect(got.items).toEqual(['same', 'end'])
  })

  test('a batch is handed out when it is full, or when it has waited long enough', async () => {
    for (let i = 0; i < 7; i++) await append(String(i))
    const sizes = collect<number>()
    const total = collect<string>()
    await consume(
      async (events) => {
        sizes.add(events.length)
        for (const event of events) total.add(idOf(event))
        await ackAll(events)
      },
      { maxBatch: 3, maxWaitMs: 50 },
    )
    expect(await total.until(7)).toEqual(['0', '1', '2', '3', '4', '5', '6'])
    expect(Math.max(...sizes.items)).toBeLessThanOrEqual(3)
  })

  test('the next batch comes only after the last one is done', async () => {
    for (let i = 0; i < 6; i++) await append(String(i))
    let running = 0
    const overlaps = collect<number>()
    await consume(
      async (events) => {
        running++
        await ackAll(events)
        await new Promise((resolve) => setImmediate(resolve))
        overlaps.add(running)
        running--
      },
      { maxBatch: 2 },
    )
    expect(await overlaps.until(3)).toEqual([1, 1, 1])
  })

  test('what is not acknowledged comes again after its time, and what is acknowledged never', async () => {
    await append('ok')
    await append('bad')
    const got = collect<string>()
    await consume(
      async (events) => {
        for (const event of events) {
          got.add(`${idOf(event)} ${event.deliveries}`)
          if (idOf(event) === 'ok' || event.deliveries === 3) await event.ack()
        }
      },
      { ackWaitMs: 500 },
    )
    expect(await got.until(4)).toEqual(['ok 1', 'bad 1', 'bad 2', 'bad 3'])
    await append('end')
    await new Promise((resolve) => setTimeout(resolve, 700))
    expect(got.items.filter((item) => !item.startsWith('end'))).toHaveLength(4)
  })

  test('a batch that throws comes again', async () => {
    await append('1')
    const got = collect<number>()
    await consume(
      async (events) => {
        got.add(events[0]?.deliveries ?? 0)
        if (got.items.length === 1) throw new Error('thrown on purpose')
        await ackAll(events)
      },
      { ackWaitMs: 150 },
    )
    expect(await got.until(2)).toEqual([1, 2])
  })

  test('nak hands out again, at once or after a delay; term never', async () => {
    for (const id of ['now', 'later', 'never']) await append(id)
    const got = collect<string>()
    const times = new Map<string, number>()
    await consume(async (events) => {
      for (const event of events) {
        const name = `${idOf(event)} ${event.deliveries}`
        times.set(name, performance.now())
        got.add(name)
        if (event.deliveries > 1) await event.ack()
        else if (idOf(event) === 'now') event.nak()
        else if (idOf(event) === 'later') event.nak(300)
        else event.term()
      }
    })
    expect(await got.until(5)).toEqual(['now 1', 'later 1', 'never 1', 'now 2', 'later 2'])
    const waited = (id: string) => (times.get(`${id} 2`) ?? 0) - (times.get(`${id} 1`) ?? 0)
    expect(waited('now')).toBeLessThan(250)
    expect(waited('later')).toBeGreaterThanOrEqual(290)
  })

  test('members of one durable share the work; what one leaves behind goes to another', async () => {
    for (let i = 0; i < 20; i++) await append(String(i))
    const got = collect<string>()
    const third = await harness.connect('telemetry')
    const takeAndLeave = collect<string>()
    await consume(
      async (events) => {
        for (const event of events) takeAndLeave.add(idOf(event))
        await third.close()
      },
      { maxBatch: 5, ackWaitMs: 300 },
      third,
    )
    await takeAndLeave.until(1)
    await consume(
      async (events) => {
        for (const event of events) got.add(idOf(event))
        await ackAll(events)
      },
      { maxBatch: 5, ackWaitMs: 300 },
    )
    expect((await got.until(20)).toSorted((p, q) => Number(p) - Number(q))).toEqual(Array.from({ length: 20 }, (_, i) => String(i)))
    expect(takeAndLeave.items.length).toBeLessThanOrEqual(5)
  })

  test('after unsubscribe nothing is handed out', async () => {
    const got = collect<string>()
    const subscription = await consume(
      async (events) => {
        await ackAll(events)
        for (const event of events) got.add(idOf(event))
      },
      // An event that a server sends to a member just as it leaves comes to the next one after this time.
      { ackWaitMs: 300 },
    )
    await append('1')
    await got.until(1)
    subscription.unsubscribe()
    await append('2')
    const again = collect<string>()
    await consume(
      async (events) => {
        await ackAll(events)
        for (const event of events) again.add(idOf(event))
      },
      { ackWaitMs: 300 },
      backbone,
    )
    expect(await again.until(1)).toEqual(['2'])
    expect(got.items).toEqual(['1'])
  })

  test('an event that is too large for a message is refused', async () => {
    await expect(backbone.events.append(subject, `${prefix}.large`, new Uint8Array(backbone.bus.maxPayload + 1))).rejects.toThrow(
      PayloadTooLarge,
    )
  })

  test('while the broker is gone nothing can be appended; afterwards nothing is lost and consumers go on', async () => {
    const got = collect<string>()
    await append('1')
    await consume(async (events) => {
      await ackAll(events)
      for (const event of events) got.add(idOf(event))
    })
    await got.until(1)
    await harness.breakBroker()
    await expect
      .poll(
        () =>
          append('2').then(
            () => 'stored',
            (error: unknown) => error,
          ),
        { timeout: 10_000 },
      )
      .toBeInstanceOf(Disconnected)
    await harness.restoreBroker()
    await expect.poll(() => append('2').then(() => 'stored', String), { timeout: 10_000 }).toBe('stored')
    await append('1')
    await append('3')
    // A killed server may forget the last acknowledgements, so an event may come twice, but none is stored twice or lost.
    await expect.poll(() => [...new Set(got.items)], { timeout: 5000 }).toEqual(['1', '2', '3'])
  })
})
