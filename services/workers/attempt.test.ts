import { afterEach, describe, expect, it } from 'vitest'
import type { Offer } from '#contracts/attempt.ts'
import type { Backbone } from '#contracts/bus.ts'
import { utf8 } from '#contracts/bytes.ts'
import { provider } from '#contracts/catalog.ts'
import { isFrame, readFrame } from '#contracts/frame.ts'
import { encode } from '#contracts/message.ts'
import { control, inbox } from '#contracts/subjects.ts'
import { type Broker, openMemoryBroker } from '#services/bus/memory.ts'
import { Answer } from './answer.ts'
import { Attempt } from './attempt.ts'
import type { AttemptReport } from './attempt-world.ts'
import { createLimitReader } from './learned-limits.ts'
import type { UpstreamEvents } from './upstream.ts'

const groq = provider.parse({ name: 'groq', base_url: 'http://127.0.0.1:1/v1', models: [{ id: 'm' }] })

const owner = inbox('i1', 'r1', 1)
const listensAt = control('groq', 'w1', 'r1', 1)
const target = { prov: 'groq', account: 'groq-1', model: 'm', billable: false }
const streamed: Offer = {
  v: 1,
  t: 'offer',
  ...target,
  id: 'r1',
  n: 1,
  ttl_ms: 60_000,
  inbox: owner,
  kind: 'chat',
  stream: true,
  include_usage: false,
  est: { in: 5, out: 100 },
  lease: 'r1.1',
}
type Told = Parameters<Attempt['onControl']>[0]
const grant: Told = { t: 'grant', window: 256 * 1024, ttl_ms: 60_000 }
const ack = (s: number, more: object = {}): Told => ({ t: 'ack', s, ...more })

const event = (fields: object) =>
  `data: ${JSON.stringify({ id: 'c1', object: 'chat.completion.chunk', created: 1, model: 'm', ...fields })}\n\n`
const text = (content: string) => event({ choices: [{ index: 0, delta: { content }, finish_reason: null }] })
const ending = `${event({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] })}data: [DONE]\n\n`

interface Said {
  t: string
  reply: string | undefined
  [field: string]: unknown
}

const open: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close()
})

/** An attempt, its owner at the other end of a real bus, and a provider whose every move is made by the test. Times are from the offer. */
async function begin(offer: Offer = streamed) {
  const broker: Broker = await openMemoryBroker()
  open.push(broker)
  const ingress: Backbone = broker.connect('ingress')
  const worker: Backbone = broker.connect('worker')
  let said: Said[] = []
  let marked: (() => void) | undefined
  ingress.bus.subscribe(owner, ({ data, reply }) => {
    const frame = isFrame(data) && readFrame(data)
    if (frame) return void said.push({ t: 'frame', reply, seq: frame.seq, text: new TextDecoder().decode(frame.payload) })
    const [head = '', ...body] = new TextDecoder().decode(data).split('\n')
    const message = { ...JSON.parse(head), ...(body.length > 0 && { body: body.join('\n') }) }
    if (message.t === 'mark') marked?.()
    else said.push({ ...message, reply })
  })

  const upstream: string[] = []
  const reports: AttemptReport[] = []
  const called: string[] = []
  let events: UpstreamEvents | undefined
  const note = (what: string) => () => void upstream.push(what)
  const startMs = Math.floor(performance.now())
  const attempt = new Attempt(
    offer,
    {
      bus: worker.bus,
      worker: 'w1',
      provider: groq,
      inbox: owner,
      control: listensAt,
      patience: { silenceMs: 3_000, goneMs: 60, probeEveryMs: 20 },
      call(given) {
        events = given
        upstream.push('call')
        return { abort: note('abort'), letGo: note('let go'), pause: note('pause'), resume: note('resume') }
      },
      answer: (sink) => new Answer(offer, sink, { provider: groq, limits: createLimitReader(groq) }),
      onCalled: (result) => called.push(result),
      onOver: (report) => reports.push(report),
    },
    startMs,
  )
  const provided = () => events as UpstreamEvents
  return {
    attempt,
    upstream,
    reports,
    /** What was told when the provider was no longer called. */
    called,
    get events() {
      return provided()
    },
    tell: (message: Told, afterMs = 0) => attempt.onControl(message, startMs + afterMs),
    tick: (afterMs: number, grace = false) => attempt.tick(startMs + afterMs, grace),
    at: (afterMs: number) => startMs + afterMs,
    /** The provider answers with these bytes, in one read. */
    async answer(bytes: string) {
      provided().onSend()
      provided().onHeaders(200, { 'content-type': 'text/event-stream' })
      provided().onData(utf8(bytes))
      await Promise.resolve()
    },
    async more(bytes: string) {
      provided().onData(utf8(bytes))
      await Promise.resolve()
    },
    /** What the owner has been told since it was last asked; the mark comes behind everything. */
    async said(): Promise<Said[]> {
      const { promise, resolve } = Promise.withResolvers<void>()
      marked = resolve
      worker.bus.publish(owner, encode({ t: 'mark' }))
      await promise
      const all = said
      said = []
      return all
    },
  }
}
const kinds = (said: Said[]) => said.map(({ t }) => t)

