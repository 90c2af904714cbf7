import { describe, expect, it, test } from 'vitest'
import { refusalOf } from '#test/support/refusal.ts'
import { FreewayError } from '../../failure.ts'
import { writeRequest as writeChatRequest } from '../chat-completions/request.ts'
import { countTokens, readRequest } from './request.ts'

const encode = (value: unknown) => new TextEncoder().encode(JSON.stringify(value))
const decode = (bytes: Uint8Array) => JSON.parse(new TextDecoder().decode(bytes))
const hello = [{ role: 'user', content: 'Hello' }]
const read = (fields: object = {}) => readRequest(encode({ model: 'm', max_tokens: 100, messages: hello, ...fields }))
const body = (fields: object) => decode(read(fields).job.body)
/** What a chat provider gets. */
const upstream = (fields: object) => JSON.parse(writeChatRequest(read(fields).job.body, { model: 'm', stream: false }))
const weather = { name: 'weather', description: 'Tells it.', input_schema: { type: 'object', properties: { city: { type: 'string' } } } }
const use = (id: string, input: object = {}) => ({ type: 'tool_use', id, name: 'weather', input })
const result = (id: string, content?: unknown, more: object = {}) => ({
  type: 'tool_result',
  tool_use_id: id,
  ...(content !== undefined && { content }),
  ...more,
})
const png = { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'AAAA' } }
const picture = { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } }
const text = (said: string) => ({ type: 'text', text: said })

const refusal = (fields: object) => refusalOf(() => read(fields))

describe('a request', () => {
  it('is a job like any other, whose usage is always wanted', () => {
    expect(read({ stream: true, temperature: 0.5, top_p: 0.9 }).job).toMatchObject({
      kind: 'chat',
      model: 'm',
      stream: true,
      includeUsage: true,
    })
    expect(upstream({ temperature: 0.5, top_p: 0.9 })).toEqual({
      model: 'm',
      messages: hello,
      max_tokens: 100,
      temperature: 0.5,
      top_p: 0.9,
      stream: false,
    })
    expect(JSON.parse(writeChatRequest(read({ stream: true }).job.body, { model: 'm', stream: true })).stream_options).toEqual({
      include_usage: true,
    })
  })

  it('may name a strategy, as everywhere', () => {
    expect(read({ strategy: 'fast', fallback: false }).job).toMatchObject({ strategy: 'fast', fallback: false })
    expect(upstream({ strategy: 'fast' })).not.toHaveProperty('strategy')
  })

  test.each([
    [{ max_tokens: undefined }, 'max_tokens'],
    [{ messages: [] }, 'messages'],
    [{ messages: [{ role: 'robot', content: 'a' }] }, 'messages[0].role'],
    [{ messages: [{ role: 'user' }] }, 'messages[0].content'],
    [{ messages: [{ role: 'user', content: [{ type: 'text' }] }] }, 'messages[0].content[0].text'],
    [{ messages: [{ role: 'user', content: [result(undefined as unknown as string)] }] }, 'messages[0].content[0].tool_use_id'],
    [
      { messages: [{ role: 'user', content: [{ type: 'image', source: { type: 'file', file_id: 'f' } }] }] },
      'messages[0].content[0].source',
    ],
    [{ tools: [{ input_schema: { type: 'object' } }] }, 'tools[0].name'],
    [{ tools: [weather], tool_choice: { type: 'tool', name: 'none' } }, 'tool_choice.name'],
    [{ tool_choice: { type: 'some' } }, 'tool_choice.type'],
    [{ temperature: 3 }, 'temperature'],
  ])('%j is refused by the name of its field', (fields, param) => {
    expect(refusal(fields)).toMatchObject({ type: 'invalid_request_error', status: 400, param })
  })

  it('needs vision and tools where it has pictures and tools', () => {
    expect(read({ messages: [{ role: 'user', content: [png] }], tools: [weather] }).job.need).toMatchObject({ vision: true, tools: true })
    expect(read().job.need).toMatchObject({ vision: false, tools: false })
  })
})

