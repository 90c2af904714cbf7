import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { refusalOf } from '#test/support/refusal.ts'
import { FreewayError } from '../../failure.ts'
import { readRequest, writeRequest } from './request.ts'

const encode = (value: unknown) => new TextEncoder().encode(typeof value === 'string' ? value : JSON.stringify(value))
const decode = (bytes: Uint8Array) => JSON.parse(new TextDecoder().decode(bytes))
const messages = [{ role: 'user', content: 'Hello' }]
const read = (fields: object = {}) => readRequest(encode({ messages, ...fields }))

const refusal = (body: unknown) => refusalOf(() => readRequest(encode(body)))

describe('reading', () => {
  test('the body stays as it was written', () => {
    const bytes = encode('{ "messages":[{"role":"user","content":"\\u0048i"}], "unknown" : 1e2, "big":12345678901234567890 }')
    expect(readRequest(bytes).body).toBe(bytes)
  })

  test('our own fields are taken out, the rest stays', () => {
    const job = read({ strategy: 'fast', preferred_provider: 'groq', fallback: false, model: 'm', x: { y: [1] } })
    expect(job).toMatchObject({
      kind: 'chat',
      strategy: 'fast',
      preferred: 'groq',
      fallback: false,
      model: 'm',
      stream: false,
      includeUsage: false,
    })
    expect(decode(job.body)).toEqual({ messages, model: 'm', x: { y: [1] } })
  })

  test('absent, null and empty are the same', () => {
    for (const nothing of [undefined, null, '']) {
      expect(read({ model: nothing, strategy: nothing, preferred_provider: nothing })).toMatchObject({
        model: undefined,
        strategy: undefined,
        preferred: undefined,
      })
    }
    expect(read({ fallback: null, stream: null, tools: null, stop: null, n: null })).toMatchObject({ fallback: true, stream: false })
  })

  test('streaming and its usage', () => {
    expect(read({ stream: true, stream_options: { include_usage: true } })).toMatchObject({ stream: true, includeUsage: true })
    expect(read({ stream: true })).toMatchObject({ stream: true, includeUsage: false })
  })

  test('__proto__ does not travel on', () => {
    const job = readRequest(encode('{"messages":[{"role":"user","content":"a","__proto__":{"x":1}}],"\\u005f_proto__":{"admin":true}}'))
    expect(new TextDecoder().decode(job.body)).toBe('{"messages":[{"role":"user","content":"a"}]}')
  })

  test.each([
    ['a tool', { tools: [{ type: 'function', function: { name: 'f' } }] }, { tools: true, tool_count: 1 }],
    ['several', { tools: ['f', 'g', 'h'].map((name) => ({ type: 'function', function: { name } })) }, { tools: true, tool_count: 3 }],
    ['no tools', { tools: [], tool_choice: 'auto' }, { tools: false }],
    ['old functions', { functions: [{ name: 'f' }, { name: 'g' }] }, { tools: true, tool_count: 2 }],
    ['a schema', { response_format: { type: 'json_schema', json_schema: { name: 'x', schema: {} } } }, { json: true }],
    ['an object', { response_format: { type: 'json_object' } }, { json: true }],
    ['text', { response_format: { type: 'text' } }, { json: false }],
    [
      'a picture',
      { messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'data:image/png;base64,AA' } }] }] },
      { vision: true },
    ],
    [
      'sound',
      { messages: [{ role: 'user', content: [{ type: 'input_audio', input_audio: { data: 'AA', format: 'wav' } }] }] },
      { vision: false, also: ['audio_in'] },
    ],
    ['no picture', { messages: [{ role: 'user', content: [{ type: 'text', text: 'image_url' }] }] }, { vision: false }],
    ['several answers', { n: 2 }, { also: ['choices'] }],
    ['logprobs', { logprobs: true, top_logprobs: 2 }, { also: ['logprobs'] }],
  ])('%s is needed', (_, fields, need) => {
    expect(read(fields).need).toMatchObject(need)
  })

  test('one answer without logprobs needs nothing special', () => {
    expect(read({ n: 1, logprobs: false }).need).not.toHaveProperty('also')
  })

  test('about four bytes a token; pictures and files count flat', () => {
    const long = read({ messages: [{ role: 'user', content: 'x'.repeat(4000) }] })
    expect(long.estimate.in).toBeGreaterThanOrEqual(1000)
    expect(long.estimate.in).toBeLessThan(1030)
    const url = `data:image/png;base64,${'A'.repeat(2_000_000)}`
    const picture = read({
      messages: [
        {
          role: 'user',
          content: [
            { type: 'image_url', image_url: { url } },
            { type: 'file', file: { file_data: url } },
          ],
        },
      ],
    })
    expect(picture.estimate.in).toBeGreaterThanOrEqual(2000)
    expect(picture.estimate.in).toBeLessThan(2100)
  })

  test.each([
    [{}, 512],
    [{ max_tokens: 7 }, 7],
    [{ max_tokens: 7, max_completion_tokens: 9 }, 9],
    [{ max_tokens: 7, n: 3 }, 21],
  ])('%j asks for %i tokens', (fields, out) => {
    const job = read(fields)
    expect(job.estimate.out).toBe(out)
    expect(job.need.ctx).toBe(job.estimate.in + out)
  })
})

