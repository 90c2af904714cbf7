import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { namedEvents } from '#test/support/named-events.ts'
import type { Chunk } from '../../chunk.ts'
import { FreewayError } from '../../failure.ts'
import { writeCipher } from '../cipher.ts'
import { writeKept } from './kept.ts'
import { createStreamReader, itemsBeyondChat, readReply } from './read-reply.ts'
import { writeReply } from './reply.ts'
import type { Fields } from './shape.ts'
import { ResponseStream, type StreamOptions } from './stream.ts'
import type { ToolName } from './tools.ts'

type Event = Fields & { type: string; sequence_number: number; response?: Fields & { output: Fields[] } }

const names = new Map<string, ToolName>([
  ['mcp__t__add', { kind: 'function', name: 'add', namespace: 'mcp__t__' }],
  ['patch', { kind: 'custom', name: 'patch' }],
])
const options: StreamOptions = { id: 'resp_r1', createdAt: 5, request: { model: 'm' }, names, stored: true, now: () => 9 }
const start: Chunk = { t: 'start', id: 'chatcmpl-1', model: 'p/m', created: 1 }
const say = (text: string): Chunk => ({ t: 'text', choice: 0, text })
const think = (text: string): Chunk => ({ t: 'reasoning', choice: 0, text })
const refuse = (text: string): Chunk => ({ t: 'refusal', choice: 0, text })
const call = (number: number, args: string, name?: string): Chunk => ({
  t: 'tool',
  choice: 0,
  call: number,
  arguments: args,
  ...(name && { id: `call_${number}`, name }),
})
const finish = (reason: 'stop' | 'length' | 'tool_calls' | 'content_filter'): Chunk => ({ t: 'finish', choice: 0, reason })
const usage: Chunk = {
  t: 'usage',
  usage: {
    prompt_tokens: 12,
    completion_tokens: 3,
    total_tokens: 15,
    prompt_tokens_details: { cached_tokens: 4 },
    completion_tokens_details: { reasoning_tokens: 2 },
  },
}

function eventsIn(text: string): Event[] {
  const events = namedEvents<Event>(text)
  expect(events.map(({ sequence_number }) => sequence_number)).toEqual(events.map((_, index) => index))
  return events
}

function told(chunks: Chunk[], failure?: FreewayError): Event[] {
  const stream = new ResponseStream(options)
  let text = chunks.map((chunk) => stream.write(chunk)).join('')
  text += stream.close(failure !== undefined)
  if (failure) text += stream.fail(failure)
  else {
    stream.settle()
    text += stream.last()
  }
  return eventsIn(text)
}
/** Without the prefix; items are opened and closed one after the other. */
const typesOf = (events: Event[]) => events.map(({ type }) => type.replace(/^response\./, ''))
const outputOf = (events: Event[]) => events.at(-1)?.response?.output ?? []

const opening = ['created', 'in_progress']
const text = (deltas: number) => [
  'output_item.added',
  'content_part.added',
  ...Array(deltas).fill('output_text.delta'),
  'output_text.done',
  'content_part.done',
  'output_item.done',
]
const thought = [
  'output_item.added',
  'reasoning_summary_part.added',
  'reasoning_summary_text.delta',
  'reasoning_summary_text.done',
  'reasoning_summary_part.done',
  'output_item.done',
]
const called = (deltas: number) => [
  'output_item.added',
  ...Array(deltas).fill('function_call_arguments.delta'),
  'function_call_arguments.done',
  'output_item.done',
]
const custom = ['output_item.added', 'custom_tool_call_input.delta', 'custom_tool_call_input.done', 'output_item.done']
const refusal = ['output_item.added', 'content_part.added', 'refusal.delta', 'refusal.done', 'content_part.done', 'output_item.done']