describe('messages', () => {
  it('1: a tool result stands directly after its call, whatever was said around it', () => {
    const messages = [
      { role: 'assistant', content: [use('call_1')] },
      { role: 'user', content: [text('before'), result('call_1', 'tool ok'), text('after')] },
    ]
    expect(upstream({ messages }).messages).toEqual([
      {
        role: 'assistant',
        content: null,
        tool_calls: [{ id: 'call_1', type: 'function', function: { name: 'weather', arguments: '{}' } }],
      },
      { role: 'tool', tool_call_id: 'call_1', content: 'tool ok' },
      { role: 'user', content: [text('before'), text('after')] },
    ])
  })

  test.each([
    ['an object', { foo: 'bar' }, {}, '{"foo":"bar"}'],
    ['nothing', undefined, {}, ''],
    ['an error', 'no such city', { is_error: true }, 'Error: no such city'],
    ['an error without a word', undefined, { is_error: true }, 'Error: '],
    ['no error', 'fine', { is_error: false }, 'fine'],
  ])('2: a result may be %s', (_, content, more, said) => {
    expect(upstream({ messages: [{ role: 'user', content: [result('c', content, more)] }] }).messages).toEqual([
      { role: 'tool', tool_call_id: 'c', content: said },
    ])
  })

  it('3: a picture in a result is not lost', () => {
    const messages = [{ role: 'user', content: [result('c', [text('see'), png])] }]
    expect(body({ messages }).messages).toEqual([{ role: 'tool', tool_call_id: 'c', content: [text('see'), picture] }])
    expect(read({ messages }).job.need.vision).toBe(true)
    const shown = { role: 'user', content: [picture] }
    expect(upstream({ messages }).messages).toEqual([{ role: 'tool', tool_call_id: 'c', content: 'see' }, shown])
    const link = { type: 'image', source: { type: 'url', url: 'https://a.example/b.png' } }
    const [call, asked] = upstream({ messages: [{ role: 'user', content: [result('c', [link]), text('What is it?')] }] }).messages
    expect(call.content).toBe('(see the next message)')
    expect(asked.content).toEqual([{ type: 'image_url', image_url: { url: 'https://a.example/b.png' } }, text('What is it?')])
  })

  it('5: entries of the system stay in their place', () => {
    const messages = [
      { role: 'user', content: 'a' },
      { role: 'system', content: 'rule' },
      { role: 'assistant', content: 'b' },
      { role: 'system', content: [text('more')] },
      { role: 'user', content: 'c' },
    ]
    expect(upstream({ messages }).messages).toEqual(messages.with(3, { role: 'system', content: 'more' }))
  })

  it('6: what Claude Code tells of billing is dropped, the rest of the system stays', () => {
    const system = [
      text('x-anthropic-billing-header: cc_version=2; cch=ab1'),
      { ...text('Be brief.'), cache_control: { type: 'ephemeral' } },
    ]
    expect(upstream({ system }).messages).toEqual([{ role: 'system', content: 'Be brief.' }, ...hello])
    expect(upstream({ system: [system[0]] }).messages).toEqual(hello)
  })

  it('with blocks that only Anthropic knows say nothing of them to others', () => {
    const messages = [
      { role: 'user', content: [{ type: 'container_upload', file_id: 'f' }, text('Hi')] },
      { role: 'user', content: [{ type: 'odd' }] },
    ]
    expect(upstream({ messages }).messages).toEqual([
      { role: 'user', content: [text('Hi')] },
      { role: 'user', content: '' },
    ])
  })

  it('with documents are files, or their text', () => {
    const pdf = { type: 'document', title: 'a.pdf', source: { type: 'base64', media_type: 'application/pdf', data: 'JVBE' } }
    const note = { type: 'document', title: 'Note', source: { type: 'text', media_type: 'text/plain', data: 'hello' } }
    const link = { type: 'document', source: { type: 'url', url: 'https://a.example/b.pdf' } }
    expect(upstream({ messages: [{ role: 'user', content: [pdf, note, link] }] }).messages[0].content).toEqual([
      { type: 'file', file: { filename: 'a.pdf', file_data: 'data:application/pdf;base64,JVBE' } },
      text('Note\nhello'),
      { type: 'file', file: { filename: 'document.pdf', file_data: 'https://a.example/b.pdf' } },
    ])
  })

  it('with thoughts keep them for their own provider, and show them to no other', () => {
    const thinking = { type: 'thinking', thinking: 'hm', signature: 'sig' }
    const messages = [...hello, { role: 'assistant', content: [thinking, text('Hi'), use('toolu_1', { city: 'Paris' })] }]
    expect(JSON.stringify(upstream({ messages }))).not.toContain('sig')
    expect(upstream({ messages }).messages[1]).toEqual({
      role: 'assistant',
      content: 'Hi',
      tool_calls: [{ id: 'toolu_1', type: 'function', function: { name: 'weather', arguments: '{"city":"Paris"}' } }],
    })
    expect(JSON.stringify(body({ messages }))).toContain('"signature":"sig"')
  })

  it('with thoughts that nobody has signed bring them back to chat providers, whose they are', () => {
    const thinking = (said: string) => ({ type: 'thinking', thinking: said, signature: '' })
    const content = [thinking('hm'), thinking('yes'), use('toolu_1', { city: 'Paris' })]
    expect(upstream({ messages: [...hello, { role: 'assistant', content }] }).messages[1]).toMatchObject({
      content: null,
      reasoning_content: 'hm\n\nyes',
      tool_calls: [{ id: 'toolu_1' }],
    })
  })

  it('that end with the assistant are to be continued', () => {
    expect(read({ messages: [...hello, { role: 'assistant', content: 'The answer is' }] }).prefill).toBe('The answer is')
    expect(read({ messages: [...hello, { role: 'assistant', content: [text('{"a')] }] }).prefill).toBe('{"a')
    expect(read({ messages: [...hello, { role: 'assistant', content: [use('c')] }] }).prefill).toBe('')
    expect(read().prefill).toBe('')
  })
})

