import { describe, expect, it } from 'vitest'
import { utf8 } from '#contracts/bytes.ts'
import { control, inbox } from '#contracts/subjects.ts'
import { openaiEnvelope } from '#contracts/wire/envelope.ts'
import { head } from '#test/support/head.ts'
import { acknowledge, newAttempt, onMessage } from './attempt.ts'
import type { Delivery } from './delivery.ts'
import { collected, MAX_UNSENT_BYTES, streamed } from './delivery.ts'
import { chatAnswer } from './formats/chat-completions.ts'
import { Intake } from './intake.ts'

const NOW = 10_000
const accept = { t: 'accept', w: 'w1', prov: 'groq', account: 'groq-1', model: 'm', billable: false } as const
const KB = 1024

/** An attempt whose answer has begun, a client that reads only when told to, and what the worker is told. */
async function begin(delivery: Delivery = streamed(chatAnswer.stream(), openaiEnvelope, NOW, () => {})) {
  const told: object[] = []
  const world = { overloaded: false, tell: (message: object) => void told.push(message) }
  const intake = new Intake(delivery, world)
  const attempt = newAttempt(1, inbox('i1', 'r1', 1), NOW)
  onMessage(attempt, accept, control('groq', 'w1', 'r1', 1), false, NOW)
  onMessage(attempt, head, undefined, false, NOW)
  delivery.open(head, 1, () => ({}))
  const reader = (await Promise.race([delivery.response, undefined]))?.body?.getReader()
  let seq = 0
  return {
    told,
    world,
    intake,
    attempt,
    delivery,
    send: (payload: Uint8Array | string, { continues = false, nowMs = NOW, as = seq++ } = {}) =>
      intake.take(attempt, { seq: as, continues, payload: typeof payload === 'string' ? utf8(payload) : payload }, nowMs),
    /** What the client reads next. */
    async read(): Promise<string> {
      if (!reader) throw new Error('nothing to read')
      return new TextDecoder().decode((await reader.read()).value)
    },
  }
}

describe('frames', () => {
  it('reach the client in order, each once', async () => {
    const { send, read, intake } = await begin()
    send('a', { as: 0 })
    send('b', { as: 1 })
    send('b', { as: 1 })
    send('c', { as: 2 })
    expect([await read(), await read(), await read()]).toEqual(['a', 'b', 'c'])
    expect(intake.bytes).toBe(3)
  })

  it('behind a gap wait until what is missing was sent again', async () => {
    const { send, read, told, delivery } = await begin()
    send('a', { as: 0 })
    send('c', { as: 2 })
    expect(told).toEqual([{ t: 'ack', s: 0, resend: true }])
    send('b', { as: 1 })
    send('c', { as: 2 })
    delivery.end(() => ({}))
    expect([await read(), await read(), await read(), await read()]).toEqual(['a', 'b', 'c', 'data: [DONE]\n\n'])
  })
})

describe('an event in several frames', () => {
  it('reaches the client whole', async () => {
    const { send, read, intake } = await begin()
    send('data: lo', { continues: true })
    send('n', { continues: true })
    expect(intake.bytes).toBe(0)
    send('g\n\n')
    send('data: next\n\n')
    expect([await read(), await read()]).toEqual(['data: long\n\n', 'data: next\n\n'])
    expect(intake.bytes).toBe(24)
  })

  it('is credited while it comes, so that it cannot stand still by its own length', async () => {
    const { send, told } = await begin()
    for (let i = 0; i < 4; i++) send(new Uint8Array(64 * KB), { continues: true })
    expect(told).toEqual([0, 1, 2, 3].map((s) => ({ t: 'ack', s })))
  })

  it('is refused when it is longer than 1 MB', async () => {
    const { send } = await begin()
    for (let i = 0; i < 16; i++) expect(send(new Uint8Array(64 * KB), { continues: true })).toBeUndefined()
    expect(send(new Uint8Array(1))).toMatchObject({ type: 'provider_error', message: 'one event of the provider is too long' })
  })

  it('is forgotten with its attempt', async () => {
    const { send, read, intake } = await begin()
    send('half an ev', { continues: true })
    intake.reset()
    send('data: whole\n\n')
    expect(await read()).toBe('data: whole\n\n')
    expect(intake.bytes).toBe(13)
  })
})