describe('the events of a response', () => {
  it.each<[string, Chunk[], string[]]>([
    ['text', [start, say('a'), say('b'), finish('stop')], [...opening, ...text(2), 'completed']],
    ['a thought, then text', [start, think('a'), say('b'), finish('stop')], [...opening, ...thought, ...text(1), 'completed']],
    [
      'a call in pieces',
      [start, call(0, '', 'f'), call(0, '{"a"'), call(0, ':1}'), finish('tool_calls')],
      [...opening, ...called(2), 'completed'],
    ],
    [
      'a call before text (51)',
      [start, call(0, '{}', 'f'), say('a'), finish('tool_calls')],
      [...opening, ...called(1), ...text(1), 'completed'],
    ],
    [
      'text, a call, text',
      [start, say('a'), call(0, '{}', 'f'), say('b'), finish('tool_calls')],
      [...opening, ...text(1), ...called(1), ...text(1), 'completed'],
    ],
    [
      'free text for a tool (42)',
      [start, call(0, '{"inp', 'patch'), call(0, 'ut":"x"}'), finish('tool_calls')],
      [...opening, ...custom, 'completed'],
    ],
    ['a refusal', [start, refuse('No.'), finish('stop')], [...opening, ...refusal, 'completed']],
    [
      'calls that come in turns (18)',
      [start, call(0, '{"a"', 'f'), call(1, '{"b"', 'g'), call(0, ':1}'), call(1, ':2}'), finish('tool_calls')],
      [...opening, ...called(2), ...called(1), 'completed'],
    ],
    [
      'two calls one after the other',
      [start, call(0, '{}', 'f'), call(1, '{"b"', 'g'), call(1, ':2}'), finish('tool_calls')],
      [...opening, ...called(1), ...called(2), 'completed'],
    ],
    ['nothing at all', [start, finish('stop')], [...opening, 'completed']],
  ])('of %s come in this order', (_, chunks, expected) => {
    const events = told([...chunks, usage])
    expect(typesOf(events)).toEqual(expected)
    const output = outputOf(events)
    // What the last event lists is what the events before it said, place by place.
    const done = events.filter(({ type }) => type === 'response.output_item.done')
    expect(done.map(({ output_index }) => output_index)).toEqual(output.map((_, index) => index))
    expect(done.map(({ item }) => item)).toEqual(output)
    const ids = new Set(output.map(({ id }) => id))
    expect(ids.size).toBe(output.length)
    for (const { item_id } of events) if (item_id !== undefined) expect(ids).toContain(item_id)
  })

  it('carry what clients join them by', () => {
    const events = told([start, say('a'), call(0, '{"x":1}', 'mcp__t__add'), finish('tool_calls')])
    expect(events.find(({ type }) => type === 'response.output_text.delta')).toEqual({
      type: 'response.output_text.delta',
      item_id: 'msg_r1_0',
      output_index: 0,
      content_index: 0,
      sequence_number: 4,
      delta: 'a',
      logprobs: [],
    })
    expect(events.find(({ type }) => type === 'response.function_call_arguments.done')).toMatchObject({
      item_id: 'fc_r1_1',
      output_index: 1,
      name: 'add',
      arguments: '{"x":1}',
    })
    expect(outputOf(events)[1]).toEqual({
      id: 'fc_r1_1',
      type: 'function_call',
      status: 'completed',
      call_id: 'call_0',
      name: 'add',
      namespace: 'mcp__t__',
      arguments: '{"x":1}',
    })
  })

  it('tell usage in the last one, in the words of the format (46, 53)', () => {
    expect(told([start, say('a'), finish('stop'), usage]).at(-1)?.response?.usage).toEqual({
      input_tokens: 12,
      input_tokens_details: { cached_tokens: 4, cache_write_tokens: 0 },
      output_tokens: 3,
      output_tokens_details: { reasoning_tokens: 2 },
      total_tokens: 15,
    })
    expect(told([start, say('a')])[0]?.response?.usage).toBeNull()
  })

  it.each(['{"a', ''])('end incomplete with a call cut at %j, as it is (47)', (args) => {
    const events = told([start, call(0, args, 'f'), finish('length')])
    expect(events.at(-2)).toMatchObject({ type: 'response.output_item.done', item: { status: 'incomplete', arguments: args } })
    expect(events.at(-1)).toMatchObject({
      type: 'response.incomplete',
      response: {
        status: 'incomplete',
        completed_at: null,
        incomplete_details: { reason: 'max_output_tokens' },
        output: [{ status: 'incomplete' }],
      },
    })
    expect(typesOf(events)).not.toContain('completed')
  })

  it('end incomplete where a filter cut in', () => {
    expect(told([start, say('a'), finish('content_filter')]).at(-1)?.response).toMatchObject({
      status: 'incomplete',
      incomplete_details: { reason: 'content_filter' },
    })
  })

  it('end with an error in both shapes and a failed response where the answer broke off', () => {
    const events = told([start, say('a')], new FreewayError('rate_limit_error', 'too many'))
    expect(typesOf(events).slice(-3)).toEqual(['output_item.done', 'error', 'failed'])
    const fault = { code: 'rate_limit_exceeded', message: 'too many', param: null }
    expect(events.at(-2)).toMatchObject({ type: 'error', ...fault, error: { type: 'rate_limit_error', ...fault } })
    expect(events.at(-1)?.response).toMatchObject({
      status: 'failed',
      error: { code: 'rate_limit_exceeded', message: 'too many' },
      output: [{ status: 'incomplete' }],
    })
  })

  it.each([
    ['context_length_exceeded', 'context_length_exceeded'],
    ['content_policy_violation', 'invalid_prompt'],
    ['provider_error', 'server_error'],
  ] as const)('call the failure %s %s', (type, code) => {
    expect(told([], new FreewayError(type, 'x')).at(-1)?.response?.error).toEqual({ code, message: 'x' })
  })

  it('hold each part of a thought, and each thought, message and hosted tool as an item of its own', () => {
    const native = (kept: object): Chunk => ({ t: 'other', choice: 0, delta: { x_freeway_responses: kept } })
    const search = { type: 'web_search_call', id: 'ws_1', status: 'completed', action: { type: 'search', query: 'q' } }
    const cipher = writeCipher({ id: 'rs_9', content: 'C' }, 'openai')
    const events = told([
      start,
      think('first'),
      native({ part: true }),
      think('\n\n'),
      think('second'),
      { t: 'reasoning', choice: 0, text: '', redacted: cipher },
      native({ begin: { type: 'reasoning' } }),
      { t: 'reasoning', choice: 0, text: '', redacted: cipher },
      native({ begin: { type: 'message', phase: 'commentary' } }),
      say('I look it up.'),
      native({ item: search }),
      native({ begin: { type: 'message', phase: 'final_answer' } }),
      say('Found.'),
      finish('stop'),
    ])
    const summary = ['first', 'second'].map((text) => ({ type: 'summary_text', text }))
    const said = (text: string, phase: string) => ({ type: 'message', phase, content: [{ text }] })
    expect(outputOf(events)).toMatchObject([
      { type: 'reasoning', summary, encrypted_content: cipher },
      { type: 'reasoning', summary: [], encrypted_content: cipher },
      said('I look it up.', 'commentary'),
      { ...search, id: 'ws_r1_3' },
      said('Found.', 'final_answer'),
    ])
    expect(events.filter(({ type }) => type === 'response.reasoning_summary_text.done')).toMatchObject([
      { summary_index: 0, text: 'first' },
      { summary_index: 1, text: 'second' },
    ])
    const done = events.filter(({ type }) => type === 'response.output_item.done')
    expect(done.map(({ item }) => item)).toEqual(outputOf(events))
  })

  it('hold nothing encrypted that is of another format', () => {
    const events = told([start, { t: 'reasoning', choice: 0, text: '', redacted: 'anthropic' }, say('a'), finish('stop')])
    expect(outputOf(events)).toMatchObject([{ type: 'message' }])
  })

  it('hold sources and what a provider encrypted', () => {
    const url_citation = { start_index: 0, end_index: 1, url: 'https://example.test', title: 't' }
    const events = told([
      start,
      { t: 'reasoning', choice: 0, text: '', redacted: writeCipher({ id: '', content: 'C' }, 'openai') },
      say('a'),
      { t: 'other', choice: 0, delta: { annotations: [{ type: 'url_citation', url_citation }] } },
      finish('stop'),
    ])
    expect(outputOf(events)).toMatchObject([
      { type: 'reasoning', summary: [], encrypted_content: 'fwr1.openai..C' },
      { content: [{ annotations: [{ type: 'url_citation', ...url_citation }] }] },
    ])
    expect(typesOf(events)).toContain('output_text.annotation.added')
  })

  it('are of the first answer alone', () => {
    expect(outputOf(told([start, say('a'), { t: 'text', choice: 1, text: 'b' }, finish('stop')]))).toMatchObject([
      { content: [{ text: 'a' }] },
    ])
  })

  it('have no event for text that a line break could split', () => {
    expect(outputOf(told([start, say('a\n\ndata: x\r'), finish('stop')]))).toMatchObject([{ content: [{ text: 'a\n\ndata: x\r' }] }])
  })
})