async function granted() {
  const begun = await begin()
  begun.tell(grant)
  await begun.said()
  return begun
}

/** Answered and ended by the provider, not confirmed by the owner. */
async function ended() {
  const begun = await granted()
  await begun.answer(text('Hi') + ending)
  await begun.said()
  return begun
}

describe('an offer', () => {
  it('is accepted at once, and nobody is called', async () => {
    const { said, upstream } = await begin()
    expect(await said()).toEqual([{ t: 'accept', w: 'w1', fins: true, ...target, reply: listensAt }])
    expect(upstream).toEqual([])
  })

  it('is called once, however often it is granted', async () => {
    const { tell, upstream } = await begin()
    tell(grant)
    tell(grant, 500)
    expect(upstream).toEqual(['call'])
  })

  it.each<[string, Told]>([
    ['denied', { t: 'deny' }],
    ['called off', { t: 'cancel', why: 'client_canceled' }],
  ])('that is %s is never called, though a grant follows', async (_, message) => {
    const { tell, upstream, reports } = await begin()
    tell(message)
    tell(grant)
    expect(upstream).toEqual([])
    expect(reports).toMatchObject([{ result: 'denied', sent: false, orphan: false }])
  })

  it('that nobody grants is given up after a second', async () => {
    const { tick, reports } = await begin()
    tick(999)
    expect(reports).toEqual([])
    tick(1_000)
    tick(1_020)
    expect(reports).toMatchObject([{ result: 'expired', sent: false }])
  })

  it('whose owner was not heard for long before anything could be sent is not called either, and nobody is to blame', async () => {
    const begun = await begin()
    begun.tell(grant, -1_000)
    await begun.said()
    const { events } = begun
    let thrown: unknown
    try {
      events.onSend()
    } catch (error) {
      thrown = error
    }
    // As the connection tells it.
    events.onError(thrown as Error)
    expect(await begun.said()).toMatchObject([{ t: 'fail', phase: 'expired', code: 'expired', sent: false }])
  })

  it('that is granted too late is not called: its owner has long gone elsewhere, and hears so', async () => {
    const { tell, upstream, reports, said } = await begin()
    await said()
    tell(grant, 1_000)
    expect(upstream).toEqual([])
    expect(await said()).toMatchObject([{ t: 'fail', phase: 'expired', sent: false, seq: 0 }])
    expect(reports).toMatchObject([{ result: 'expired', sent: false }])
  })
})