describe('tools', () => {
  it('7: every object of a schema has properties', () => {
    const input_schema = { type: 'object', properties: { a: { type: 'object' }, b: { type: 'array', items: { type: 'object' } } } }
    expect(
      upstream({
        tools: [
          { name: 'f', input_schema },
          { name: 'g', input_schema: { type: 'object' } },
        ],
      }).tools,
    ).toEqual([
      {
        type: 'function',
        function: {
          name: 'f',
          parameters: {
            type: 'object',
            properties: { a: { type: 'object', properties: {} }, b: { type: 'array', items: { type: 'object', properties: {} } } },
          },
        },
      },
      { type: 'function', function: { name: 'g', parameters: { type: 'object', properties: {} } } },
    ])
  })

  test.each([
    [{ type: 'auto' }, { tool_choice: 'auto' }],
    [{ type: 'any' }, { tool_choice: 'required' }],
    [{ type: 'none' }, { tool_choice: 'none' }],
    [{ type: 'tool', name: 'weather' }, { tool_choice: { type: 'function', function: { name: 'weather' } } }],
    [
      { type: 'any', disable_parallel_tool_use: true },
      { tool_choice: 'required', parallel_tool_calls: false },
    ],
  ])('9: %j', (tool_choice, expected) => {
    expect(upstream({ tools: [weather], tool_choice })).toMatchObject(expected)
    for (const tools of [[], undefined]) {
      const sent = upstream({ tools, tool_choice })
      for (const field of ['tools', 'tool_choice', 'parallel_tool_calls']) expect(sent).not.toHaveProperty(field)
    }
  })

  it('that a provider would run itself are kept from all others', () => {
    const search = { type: 'web_search_20250305', name: 'web_search', max_uses: 3 }
    expect(upstream({ tools: [search, weather] }).tools).toHaveLength(1)
    expect(upstream({ tools: [search], tool_choice: { type: 'auto' } })).not.toHaveProperty('tool_choice')
  })
})

