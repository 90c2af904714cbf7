import { describe, expect, it } from 'vitest'
import type { Offer } from '#contracts/attempt.ts'
import { utf8 } from '#contracts/bytes.ts'
import { provider } from '#contracts/catalog.ts'
import { FreewayError } from '#contracts/failure.ts'
import { createStreamReader, readReply } from '#contracts/wire/chat-completions/reply.ts'
import { writeReply } from '#contracts/wire/responses/reply.ts'
import { ResponseStream } from '#contracts/wire/responses/stream.ts'
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

const openai = provider.parse({
  name: 'openai',
  base_url: 'https://openai.example/v1',
  format: 'responses',
  request_policy: { min: { max_output_tokens: 16 } },
  models: [{ id: 'g', max_output: 50 }],
})
const dialect = dialectOf(openai)
const sse = { 'content-type': 'text/event-stream' }
const json = { 'content-type': 'application/json' }

const part = (text: string) => ({ type: 'summary_text', text })
const output = [
  { id: 'rs_a', type: 'reasoning', summary: [part('first'), part('second')], encrypted_content: 'SECRET' },
  { id: 'ws_a', type: 'web_search_call', status: 'completed', action: { type: 'search', query: 'q' } },
  {
    id: 'msg_a',
    type: 'message',
    status: 'completed',
    role: 'assistant',
    content: [{ type: 'output_text', text: 'Grüße 🌍', annotations: [], logprobs: [] }],
    phase: 'commentary',
  },
  { id: 'fc_a', type: 'function_call', status: 'completed', call_id: 'call_a', name: 'f', arguments: '{"a":1}' },
  { id: 'fc_b', type: 'function_call', status: 'completed', call_id: 'call_b', name: 'g', arguments: '{}' },
]
const usage = {
  input_tokens: 13,
  input_tokens_details: { cached_tokens: 4, cache_write_tokens: 0 },
  output_tokens: 5,
  output_tokens_details: { reasoning_tokens: 2 },
  total_tokens: 18,
}
const response = { id: 'resp_a', object: 'response', created_at: 5, status: 'completed', model: 'g', output, usage, error: null }

let sequence = 0
const event = (type: string, fields: object) => writeSse(JSON.stringify({ type, sequence_number: sequence++, ...fields }), type)
const stream = [
  event('response.created', { response: { ...response, status: 'in_progress', output: [], usage: null } }),
  event('response.output_item.added', { output_index: 0, item: { ...output[0], summary: [] } }),
  ...['first', 'second'].flatMap((text, summary_index) => [
    event('response.reasoning_summary_part.added', { output_index: 0, summary_index, part: part('') }),
    event('response.reasoning_summary_text.delta', { output_index: 0, summary_index, delta: text }),
    event('response.reasoning_summary_part.done', { output_index: 0, summary_index, part: part(text) }),
  ]),
  event('response.output_item.done', { output_index: 0, item: output[0] }),
  event('response.output_item.added', { output_index: 1, item: { ...output[1], status: 'in_progress' } }),
  event('response.web_search_call.searching', { output_index: 1, item_id: 'ws_a' }),
  event('response.output_item.done', { output_index: 1, item: output[1] }),
  event('response.output_item.added', { output_index: 2, item: { ...output[2], status: 'in_progress', content: [] } }),
  event('response.output_text.delta', { output_index: 2, content_index: 0, delta: 'Grüße', logprobs: [] }),
  event('response.output_text.delta', { output_index: 2, content_index: 0, delta: ' 🌍', logprobs: [] }),
  event('response.output_item.done', { output_index: 2, item: output[2] }),
  ...[3, 4].flatMap((output_index) => [
    event('response.output_item.added', { output_index, item: { ...output[output_index], status: 'in_progress', arguments: '' } }),
    event('response.function_call_arguments.delta', { output_index, delta: output[output_index]?.arguments }),
    event('response.output_item.done', { output_index, item: output[output_index] }),
  ]),
  event('response.completed', { response }),
].join('')

function begin(change: Partial<Offer> = {}) {
  const { sink, ...recorded } = recordingSink<AnswerEnd, AnswerFailure>()
  const offer = offerOf({ model: 'g', account: 'openai-1', ...change })
  return { answer: new Answer(offer, sink, { provider: openai, limits: createLimitReader(openai), dialect }), ...recorded }
}

const options = { id: 'resp_r1', createdAt: 5, request: { model: 'g' }, names: new Map(), stored: true, now: () => 9 }

/** What the owner of the request makes of it, for a client of the same format: `output` and `usage`. */
function heard(said: Uint8Array): object {
  const told = new ResponseStream(options)
  const reader = createStreamReader()
  new SseReader(({ data }) => {
    for (const chunk of reader.read(JSON.parse(data))) told.write(chunk)
  }).push(said)
  told.close()
  told.settle()
  return JSON.parse(told.response)
}

/** Items have names of the gateway, by which it finds them again; what is encrypted says whose it is, and under which name. */
const asTold = output.map((item, index) => ({
  ...item,
  id: item.id.replace('a', `r1_${index}`).replace('b', `r1_${index}`),
  ...('encrypted_content' in item && { encrypted_content: 'fwr1.openai.rs_a.SECRET' }),
}))