describe('refusing', () => {
  test.each<[string, unknown, string | null, string?]>([
    ['no JSON', '{"messages":', null],
    ['no object', [1], null],
    ['null', 'null', null],
    ['too deep', `${'['.repeat(200_000)}${']'.repeat(200_000)}`, null],
    ['no messages', {}, 'messages'],
    ['empty messages', { messages: [] }, 'messages', 'empty_array'],
    ['a role of another world', { messages: [...messages, { role: 'SECRET' }] }, 'messages[1].role'],
    ['no role', { messages: [{ content: 'SECRET' }] }, 'messages[0].role'],
    ['content of no kind', { messages: [{ role: 'user', content: 7 }] }, 'messages[0].content'],
    ['a part without a type', { messages: [{ role: 'user', content: [{ text: 'SECRET' }] }] }, 'messages[0].content[0].type'],
    ['a model that is no text', { messages, model: { SECRET: 1 } }, 'model'],
    ['a model too long', { messages, model: 'SECRET'.repeat(50) }, 'model'],
    ['a model with control characters', { messages, model: 'SECRET\r\nx: y' }, 'model'],
    ['a strategy that is no text', { messages, strategy: ['SECRET'] }, 'strategy'],
    ['a preference that is no text', { messages, preferred_provider: 5 }, 'preferred_provider'],
    ['a fallback that is no boolean', { messages, fallback: 'SECRET' }, 'fallback'],
    ['no temperature', { messages, temperature: 'SECRET' }, 'temperature'],
    ['a number beyond all', `{"messages":[{"role":"user","content":"a"}],"max_tokens":1e999}`, 'max_tokens'],
    ['a tool without a name', { messages, tools: [{ type: 'function', function: { name: '' } }] }, 'tools[0].function.name'],
  ])('%s', (_, body, param, code = 'invalid_request_error') => {
    const error = refusal(body)
    expect(error).toMatchObject({ type: 'invalid_request_error', status: 400, param, code })
    expect(error.message).not.toContain('SECRET')
  })

  test('bad JSON has the words of the error table', () => {
    expect(refusal('{').message).toBe('invalid json payload')
  })

  test('whatever comes, it is a job or a refusal', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.jsonValue(), fc.record({ messages: fc.jsonValue(), model: fc.jsonValue(), tools: fc.jsonValue() })),
        (value) => {
          try {
            expect(readRequest(encode(JSON.stringify(value))).kind).toBe('chat')
          } catch (error) {
            expect(error).toBeInstanceOf(FreewayError)
          }
        },
      ),
    )
  })
})

describe('writing', () => {
  const write = (fields: object, stream = false) => JSON.parse(writeRequest(encode({ messages, ...fields }), { model: 'theirs', stream }))

  test('the model is theirs, and usage is always asked for in a stream', () => {
    expect(write({ model: 'ours', stream_options: { include_obfuscation: false } }, true)).toEqual({
      model: 'theirs',
      messages,
      stream: true,
      stream_options: { include_obfuscation: false, include_usage: true },
    })
    expect(write({ stream: true, stream_options: { include_usage: true } })).toEqual({ model: 'theirs', messages, stream: false })
  })

  test('without tools no tool settings', () => {
    for (const tools of [undefined, null, []]) {
      expect(write({ tools, tool_choice: 'auto', parallel_tool_calls: true, functions: [], function_call: 'auto' })).toEqual({
        model: 'theirs',
        messages,
        stream: false,
      })
    }
    expect(write({ tools: [{ type: 'function' }], tool_choice: 'none' })).toMatchObject({ tool_choice: 'none' })
  })

  test('optional fields that are null go, unknown ones stay, a null content means something', () => {
    const answer = {
      role: 'assistant',
      content: null,
      refusal: null,
      audio: null,
      tool_calls: [{ id: 'a', type: 'function', function: { name: 'f', arguments: '{}' } }],
    }
    const { refusal: _, audio: __, ...kept } = answer
    expect(write({ messages: [answer], stop: null, x: { y: null }, temperature: 0 })).toEqual({
      model: 'theirs',
      messages: [kept],
      x: { y: null },
      temperature: 0,
      stream: false,
    })
  })

  test('a parsed body is written like its text', () => {
    const body = { messages: [{ role: 'user' as const, content: 'a' }], seed: 1 }
    expect(writeRequest(body, { model: 'm', stream: true })).toBe(writeRequest(encode(body), { model: 'm', stream: true }))
  })

  test('what was read and written is the same request', () => {
    const fields = {
      messages,
      temperature: 0.5,
      tools: [{ type: 'function', function: { name: 'f', parameters: { type: 'object', properties: {} } } }],
      metadata: { a: 'b' },
    }
    const job = readRequest(encode({ ...fields, model: 'm', strategy: 'auto' }))
    expect(JSON.parse(writeRequest(job.body, { model: 'm', stream: false }))).toEqual({ ...fields, model: 'm', stream: false })
  })
})
