import { expect, it } from 'vitest'
import { readMessage } from './reading.ts'

const fact = { id: 'r.0.req.start.ingress', at: 1, name: 'req.start', request: 'r', model: null, stream: true }
const read = (text: string, id = 'message') => readMessage(id, new TextEncoder().encode(text))

it('a message is read fact by fact', () => {
  expect(read(JSON.stringify({ events: [fact] }))).toEqual({ events: [fact], fault: undefined })
})

it.each([
  ['no JSON', 'hello'],
  ['no object', '17'],
  ['null', 'null'],
  ['no events', '{}'],
  ['events that are no list', '{"events":{}}'],
])('%s is a fault and has no facts', (_, text) => {
  expect(read(text)).toEqual({ events: [], fault: { id: 'message', reason: expect.stringMatching(/./), text } })
})

it('a fact that nobody knows takes no other with it', () => {
  const bad = [{ name: 'of.tomorrow' }, { ...fact, at: null }]
  expect(read(JSON.stringify({ events: [bad[0], fact, bad[1]] }))).toMatchObject({
    events: [fact],
    // Only what could not be read, as a message that can be read again.
    fault: { reason: expect.stringContaining('name'), text: JSON.stringify({ events: bad }) },
  })
})

it('of a long message the beginning is kept', () => {
  expect(read('x'.repeat(600_000)).fault?.text).toHaveLength(512 * 1024)
})

it('a message without an id gets one that is the same each time', () => {
  const [first, again, other] = [read('a', ''), read('a', ''), read('b', '')].map(({ fault }) => fault?.id)
  expect(first).toMatch(/^[0-9a-f]{64}$/)
  expect(again).toBe(first)
  expect(other).not.toBe(first)
})