const piece = fc.oneof(
  fc.string({ minLength: 1 }).map((value) => [say(value)]),
  fc.string({ minLength: 1 }).map((value) => [think(value)]),
  fc.string({ minLength: 1 }).map((value) => [refuse(value)]),
  fc.record({ a: fc.string(), cut: fc.nat(20) }).map(({ a, cut }) => {
    const args = JSON.stringify({ a })
    return [call(-1, args.slice(0, cut), 'f'), call(-1, args.slice(cut))]
  }),
)
/** Any answer, its calls numbered as they come. */
const answers = fc.array(piece, { minLength: 1, maxLength: 8 }).map((pieces) => {
  let calls = 0
  const chunks = pieces.flatMap((one) => {
    if (one[0]?.t !== 'tool') return one
    const number = calls++
    return one.flatMap((chunk, at) =>
      chunk.t === 'tool' && (at === 0 || chunk.arguments !== '')
        ? [{ ...chunk, call: number, ...(at === 0 && { id: `call_${number}` }) }]
        : [],
    )
  })
  return [start, ...chunks, finish(calls > 0 ? 'tool_calls' : 'stop'), usage]
})
/** Neighbours of a kind put together: how a text was cut means nothing. */
function joined(chunks: Chunk[]): Chunk[] {
  const result: Chunk[] = []
  for (const chunk of chunks) {
    const last = result.at(-1)
    if (chunk.t === 'tool' && last?.t === 'tool' && last.call === chunk.call) last.arguments += chunk.arguments
    else if ((chunk.t === 'text' || chunk.t === 'reasoning' || chunk.t === 'refusal') && last?.t === chunk.t) last.text += chunk.text
    else result.push({ ...chunk })
  }
  return result
}
const expected = (chunks: Chunk[]) =>
  joined(
    chunks.map((chunk) =>
      chunk.t === 'start'
        ? { ...start, id: 'resp_r1', created: 5 }
        : chunk.t === 'usage'
          ? { t: 'usage', usage: { ...chunk.usage, prompt_tokens_details: { cached_tokens: 4, cache_write_tokens: 0 } } }
          : chunk,
    ),
  )

