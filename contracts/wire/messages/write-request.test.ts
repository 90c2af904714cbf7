import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import type { ChatBody } from '../../job.ts'
import { writeCipher } from '../cipher.ts'
import { readRequest } from './request.ts'
import { writeRequest } from './write-request.ts'

const encode = (value: unknown) => new TextEncoder().encode(JSON.stringify(value))
const write = (body: object) =>
  JSON.parse(writeRequest({ messages: [{ role: 'user', content: 'Hello' }], ...body } as ChatBody, { model: 'c', stream: false }).body)
const there = (request: object, betas: string | null = null) =>
  writeRequest(readRequest(encode(request), betas).job.body, { model: 'm', stream: false })
const back = (request: object) => JSON.parse(there(request).body)
const call = (id: string, args = '{}') => ({ id, type: 'function', function: { name: 'f', arguments: args } })

describe('a chat request for a provider that speaks Messages', () => {
  it('26: results go together into one user message, and what the user says follows them', () => {
    const messages = [
      { role: 'assistant', content: null, tool_calls: [call('a'), call('b', '{"x":1}')] },
      { role: 'tool', tool_call_id: 'a', content: 'one' },
      { role: 'tool', tool_call_id: 'b', content: '' },
      { role: 'user', content: 'and now?' },
    ]
    expect(write({ messages }).messages).toEqual([
      {
        role: 'assistant',
        content: [
          { type: 'tool_use', id: 'a', name: 'f', input: {} },
          { type: 'tool_use', id: 'b', name: 'f', input: { x: 1 } },
        ],
      },
      {
        role: 'user',
        content: [
          { type: 'tool_result', tool_use_id: 'a', content: 'one' },
          { type: 'tool_result', tool_use_id: 'b' },
          { type: 'text', text: 'and now?' },
        ],
      },
    ])
  })

  it('27: ids are made fit, in the call and in its result, and stay different', () => {
    const messages = [
      { role: 'assistant', tool_calls: [call('call.with space:1'), call('call.with space.1')] },
      { role: 'tool', tool_call_id: 'call.with space:1', content: 'a' },
      { role: 'tool', tool_call_id: 'call.with space.1', content: 'b' },
    ]
    const [calls, results] = write({ messages }).messages
    expect(calls.content.map(({ id }: { id: string }) => id)).toEqual(['call_with_space_1', 'call_with_space_1_2'])
    expect(results.content.map((block: { tool_use_id: string }) => block.tool_use_id)).toEqual(['call_with_space_1', 'call_with_space_1_2'])
  })

  it('29: a union at the root of a schema becomes one object that allows all and demands nothing of the alternatives', () => {
    const parameters = {
      anyOf: [
        { type: 'object', properties: { a: { type: 'string' } }, required: ['a'] },
        { properties: { b: { type: 'number' } }, required: ['b'] },
      ],
    }
    const schemaOf = (schema: object) =>
      write({ tools: [{ type: 'function', function: { name: 'f', parameters: schema } }] }).tools[0].input_schema
    expect(schemaOf(parameters)).toEqual({ type: 'object', properties: { a: { type: 'string' }, b: { type: 'number' } } })
    expect(schemaOf({ type: 'object', properties: { c: {} }, required: ['c'], oneOf: [{ required: ['x'] }] })).toEqual({
      type: 'object',
      properties: { c: {} },
      required: ['c'],
    })
  })

  it('30: a function has a schema, and no wrapper', () => {
    expect(write({ tools: [{ type: 'function', function: { name: 'f', description: 'd', strict: true } }] }).tools).toEqual([
      { name: 'f', description: 'd', input_schema: { type: 'object', properties: {} }, strict: true },
    ])
  })

  test.each([
    [{}, 32_000],
    [{ max_tokens: 5 }, 5],
    [{ max_tokens: 5, max_completion_tokens: 7 }, 7],
  ])('31: %j is a limit of %i', (fields, max_tokens) => {
    expect(write(fields).max_tokens).toBe(max_tokens)
  })

  test.each([
    [{ n: 2 }, 'n'],
    [{ logprobs: true }, 'logprobs'],
  ])('33: %j is refused rather than passed over', (fields, param) => {
    expect(() => write(fields)).toThrow(expect.objectContaining({ type: 'invalid_request_error', param }))
  })

  it('says the rest in other words', () => {
    const sent = write({
      messages: [
        { role: 'system', content: 'A' },
        { role: 'developer', content: [{ type: 'text', text: 'B' }] },
        { role: 'user', content: [{ type: 'image_url', image_url: { url: 'https://a.example/b.png' } }] },
        { role: 'system', content: 'late' },
      ],
      temperature: 1.5,
      stop: ['x', '\n'],
      user: 'u1',
      tools: [{ type: 'function', function: { name: 'f' } }],
      tool_choice: 'required',
      parallel_tool_calls: false,
      response_format: { type: 'json_schema', json_schema: { name: 'n', schema: { type: 'object' } } },
    })
    expect(sent).toMatchObject({
      system: [
        { type: 'text', text: 'A' },
        { type: 'text', text: 'B' },
      ],
      messages: [
        { role: 'user', content: [{ type: 'image', source: { type: 'url', url: 'https://a.example/b.png' } }] },
        { role: 'user', content: [{ type: 'text', text: '<system-reminder>\nlate\n</system-reminder>' }] },
      ],
      temperature: 1,
      stop_sequences: ['x'],
      metadata: { user_id: 'u1' },
      tool_choice: { type: 'any', disable_parallel_tool_use: true },
      output_config: { format: { type: 'json_schema', schema: { type: 'object' } } },
    })
  })

  it('may think as hard as it was asked to, on top of its limit, where Anthropic allows it', () => {
    expect(write({ reasoning_effort: 'medium', max_tokens: 100, temperature: 0.5 })).toMatchObject({
      thinking: { type: 'enabled', budget_tokens: 8192 },
      max_tokens: 8292,
    })
    expect(write({ reasoning_effort: 'medium', temperature: 0.5 })).not.toHaveProperty('temperature')
    expect(write({ reasoning_effort: 'none' })).not.toHaveProperty('thinking')
    const tools = [{ type: 'function', function: { name: 'f' } }]
    expect(write({ reasoning_effort: 'high', tools, tool_choice: 'required' })).not.toHaveProperty('thinking')
    const messages = [
      { role: 'user', content: 'a' },
      { role: 'assistant', content: 'The' },
    ]
    expect(write({ reasoning_effort: 'high', messages })).not.toHaveProperty('thinking')
  })

  it('gives back the thoughts that a chat client was told', () => {
    const reasoning_details = [
      { type: 'reasoning.text', text: 'hm', signature: 's' },
      { type: 'reasoning.encrypted', data: 'd' },
      { type: 'reasoning.encrypted', data: writeCipher({ id: 'rs_1', content: 'C' }, 'openai') },
    ]
    const messages = [
      { role: 'user', content: 'a' },
      { role: 'assistant', content: 'b', reasoning_details },
      { role: 'user', content: 'c' },
    ]
    expect(write({ messages }).messages[1].content).toEqual([
      { type: 'thinking', thinking: 'hm', signature: 's' },
      { type: 'redacted_thinking', data: 'd' },
      { type: 'text', text: 'b' },
    ])
  })

  it('shows a model the broken arguments that it wrote', () => {
    const messages = [{ role: 'assistant', tool_calls: [call('a', '{"x":'), call('b', '[1]')] }]
    expect(write({ messages }).messages[0].content.map(({ input }: { input: unknown }) => input)).toEqual([
      { arguments: '{"x":' },
      { arguments: [1] },
    ])
  })
})

