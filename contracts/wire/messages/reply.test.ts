import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { namedEvents } from '#test/support/named-events.ts'
import type { Chunk } from '../../chunk.ts'
import { createStreamReader as createChatReader, createStreamWriter as createChatWriter } from '../chat-completions/reply.ts'
import { SseReader } from '../sse.ts'
import type { AnswerOptions } from './events.ts'
import { createStreamReader, readReply } from './read-reply.ts'
import { createStreamWriter, FailedReply, writeReply } from './reply.ts'

type Event = Record<string, unknown> & { type: string }

const usual: AnswerOptions = { id: 'r1', inputTokens: 10, stopSequences: [], prefill: '', thinking: true }
const start: Chunk = { t: 'start', id: 'chatcmpl-1', model: 'm', created: 1 }
const usage: Chunk = { t: 'usage', usage: { prompt_tokens: 12, completion_tokens: 3, total_tokens: 15 } }
const say = (text: string): Chunk => ({ t: 'text', choice: 0, text })
const think = (text: string): Chunk => ({ t: 'reasoning', choice: 0, text })
const call = (number: number, args: string, id?: string): Chunk => ({
  t: 'tool',
  choice: 0,
  call: number,
  arguments: args,
  ...(id && { id, name: 'f' }),
})
const finish = (reason: 'stop' | 'length' | 'tool_calls' | 'content_filter', more: object = {}): Chunk => ({
  t: 'finish',
  choice: 0,
  reason,
  ...more,
})
const end: Chunk = { t: 'end' }

function stream(chunks: Chunk[], options: Partial<AnswerOptions> = {}): Event[] {
  const writer = createStreamWriter({ ...usual, ...options })
  return namedEvents<Event>(chunks.map((chunk) => writer.write(chunk)).join(''))
}

const whole = (chunks: Chunk[], options: Partial<AnswerOptions> = {}) =>
  writeReply(chunks, { ...usual, ...options }) as { content: Event[]; stop_reason: string; stop_sequence: string | null; usage: object }

/** What is between the start of the message and its last delta, in short. */
const body = (events: Event[]) =>
  events.slice(1, -2).map(({ type, index, content_block, delta }) => {
    if (type === 'content_block_start') return `start ${index} ${(content_block as Event).type}`
    if (type === 'content_block_stop') return `stop ${index}`
    const { type: kind, ...said } = delta as Event
    return `${index} ${kind.replace('_delta', '')} ${Object.values(said)[0]}`
  })
const ending = (events: Event[]) => (events.at(-2) as Event).delta

