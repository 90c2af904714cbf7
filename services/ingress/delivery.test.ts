import { once } from 'node:events'
import process from 'node:process'
import { describe, expect, it } from 'vitest'
import { utf8 } from '#contracts/bytes.ts'
import { FreewayError } from '#contracts/failure.ts'
import { openaiEnvelope } from '#contracts/wire/envelope.ts'
import { head } from '#test/support/head.ts'
import * as deliveries from './delivery.ts'
import { type Delivery, MAX_UNSENT_BYTES } from './delivery.ts'
import { chatAnswer } from './formats/chat-completions.ts'

const headers = { 'x-request-id': 'r1' }
const error = new FreewayError('provider_error', 'it failed')
const envelope = { error: { message: 'it failed', type: 'provider_error', code: 'provider_error', param: null } }

const noLeave = (): void => {
  throw new Error('nobody has left')
}
const streamed = (startedMs: number, onLeave: () => void) => deliveries.streamed(chatAnswer.stream(), openaiEnvelope, startedMs, onLeave)
const collected = () => deliveries.collected(chatAnswer, openaiEnvelope)
const stream = (onLeave = noLeave) => streamed(performance.now(), onLeave)
/** So many milliseconds from now. */
const tick = (delivery: Delivery, afterMs: number) => delivery.tick(performance.now() + afterMs, () => headers)

describe('an answer that is streamed', () => {
  it('has no status before its head; then the client sees every byte as it came, and the end', async () => {
    const delivery = stream()
    expect(await Promise.race([delivery.response, Promise.resolve('nothing yet')])).toBe('nothing yet')
    delivery.open(head, 1, () => headers)
    const response = await delivery.response
    expect(response.status).toBe(200)
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
      'x-request-id': 'r1',
    })
    expect(delivery.delivered).toBe(false)
    delivery.write(utf8('data: 1\n\n'))
    expect(delivery.delivered).toBe(true)
    delivery.write(utf8('data: 2\n\n'))
    delivery.end(() => headers)
    expect(await response.text()).toBe('data: 1\n\ndata: 2\n\ndata: [DONE]\n\n')
  })

  it('that fails before anything was sent is a plain error', async () => {
    const delivery = stream()
    delivery.fail(error, headers)
    const response = await delivery.response
    expect([response.status, response.headers.get('x-request-id')]).toEqual([502, 'r1'])
    expect(await response.json()).toEqual(envelope)
  })

  it.each([
    ['after its first byte', true],
    ['after its head', false],
  ])('that fails %s says so in the stream, and ends it', async (_, written) => {
    const delivery = stream()
    delivery.open(head, 1, () => headers)
    if (written) delivery.write(utf8('data: 1\n\n'))
    delivery.fail(error, headers)
    const response = await delivery.response
    expect(response.status).toBe(200)
    expect(await response.text()).toBe(`${written ? 'data: 1\n\n' : ''}data: ${JSON.stringify(envelope)}\n\ndata: [DONE]\n\n`)
  })

  it('says nothing after its end, whatever is told', async () => {
    const delivery = stream()
    delivery.open(head, 1, () => headers)
    delivery.end(() => headers)
    delivery.write(utf8('data: late\n\n'))
    delivery.fail(error, headers)
    delivery.end(() => headers)
    delivery.drop()
    tick(delivery, 1_000_000)
    expect(await (await delivery.response).text()).toBe('data: [DONE]\n\n')
  })

  it('holds its status for ten seconds, then keeps the client on the line with a comment that is no event', async () => {
    const delivery = stream()
    tick(delivery, 9_900)
    expect(await Promise.race([delivery.response, Promise.resolve('nothing yet')])).toBe('nothing yet')
    tick(delivery, 10_000)
    const response = await delivery.response
    const reader = response.body?.getReader() as ReadableStreamDefaultReader<Uint8Array>
    const read = async () => new TextDecoder().decode((await reader.read()).value)
    expect([response.status, await read()]).toEqual([200, ': ping\n'])
    expect(delivery.delivered).toBe(false)

    tick(delivery, 19_900)
    tick(delivery, 20_000)
    expect(await read()).toBe(': ping\n')
    delivery.fail(error, headers)
    expect(await read()).toBe(`data: ${JSON.stringify(envelope)}\n\ndata: [DONE]\n\n`)
    await reader.cancel()
  })

  it('keeps the client on the line while the provider falls silent in the middle', async () => {
    const delivery = streamed(performance.now() - 60_000, noLeave)
    delivery.open(head, 1, () => headers)
    delivery.write(utf8('data: 1\n\n'))
    const reader = (await delivery.response).body?.getReader() as ReadableStreamDefaultReader<Uint8Array>
    const read = async () => new TextDecoder().decode((await reader.read()).value)
    expect(await read()).toBe('data: 1\n\n')
    tick(delivery, 9_900)
    expect(delivery.unsentBytes).toBe(0)
    tick(delivery, 10_001)
    delivery.write(utf8('data: 2\n\n'))
    expect([await read(), await read()]).toEqual([': ping\n', 'data: 2\n\n'])
    delivery.end(() => headers)
  })

  it('gives a client that takes nothing nothing more: it is to be seen as stalled', async () => {
    const delivery = stream()
    delivery.open(head, 1, () => headers)
    delivery.write(utf8('data: 1\n\n'))
    const { unsentBytes } = delivery
    expect(unsentBytes).toBeGreaterThan(0)
    for (let afterMs = 10_000; afterMs <= 60_000; afterMs += 10_000) tick(delivery, afterMs)
    expect(delivery.unsentBytes).toBe(unsentBytes)
    delivery.drop()
  })

  it('knows how much the client has not taken', async () => {
    const delivery = stream()
    expect(delivery.unsentBytes).toBe(0)
    delivery.open(head, 1, () => headers)
    expect(delivery.unsentBytes).toBe(0)
    delivery.write(new Uint8Array(MAX_UNSENT_BYTES))
    delivery.write(new Uint8Array(1_000))
    expect(delivery.unsentBytes).toBe(MAX_UNSENT_BYTES + 1_000)
    const reader = (await delivery.response).body?.getReader()
    await reader?.read()
    expect(delivery.unsentBytes).toBe(1_000)
    delivery.end(() => headers)
    expect(delivery.unsentBytes).toBe(0)
  })

  it('ends when the client leaves, who is reported once', async () => {
    let left = 0
    const delivery = stream(() => void left++)
    delivery.open(head, 1, () => headers)
    const { body } = await delivery.response
    await body?.cancel()
    expect(left).toBe(1)
    expect(delivery.write(utf8('late'))).toBe(true)
    delivery.end(() => headers)
    expect(left).toBe(1)
  })

  it('that is dropped breaks off; before it has begun it is an answer that nobody reads', async () => {
    const delivery = stream()
    delivery.open(head, 1, () => headers)
    delivery.drop()
    await expect((await delivery.response).text()).rejects.toThrow('client stalled')
    const early = stream()
    early.drop()
    expect((await early.response).status).toBe(499)
  })
})