describe('a whole answer', () => {
  const body = JSON.stringify({ choices: [{ index: 0, message: { role: 'assistant', content: 'Hi' }, finish_reason: 'stop' }] })
  const answered = async (grant: Told, length = 0) => {
    const begun = await begin({ ...streamed, stream: false })
    begun.tell(grant)
    await begun.said()
    begun.events.onSend()
    begun.events.onHeaders(200, { 'content-type': 'application/json' })
    begun.events.onData(utf8(body.replace('Hi', 'Hi'.padEnd(length, '.'))))
    begun.events.onEnd()
    return begun
  }

  it('is one message to an owner that takes it so, and repeated as one', async () => {
    const { said, tick } = await answered({ ...grant, whole: true })
    const told = await said()
    expect(told).toMatchObject([{ t: 'whole', head: { framing: 'bytes', status: 200 }, end: { seq: 1, finish: 'stop' } }])
    expect(JSON.parse(String(told[0]?.body))).toMatchObject({ choices: [{ message: { content: 'Hi' } }] })
    tick(600)
    expect(await said()).toEqual(told)
  })

  it('is head, frame and end to one that does not say so', async () => {
    const { said } = await answered(grant)
    expect(kinds(await said())).toEqual(['head', 'frame', 'end'])
  })

  it('that is longer than its owner has room for comes as there is room, and is not given up meanwhile', async () => {
    const begun = await answered(grant, 600_000)
    const { said, tick, tell } = begun
    const frames: unknown[] = []
    let told = await said()
    expect(kinds(told)).toEqual(['head', 'frame', 'frame', 'frame', 'frame'])
    tick(2_000)
    expect(await said()).toMatchObject([{ t: 'hb', seq: 4 }])
    for (let afterMs = 2_500; told.at(-1)?.t !== 'end'; afterMs += 2_500) {
      frames.push(...told.filter(({ t }) => t === 'frame').map(({ seq }) => seq))
      tell(ack(frames.length - 1), afterMs)
      tick(afterMs + 1)
      told = (await said()).filter(({ t }) => t !== 'hb')
      expect(begun.reports).toEqual([])
    }
    frames.push(...told.filter(({ t }) => t === 'frame').map(({ seq }) => seq))
    expect(frames).toEqual(frames.map((_, i) => i))
    expect(told.at(-1)).toMatchObject({ seq: frames.length })
  })

  it('is head, frames and end if it is long', async () => {
    const { said } = await answered({ ...grant, whole: true }, 70_000)
    expect(kinds(await said())).toEqual(['head', 'frame', 'frame', 'end'])
  })
})

describe('an answer', () => {
  it('goes to its owner as head, numbered frames and end', async () => {
    const { answer, more, said } = await granted()
    await answer(text('a'))
    await more(text('b'))
    await more(ending)
    const told = await said()
    expect(kinds(told)).toEqual(['head', 'frame', 'frame', 'frame', 'end'])
    expect(told.every(({ reply }) => reply === listensAt)).toBe(true)
    expect(told.slice(1, 4).map(({ seq }) => seq)).toEqual([0, 1, 2])
    expect(told[0]).toMatchObject({ status: 200, framing: 'sse', provider: 'groq', model: 'm' })
    expect(told[4]).toMatchObject({ seq: 3, finish: 'stop', usage_source: 'estimated' })
  })

  it('is over when its end is confirmed, and reported once', async () => {
    const { tell, reports, upstream } = await ended()
    expect(reports).toEqual([])
    tell(ack(1, { fin: true }))
    tell(ack(1, { fin: true }))
    expect(reports).toMatchObject([{ result: 'ok', sent: true, orphan: false }])
    expect(upstream).toEqual(['call', 'let go'])
  })

  it('leaves its place at its end, before that is confirmed', async () => {
    const begun = await ended()
    expect(begun.called).toEqual(['ok'])
    begun.attempt.onConfirmed(begun.at(30))
    begun.attempt.onConfirmed(begun.at(40))
    expect(begun.called).toEqual(['ok'])
    expect(begun.reports).toMatchObject([{ result: 'ok', confirmed: true }])
  })

  it('is not over by a confirmation that comes before its end', async () => {
    const { tell, answer, reports } = await granted()
    await answer(text('a'))
    tell(ack(0, { fin: true }))
    expect(reports).toEqual([])
  })

  it('repeats its end every half second until that is confirmed, for three seconds', async () => {
    const { tick, tell, said, reports } = await ended()
    for (let afterMs = 600; afterMs <= 2_600; afterMs += 500) {
      tell(ack(1), afterMs)
      tick(afterMs)
      tick(afterMs + 20)
    }
    expect(kinds(await said())).toEqual(['end', 'end', 'end', 'end', 'end'])
    expect(reports).toEqual([])
    tick(3_200)
    expect(reports).toMatchObject([{ result: 'ok', orphan: false }])
  })

  it('is sent again from where the owner has it', async () => {
    const { answer, more, tell, said } = await granted()
    await answer(text('a'))
    await more(text('b'))
    await said()
    tell(ack(0, { resend: true }))
    expect((await said()).map(({ t, seq }) => [t, seq])).toEqual([
      ['head', undefined],
      ['frame', 1],
    ])
  })
})