describe('a stream', () => {
  it('14: has one start, one delta and one stop, also when the usage comes late', () => {
    const events = stream([start, say('hello'), finish('stop'), usage, usage, end, end])
    expect(events).toEqual([
      {
        type: 'message_start',
        message: {
          id: 'msg_r1',
          type: 'message',
          role: 'assistant',
          model: 'm',
          content: [],
          stop_reason: null,
          stop_sequence: null,
          usage: { input_tokens: 10, cache_creation_input_tokens: null, cache_read_input_tokens: null, output_tokens: 0 },
        },
      },
      { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
      { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'hello' } },
      { type: 'content_block_stop', index: 0 },
      {
        type: 'message_delta',
        delta: { stop_reason: 'end_turn', stop_sequence: null },
        usage: { input_tokens: 12, cache_creation_input_tokens: null, cache_read_input_tokens: null, output_tokens: 3 },
      },
      { type: 'message_stop' },
    ])
  })

  it('15: begins a call once, whatever its provider repeats', () => {
    const reader = createChatReader()
    const piece = (fields: object) =>
      reader.read({ id: 'x', choices: [{ index: 0, delta: { tool_calls: [{ index: 0, id: 'c0', function: fields }] } }] })
    const named = ['do_it', null, '', 123, 'do_it'].flatMap((name, at) => piece({ name, arguments: ['{"a"', ':', '1', '', '}'][at] }))
    const last = reader.read({ choices: [{ index: 0, delta: {}, finish_reason: 'tool_calls' }] })
    expect(body(stream([...named, ...last, end]))).toEqual([
      'start 0 tool_use',
      '0 input_json {"a"',
      '0 input_json :',
      '0 input_json 1',
      '0 input_json }',
      'stop 0',
    ])
    const nameless = createChatReader()
    const chunks = [
      { id: 'x', choices: [{ index: 0, delta: { tool_calls: [{ index: 0, id: 'c1', function: { name: null, arguments: '{}' } }] } }] },
      { choices: [{ index: 0, delta: {}, finish_reason: 'tool_calls' }] },
    ].flatMap((event) => nameless.read(event))
    expect(whole([...chunks, end]).content).toEqual([{ type: 'tool_use', id: 'toolu_fw_c1', name: 'tool_0', input: {} }])
  })

  test.each([
    ['17: tool_calls without a call', 'tool_calls', [say('hello.')], 'end_turn'],
    ['17: stop with a call', 'stop', [call(0, '{}', 'c')], 'tool_use'],
    ['length', 'length', [say('hel')], 'max_tokens'],
    ['length in the midst of a call', 'length', [call(0, '{"a', 'c')], 'max_tokens'],
    ['a filter', 'content_filter', [say('no')], 'refusal'],
  ] as const)('%s ends rightly', (_, reason, chunks, stop_reason) => {
    expect(ending(stream([start, ...chunks, finish(reason), end]))).toEqual({ stop_reason, stop_sequence: null })
  })

  test.each(['pause_turn', 'refusal', 'model_context_window_exceeded'])('ends with its provider’s own word: %s', (native) => {
    const answer = { type: 'message', content: [{ type: 'text', text: 'a' }], stop_reason: native }
    expect(ending(stream(readReply(answer, 1)))).toMatchObject({ stop_reason: native })
  })

  it('18: tells calls that interleave one after the other', () => {
    const chunks = [call(0, '{"a"', 'c0'), call(1, '{"b"', 'c1'), call(0, ':1}'), call(1, ':2}'), finish('tool_calls')]
    expect(body(stream([start, ...chunks, end]))).toEqual([
      'start 0 tool_use',
      '0 input_json {"a"',
      '0 input_json :1}',
      'stop 0',
      'start 1 tool_use',
      '1 input_json {"b"',
      '1 input_json :2}',
      'stop 1',
    ])
  })

  it('18: does not wait with a second call for the end of the answer', () => {
    const writer = createStreamWriter(usual)
    for (const chunk of [start, call(0, '{"a":1}', 'c0')]) writer.write(chunk)
    expect(namedEvents<Event>(writer.write(call(1, '{"b"', 'c1'))).map(({ type, index }) => [type, index])).toEqual([
      ['content_block_stop', 0],
      ['content_block_start', 1],
      ['content_block_delta', 1],
    ])
  })

  it('19: closes each block before the next, and gives later text a place of its own', () => {
    const chunks = [think('hm'), say('a'), call(0, '{}', 'c'), say('b'), say('c'), finish('stop')]
    expect(body(stream([start, ...chunks, end]))).toEqual([
      'start 0 thinking',
      '0 thinking hm',
      'stop 0',
      'start 1 text',
      '1 text a',
      'stop 1',
      'start 2 tool_use',
      '2 input_json {}',
      'stop 2',
      'start 3 text',
      '3 text b',
      '3 text c',
      'stop 3',
    ])
  })

  it('19: lets no text in between the arguments of a call', () => {
    const chunks = [call(0, '{"a"', 'c'), say('meanwhile'), call(0, ':1}'), finish('tool_calls')]
    expect(whole([start, ...chunks, end]).content).toEqual([
      { type: 'tool_use', id: 'toolu_fw_c', name: 'f', input: { a: 1 } },
      { type: 'text', text: 'meanwhile' },
    ])
  })

  test.each([
    ['nothing', [''], {}],
    ['white space', [' ', '\n'], {}],
    ['null', ['null'], {}],
    ['the same twice', ['{"a":1}', '{"a":1}'], { a: 1 }],
    ['the same twice in one piece', ['{"a":"}"}{"a":"}"}'], { a: '}' }],
    ['blanks around', [' {"a":', '1} \n'], { a: 1 }],
  ])('22: arguments that are %s are an object', (_, pieces, input) => {
    const chunks = [start, call(0, '', 'c'), ...pieces.map((piece) => call(0, piece)), finish('tool_calls'), end]
    expect(whole(chunks).content[0]?.input).toEqual(input)
    const json = stream(chunks).flatMap(({ delta }) => (delta as Event | undefined)?.partial_json ?? [])
    expect(json.length === 0 ? {} : JSON.parse(json.join(''))).toEqual(input)
  })

  test.each([
    ['two objects', ['{"a":1}{"a":2}']],
    ['no object', ['[1]']],
    ['a half', ['{"a":']],
    ['no JSON, though its braces match', ["{city: 'Paris'}"]],
  ])('22: arguments that are %s are a failure, not something to guess at', (_, pieces) => {
    const chunks = [start, call(0, '', 'c'), ...pieces.map((piece) => call(0, piece)), finish('tool_calls'), end]
    expect(stream(chunks).at(-1)).toMatchObject({ type: 'error', error: { type: 'api_error' } })
    expect(() => whole(chunks)).toThrow(FailedReply)
  })

  it('says nothing after a failure', () => {
    const events = stream([start, say('a'), { t: 'failure', message: 'broken', type: 'x', code: 'x' }, say('b'), end])
    expect(events.at(-1)).toEqual({ type: 'error', error: { type: 'api_error', message: 'broken' } })
  })

  it('tells thoughts with their signature, and only to those who want them', () => {
    const chunks: Chunk[] = [
      start,
      think('one'),
      { t: 'reasoning', choice: 0, text: '', signature: 's1' },
      { t: 'reasoning', choice: 0, text: '', redacted: 'xx' },
      think('two'),
      say('a.'),
      finish('stop'),
      end,
    ]
    expect(whole(chunks).content).toEqual([
      { type: 'thinking', thinking: 'one', signature: 's1' },
      { type: 'redacted_thinking', data: 'xx' },
      { type: 'thinking', thinking: 'two', signature: '' },
      { type: 'text', text: 'a.' },
    ])
    expect(whole(chunks, { thinking: false }).content).toEqual([{ type: 'text', text: 'a.' }])
    expect(body(stream(chunks)).slice(0, 4)).toEqual(['start 0 thinking', '0 thinking one', '0 signature s1', 'stop 0'])
  })

  it('has one answer, whatever the number of choices', () => {
    expect(whole([start, say('a.'), { t: 'text', choice: 1, text: 'b' }, finish('stop'), end]).content).toEqual([
      { type: 'text', text: 'a.' },
    ])
  })

  it('counts what came from a cache apart, and says nothing of a cache that nobody told of', () => {
    const told = (prompt_tokens_details?: object): Chunk => ({
      t: 'usage',
      usage: { prompt_tokens: 22_044, completion_tokens: 5, total_tokens: 22_049, ...(prompt_tokens_details && { prompt_tokens_details }) },
    })
    expect(whole([start, say('a'), told({ cached_tokens: 22_000, cache_write_tokens: 31 }), end]).usage).toEqual({
      input_tokens: 13,
      cache_creation_input_tokens: 31,
      cache_read_input_tokens: 22_000,
      output_tokens: 5,
    })
    expect(whole([start, say('a'), told(), end]).usage).toMatchObject({ input_tokens: 22_044, cache_read_input_tokens: null })
  })
})

