// The rules of the bus, which both adapters keep.

import process from 'node:process'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import {
  type Backbone,
  type Bus,
  type BusMessage,
  type BusStatus,
  Disconnected,
  NoResponders,
  PayloadTooLarge,
  RequestTimeout,
} from '#contracts/bus.ts'
import { decodeKind, Message } from '#contracts/message.ts'
import * as subjects from '#contracts/subjects.ts'
import { describeAdapters } from '#test/support/adapters.ts'
import type { Harness } from '#test/support/backbones.ts'
import { collect } from '#test/support/collect.ts'

const bytes = (text: string) => new TextEncoder().encode(text)
const text = (message: BusMessage) => new TextDecoder().decode(message.data)
const NOTHING = new Uint8Array(0)

describeAdapters('the bus', (open) => {
  let harness: Harness
  let backbones: Backbone[]
  let a: Bus
  let b: Bus
  let c: Bus
  /** New for each test, so that no test hears another. */
  let token = ''
  let count = 0

  beforeAll(async () => {
    harness = await open()
    backbones = [await harness.connect('ingress'), await harness.connect('worker'), await harness.connect('router')]
    ;[a, b, c] = backbones.map(({ bus }) => bus) as [Bus, Bus, Bus]
  })
  afterAll(() => harness.close())
  beforeEach(() => {
    token = `t${++count}`
  })

  /** Everything that was sent before has arrived where it arrives at all. */
  async function settle(...buses: Bus[]): Promise<void> {
    for (const bus of [...buses, ...buses]) await bus.flush()
    await new Promise((resolve) => setImmediate(resolve))
  }

  test('messages of one publisher on one subject arrive in order', async () => {
    const got = collect<string>()
    b.subscribe(subjects.inboxes(token), (message) => got.add(text(message)))
    await b.flush()
    for (let i = 0; i < 1000; i++) expect(a.publish(subjects.inbox(token, 'r', 1), bytes(String(i)))).toBe(true)
    expect(await got.until(1000)).toEqual(Array.from({ length: 1000 }, (_, i) => String(i)))
  })

  test('a message arrives after publish has returned, also at the publisher itself', async () => {
    const got = collect<string>()
    a.subscribe(subjects.work(token), () => got.add('delivered'))
    a.publish(subjects.work(token), bytes('x'))
    got.add('published')
    expect(await got.until(2)).toEqual(['published', 'delivered'])
  })

  test('a message carries subject, reply and headers, and has none that were not given', async () => {
    const got = collect<BusMessage>()
    const reply = subjects.inbox(token, 'r', 1)
    b.subscribe(subjects.work(token), got.add)
    await b.flush()
    a.publish(subjects.work(token), bytes('plain'))
    a.publish(subjects.work(token), bytes('full'), { reply, headers: { traceparent: '00-1', tracestate: 'x=y' } })
    const [plain, full] = (await got.until(2)) as [BusMessage, BusMessage]
    expect([plain.subject, plain.reply, plain.headers, plain.noResponders]).toEqual([subjects.work(token), undefined, undefined, false])
    expect([full.subject, full.reply, text(full), full.noResponders]).toEqual([subjects.work(token), reply, 'full', false])
    expect([...(full.headers ?? [])]).toEqual([
      ['traceparent', '00-1'],
      ['tracestate', 'x=y'],
    ])
  })

  test('a handler that throws disturbs neither the publisher nor another handler, and is reported', async () => {
    const warning = new Promise<Error>((resolve) => process.once('warning', resolve))
    const got = collect<string>()
    b.subscribe(subjects.work(token), () => {
      throw new Error(`thrown on purpose by ${token}`)
    })
    b.subscribe(subjects.work(token), (message) => got.add(text(message)))
    await b.flush()
    a.publish(subjects.work(token), bytes('1'))
    a.publish(subjects.work(token), bytes('2'))
    expect(await got.until(2)).toEqual(['1', '2'])
    expect((await warning).message).toBe(`thrown on purpose by ${token}`)
  })

  test('exactly one member of a queue group receives each message, and everybody outside of it', async () => {
    const all = collect<string>()
    const first = collect<string>()
    const second = collect<string>()
    const plain = collect<string>()
    for (const [bus, member] of [
      [b, first],
      [c, second],
    ] as const) {
      const onMessage = (message: BusMessage) => {
        member.add(text(message))
        all.add(text(message))
      }
      bus.subscribe(subjects.work(token), onMessage, { queue: 'w' })
    }
    const other = collect<string>()
    c.subscribe(subjects.work(token), (message) => other.add(text(message)), { queue: 'other' })
    c.subscribe(subjects.work(token), (message) => plain.add(text(message)))
    await settle(b, c)
    const sent = Array.from({ length: 200 }, (_, i) => String(i))
    for (const i of sent) a.publish(subjects.work(token), bytes(i))
    await Promise.all([all.until(200), other.until(200), plain.until(200)])
    await settle(a, b, c)
    expect(all.items.toSorted()).toEqual(sent.toSorted())
    expect(first.items.length).toBeGreaterThan(0)
    expect(second.items.length).toBeGreaterThan(0)
    expect(plain.items).toEqual(sent)
    expect(other.items).toHaveLength(200)
  })

  test.each([
    ['*', 'one token', ['a'], ['a.b', '']],
    ['>', 'one token or more', ['a', 'a.b', 'a.b.c'], ['']],
    ['*.b', 'one token in the middle', ['a.b', 'x.b'], ['a', 'a.c', 'a.b.c']],
    ['a.*.c', 'a token between others', ['a.b.c'], ['a.c', 'a.b.d', 'a.b.c.d']],
    ['a', 'itself', ['a'], ['b', 'a.b']],
  ])('the wildcard pattern %s stands for %s', async (tail, _, matching, others) => {
    const got = collect<string>()
    const root = `fw.v1.work.${token}`
    b.subscribe(`${root}.${tail}` as subjects.Pattern, (message) => got.add(message.subject))
    await b.flush()
    const end = collect<string>()
    b.subscribe(subjects.work(`${token}end`), () => end.add('end'))
    await b.flush()
    for (const path of [...others, ...matching]) a.publish((path ? `${root}.${path}` : root) as subjects.Subject, NOTHING)
    a.publish(subjects.work(`${token}end`), NOTHING)
    await end.until(1)
    expect(got.items).toEqual(matching.map((path) => `${root}.${path}`))
  })

  test('if nobody listens, the publisher learns it on its own plain subscription to the reply', async () => {
    const got = collect<BusMessage>()
    const reply = subjects.inbox(token, 'r', 7)
    a.subscribe(subjects.inboxes(token), got.add)
    a.publish(subjects.work(token), bytes('hello?'), { reply })
    const [signal] = (await got.until(1)) as [BusMessage]
    expect([signal.noResponders, signal.subject, signal.data.length, signal.reply]).toEqual([true, reply, 0, undefined])
  })

  test('nobody but the publisher is told that nobody listens, and nobody without a reply or with a queue subscription', async () => {
    const own = collect<BusMessage>()
    const foreign = collect<BusMessage>()
    a.subscribe(subjects.offerReturns(token), own.add, { queue: 'q' })
    b.subscribe(subjects.offerReturns(token), foreign.add)
    b.subscribe(subjects.inboxes(token), foreign.add)
    await settle(a, b)
    a.publish(subjects.work(token), bytes('x'), { reply: subjects.offerReturn(token, 'r', 1) })
    a.publish(subjects.work(token), bytes('x'), { reply: subjects.inbox(token, 'r', 1) })
    a.publish(subjects.work(token), bytes('x'))
    await settle(a, b)
    expect([own.items, foreign.items]).toEqual([[], []])
  })

  test('any other interest hides that nobody answers', async () => {
    const got = collect<BusMessage>()
    const spied = collect<BusMessage>()
    a.subscribe(subjects.inboxes(token), got.add)
    const spy = c.subscribe('fw.v1.work.>' as subjects.Pattern, spied.add)
    await c.flush()
    a.publish(subjects.work(token), bytes('x'), { reply: subjects.inbox(token, 'r', 1) })
    await spied.until(1)
    await settle(a)
    expect(got.items).toEqual([])
    spy.unsubscribe()
    await c.flush()
    a.publish(subjects.work(token), bytes('x'), { reply: subjects.inbox(token, 'r', 2) })
    expect((await got.until(1)).map(({ noResponders }) => noResponders)).toEqual([true])
  })

  test('after unsubscribe nothing is delivered, not even what was on its way', async () => {
    const got = collect<string>()
    const subscription = a.subscribe(subjects.work(token), () => got.add('late'))
    await a.flush()
    a.publish(subjects.work(token), NOTHING)
    subscription.unsubscribe()
    subscription.unsubscribe()
    await settle(a)
    expect(got.items).toEqual([])
  })

  test('who leaves a queue still gets what the queue had handed to it', async () => {
    const got = collect<string>()
    const subscription = b.subscribe(subjects.work(token), (message) => got.add(text(message)), { queue: 'w' })
    await b.flush()
    a.publish(subjects.work(token), bytes('last'))
    await a.flush()
    subscription.unsubscribe()
    expect(await got.until(1)).toEqual(['last'])
    // The broker has heard of it.
    await b.flush()
    a.publish(subjects.work(token), bytes('too late'))
    await settle(a, b)
    expect(got.items).toEqual(['last'])
  })

  test('the caller may reuse its buffer, and each receiver owns what it gets', async () => {
    const got = collect<string>()
    for (const bus of [a, b]) {
      bus.subscribe(subjects.work(token), (message) => {
        got.add(text(message))
        message.data.fill(0)
      })
    }
    await settle(a, b)
    const buffer = bytes('first')
    a.publish(subjects.work(token), buffer)
    buffer.set(bytes('other'))
    a.publish(subjects.work(token), buffer)
    expect((await got.until(4)).toSorted()).toEqual(['first', 'first', 'other', 'other'])
  })

  test('a control message is read as it was said, and its bytes are there for whoever wants them, his own', async () => {
    const got = collect<BusMessage>()
    for (const bus of [b, c]) bus.subscribe(subjects.work(token), got.add)
    await b.flush()
    await c.flush()
    a.publish(subjects.work(token), new Message({ t: 'offer', n: 1, left_out: undefined }, bytes('the body')))
    const [first, second] = (await got.until(2)) as [BusMessage, BusMessage]
    for (const message of [first, second]) {
      const read = decodeKind(new Set(['offer']), message)
      expect([read?.message, new TextDecoder().decode(read?.body)]).toEqual([{ t: 'offer', n: 1 }, 'the body'])
      expect(text(message)).toBe('{"t":"offer","n":1}\nthe body')
    }
    first.data.fill(0)
    expect(text(second)).toBe('{"t":"offer","n":1}\nthe body')
  })

  test('a message may be as large as maxPayload; a larger one throws before anything is sent', async () => {
    expect(a.maxPayload).toBe(1024 * 1024)
    const got = collect<number>()
    b.subscribe(subjects.work(token), (message) => got.add(message.data.length))
    await b.flush()
    expect(() => a.publish(subjects.work(token), new Uint8Array(a.maxPayload + 1))).toThrow(PayloadTooLarge)
    expect(() => a.publish(subjects.work(token), new Message({ t: 'offer' }, new Uint8Array(a.maxPayload + 1)))).toThrow(PayloadTooLarge)
    a.publish(subjects.work(token), new Uint8Array(a.maxPayload))
    expect(await got.until(1)).toEqual([a.maxPayload])
  })

  test('a request gets the answer to itself', async () => {
    b.subscribe(subjects.work(token), (message) => b.publish(message.reply as subjects.Subject, bytes(`re: ${text(message)}`)), {
      queue: 'w',
    })
    await b.flush()
    const answers = await Promise.all(
      ['1', '2', '3'].map((question) => a.request(subjects.work(token), bytes(question), { timeoutMs: 2000 })),
    )
    expect(answers.map(text)).toEqual(['re: 1', 're: 2', 're: 3'])
  })

  test('a request that nobody answers rejects: at once if nobody listens, else after its time', async () => {
    await expect(a.request(subjects.work(token), NOTHING, { timeoutMs: 4000 })).rejects.toThrow(NoResponders)
    b.subscribe(subjects.work(token), () => {})
    await b.flush()
    const started = performance.now()
    await expect(a.request(subjects.work(token), NOTHING, { timeoutMs: 60 })).rejects.toThrow(RequestTimeout)
    expect(performance.now() - started).toBeGreaterThanOrEqual(55)
    await expect(a.request(subjects.work(token), new Uint8Array(a.maxPayload + 1), { timeoutMs: 60 })).rejects.toThrow(PayloadTooLarge)
  })

  test("an aborted request rejects with the reason of its signal, and a late answer is nobody's", async () => {
    const asked = collect<BusMessage>()
    b.subscribe(subjects.work(token), asked.add)
    await b.flush()
    const abort = new AbortController()
    const answer = a.request(subjects.work(token), NOTHING, { timeoutMs: 5000, signal: abort.signal })
    const [question] = (await asked.until(1)) as [BusMessage]
    abort.abort(new Error('the client has gone'))
    await expect(answer).rejects.toThrow('the client has gone')
    b.publish(question.reply as subjects.Subject, bytes('late'))
    await settle(b, a)
    await expect(a.request(subjects.work(token), NOTHING, { timeoutMs: 5000, signal: abort.signal })).rejects.toThrow('the client has gone')
  })

  test('a closed connection listens to nothing, and publishes nothing', async () => {
    const closing = await harness.connect('telemetry')
    const got = collect<string>()
    closing.bus.subscribe(subjects.work(token), () => got.add('x'))
    await closing.bus.flush()
    await closing.close()
    expect(closing.bus.connected).toBe(false)
    expect(closing.bus.publish(subjects.work(token), NOTHING)).toBe(false)
    // A server notices the end of a connection a moment later.
    const ask = () => a.request(subjects.work(token), NOTHING, { timeoutMs: 50 }).catch((error: unknown) => error)
    await expect.poll(ask, { timeout: 5000 }).toBeInstanceOf(NoResponders)
    expect(got.items).toEqual([])
  })

  test('while the broker is gone nothing is queued and nothing hangs; afterwards subscriptions work as before', async () => {
    const got = collect<string>()
    const statuses = collect<BusStatus>()
    const statusesOfB = collect<BusStatus>()
    a.onStatus(statuses.add)
    b.onStatus(statusesOfB.add)
    b.subscribe(subjects.inboxes(token), (message) => got.add(text(message)))
    b.subscribe(subjects.work(token), (message) => got.add(text(message)), { queue: 'w' })
    await b.flush()
    await harness.breakBroker()
    expect(await statuses.until(1)).toEqual(['disconnected'])
    expect(a.connected).toBe(false)
    expect(a.publish(subjects.work(token), bytes('lost'))).toBe(false)
    const started = performance.now()
    await expect(a.request(subjects.work(token), NOTHING, { timeoutMs: 4000 })).rejects.toThrow(Disconnected)
    await expect(a.flush()).rejects.toThrow(Disconnected)
    expect(performance.now() - started).toBeLessThan(500)

    await harness.restoreBroker()
    expect(await statuses.until(2)).toEqual(['disconnected', 'reconnected'])
    await statusesOfB.until(2)
    expect(a.connected).toBe(true)
    await settle(b, a)
    a.publish(subjects.work(token), bytes('to the group'))
    a.publish(subjects.inbox(token, 'r', 1), bytes('to the inbox'))
    expect((await got.until(2)).toSorted()).toEqual(['to the group', 'to the inbox'])
    b.subscribe(subjects.work(`${token}q`), (message) => b.publish(message.reply as subjects.Subject, bytes('yes')))
    await b.flush()
    expect(text(await a.request(subjects.work(`${token}q`), NOTHING, { timeoutMs: 2000 }))).toBe('yes')
  })
})
