import { createHash, randomBytes } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Backbone, Bus } from '#contracts/bus.ts'
import { writeBodyPart } from '#contracts/frame.ts'
import { encode, Message } from '#contracts/message.ts'
import { asAnswerInbox, blob, blobs } from '#contracts/subjects.ts'
import { BodyUnavailable, blobReference, fetchBlob, serveBlobs } from './blob.ts'
import { type Broker, openMemoryBroker } from './bus/memory.ts'

let broker: Broker
let ingress: Backbone
let worker: Backbone
beforeEach(async () => {
  broker = await openMemoryBroker()
  ingress = broker.connect('ingress')
  worker = broker.connect('worker')
})
afterEach(() => broker.close())

const KB = 1024
const body = randomBytes(2_300 * KB)
const from = blob('i1', 'r1')
const never = new AbortController().signal
const fetch = (n: number, reference = blobReference(body), signal = never) => fetchBlob(worker.bus, from, n, reference, signal)
/** The ingress hands out the body for attempt 2 alone. */
const serve = (bus = overWire()) => serveBlobs(bus, 'i1', (request, n) => (request === 'r1' && n === 2 ? body : undefined))
/** The ingress' bus if it were in another process: what it says travels as bytes. */
const overWire = (): Pick<Bus, 'publish' | 'subscribe'> => ({
  subscribe: (pattern, onMessage) => ingress.bus.subscribe(pattern, onMessage),
  publish: (to, data, options) => ingress.bus.publish(to, data instanceof Message ? data.encoded() : data, options),
})

describe('a large body', () => {
  it('is named by its size, its hash and its parts', () => {
    expect(blobReference(body)).toEqual({
      size: 2_300 * KB,
      sha256: createHash('sha256').update(body).digest('hex'),
      parts: 5,
      part_size: 512 * KB,
    })
  })

  it.each([1, 512 * KB, 512 * KB + 1, 2_300 * KB])('of %d bytes arrives whole, part by part', async (size) => {
    const all = body.subarray(0, size)
    serveBlobs(overWire(), 'i1', () => all)
    const arrived = await fetch(1, blobReference(all))
    expect(Buffer.from(arrived).equals(all)).toBe(true)
    expect(arrived.buffer).not.toBe(all.buffer)
  })

  it('is not copied within one process', async () => {
    serve(ingress.bus)
    expect(await fetch(2)).toBe(body)
    await expect(fetch(2, { ...blobReference(body), size: 2_301 * KB })).rejects.toThrow(BodyUnavailable)
    await expect(fetch(1)).rejects.toThrow(BodyUnavailable)
  })

  it('is handed out for the attempt that was granted, and for no other', async () => {
    serve()
    expect(Buffer.from(await fetch(2)).equals(body)).toBe(true)
    await expect(fetch(1)).rejects.toThrow(BodyUnavailable)
    await expect(fetchBlob(worker.bus, blob('i1', 'r2'), 2, blobReference(body), never)).rejects.toThrow(BodyUnavailable)
  })

  it('that is not the one that was promised is refused', async () => {
    serve()
    await expect(fetch(2, { ...blobReference(body), sha256: 'a'.repeat(64) })).rejects.toThrow('hash differs')
    await expect(fetch(2, blobReference(body.subarray(0, 600 * KB)))).rejects.toThrow('part of wrong size')
    await expect(fetch(2, { ...blobReference(body), parts: 6, size: 2_900 * KB })).rejects.toThrow(BodyUnavailable)
  })

  it('is not to be had where nobody has it', async () => {
    await expect(fetch(2)).rejects.toThrow('does not hand out its body')
  })

  it('is not waited for by somebody who has given up', async () => {
    // Listens, and never answers.
    ingress.bus.subscribe(blobs('i1'), () => aborter.abort(new Error('called off')))
    const aborter = new AbortController()
    await expect(fetch(2, blobReference(body), aborter.signal)).rejects.toThrow('called off')
  })

  it('is not taken from an answer to another question', async () => {
    ingress.bus.subscribe(blobs('i1'), ({ reply }) => {
      const to = asAnswerInbox(reply)
      if (to) ingress.bus.publish(to, writeBodyPart({ part: 4, parts: 5, payload: body.subarray(0, 512 * KB) }))
    })
    await expect(fetch(2, blobReference(body.subarray(0, 512 * KB)))).rejects.toThrow('does not hand out its body')
  })

  it('is asked for with four questions at once, each answered once', async () => {
    let open = 0
    let most = 0
    const asked: number[] = []
    ingress.bus.subscribe(blobs('i1'), ({ data, reply }) => {
      const { k } = JSON.parse(new TextDecoder().decode(data))
      asked.push(k)
      most = Math.max(most, ++open)
      setImmediate(() => {
        open--
        const to = asAnswerInbox(reply)
        const payload = body.subarray(k * 512 * KB, (k + 1) * 512 * KB)
        if (to) ingress.bus.publish(to, writeBodyPart({ part: k, parts: 5, payload }))
      })
    })
    await fetch(2)
    expect(asked.sort()).toEqual([0, 1, 2, 3, 4])
    expect(most).toBe(4)
  })
})

describe('the ingress answers', () => {
  const ask = (question: object | string) =>
    worker.bus.request(from, typeof question === 'string' ? new TextEncoder().encode(question) : encode(question), { timeoutMs: 50 })
  const said = async (question: object) => JSON.parse(new TextDecoder().decode((await ask(question)).data))

  it.each([
    ['another attempt', { t: 'part', n: 3, k: 0 }],
    ['a part behind the last', { t: 'part', n: 2, k: 5 }],
    ['a part without end', { t: 'part', n: 2, k: 2 ** 40 }],
  ])('that there is nothing: %s', async (_, question) => {
    serve()
    expect(await said(question)).toEqual({ t: 'fail', phase: 'body' })
  })

  it.each([
    ['no question', '{'],
    ['a part before the first', { t: 'part', n: 2, k: -1 }],
    ['half a part', { t: 'part', n: 2, k: 0.5 }],
  ])('nothing to %s', async (_, question) => {
    serve()
    await expect(ask(question)).rejects.toThrow()
  })
})