describe('a window that is full', () => {
  const full = async () => {
    const begun = await begin()
    begun.tell({ t: 'grant', window: 100, ttl_ms: 60_000 })
    await begun.answer(text('x'.repeat(200)))
    return begun
  }

  it('stops the reading until the owner has taken some', async () => {
    const { tell, upstream, more } = await full()
    expect(upstream).toEqual(['call', 'pause'])
    await more(text('y'))
    expect(upstream).toEqual(['call', 'pause'])
    tell(ack(0))
    expect(upstream).toEqual(['call', 'pause'])
    tell(ack(1))
    tell(ack(1))
    expect(upstream).toEqual(['call', 'pause', 'resume'])
  })

  it('is told, and is not the provider’s silence', async () => {
    const { tell, tick, said, reports } = await full()
    await said()
    for (let afterMs = 500; afterMs <= 40_000; afterMs += 500) {
      tell(ack(-1), afterMs)
      tick(afterMs)
    }
    const told = await said()
    expect(new Set(kinds(told))).toEqual(new Set(['hb']))
    expect(told.at(-1)).toMatchObject({ st: 'paused', seq: 1 })
    tell(ack(0), 40_000)
    tell(ack(0), 69_000)
    tick(59_900)
    expect(reports).toEqual([])
  })
})

it('says every half second that it is there, and how far it is', async () => {
  const begun = await granted()
  const { tick, said, answer } = begun
  tick(499)
  expect(await said()).toEqual([])
  tick(500)
  begun.events.onSend()
  tick(999)
  tick(1_000)
  await answer(text('a'))
  tick(1_500)
  const beats = (await said()).filter(({ t }) => t === 'hb')
  expect(beats.map(({ st, seq }) => [st, seq])).toEqual([
    ['connecting', 0],
    ['waiting', 0],
    ['streaming', 1],
  ])
})

describe('a call that is called off', () => {
  it('is aborted at once, and its owner hears no more of it', async () => {
    const { answer, tell, upstream, reports, said, events } = await granted()
    await answer(text('x'.repeat(300)))
    await said()
    tell({ t: 'cancel', why: 'client_canceled' })
    expect(upstream.slice(0, 2)).toEqual(['call', 'abort'])
    expect(reports).toMatchObject([{ result: 'canceled(client_canceled)', sent: true, orphan: false }])
    expect(reports[0]?.usage).toEqual({ in: 5, out: 3 })
    events.onData(utf8(text('late')))
    events.onEnd()
    expect(await said()).toEqual([])
    expect(reports).toHaveLength(1)
  })

  it('after its end keeps its result', async () => {
    const { tell, reports } = await ended()
    tell({ t: 'cancel', why: 'superseded' })
    expect(reports).toMatchObject([{ result: 'ok' }])
  })
})