describe('a stop sequence', () => {
  const stopSequences = ['beta', 'STOP']
  test.each([
    ['that the provider names', [say('alpha')], { stop: 'STOP' }, 'alpha', 'STOP'],
    ['at which the provider cut', [say('alpha ')], {}, 'alpha ', 'beta'],
    ['that the provider let through', [say('alpha be'), say('ta gamma')], {}, 'alpha ', 'beta'],
    ['of which only the beginning came', [say('alpha. S'), say('TO.')], {}, 'alpha. STO.', null],
    ['that never came', [say('It is done.')], {}, 'It is done.', null],
    ['that is none of the client’s', [say('It is done.')], { stop: '</s>' }, 'It is done.', null],
    ['that the provider knows not to have come', [say('forty two')], { stop: null }, 'forty two', null],
    ['that came all the same', [say('forty beta')], { stop: null }, 'forty ', 'beta'],
  ])('%s', (_, chunks, more, text, stop_sequence) => {
    const message = whole([start, ...chunks, finish('stop', more), end], { stopSequences })
    expect(message.content).toEqual([{ type: 'text', text }])
    expect(message).toMatchObject({ stop_reason: stop_sequence === null ? 'end_turn' : 'stop_sequence', stop_sequence })
  })

  it('is no reason where a provider of Messages says that the answer is at its end', () => {
    const answer = { type: 'message', content: [{ type: 'text', text: 'forty two' }], stop_reason: 'end_turn', stop_sequence: null }
    expect(whole(readReply(answer, 1), { stopSequences })).toMatchObject({ stop_reason: 'end_turn', stop_sequence: null })
  })

  it('is no reason where the answer was too long, or is a call', () => {
    expect(whole([start, say('alpha '), finish('length'), end], { stopSequences }).stop_reason).toBe('max_tokens')
    expect(whole([start, say('alpha '), call(0, '{}', 'c'), finish('tool_calls'), end], { stopSequences }).stop_reason).toBe('tool_use')
  })
})

