import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { concat, utf8 } from '#contracts/bytes.ts'
import { FreewayError } from '#contracts/failure.ts'
import { chatStream, delta } from '#test/support/chat-stream.ts'
import type { Asked } from './format.ts'
import { messages } from './messages.ts'

const decoder = new TextDecoder()
const head = { headers: new Headers(), id: 'r1' }
const hello = { model: 'm', max_tokens: 100, messages: [{ role: 'user', content: 'Hello' }] }
const ask = (fields: object = {}) => messages.readRequest(utf8(JSON.stringify({ ...hello, ...fields })), head) as Asked

function answered(payloads: Uint8Array[], fields: object = { thinking: { type: 'adaptive' } }): string {
  const stream = ask({ stream: true, ...fields }).answer.stream()
  const said = payloads.flatMap((payload) => stream.write(payload) ?? [])
  return decoder.decode(concat([...said, stream.end() as Uint8Array]))
}

describe('a stream of messages', () => {
  it('is the same bytes, however the events of the worker come in', () => {
    const bytes = utf8(chatStream)
    const expected = answered([bytes])
    expect(expected).toContain('"text":"Grüße 🌍"')
    expect(expected.endsWith('event: message_stop\ndata: {"type":"message_stop"}\n\n')).toBe(true)
    const split = (cuts: number[]) => [...cuts, bytes.length].map((cut, at) => bytes.subarray(cuts[at - 1] ?? 0, cut))
    for (let at = 1; at < bytes.length; at++) expect(answered(split([at]))).toBe(expected)
    fc.assert(
      fc.property(fc.array(fc.nat(bytes.length), { maxLength: 20 }), (cuts) => {
        expect(answered(split([...cuts].sort((a, b) => a - b)))).toBe(expected)
      }),
      { numRuns: 50 },
    )
  })

  it('says nothing of thoughts that nobody wants, so that silence is seen as silence', () => {
    const stream = ask({ stream: true }).answer.stream()
    expect(stream.write(utf8(delta({ role: 'assistant', content: '' })))).toBeDefined()
    expect(stream.write(utf8(delta({ reasoning_content: 'hm' })))).toBeUndefined()
  })

  it('breaks off with an event of its own, before anything else too', () => {
    const stream = ask({ stream: true }).answer.stream()
    const error = new FreewayError('provider_error', 'it failed')
    expect(decoder.decode(stream.fail(error, 'r9'))).toBe(
      'event: error\ndata: {"type":"error","error":{"type":"api_error","message":"it failed","code":"provider_error"},"request_id":"r9"}\n\n',
    )
  })

  it('is kept open by a named ping, as Anthropic does it', () => {
    expect(decoder.decode(ask({ stream: true }).answer.stream().ping)).toBe('event: ping\ndata: {"type":"ping"}\n\n')
  })
})

describe('a whole message', () => {
  const whole = (message: object, finish_reason = 'stop') =>
    ask().answer.whole(
      utf8(
        JSON.stringify({
          id: 'x',
          model: 'm',
          choices: [{ index: 0, message, finish_reason }],
          usage: { prompt_tokens: 5, completion_tokens: 6 },
        }),
      ),
      { provider: 'p', model: 'm', position: 1 },
    ) as Uint8Array

  it('is said in Anthropic’s words', () => {
    expect(JSON.parse(decoder.decode(whole({ role: 'assistant', content: 'Hi.' })))).toEqual({
      id: 'msg_r1',
      type: 'message',
      role: 'assistant',
      model: 'm',
      content: [{ type: 'text', text: 'Hi.' }],
      stop_reason: 'end_turn',
      stop_sequence: null,
      usage: { input_tokens: 5, cache_creation_input_tokens: null, cache_read_input_tokens: null, output_tokens: 6 },
    })
  })

  it('that cannot be said is a failure of the provider', () => {
    const tool_calls = [{ id: 'c', type: 'function', function: { name: 'f', arguments: '{"a":1}{"a":2}' } }]
    expect(() => whole({ role: 'assistant', content: null, tool_calls }, 'tool_calls')).toThrow(
      expect.objectContaining({ type: 'provider_error', status: 502 }),
    )
  })
})

it('any body is a request or refused for a reason', () => {
  const key = fc.constantFrom(
    ...'model max_tokens messages system tools tool_choice stop_sequences thinking metadata output_config stream temperature top_k cache_control x_freeway_messages'.split(
      ' ',
    ),
  )
  const word = fc.constantFrom(
    'user',
    'assistant',
    'system',
    'text',
    'image',
    'document',
    'tool_use',
    'tool_result',
    'thinking',
    'base64',
    'auto',
    'tool',
  )
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof({ maxDepth: 5 }, word, fc.string(), fc.integer(), fc.boolean(), fc.constant(null), tie('list'), tie('object')),
    list: fc.array(tie('value'), { maxLength: 3 }),
    object: fc.dictionary(
      fc.constantFrom(
        'type',
        'role',
        'content',
        'text',
        'source',
        'data',
        'url',
        'media_type',
        'id',
        'name',
        'input',
        'tool_use_id',
        'input_schema',
      ),
      tie('value'),
    ),
  }))
  const block = fc.record(
    { type: word, text: value, source: value, content: value, id: value, name: value, input: value, tool_use_id: value },
    { requiredKeys: ['type'] },
  )
  const turn = fc.record({
    role: fc.constantFrom('user', 'assistant', 'system'),
    content: fc.oneof(fc.string(), fc.array(block, { maxLength: 3 })),
  })
  const body = fc.tuple(fc.array(turn, { minLength: 1, maxLength: 3 }), fc.dictionary(key, value, { maxKeys: 4 }), fc.boolean())
  let taken = 0
  fc.assert(
    fc.property(body, ([turns, fields, override]) => {
      const request = override ? { ...hello, messages: turns, ...fields } : { ...fields, ...hello, messages: turns }
      try {
        const { job } = messages.readRequest(utf8(JSON.stringify(request)), head) as Asked
        expect(job.kind).toBe('chat')
        taken++
      } catch (error) {
        expect(error).toBeInstanceOf(FreewayError)
        expect((error as FreewayError).status).toBe(400)
      }
    }),
    { numRuns: 500 },
  )
  expect(taken).toBeGreaterThan(20)
})