describe('an owner', () => {
  it('that is silent for three seconds leaves an orphan: the call is aborted, and the lease is ours to settle', async () => {
    const { answer, tick, tell, upstream, reports } = await granted()
    await answer(text('Hi'))
    tell(ack(0), 100)
    tick(3_099)
    expect(reports).toEqual([])
    tick(3_100)
    expect(upstream).toContain('abort')
    expect(reports).toMatchObject([{ result: 'canceled(orphan)', sent: true, orphan: true }])
  })

  it('that says it is there keeps its call', async () => {
    const { answer, tick, tell, reports } = await granted()
    await answer(text('Hi'))
    for (let afterMs = 500; afterMs <= 10_000; afterMs += 500) {
      tell(ack(0), afterMs)
      tick(afterMs)
    }
    expect(reports).toEqual([])
  })

  it('that is gone is asked for again, then given up', async () => {
    const { attempt, tick, at, said, reports } = await granted()
    attempt.onNobodyThere(at(10))
    tick(11)
    expect(kinds(await said())).toEqual(['hb'])
    attempt.onNobodyThere(at(12))
    tick(69)
    expect(reports).toEqual([])
    attempt.onNobodyThere(at(69.5))
    tick(70)
    expect(reports).toMatchObject([{ result: 'canceled(orphan)', orphan: true }])
  })

  it('that seems gone just after our own reconnect may only be late', async () => {
    const { attempt, tick, at, tell, reports } = await granted()
    attempt.onReconnected(at(0))
    attempt.onNobodyThere(at(1))
    tick(100, true)
    expect(reports).toEqual([])
    tell(ack(-1), 120)
    tick(130)
    expect(reports).toEqual([])
  })

  it('was not silent while the bus, or we ourselves, were away', async () => {
    const { attempt, tick, at, reports } = await granted()
    attempt.onReconnected(at(9_000))
    tick(11_999)
    expect(reports).toEqual([])
    attempt.onAbsence(5_000)
    tick(16_999)
    expect(reports).toEqual([])
    tick(17_000)
    expect(reports).toMatchObject([{ orphan: true }])
  })
})

describe('a provider', () => {
  it('that cannot be reached has not been asked', async () => {
    const { events, said, upstream } = await granted()
    events.onError(Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }))
    expect(await said()).toMatchObject([{ t: 'fail', phase: 'connect', code: 'network', sent: false, seq: 0, key_fault: false }])
    expect(upstream).toContain('abort')
  })

  it('that refuses is told with its status, and the attempt waits to be confirmed', async () => {
    const { events, said, tell, reports } = await granted()
    events.onSend()
    events.onHeaders(429, { 'retry-after': '7' })
    events.onEnd()
    expect(await said()).toMatchObject([
      { t: 'fail', phase: 'status', status: 429, code: 'rate_limited', sent: true, retry_after_ms: 7_000 },
    ])
    expect(reports).toEqual([])
    tell(ack(-1, { fin: true }))
    expect(reports).toMatchObject([{ result: 'rejected(429)', sent: true, ttfbMs: null }])
  })

  it('that says nothing for twenty seconds has failed', async () => {
    const { events, tick, tell, said, upstream } = await granted()
    events.onSend()
    tell(ack(-1), 19_900)
    tick(19_999)
    expect(kinds(await said())).toEqual(['hb'])
    tick(20_000)
    expect(await said()).toMatchObject([{ t: 'fail', phase: 'ttfb', status: 504, code: 'timeout', sent: true }])
    expect(upstream).toContain('abort')
  })

  it('that stops in the middle for half a minute has failed', async () => {
    const { answer, tick, tell, said } = await granted()
    await answer(text('Hi'))
    tell(ack(0), 29_000)
    tick(29_900)
    expect(kinds(await said())).toEqual(['head', 'frame', 'hb'])
    tell(ack(0), 31_000)
    tick(31_000)
    expect(await said()).toMatchObject([{ t: 'fail', phase: 'stream', code: 'timeout', seq: 1 }])
  })

  it('has no longer than the request', async () => {
    const { tell, answer, tick, said } = await begin()
    tell({ t: 'grant', window: 1_000, ttl_ms: 2_000 })
    await answer(text('Hi'))
    tick(1_999)
    await said()
    tick(2_000)
    expect(await said()).toMatchObject([{ t: 'fail', phase: 'limit', status: 504, code: 'timeout' }])
  })
})

describe('when the worker ends', () => {
  it('an answer that is not complete says so', async () => {
    const { attempt, answer, said, reports, at, upstream } = await granted()
    await answer(text('Hi'))
    await said()
    attempt.abandon(at(5))
    expect(await said()).toMatchObject([{ t: 'fail', phase: 'stream', code: 'truncated', seq: 1 }])
    expect(reports).toMatchObject([{ result: 'failed(stream)', sent: true }])
    expect(upstream).toContain('abort')
  })

  it('an offer is given up without a call', async () => {
    const { attempt, reports, at } = await begin()
    attempt.abandon(at(5))
    expect(reports).toMatchObject([{ result: 'expired', sent: false }])
  })
})
