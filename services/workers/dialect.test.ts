import { describe, expect, it } from 'vitest'
import type { Offer } from '#contracts/attempt.ts'
import { utf8 } from '#contracts/bytes.ts'
import { provider } from '#contracts/catalog.ts'
import type { Chunk } from '#contracts/chunk.ts'
import { FreewayError } from '#contracts/failure.ts'
import { createStreamReader, readReply } from '#contracts/wire/chat-completions/reply.ts'
import { writeReply } from '#contracts/wire/messages/reply.ts'
import { SseReader, writeSse } from '#contracts/wire/sse.ts'
import { offerOf } from '#test/support/offer.ts'
import { recordingSink } from '#test/support/recording-sink.ts'
import { Answer } from './answer.ts'
import { dialectOf } from './dialect.ts'
import { createHabits } from './habits.ts'
import { type Account, accountsOf } from './keys.ts'
import { createLimitReader } from './learned-limits.ts'
import { providerRequest } from './request.ts'
import type { AnswerEnd, AnswerFailure } from './sink.ts'

const claude = provider.parse({
  name: 'claude',
  base_url: 'https://claude.example/v1',
  format: 'messages',
  auth: { style: 'header', header: 'x-api-key' },
  models: [{ id: 'c', max_output: 50 }],
})
const dialect = dialectOf(claude)
const sse = { 'content-type': 'text/event-stream' }

const message = {
  id: 'msg_1',
  type: 'message',
  role: 'assistant',
  model: 'c',
  content: [
    { type: 'thinking', thinking: 'hm', signature: 's1' },
    { type: 'redacted_thinking', data: 'xx' },
    { type: 'text', text: 'Grüße 🌍' },
    { type: 'tool_use', id: 'toolu_1', name: 'f', input: { a: 1 } },
    { type: 'tool_use', id: 'toolu_2', name: 'g', input: {} },
  ],
  stop_reason: 'tool_use',
  stop_sequence: null,
  usage: { input_tokens: 13, cache_creation_input_tokens: 31, cache_read_input_tokens: 22_000, output_tokens: 5 },
}
const { content, usage, ...head } = message
const event = (data: { type: string; [field: string]: unknown }) => writeSse(JSON.stringify(data), data.type)
const stream = [
  event({ type: 'message_start', message: { ...head, content: [], stop_reason: null, usage: { ...usage, output_tokens: 1 } } }),
  event({ type: 'ping' }),
  event({ type: 'content_block_start', index: 0, content_block: { type: 'thinking', thinking: '', signature: '' } }),
  event({ type: 'content_block_delta', index: 0, delta: { type: 'thinking_delta', thinking: 'hm' } }),
  event({ type: 'content_block_delta', index: 0, delta: { type: 'signature_delta', signature: 's1' } }),
  event({ type: 'content_block_stop', index: 0 }),
  event({ type: 'content_block_start', index: 1, content_block: content[1] }),
  event({ type: 'content_block_stop', index: 1 }),
  event({ type: 'content_block_start', index: 2, content_block: { type: 'text', text: '' } }),
  event({ type: 'content_block_delta', index: 2, delta: { type: 'text_delta', text: 'Grüße 🌍' } }),
  event({ type: 'content_block_stop', index: 2 }),
  event({ type: 'content_block_start', index: 3, content_block: { ...content[3], input: {} } }),
  event({ type: 'content_block_delta', index: 3, delta: { type: 'input_json_delta', partial_json: '{"a"' } }),
  event({ type: 'content_block_delta', index: 3, delta: { type: 'input_json_delta', partial_json: ':1}' } }),
  event({ type: 'content_block_stop', index: 3 }),
  event({ type: 'content_block_start', index: 4, content_block: { ...content[4], input: {} } }),
  event({ type: 'content_block_stop', index: 4 }),
  event({ type: 'message_delta', delta: { stop_reason: 'tool_use', stop_sequence: null }, usage: { output_tokens: 5 } }),
  event({ type: 'message_stop' }),
].join('')

function begin(change: Partial<Offer> = {}) {
  const { sink, ...recorded } = recordingSink<AnswerEnd, AnswerFailure>()
  const offer = offerOf({ model: 'c', account: 'claude-1', ...change })
  return { answer: new Answer(offer, sink, { provider: claude, limits: createLimitReader(claude), dialect }), ...recorded }
}

/** What the owner of the request makes of it, for a client of the same format. */
function heard(said: Uint8Array): object {
  const chunks: Chunk[] = []
  const reader = createStreamReader()
  new SseReader(({ data }) => void chunks.push(...reader.read(JSON.parse(data)))).push(said)
  return writeReply([...chunks, { t: 'end' }], { id: 'r1', inputTokens: 5, stopSequences: [], prefill: '', thinking: true })
}

