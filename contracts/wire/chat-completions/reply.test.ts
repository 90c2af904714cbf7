import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Chunk } from '../../chunk.ts'
import { SseReader } from '../sse.ts'
import { createStreamReader, createStreamWriter, FailedReply, readReply, writeReply } from './reply.ts'

const start: Chunk = { t: 'start', id: 'chatcmpl-1', model: 'm', created: 1_790_000_000 }
const usage: Chunk = { t: 'usage', usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 } }
const weather: Chunk = { t: 'tool', choice: 0, call: 0, id: 'call_a', name: 'get_weather', arguments: '{"city":"Berlin"}' }

function readStream(reads: Uint8Array[]): Chunk[] {
  const chunks: Chunk[] = []
  const json = createStreamReader()
  const events = new SseReader(({ data }) => chunks.push(...(data === '[DONE]' ? [{ t: 'end' } as const] : json.read(JSON.parse(data)))))
  for (const bytes of reads) events.push(bytes)
  return chunks
}

function writeStream(chunks: Chunk[], includeUsage = true): string {
  const writer = createStreamWriter({ includeUsage })
  return chunks.map((chunk) => writer.write(chunk)).join('')
}

const events = (text: string) =>
  text
    .split('\n\n')
    .filter(Boolean)
    .map((event) => event.replace('data: ', ''))

// An answer as its chunks stand in a whole one: of each choice one piece of every kind, tool calls whole.
const said = fc.string({ unit: 'grapheme', minLength: 1 })
const words = fc.constantFrom('stop', 'length', 'content_filter')
const answer = fc.record({
  reasoning: fc.option(said),
  text: fc.option(said),
  refusal: fc.option(said),
  calls: fc.array(fc.tuple(said, said), { maxLength: 3 }),
  reason: words,
})
const whole = fc.tuple(fc.array(answer, { minLength: 1, maxLength: 3 }), fc.boolean(), fc.boolean()).map(([answers, counted, marked]) => {
  const chunks: Chunk[] = [marked ? { ...start, extra: { system_fingerprint: 'fp', service_tier: null } } : start] as Chunk[]
  for (const [choice, { reasoning, text, refusal, calls, reason }] of answers.entries()) {
    if (reasoning !== null) chunks.push({ t: 'reasoning', choice, text: reasoning })
    if (text !== null) chunks.push({ t: 'text', choice, text })
    if (refusal !== null) chunks.push({ t: 'refusal', choice, text: refusal })
    for (const [call, [name, args]] of calls.entries())
      chunks.push({ t: 'tool', choice, call, id: `call_${choice}_${call}`, name, arguments: args })
    chunks.push({ t: 'finish', choice, reason: calls.length > 0 && reason === 'stop' ? 'tool_calls' : (reason as 'stop') })
  }
  if (counted) chunks.push(usage)
  chunks.push({ t: 'end' })
  return chunks
})

describe('reading what was written gives the same chunks', () => {
  test('whole, where two calls could be taken for one', () => {
    const call = (number: number): Chunk => ({ t: 'tool', choice: 0, call: number, id: `c${number}`, name: 'f', arguments: '{"a"' })
    const chunks: Chunk[] = [start as Chunk, call(0), call(1), { t: 'finish', choice: 0, reason: 'length' }, { t: 'end' }]
    expect(readReply(JSON.parse(JSON.stringify(writeReply(chunks))))).toEqual(chunks)
  })

  test('whole', () => {
    fc.assert(
      fc.property(whole, (chunks) => {
        expect(readReply(JSON.parse(JSON.stringify(writeReply(chunks))))).toEqual(chunks)
      }),
    )
  })

  test('streamed, and cut anywhere', () => {
    fc.assert(
      fc.property(whole, fc.array(fc.nat(3000), { maxLength: 8 }), (chunks, cuts) => {
        const bytes = new TextEncoder().encode(writeStream(chunks))
        const places = [0, ...cuts.map((cut) => Math.min(cut, bytes.length)).sort((a, b) => a - b), bytes.length]
        expect(readStream(places.slice(1).map((to, i) => bytes.subarray(places[i], to)))).toEqual(chunks)
      }),
    )
  })

  test('streamed, and cut at every byte', () => {
    const chunks: Chunk[] = [
      start,
      { t: 'text', choice: 0, text: 'Grüße 👋' },
      weather,
      { t: 'finish', choice: 0, reason: 'tool_calls' },
      usage,
      { t: 'end' },
    ]
    const bytes = new TextEncoder().encode(writeStream(chunks))
    for (let cut = 0; cut <= bytes.length; cut++) expect(readStream([bytes.subarray(0, cut), bytes.subarray(cut)])).toEqual(chunks)
    expect(readStream([...bytes].map((byte) => Uint8Array.of(byte)))).toEqual(chunks)
  })

  test('a stream and the whole answer say the same', () => {
    fc.assert(
      fc.property(whole, (chunks) => {
        expect(writeReply(readStream([new TextEncoder().encode(writeStream(chunks))]))).toEqual(writeReply(chunks))
      }),
    )
  })
})