describe('a prefill', () => {
  test.each([
    ['is continued', [' is 42.'], ' is 42.'],
    ['is not said twice', ['The ans', 'wer is 42.'], ' is 42.'],
    ['that only seems to come again stays', ['The ant', ' is red.'], 'The ant is red.'],
    ['that the answer begins with and ends stays', ['The'], 'The'],
  ])('%s', (_, pieces, text) => {
    expect(whole([start, ...pieces.map(say), finish('stop'), end], { prefill: 'The answer' }).content).toEqual([{ type: 'text', text }])
  })
})

describe('an answer of a provider that speaks Messages', () => {
  const message = {
    id: 'msg_1',
    type: 'message',
    role: 'assistant',
    model: 'claude',
    content: [
      { type: 'thinking', thinking: 'hm', signature: 's' },
      { type: 'redacted_thinking', data: 'xx' },
      { type: 'text', text: 'Let me see.', citations: [{ type: 'char_location', cited_text: 'a' }] },
      { type: 'server_tool_use', id: 'srvtoolu_1', name: 'web_search', input: { query: 'q' } },
      { type: 'web_search_tool_result', tool_use_id: 'srvtoolu_1', content: [] },
      { type: 'tool_use', id: 'toolu_1', name: 'f', input: { a: 1 } },
      { type: 'tool_use', id: 'toolu_2', name: 'g', input: {} },
    ],
    stop_reason: 'tool_use',
    stop_sequence: null,
    usage: { input_tokens: 13, cache_creation_input_tokens: 31, cache_read_input_tokens: 22_000, output_tokens: 5 },
  }

  it('comes out as it went in', () => {
    expect(writeReply(readReply(message, 1), usual)).toEqual(message)
  })

  it('34: has all its calls for a chat client, and its usage as one sum', () => {
    const chunks = readReply(message, 1)
    expect(chunks.filter(({ t }) => t === 'tool')).toEqual([
      { t: 'tool', choice: 0, call: 0, id: 'toolu_1', name: 'f', arguments: '{"a":1}' },
      { t: 'tool', choice: 0, call: 1, id: 'toolu_2', name: 'g', arguments: '' },
      { t: 'tool', choice: 0, call: 1, arguments: '{}' },
    ])
    expect(chunks.find(({ t }) => t === 'usage')).toMatchObject({
      usage: { prompt_tokens: 22_044, completion_tokens: 5, prompt_tokens_details: { cached_tokens: 22_000, cache_write_tokens: 31 } },
    })
  })

  it('survives the way through the events that workers send', () => {
    const writer = createChatWriter({ includeUsage: true })
    const reader = createChatReader()
    const events: Chunk[] = []
    const sse = new SseReader(({ data }) => data !== '[DONE]' && events.push(...reader.read(JSON.parse(data))))
    for (const chunk of readReply(message, 1)) sse.push(new TextEncoder().encode(writer.write(chunk)))
    expect(writeReply([...events, end], usual)).toEqual(message)
  })

  it('that is an error, or no message, is a failure', () => {
    expect(readReply({ type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } }, 1)).toEqual([
      { t: 'failure', message: 'Overloaded', type: 'overloaded_error', code: 'overloaded_error' },
    ])
    expect(readReply('<html>', 1)[0]?.t).toBe('failure')
  })

  it('streamed is the same, wherever its bytes are cut', () => {
    const text = createText(readReply(message, 1))
    const bytes = new TextEncoder().encode(text)
    const read = (cuts: number[]) => {
      const reader = createStreamReader(1)
      const chunks: Chunk[] = []
      const sse = new SseReader(({ data }) => chunks.push(...reader.read(JSON.parse(data))))
      let from = 0
      for (const cut of [...cuts, bytes.length]) {
        sse.push(bytes.subarray(from, cut))
        from = cut
      }
      return chunks
    }
    const expected = read([])
    expect(writeReply(expected, usual)).toEqual(message)
    for (let at = 1; at < bytes.length; at++) expect(read([at])).toEqual(expected)
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: bytes.length }), { maxLength: 20 }), (cuts) => {
        expect(read(cuts.sort((a, b) => a - b))).toEqual(expected)
      }),
      { numRuns: 50 },
    )
  })

  function createText(chunks: Chunk[]): string {
    const writer = createStreamWriter(usual)
    return chunks.map((chunk) => writer.write(chunk)).join('')
  }
})