describe('an answer that is collected', () => {
  const whole = { ...head, framing: 'bytes', type: 'application/json' } as const

  it('is sent when all of it is there', async () => {
    const delivery = collected()
    delivery.open(whole, 1, () => ({}))
    delivery.write(utf8('{"a":'))
    delivery.write(utf8('1}'))
    expect(delivery.delivered).toBe(false)
    expect(await Promise.race([delivery.response, Promise.resolve('nothing yet')])).toBe('nothing yet')
    delivery.end(() => headers)
    const response = await delivery.response
    expect([response.status, response.headers.get('content-type'), response.headers.get('x-request-id')]).toEqual([
      200,
      'application/json',
      'r1',
    ])
    expect(await response.json()).toEqual({ a: 1 })
  })

  it('begins anew with another provider: nothing of the first is left', async () => {
    const delivery = collected()
    delivery.open(whole, 1, () => ({}))
    delivery.write(utf8('half of an ans'))
    delivery.open({ ...whole, type: 'text/plain' }, 1, () => ({}))
    delivery.write(utf8('whole'))
    delivery.end(() => ({}))
    const response = await delivery.response
    expect([response.headers.get('content-type'), await response.text()]).toEqual(['text/plain', 'whole'])
  })

  it('is a plain error if it fails, however late', async () => {
    const delivery = collected()
    delivery.open(whole, 1, () => ({}))
    delivery.write(utf8('{"a":'))
    delivery.fail(error, headers)
    delivery.end(() => headers)
    const response = await delivery.response
    expect(response.status).toBe(502)
    expect(await response.json()).toEqual(envelope)
  })

  it.each([
    ['at once', false],
    ['late', true],
  ])('that our own code cannot say, as it turns out %s, is an error, and its cause is told to the operator', async (_, late) => {
    const cause = new TypeError('a fault of ours')
    const whole = () => {
      if (late) return Promise.reject(cause)
      throw cause
    }
    const delivery = deliveries.collected({ ...chatAnswer, whole }, openaiEnvelope)
    const warned = once(process, 'warning')
    delivery.end(() => headers)
    expect((await delivery.response).status).toBe(500)
    expect(await warned).toEqual([cause])
  })

  it('may be 32 MB long and no longer; another attempt begins at nothing', () => {
    const delivery = collected()
    delivery.open(whole, 1, () => ({}))
    const part = new Uint8Array(16 * 1024 * 1024)
    expect([delivery.write(part), delivery.write(part), delivery.write(new Uint8Array(1))]).toEqual([true, true, false])
    delivery.open(whole, 1, () => ({}))
    expect(delivery.write(part)).toBe(true)
  })

  it('never has a status before its end, and none to be read once the client is gone', async () => {
    const delivery = collected()
    tick(delivery, 1_000_000)
    delivery.drop()
    expect((await delivery.response).status).toBe(499)
  })
})