describe('a whole answer', () => {
  test('has all the keys that clients read', () => {
    expect(
      writeReply([start, { t: 'text', choice: 0, text: 'Hi' }, { t: 'finish', choice: 0, reason: 'stop' }, usage, { t: 'end' }]),
    ).toEqual({
      id: 'chatcmpl-1',
      object: 'chat.completion',
      created: 1_790_000_000,
      model: 'm',
      choices: [
        { index: 0, message: { role: 'assistant', content: 'Hi', refusal: null, annotations: [] }, logprobs: null, finish_reason: 'stop' },
      ],
      usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 },
    })
  })

  test('has null content beside tool calls that stand alone, and says tool_calls', () => {
    const reply = writeReply([
      start,
      weather,
      { t: 'tool', choice: 0, call: 0, arguments: '' },
      { t: 'finish', choice: 0, reason: 'stop' },
      { t: 'end' },
    ])
    expect(reply).toMatchObject({
      choices: [
        {
          message: {
            content: null,
            tool_calls: [{ id: 'call_a', type: 'function', function: { name: 'get_weather', arguments: '{"city":"Berlin"}' } }],
          },
          finish_reason: 'tool_calls',
        },
      ],
    })
  })

  test('joins pieces: text, arguments, log probabilities', () => {
    const chunks: Chunk[] = [
      start,
      { t: 'text', choice: 0, text: 'a', logprobs: { content: [{ token: 'a' }], refusal: null } },
      { t: 'text', choice: 0, text: 'b', logprobs: { content: [{ token: 'b' }], refusal: null } },
      { t: 'finish', choice: 0, reason: 'stop' },
    ]
    expect(writeReply(chunks)).toMatchObject({
      choices: [{ message: { content: 'ab' }, logprobs: { content: [{ token: 'a' }, { token: 'b' }], refusal: null } }],
    })
  })

  test('keeps what it does not know', () => {
    const message = {
      role: 'assistant',
      content: null,
      refusal: null,
      annotations: [{ type: 'url_citation' }],
      audio: { id: 'a', data: 'AA==' },
    }
    const json = {
      id: 'x',
      object: 'chat.completion',
      created: 1,
      model: 'm',
      choices: [{ index: 0, message, logprobs: null, finish_reason: 'stop' }],
      service_tier: 'default',
    }
    expect(writeReply(readReply(json))).toEqual(json)
  })

  test.each([
    [
      'an error object',
      { error: { message: 'no', type: 'rate_limit_error', code: 'x' } },
      { t: 'failure', message: 'no', type: 'rate_limit_error', code: 'x' },
    ],
    ['an error text', { error: 'no' }, { t: 'failure', message: 'no', type: 'provider_error', code: 'provider_error' }],
    ['no choices', { choices: [] }, { t: 'failure', message: 'the answer has no choices', type: 'provider_error', code: 'malformed' }],
    ['no object', null, { t: 'failure', message: 'the answer has no choices', type: 'provider_error', code: 'malformed' }],
  ])('%s is a failure', (_, json, failure) => {
    expect(readReply(json).at(-1)).toEqual(failure)
    expect(() => writeReply(readReply(json))).toThrow(FailedReply)
  })
})