describe('what came from a Messages client', () => {
  it('comes out as it went in', () => {
    const request = {
      model: 'm',
      max_tokens: 100,
      system: [{ type: 'text', text: 'Be brief.', cache_control: { type: 'ephemeral' } }],
      messages: [
        {
          role: 'user',
          content: [
            { type: 'text', text: 'See', cache_control: { type: 'ephemeral' } },
            { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'AAAA' } },
            {
              type: 'document',
              source: { type: 'base64', media_type: 'application/pdf', data: 'JVBE' },
              title: 'T',
              context: 'C',
              citations: { enabled: true },
            },
            {
              type: 'document',
              source: {
                type: 'content',
                content: [
                  { type: 'text', text: 'one' },
                  { type: 'text', text: 'two' },
                ],
              },
            },
            { type: 'search_result', title: 'R', source: 's', content: [{ type: 'text', text: 'found' }] },
            { type: 'container_upload', file_id: 'f' },
          ],
        },
        { role: 'system', content: 'in place' },
        {
          role: 'assistant',
          content: [
            { type: 'thinking', thinking: 'hm', signature: 's1' },
            { type: 'redacted_thinking', data: 'xx' },
            { type: 'text', text: 'Let me', citations: [{ type: 'char_location' }] },
            { type: 'text', text: ' see' },
            { type: 'tool_use', id: 'toolu_1', name: 'f', input: { a: [1, { b: null }] }, cache_control: { type: 'ephemeral' } },
            { type: 'server_tool_use', id: 'srvtoolu_1', name: 'web_search', input: { query: 'q' } },
            { type: 'tool_use', id: 'toolu_2', name: 'f', input: {} },
          ],
        },
        {
          role: 'user',
          content: [
            { type: 'tool_result', tool_use_id: 'toolu_1', content: [{ type: 'text', text: 'bad' }], is_error: true },
            { type: 'tool_result', tool_use_id: 'toolu_2', content: 'fine', cache_control: { type: 'ephemeral' } },
            { type: 'text', text: 'and?' },
          ],
        },
      ],
      tools: [
        { type: 'web_search_20250305', name: 'web_search', max_uses: 3 },
        { name: 'f', description: 'd', input_schema: { type: 'object', properties: {} }, cache_control: { type: 'ephemeral' } },
      ],
      tool_choice: { type: 'auto', disable_parallel_tool_use: true },
      thinking: { type: 'enabled', budget_tokens: 2000 },
      stop_sequences: ['1', '2', '3', '4', '5'],
      top_k: 7,
      temperature: 1,
      metadata: { user_id: 'u1' },
      service_tier: 'auto',
      context_management: { edits: [] },
      output_config: { effort: 'high' },
    }
    expect(back(request)).toEqual(request)
  })

  it('keeps the features that it asked for by header, and no nonsense', () => {
    const request = { model: 'm', max_tokens: 1, messages: [{ role: 'user', content: 'a' }] }
    expect(there(request, 'context-management-2025-06-27,x').headers).toEqual({
      'anthropic-version': '2023-06-01',
      'anthropic-beta': 'context-management-2025-06-27,x',
    })
    expect(there(request, 'a\r\nx: y').headers).toEqual({ 'anthropic-version': '2023-06-01' })
    expect(there(request).headers).toEqual({ 'anthropic-version': '2023-06-01' })
  })

  it('is rid of thoughts that nobody signed, or that another provider encrypted: theirs would refuse them', () => {
    const content = [
      { type: 'thinking', thinking: 'of another', signature: '' },
      { type: 'redacted_thinking', data: writeCipher({ id: 'rs_1', content: 'C' }, 'openai') },
      { type: 'text', text: 'Hi' },
    ]
    const messages = [
      { role: 'user', content: 'a' },
      { role: 'assistant', content },
    ]
    expect(back({ model: 'm', max_tokens: 1, messages }).messages[1].content).toEqual([{ type: 'text', text: 'Hi' }])
  })

  const word = fc.string({ maxLength: 12 })
  const said = fc.string({ minLength: 1, maxLength: 12 })
  const cached = fc.option(fc.constant({ cache_control: { type: 'ephemeral' } }), { nil: {} })
  const textBlock = fc.tuple(said, cached).map(([text, more]) => ({ type: 'text', text, ...more }))
  const image = fc.constantFrom(
    { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'AA' } },
    { type: 'image', source: { type: 'url', url: 'https://a.example/b.png' } },
  )
  const id = fc.stringMatching(/^toolu_[a-z0-9]{1,6}$/)
  const input = fc
    .dictionary(fc.stringMatching(/^[a-z]{1,4}$/), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 3 })
    .map((value) => JSON.parse(JSON.stringify(value)))
  const use = fc.tuple(id, input, cached).map(([id, input, more]) => ({ type: 'tool_use', id, name: 'f', input, ...more }))
  const thought = fc.tuple(word, said).map(([thinking, signature]) => ({ type: 'thinking', thinking, signature }))
  const result = fc
    .tuple(id, fc.oneof(said, fc.array(fc.oneof(textBlock, image), { minLength: 1, maxLength: 2 })), fc.boolean(), cached)
    .map(([tool_use_id, content, failed, more]) => ({
      type: 'tool_result',
      tool_use_id,
      content,
      ...(failed && { is_error: true }),
      ...more,
    }))
  const userTurn = fc
    .tuple(fc.array(result, { maxLength: 2 }), fc.array(fc.oneof(textBlock, image), { minLength: 1, maxLength: 3 }))
    .map(([results, rest]) => ({ role: 'user', content: [...results, ...rest] }))
  const assistantTurn = fc
    .array(fc.oneof(textBlock, use, thought, fc.constant({ type: 'redacted_thinking', data: 'd' })), { minLength: 1, maxLength: 4 })
    .map((content) => ({ role: 'assistant', content }))
  const messages = fc.array(fc.tuple(userTurn, assistantTurn), { minLength: 1, maxLength: 3 }).map((turns) => turns.flat())

  it('loses nothing, by chance neither', () => {
    fc.assert(
      fc.property(messages, (messages) => {
        const request = { model: 'm', max_tokens: 1, messages }
        expect(back(request)).toEqual(request)
      }),
      { numRuns: 200 },
    )
  })

  it('is read again as the same job', () => {
    fc.assert(
      fc.property(messages, (messages) => {
        const first = readRequest(encode({ model: 'm', max_tokens: 1, messages })).job.body
        const second = readRequest(new TextEncoder().encode(writeRequest(first, { model: 'm', stream: false }).body)).job.body
        expect(JSON.parse(new TextDecoder().decode(second))).toEqual(JSON.parse(new TextDecoder().decode(first)))
      }),
      { numRuns: 100 },
    )
  })
})