it('an answer that is too long to collect is refused', async () => {
  const { send } = await begin(collected(chatAnswer, openaiEnvelope))
  for (let i = 0; i < 512; i++) expect(send(new Uint8Array(64 * KB))).toBeUndefined()
  expect(send('x')).toMatchObject({ type: 'provider_error', message: 'the answer of the provider is too long' })
})

describe('credit', () => {
  it('is given after sixteen frames, or 64 KiB', async () => {
    const { send, told } = await begin()
    for (let i = 0; i < 15; i++) send('x')
    expect(told).toEqual([])
    send('x')
    expect(told).toEqual([{ t: 'ack', s: 15 }])
    send(new Uint8Array(64 * KB))
    expect(told[1]).toEqual({ t: 'ack', s: 16 })
  })

  it('is withheld while the client has 1 MB to take, and given when it takes some', async () => {
    const { send, told, intake, attempt, read, delivery } = await begin()
    for (let i = 0; i < 16; i++) send(new Uint8Array(64 * KB))
    expect(delivery.unsentBytes).toBe(MAX_UNSENT_BYTES)
    expect(told.at(-1)).toEqual({ t: 'ack', s: 14 })
    send(new Uint8Array(64 * KB))
    intake.tick(attempt, NOW)
    expect(told.at(-1)).toEqual({ t: 'ack', s: 14 })

    await read()
    await read()
    intake.tick(attempt, NOW)
    expect(told.at(-1)).toEqual({ t: 'ack', s: 16 })
    const { length } = told
    intake.tick(attempt, NOW)
    expect(told).toHaveLength(length)
  })

  it('is withheld while all responses together hold too much', async () => {
    const { send, told, world, intake, attempt } = await begin()
    world.overloaded = true
    for (let i = 0; i < 20; i++) send('x')
    expect(told).toEqual([])
    world.overloaded = false
    intake.tick(attempt, NOW)
    expect(told).toEqual([{ t: 'ack', s: 19 }])
  })

  it('is not given by a beat while it is withheld: that only says that we are here', async () => {
    const { send, told, world, intake, attempt } = await begin()
    send('x')
    intake.beat(attempt, NOW)
    expect(told).toEqual([{ t: 'ack', s: 0 }])
    world.overloaded = true
    for (let i = 0; i < 16; i++) send('x')
    intake.beat(attempt, NOW + 500)
    expect(told.at(-1)).toEqual({ t: 'ack', s: 0 })
    expect(attempt.lastAckMs).toBe(NOW + 500)
  })

  it('counts from the first frame of each attempt', async () => {
    const { intake, told, world, send, attempt } = await begin()
    world.overloaded = true
    for (let i = 0; i < 16; i++) send('x')
    world.overloaded = false
    intake.reset()
    acknowledge(attempt, NOW)
    intake.tick(attempt, NOW)
    expect(told).toEqual([])
  })
})

describe('a client', () => {
  it('that takes nothing for a minute has stalled', async () => {
    const { intake, send } = await begin()
    expect(intake.stalled(NOW)).toBe(false)
    send('x')
    expect(intake.stalled(NOW + 1)).toBe(false)
    expect(intake.stalled(NOW + 60_000)).toBe(false)
    expect(intake.stalled(NOW + 60_001)).toBe(true)
  })

  it('that takes a little has not', async () => {
    const { intake, send, read } = await begin()
    send('x')
    send('yz')
    intake.stalled(NOW)
    await read()
    expect(intake.stalled(NOW + 59_000)).toBe(false)
    expect(intake.stalled(NOW + 118_999)).toBe(false)
    expect(intake.stalled(NOW + 119_000)).toBe(true)
  })

  it('that has nothing to take is only waiting', async () => {
    const { intake } = await begin()
    expect(intake.stalled(NOW)).toBe(false)
    expect(intake.stalled(NOW + 1_000_000)).toBe(false)
  })
})