describe('a Responses answer read', () => {
  it('is what was written, streamed', () => {
    fc.assert(
      fc.property(answers, (chunks) => {
        const reader = createStreamReader('openai')
        const read = joined(told(chunks).flatMap((event) => reader.read(event)))
        // The model is known once the first chunk of the provider is.
        expect(read).toEqual([...expected(chunks), { t: 'end' }])
      }),
    )
  })

  it('is what was written, whole', () => {
    fc.assert(
      fc.property(answers, (chunks) => {
        expect(joined(readReply(JSON.parse(writeReply(chunks, options)), 'openai'))).toEqual([...expected(chunks), { t: 'end' }])
      }),
    )
  })

  it('tells the same events again when it is replayed, but for how its text was cut', () => {
    fc.assert(
      fc.property(answers, (chunks) => {
        const events = told(joined(chunks))
        const kept = eventsIn(writeKept(events.at(-1)?.response as unknown as Fields & { id: string }))
        const all = (list: Event[]) => list.filter(({ delta }) => delta !== '').map(({ sequence_number: _, ...event }) => event)
        expect(all(kept).slice(2)).toEqual(all(events).slice(2))
      }),
    )
  })

  it('takes no notice of anything after its end (54)', () => {
    const reader = createStreamReader('openai')
    expect(reader.read({ type: 'response.completed', response: {} }).at(-1)).toEqual({ t: 'end' })
    expect(reader.read({ type: 'error', message: 'late' })).toEqual([])
  })

  it.each([
    [{ type: 'error', code: 'server_error', message: 'x' }],
    [{ type: 'response.failed', response: { error: { code: 'server_error', message: 'x' } } }],
  ])('is a failure at %j', (event) => {
    expect(createStreamReader('openai').read(event)).toEqual([{ t: 'failure', message: 'x', type: 'server_error', code: 'server_error' }])
  })

  it('keeps what its provider encrypted apart from what others did', () => {
    const item = { type: 'reasoning', id: 'rs_1', summary: [], encrypted_content: 'C' }
    const [chunk] = createStreamReader('openai').read({ type: 'response.output_item.done', output_index: 0, item })
    expect(chunk).toEqual({ t: 'reasoning', choice: 0, text: '', redacted: 'fwr1.openai.rs_1.C' })
  })

  it('has what only the closing events tell of', () => {
    const whole = (more: object) => ({ type: 'message', content: [{ type: 'output_text', text: 'Hi', annotations: [] }], ...more })
    const reader = createStreamReader('openai')
    expect(reader.read({ type: 'response.output_item.done', output_index: 0, item: whole({}) })).toEqual([say('Hi')])
    const output = [whole({}), { type: 'function_call', call_id: 'c', name: 'f', arguments: '{}' }]
    expect(reader.read({ type: 'response.completed', response: { status: 'completed', output } })).toEqual([
      { t: 'tool', choice: 0, call: 0, id: 'c', name: 'f', arguments: '' },
      { t: 'tool', choice: 0, call: 0, arguments: '{}' },
      finish('tool_calls'),
      { t: 'end' },
    ])
  })

  it('has what was told in pieces only once, although its item was never opened', () => {
    const reader = createStreamReader('openai')
    expect(reader.read({ type: 'response.output_text.delta', output_index: 0, delta: 'Hi' })).toEqual([say('Hi')])
    const item = { type: 'message', content: [{ type: 'output_text', text: 'Hi' }] }
    expect(reader.read({ type: 'response.output_item.done', output_index: 0, item })).toEqual([])
    expect(reader.read({ type: 'response.completed', response: { output: [item] } })).toEqual([finish('stop'), { t: 'end' }])
  })

  it.each(['in_progress', 'queued', 'cancelled', 'failed'])('that is %s is no answer', (status) => {
    const output = [{ type: 'message', content: [{ type: 'output_text', text: 'Hi' }] }]
    expect(readReply({ status, output, error: null }, 'p')).toMatchObject([{ t: 'failure' }])
  })

  it('that has no output is a failure', () => {
    expect(readReply({ error: { message: 'no', code: 'c' } }, 'p')).toEqual([{ t: 'failure', message: 'no', type: 'c', code: 'c' }])
    expect(readReply('nonsense', 'p')).toMatchObject([{ t: 'failure' }])
  })
})