describe('an answer of a provider that speaks Responses', () => {
  it('streamed reaches a client of that format item by item, wherever its bytes are cut', async () => {
    const bytes = utf8(stream)
    for (let at = 1; at < bytes.length; at += 11) {
      const { answer, result, said } = begin()
      answer.onHeaders(200, sse)
      for (const piece of [bytes.subarray(0, at), bytes.subarray(at)]) {
        answer.onData(piece)
        await Promise.resolve()
      }
      answer.onEnd()
      expect(result.ended).toMatchObject({ finish: 'tool_calls', usage: { in: 13, out: 5 }, usageSource: 'provider' })
      expect(heard(said())).toMatchObject({ output: asTold, usage, status: 'completed' })
    }
  })

  it('whole reaches it as well', () => {
    const { answer, result, said } = begin({ stream: false })
    answer.onHeaders(200, json)
    answer.onData(utf8(JSON.stringify(response)))
    answer.onEnd()
    expect(result.ended).toMatchObject({ finish: 'tool_calls', usage: { in: 13, out: 5 } })
    const told = JSON.parse(writeReply(readReply(JSON.parse(new TextDecoder().decode(said()))), options))
    expect(told).toMatchObject({ output: asTold, usage, status: 'completed' })
  })

  it('reaches a chat client as a chat completion', () => {
    const { answer, said } = begin({ stream: false })
    answer.onHeaders(200, json)
    answer.onData(utf8(JSON.stringify(response)))
    answer.onEnd()
    expect(JSON.parse(new TextDecoder().decode(said()))).toMatchObject({
      object: 'chat.completion',
      choices: [
        {
          message: {
            content: 'Grüße 🌍',
            reasoning_content: 'first\n\nsecond',
            reasoning_details: [{ type: 'reasoning.encrypted', data: 'fwr1.openai.rs_a.SECRET' }],
            tool_calls: [{ id: 'call_a', function: { name: 'f', arguments: '{"a":1}' } }, { id: 'call_b' }],
          },
          finish_reason: 'tool_calls',
        },
      ],
      usage: { prompt_tokens: 13, completion_tokens: 5, completion_tokens_details: { reasoning_tokens: 2 } },
    })
  })

  it('that breaks off is broken off, after whichever event', () => {
    for (let end = stream.indexOf('Grüße') + 20; end < stream.indexOf('event: response.completed'); end = stream.indexOf('\n\n', end) + 2) {
      const { answer, result } = begin()
      answer.onHeaders(200, sse)
      answer.onData(utf8(stream.slice(0, end)))
      answer.onEnd()
      expect(result).toMatchObject({ failed: { phase: 'stream', code: 'truncated' } })
    }
  })

  it('that reached its limit says so', () => {
    const cut = { ...response, status: 'incomplete', incomplete_details: { reason: 'max_output_tokens' }, output: [output[2]] }
    const { answer, result, said } = begin({ stream: false })
    answer.onHeaders(200, json)
    answer.onData(utf8(JSON.stringify(cut)))
    answer.onEnd()
    expect(result.ended).toMatchObject({ finish: 'length' })
    const told = JSON.parse(writeReply(readReply(JSON.parse(new TextDecoder().decode(said()))), options))
    expect(told).toMatchObject({ status: 'incomplete', incomplete_details: { reason: 'max_output_tokens' } })
  })

  it.each([
    ['an error in the stream', sse, event('error', { code: 'rate_limit_exceeded', message: 'slow down' }), 'rate_limited'],
    [
      'a response that failed',
      sse,
      event('response.failed', { response: { status: 'failed', error: { code: 'server_error', message: 'x' } } }),
      'server',
    ],
    [
      'a response that failed, whole',
      json,
      JSON.stringify({ ...response, status: 'failed', error: { code: 'server_error', message: 'x' } }),
      'server',
    ],
    ['a response that is not done', json, JSON.stringify({ ...response, status: 'in_progress' }), 'server'],
    ['nonsense', sse, 'data: {oops\n\n', 'malformed'],
    ['nothing', sse, '', 'malformed'],
    [
      'thoughts alone',
      sse,
      stream.slice(0, stream.indexOf('event: response.output_item.added', stream.indexOf('ws_a') - 200)),
      'truncated',
    ],
  ])('that is %s is a failure', (_, headers, body, code) => {
    const { answer, result } = begin()
    answer.onHeaders(200, headers)
    answer.onData(utf8(body))
    answer.onEnd()
    expect(result.ended).toBeUndefined()
    expect(result.failed).toMatchObject({ code })
  })
})

describe('a request to it', () => {
  const account = [...accountsOf({ ...openai, configured: true } as never, ['sk-1']).values()][0] as Account
  const request = (body: object, stream = true) =>
    providerRequest(account, createHabits(openai), { stream, model: 'g' } as Offer, utf8(JSON.stringify(body)), dialect)
  const messages = [{ role: 'user', content: 'Hi' }]

  it('has its path, its key and its words', () => {
    const { path, headers, body } = request({ messages, max_tokens: 500 })
    expect(path).toBe('/v1/responses')
    expect(headers).toMatchObject({ authorization: 'Bearer sk-1', accept: 'text/event-stream' })
    expect(JSON.parse(String(body))).toEqual({
      model: 'g',
      input: [{ type: 'message', role: 'user', content: [{ type: 'input_text', text: 'Hi' }] }],
      stream: true,
      store: false,
      max_output_tokens: 50,
    })
  })

  it('keeps within what its provider takes', () => {
    expect(JSON.parse(String(request({ messages, max_tokens: 1, logprobs: true, top_logprobs: 2 }).body))).toMatchObject({
      max_output_tokens: 16,
      top_logprobs: 2,
      include: ['message.output_text.logprobs'],
    })
  })

  it('that it has no words for is left to another provider', () => {
    expect(() => request({ messages, stop: ['x'] })).toThrow(FreewayError)
  })
})