test.each<[object, object]>([
  [{}, {}],
  [{ stop_reason: 'END' }, { stop: 'END' }],
  [{ stop_reason: null }, { stop: null }],
  [{ stop_reason: 128_001 }, { stop: null }],
  [{ matched_stop: 'END' }, { stop: 'END' }],
  [{ matched_stop: 2 }, { stop: null }],
])('of an answer that ended with %j it is known at which stop sequence', (told, known) => {
  const choices = [{ index: 0, message: { role: 'assistant', content: 'a' }, finish_reason: 'stop', ...told }]
  expect(readReply({ id: 'x', choices }).find(({ t }) => t === 'finish')).toEqual({ t: 'finish', choice: 0, reason: 'stop', ...known })
})

describe('a stream', () => {
  const chunks: Chunk[] = [start, { t: 'text', choice: 0, text: 'Hi' }, { t: 'finish', choice: 0, reason: 'stop' }, usage, { t: 'end' }]

  test('begins each choice with its role and ends with [DONE]', () => {
    const [role, text, finish, done, ...rest] = events(writeStream(chunks, false))
    expect(rest).toEqual([])
    expect(done).toBe('[DONE]')
    for (const event of [role, text, finish]) {
      expect(JSON.parse(event as string)).toMatchObject({
        id: 'chatcmpl-1',
        object: 'chat.completion.chunk',
        created: 1_790_000_000,
        model: 'm',
      })
      expect(event).not.toContain('usage')
    }
    expect(JSON.parse(role as string).choices).toEqual([
      { index: 0, delta: { role: 'assistant', content: '', refusal: null }, logprobs: null, finish_reason: null },
    ])
    expect(JSON.parse(text as string).choices[0].delta).toEqual({ content: 'Hi' })
    expect(JSON.parse(finish as string).choices).toEqual([{ index: 0, delta: {}, logprobs: null, finish_reason: 'stop' }])
  })

  test('tells usage once, last, if asked for', () => {
    const told = events(writeStream(chunks))
      .slice(0, -1)
      .map((event) => JSON.parse(event))
    expect(told.slice(0, -1).map((event) => event.usage)).toEqual([null, null, null])
    expect(told.at(-1)).toMatchObject({ choices: [], usage: { total_tokens: 5 } })
  })

  test('tells a failure in a frame of its own, then [DONE]', () => {
    expect(
      writeStream([start, { t: 'failure', message: 'provider temporarily unavailable', type: 'provider_error', code: 'provider_error' }]),
    ).toBe(
      'data: {"error":{"message":"provider temporarily unavailable","type":"provider_error","code":"provider_error","param":null}}\n\ndata: [DONE]\n\n',
    )
  })

  test('text cannot break the framing', () => {
    const text = 'data: [DONE]\n\nevent: error\ndata: {}\r\n\r\n'
    expect(readStream([new TextEncoder().encode(writeStream([start, { t: 'text', choice: 0, text }, { t: 'end' }]))])).toEqual([
      start,
      { t: 'text', choice: 0, text },
      { t: 'end' },
    ])
  })

  test('an answer that broke down by its finish reason is a failure', () => {
    const reader = createStreamReader()
    expect(reader.read({ choices: [{ index: 0, delta: {}, finish_reason: 'network_error' }] }).at(-1)).toMatchObject({
      t: 'failure',
      code: 'network_error',
    })
  })

  test('reasoning is read under both names, but once', () => {
    const reader = createStreamReader()
    expect(reader.read({ choices: [{ delta: { reasoning: 'a', reasoning_content: 'a' } }] })).toContainEqual({
      t: 'reasoning',
      choice: 0,
      text: 'a',
    })
    expect(reader.read({ choices: [{ delta: { reasoning: 'b' } }] })).toEqual([{ t: 'reasoning', choice: 0, text: 'b' }])
  })
})