describe('the items of a whole answer', () => {
  const message = (more: object = {}) => ({ type: 'message', content: [{ type: 'output_text', text: 'Hi' }], ...more })
  const thought = { type: 'reasoning', id: 'rs_1', summary: [], encrypted_content: 'C' }
  const wanted = { type: 'function_call', call_id: 'c', name: 'f', arguments: '{}' }

  it.each([[[]], [[message()]], [[thought, message(), wanted, wanted]], [[wanted]]])('need no words of their own: %j', (output) => {
    expect(itemsBeyondChat({ output }, 'openai')).toBeUndefined()
  })

  it.each([
    [[message(), message()]],
    [[thought, thought, message()]],
    [[wanted, message()]],
    [[message({ phase: 'commentary' })]],
    [[{ type: 'web_search_call', id: 'ws_1' }, message()]],
  ])('go along as they are where a chat completion cannot hold them: %j', (output) => {
    const items = itemsBeyondChat({ output }, 'openai')
    expect(items).toEqual(JSON.parse(JSON.stringify(output).replaceAll('"C"', '"fwr1.openai.rs_1.C"')))
    const kept: Chunk = { t: 'other', choice: 0, delta: { x_freeway_responses: { output: items } } }
    const response = JSON.parse(writeReply([start, say('Hi'), kept, finish('stop'), usage], options))
    expect(response.output.map(({ id: _, ...item }: Fields) => item)).toEqual(items?.map(({ id: _, ...item }) => item))
    expect(new Set(response.output.map(({ id }: Fields) => id)).size).toBe(output.length)
  })
})