describe('an answer of a provider that speaks Messages', () => {
  it('streamed reaches a client of that format as it was, wherever its bytes are cut', async () => {
    const bytes = utf8(stream)
    for (let at = 1; at < bytes.length; at += 7) {
      const { answer, result, said } = begin()
      answer.onHeaders(200, sse)
      for (const part of [bytes.subarray(0, at), bytes.subarray(at)]) {
        answer.onData(part)
        await Promise.resolve()
      }
      answer.onEnd()
      expect(result.ended).toMatchObject({ finish: 'tool_calls', usage: { in: 22_044, out: 5 }, usageSource: 'provider' })
      expect(heard(said())).toEqual(message)
    }
  })

  it('whole reaches it as well', () => {
    const { answer, result, said } = begin({ stream: false })
    answer.onHeaders(200, { 'content-type': 'application/json' })
    answer.onData(utf8(JSON.stringify(message)))
    answer.onEnd()
    expect(result.ended).toMatchObject({ finish: 'tool_calls', usage: { in: 22_044, out: 5 } })
    const chunks = readReply(JSON.parse(new TextDecoder().decode(said())))
    const options = { id: 'r1', inputTokens: 5, stopSequences: [], prefill: '', thinking: true }
    expect(writeReply(chunks, options)).toEqual(message)
  })

  const searched = [
    { type: 'text', text: 'I look it up.' },
    { type: 'server_tool_use', id: 'srvtoolu_1', name: 'web_search', input: { query: 'q' } },
    { type: 'web_search_tool_result', tool_use_id: 'srvtoolu_1', content: [{ type: 'web_search_result', url: 'https://a.example' }] },
    { type: 'text', text: 'It is' },
    { type: 'text', text: ' so', citations: [{ type: 'web_search_result_location', url: 'https://a.example', cited_text: 'so' }] },
    { type: 'text', text: '.' },
  ]

  it('that cites sources and runs tools of its own reaches it block by block, whole', () => {
    const { answer, said } = begin({ stream: false })
    answer.onHeaders(200, { 'content-type': 'application/json' })
    answer.onData(utf8(JSON.stringify({ ...message, content: searched, stop_reason: 'end_turn' })))
    answer.onEnd()
    const chunks = readReply(JSON.parse(new TextDecoder().decode(said())))
    const told = writeReply(chunks, { id: 'r1', inputTokens: 5, stopSequences: [], prefill: '', thinking: true })
    expect(told).toEqual({ ...message, content: searched, stop_reason: 'end_turn' })
  })

  it('that cites sources and runs tools of its own reaches it block by block, streamed', () => {
    const events = searched.flatMap(({ text, citations, input, ...block }, index) => {
      const begun = text === undefined ? { ...block, ...(input && { input: {} }) } : { type: 'text', text: '' }
      const deltas = [
        ...(text === undefined ? [] : [{ type: 'text_delta', text }]),
        ...(citations ?? []).map((citation) => ({ type: 'citations_delta', citation })),
        ...(input ? [{ type: 'input_json_delta', partial_json: JSON.stringify(input) }] : []),
      ]
      return [
        event({ type: 'content_block_start', index, content_block: begun }),
        ...deltas.map((delta) => event({ type: 'content_block_delta', index, delta })),
        event({ type: 'content_block_stop', index }),
      ]
    })
    const { answer, said } = begin()
    answer.onHeaders(200, sse)
    answer.onData(utf8(stream.slice(0, stream.indexOf('event: content_block_start')) + events.join('')))
    const ended = { type: 'message_delta', delta: { stop_reason: 'end_turn', stop_sequence: null }, usage: { output_tokens: 5 } }
    answer.onData(utf8(event(ended) + event({ type: 'message_stop' })))
    answer.onEnd()
    expect(heard(said())).toEqual({ ...message, content: searched, stop_reason: 'end_turn' })
  })

  it('that begins with a thought only it can read keeps it', () => {
    const { answer, said } = begin()
    answer.onHeaders(200, sse)
    const thought = stream.indexOf('event: content_block_start')
    const redacted = stream.indexOf('event: content_block_start', stream.indexOf('signature_delta'))
    answer.onData(utf8(stream.slice(0, thought) + stream.slice(redacted)))
    answer.onEnd()
    expect(heard(said())).toEqual({ ...message, content: message.content.slice(1) })
  })

  it('that breaks off is broken off', () => {
    const { answer, result } = begin()
    answer.onHeaders(200, sse)
    answer.onData(utf8(stream.slice(0, stream.indexOf('event: message_delta'))))
    answer.onEnd()
    expect(result).toMatchObject({ failed: { phase: 'stream', code: 'truncated' } })
  })

  it.each([
    ['an error in the stream', sse, event({ type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } }), 'overloaded'],
    [
      'an error in place of an answer',
      { 'content-type': 'application/json' },
      '{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}',
      'overloaded',
    ],
    ['nonsense', sse, 'data: {oops\n\n', 'malformed'],
    ['nothing', sse, '', 'malformed'],
  ])('that is %s is a failure', async (_, headers, body, code) => {
    const { answer, result } = begin()
    answer.onHeaders(200, headers)
    answer.onData(utf8(body))
    answer.onEnd()
    expect(result).toMatchObject({ failed: { phase: 'in_band', code } })
  })
})

describe('a request to it', () => {
  const account = [...accountsOf({ ...claude, configured: true } as never, ['sk-1']).values()][0] as Account
  const request = (body: object) =>
    providerRequest(account, createHabits(claude), { stream: true, model: 'c' } as Offer, utf8(JSON.stringify(body)), dialect)

  it('has its path, its version, its key and its words', () => {
    const { path, headers, body } = request({ messages: [{ role: 'user', content: 'Hi' }], max_tokens: 500 })
    expect(path).toBe('/v1/messages')
    expect(headers).toMatchObject({ 'x-api-key': 'sk-1', 'anthropic-version': '2023-06-01', accept: 'text/event-stream' })
    expect(JSON.parse(String(body))).toEqual({ model: 'c', max_tokens: 50, messages: [{ role: 'user', content: 'Hi' }], stream: true })
  })

  it('that it has no words for is left to another provider', () => {
    expect(() => request({ messages: [{ role: 'user', content: 'Hi' }], n: 2 })).toThrow(FreewayError)
    const { answer, result } = begin()
    answer.onError(new FreewayError('invalid_request_error', 'n: one at a time'), false)
    expect(result.failed).toMatchObject({ phase: 'status', status: 400, code: 'unsupported', scope: 'request' })
  })
})

it('most providers need no translation', () => {
  expect(dialectOf({ format: 'chat-completions', name: 'p' })).toBeUndefined()
})