describe('settings', () => {
  it('10: four stop sequences go to the provider, the gateway knows all', () => {
    const stop_sequences = ['a', '', 'b', 'c', 'd', 'e']
    expect(upstream({ stop_sequences }).stop).toEqual(['a', 'b', 'c', 'd'])
    expect(read({ stop_sequences }).stopSequences).toEqual(['a', 'b', 'c', 'd', 'e'])
  })

  test.each([
    [{ thinking: { type: 'enabled', budget_tokens: 1024 } }, 'low', true],
    [{ thinking: { type: 'enabled', budget_tokens: 8192 } }, 'medium', true],
    [{ thinking: { type: 'enabled', budget_tokens: 8193 } }, 'high', true],
    [{ thinking: { type: 'adaptive' }, output_config: { effort: 'xhigh' } }, 'xhigh', true],
    [{ thinking: { type: 'adaptive' } }, undefined, true],
    [{ thinking: { type: 'disabled' }, output_config: { effort: 'low' } }, undefined, false],
    [{ output_config: { effort: 'low' } }, 'low', false],
    [{}, undefined, false],
  ])('11: %j is an effort of %s', (fields, effort, thinking) => {
    expect(upstream(fields).reasoning_effort).toBe(effort)
    expect(read(fields).thinking).toBe(thinking)
  })

  it('11: what no chat provider knows stays behind', () => {
    const sent = upstream({
      top_k: 5,
      thinking: { type: 'adaptive' },
      context_management: { edits: [] },
      cache_control: {},
      container: 'c',
      other: 1,
    })
    expect(Object.keys(sent).sort()).toEqual(['max_tokens', 'messages', 'model', 'stream'])
  })

  it('a schema for the answer is one', () => {
    const schema = { type: 'object', properties: { a: { type: 'string' } } }
    expect(upstream({ output_config: { format: { type: 'json_schema', schema } } }).response_format).toEqual({
      type: 'json_schema',
      json_schema: { name: 'answer', schema },
    })
  })

  it('the user is told where the name is not too long', () => {
    expect(upstream({ metadata: { user_id: 'u1' } }).user).toBe('u1')
    expect(upstream({ metadata: { user_id: 'u'.repeat(65) } })).not.toHaveProperty('user')
  })
})

describe('counting tokens', () => {
  const count = (fields: object) => countTokens(encode({ messages: hello, ...fields }))

  it('needs no limit of the answer, and grows with whatever is added', () => {
    const counts = [
      count({}),
      count({ system: 'Be brief.' }),
      count({ system: 'Be brief.', tools: [weather] }),
      count({ system: 'Be brief.', tools: [weather], messages: [...hello, { role: 'assistant', content: 'a' }] }),
      count({
        system: 'Be brief.',
        tools: [weather],
        messages: [...hello, { role: 'assistant', content: 'a' }, { role: 'user', content: [png] }],
      }),
    ]
    expect(counts[0]).toBeGreaterThan(0)
    expect(counts).toEqual([...new Set(counts)].sort((a, b) => a - b))
  })

  it('counts a picture flat, however large', () => {
    const large = { ...png, source: { ...png.source, data: 'A'.repeat(400_000) } }
    expect(count({ messages: [{ role: 'user', content: [large] }] })).toBeLessThan(2_000)
  })

  it('counts nothing twice that is kept for one format alone', () => {
    const note = { type: 'document', title: 'Note', source: { type: 'text', media_type: 'text/plain', data: 'x'.repeat(4_000) } }
    expect(count({ messages: [{ role: 'user', content: [note] }] })).toBeLessThan(1_100)
  })

  it('refuses what is no request', () => {
    expect(() => count({ messages: [] })).toThrow(FreewayError)
  })
})
