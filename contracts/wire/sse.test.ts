import { createParser } from 'eventsource-parser'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type SseEvent, SseReader, SseTooLong, writeSse, writeSseBytes } from './sse.ts'

const encoder = new TextEncoder()
const decoder = new TextDecoder()

function read(reads: Uint8Array[], maxEventBytes?: number): { events: SseEvent[]; pending: boolean } {
  const events: SseEvent[] = []
  const reader = new SseReader((event) => events.push(event), maxEventBytes === undefined ? {} : { maxEventBytes })
  for (const bytes of reads) {
    const own = bytes.slice()
    reader.push(own)
  }
  reader.end()
  return { events, pending: reader.pending }
}

const meaning = (events: { data: string; event?: string | undefined }[]) => events.map(({ data, event }) => ({ data, event }))
const oneRead = (text: string) => read([encoder.encode(text)])

function split(bytes: Uint8Array, cuts: number[]): Uint8Array[] {
  const places = [0, ...cuts.map((cut) => Math.min(cut, bytes.length)).sort((a, b) => a - b), bytes.length]
  return places.slice(1).map((to, i) => bytes.subarray(places[i], to))
}

/** What the reference parser makes of the text; it is fed whole, so that only our own splitting is under test. */
function reference(text: string) {
  const events: { data: string; event: string | undefined }[] = []
  const parser = createParser({ onEvent: ({ data, event }) => events.push({ data, event }) })
  parser.feed(text)
  return events
}

describe('reading events', () => {
  test.each([
    ['LF', 'data: a\n\ndata: b\n\n'],
    ['CRLF', 'data: a\r\n\r\ndata: b\r\n\r\n'],
    ['CR', 'data: a\r\rdata: b\r\r'],
    ['mixed line ends', 'data: a\r\n\ndata: b\n\r'],
    ['no blank after the colon', 'data:a\n\ndata:b\n\n'],
    ['comments', ': hi\n\ndata: a\n: in between\n\n:\n\ndata: b\n\n'],
    ['a byte order mark', '\uFEFFdata: a\n\ndata: b\n\n'],
    ['events without data', 'event: ping\n\ndata: a\n\nid: 7\n\ndata: b\n\n'],
    ['an unfinished last event', 'data: a\n\ndata: b\n\ndata: c\n'],
  ])('%s', (_, text) => {
    expect(oneRead(text).events.map((event) => event.data)).toEqual(['a', 'b'])
  })

  test('data lines are joined by line feeds, and the event name is told', () => {
    expect(meaning(oneRead('event: error\ndata: a\ndata\ndata:  b\n\n').events)).toEqual([{ data: 'a\n\n b', event: 'error' }])
  })

  test('a plain event carries its own bytes', () => {
    const { events } = read([encoder.encode('data: "é"\n\n: ping\n\ndata: b\n\n')])
    expect(events.map((event) => event.plain)).toEqual([true, true])
    expect(events.map((event) => decoder.decode(event.raw))).toEqual(['data: "é"\n\n', 'data: b\n\n'])
  })

  test.each(['data:a\n\n', 'data: a\r\n\r\n', 'event: x\ndata: a\n\n', 'data: a\ndata: b\n\n', 'data: a\nid: 1\n\n'])(
    '%j is not plain',
    (text) => {
      expect(oneRead(text).events[0]?.plain).toBe(false)
    },
  )

  test('events handed out keep their bytes when reading goes on', () => {
    const { events } = read(split(encoder.encode('data: one\n\ndata: two\n\ndata: three\n\n'), [5, 13, 20, 28]))
    expect(events.map((event) => decoder.decode(event.raw))).toEqual(['data: one\n\n', 'data: two\n\n', 'data: three\n\n'])
  })

  test('a cut stream is told from a whole one', () => {
    expect(oneRead('data: a\n\n').pending).toBe(false)
    expect(oneRead('data: a\n').pending).toBe(true)
    expect(oneRead('data: a\n\nda').pending).toBe(true)
  })

  test('an event over the limit throws, whether it comes whole, in pieces or never ends', () => {
    const long = encoder.encode(`data: ${'x'.repeat(100)}\n\n`)
    expect(() => read([long], 100)).toThrow(SseTooLong)
    expect(() =>
      read(
        [...long].map((byte) => Uint8Array.of(byte)),
        100,
      ),
    ).toThrow(SseTooLong)
    expect(() => read([long.subarray(0, 101)], 100)).toThrow(SseTooLong)
    expect(read([long], long.length).events).toHaveLength(1)
  })

  test('many short events are no long one', () => {
    const many = encoder.encode(`: ping\n${'data: x\n\n'.repeat(1000)}`)
    expect(read([many, many], 100).events).toHaveLength(2000)
  })
})

const line = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('data: {"a":1}', 'data:x', 'data: grüße 👋', 'data', 'data:', 'data:  two') },
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      ': comment',
      ':',
      'event: error',
      'event:',
      'event',
      'id: 1',
      'unknown: x',
      '\uFEFFdata: x',
      'dat',
      'data : x',
    ),
  },
  { weight: 5, arbitrary: fc.constant('') },
  { weight: 1, arbitrary: fc.string({ unit: 'grapheme' }).map((text) => text.replaceAll(/[\r\n]/g, '')) },
)
const lineEnds = [fc.constant('\n'), fc.constant('\r\n'), fc.constant('\r'), fc.constantFrom('\n', '\r\n', '\r')]
const stream = fc
  .tuple(fc.constantFrom('', '\uFEFF'), fc.integer({ min: 0, max: 3 }))
  .chain(([mark, ends]) =>
    fc
      .array(fc.tuple(line, lineEnds[ends] as fc.Arbitrary<string>), { maxLength: 30 })
      .map((lines) => mark + lines.map((pair) => pair.join('')).join('')),
  )

describe('properties', () => {
  test('events are those of the reference parser, however the bytes are split', () => {
    fc.assert(
      fc.property(stream, fc.array(fc.nat(400), { maxLength: 12 }), (text, cuts) => {
        // The reference waits for what follows a last CR; the standard ends the line at once.
        const expected = reference(text.endsWith('\r') ? `${text}:` : text)
        const got = read(split(encoder.encode(text), cuts))
        expect(meaning(got.events)).toEqual(expected)
        for (const event of got.events) {
          if (event.plain) expect(decoder.decode(event.raw)).toBe(writeSse(event.data))
        }
      }),
      { numRuns: 3000 },
    )
  })

  test('byte by byte is the same as whole', () => {
    fc.assert(
      fc.property(stream, (text) => {
        const bytes = encoder.encode(text)
        expect(meaning(read([...bytes].map((byte) => Uint8Array.of(byte))).events)).toEqual(meaning(read([bytes]).events))
      }),
    )
  })

  test('what is written is read again, and no text breaks the framing', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme', minLength: 1 }),
        fc.option(fc.constantFrom('ping', 'error'), { nil: undefined }),
        (data, event) => {
          const { events } = read([writeSseBytes(data, event)])
          expect(meaning(events)).toEqual([{ data: data.replaceAll(/\r\n|\r/g, '\n'), event }])
        },
      ),
    )
  })
})