it('a stream is well-formed, whatever comes in', () => {
  const chunk = fc.oneof(
    fc.string().map(say),
    fc.string().map(think),
    fc.tuple(fc.nat(2), fc.string()).map(([number, args]) => call(number, args, `c${number}`)),
    fc.constantFrom<Chunk>(usage, finish('stop'), finish('length'), { t: 'refusal', choice: 0, text: 'no' }),
  )
  fc.assert(
    fc.property(
      fc.array(chunk, { maxLength: 20 }),
      fc.array(fc.string(), { maxLength: 2 }),
      fc.string(),
      (chunks, stopSequences, prefill) => {
        const events = stream([start, ...chunks, end], { stopSequences: stopSequences.filter(Boolean), prefill })
        let open: unknown
        let next = 0
        for (const { type, index } of events) {
          if (type === 'content_block_start') {
            expect([open, index]).toEqual([undefined, next++])
            open = index
          } else if (type === 'content_block_delta') expect(index).toBe(open)
          else if (type === 'content_block_stop') {
            expect(index).toBe(open)
            open = undefined
          }
        }
        const types = events.map(({ type }) => type)
        expect(types[0]).toBe('message_start')
        if (types.at(-1) === 'error') {
          expect(types).not.toContain('message_delta')
          return
        }
        expect(open).toBeUndefined()
        expect(types.slice(-2)).toEqual(['message_delta', 'message_stop'])
        expect(types.filter((type) => /^message_/.test(type))).toHaveLength(3)
      },
    ),
    { numRuns: 300 },
  )
})
