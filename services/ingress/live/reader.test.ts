import { createParser, type EventSourceMessage } from 'eventsource-parser'
import { afterEach, expect, it } from 'vitest'
import type { LiveEvent } from '#contracts/live.ts'
import { openReader, type Reader } from './reader.ts'

const failed = (n: number, more: object = {}): LiveEvent => ({
  event: 'attempt_failed',
  at: 1,
  request: 'r',
  n,
  provider: 'alpha',
  model: 'm',
  result: 'rejected(429)',
  ...more,
})
let gone = 0
let reader: Reader
const open = () => {
  gone = 0
  reader = openReader(() => gone++)
  return reader.body.getReader()
}
afterEach(() => reader.close())

async function read(body: ReadableStreamDefaultReader<Uint8Array>, count: number): Promise<EventSourceMessage[]> {
  const events: EventSourceMessage[] = []
  const parser = createParser({ onEvent: (event) => event.event !== 'ping' && events.push(event) })
  while (events.length < count) {
    const { value, done } = await body.read()
    if (done) break
    parser.feed(new TextDecoder().decode(value))
  }
  return events
}

it.each([
  ['plain', 'm'],
  ['what looks like fields of an event', 'id: 1\nevent: x\n\ndata: forged'],
  ['every kind of line end', 'a\rb\nc\r\nd\u2028e'],
  ['nothing', ''],
])('an event is framed as it is, whatever its texts hold: %s', async (_, model) => {
  const body = open()
  reader.push(failed(1, { model }))
  const [event] = await read(body, 1)
  expect(event?.event).toBe('attempt_failed')
  expect(JSON.parse(event?.data ?? '')).toEqual({ at: 1, request: 'r', n: 1, provider: 'alpha', model, result: 'rejected(429)' })
})

it('a reader who does not read holds little: the oldest are left out, and counted', async () => {
  const body = open()
  for (let i = 0; i < 100_000; i++) reader.push(failed(i))
  const events = await read(body, 257)
  expect(events[0]?.event).toBe('skipped')
  expect(JSON.parse(events[0]?.data ?? '')).toMatchObject({ count: 100_000 - 256 })
  expect(events.slice(1).map(({ data }) => (JSON.parse(data) as { n: number }).n)).toEqual(
    Array.from({ length: 256 }, (_, i) => 99_744 + i),
  )
})

it('a reader who leaves is noticed, once, and fails nobody', async () => {
  const body = open()
  await body.read()
  const reading = body.read()
  await body.cancel()
  expect(await reading).toMatchObject({ done: true })
  reader.push(failed(1))
  reader.close()
  expect(gone).toBe(1)
})

it('an ingress that stops ends the feed cleanly', async () => {
  const body = open()
  await body.read()
  const reading = body.read()
  reader.close()
  expect(await reading).toEqual({ done: true, value: undefined })
  expect(gone).toBe(1)
})
