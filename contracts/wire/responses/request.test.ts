import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { refusalOf } from '#test/support/refusal.ts'
import { writeRequest as writeChatRequest } from '../chat-completions/request.ts'
import { writeCipher } from '../cipher.ts'
import { COMPACTION_PROMPT, readCompaction, writeCompaction } from './compaction.ts'
import { readRequest, writeRequest } from './request.ts'
import { parseRequest } from './shape.ts'

const encoder = new TextEncoder()
const parse = (fields: object) => parseRequest(encoder.encode(JSON.stringify(fields)))
const read = (fields: object) => readRequest(parse(fields))
/** What a chat provider is sent. */
const chat = (fields: object) => JSON.parse(writeChatRequest(read(fields).job.body, { model: 'm', stream: false }))
/** What a provider of Responses is sent. */
const native = (fields: object, provider = 'openai') =>
  JSON.parse(writeRequest(read(fields).job.body, { model: 'm', stream: false, provider }))

const refusal = (fields: object) => refusalOf(() => read(fields))

const user = { role: 'user', content: 'Hello' }
const call = (id: string, name = 'f', more: object = {}) => ({ type: 'function_call', call_id: id, name, arguments: '{"a":1}', ...more })
const result = (id: string, output: unknown = 'done') => ({ type: 'function_call_output', call_id: id, output })
const add = { type: 'function', name: 'add', description: null, parameters: { type: 'object', properties: {} }, strict: false }
const hosted = { type: 'web_search', external_web_access: false }

describe('a Responses request for a chat provider', () => {
  it('may be one text, with instructions before it', () => {
    expect(chat({ input: 'Hello', instructions: 'Be brief.' }).messages).toEqual([
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'Hello' },
    ])
  })

  it('has two calls and their results as one message and what must follow it (35)', () => {
    const { messages } = chat({ input: [user, call('1'), call('2'), result('1'), result('2', [{ type: 'input_text', text: 'text' }])] })
    expect(messages.slice(1)).toEqual([
      {
        role: 'assistant',
        content: null,
        tool_calls: ['1', '2'].map((id) => ({ id, type: 'function', function: { name: 'f', arguments: '{"a":1}' } })),
      },
      { role: 'tool', tool_call_id: '1', content: 'done' },
      { role: 'tool', tool_call_id: '2', content: 'text' },
    ])
  })

  it('has results directly after their calls, whatever was said between', () => {
    const { messages } = chat({ input: [call('1'), user, result('1')] })
    expect(messages.map(({ role }: { role: string }) => role)).toEqual(['assistant', 'tool', 'user'])
  })

  it('has what was thought, said and called in one turn in one message', () => {
    const thought = { type: 'reasoning', id: 'rs_1', summary: [{ type: 'summary_text', text: 'hm' }] }
    const said = { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'I look it up.' }] }
    const { messages } = chat({ input: [user, thought, said, call('1'), result('1')] })
    expect(messages[1]).toMatchObject({ content: 'I look it up.', reasoning_content: 'hm', tool_calls: [{ id: '1' }] })
  })

  it('has tools of a namespace under one name, and the first of two that flatten to the same (37)', () => {
    const tools = [
      { type: 'namespace', name: 'mcp__t__', tools: [{ ...add, description: 'first' }] },
      { ...add, name: 'mcp__t__add', description: 'second' },
    ]
    const { job, names } = read({ input: 'x', tools })
    expect(JSON.parse(writeChatRequest(job.body, { model: 'm', stream: false })).tools).toEqual([
      { type: 'function', function: { name: 'mcp__t__add', description: 'first', parameters: add.parameters, strict: false } },
    ])
    expect(names.get('mcp__t__add')).toEqual({ kind: 'function', name: 'add', namespace: 'mcp__t__' })
    const replayed = chat({ input: [call('1', 'add', { namespace: 'mcp__t__' }), result('1')], tools })
    expect(replayed.messages[0].tool_calls[0].function.name).toBe('mcp__t__add')
  })

  it('is as long as what a model is told of it, whatever is kept beside that', () => {
    const described = { ...add, description: 'Adds numbers. '.repeat(300) }
    const estimateOf = (input: object[], tools: object[]) => read({ input, tools }).job.estimate.in
    const plain = estimateOf([user], [described])
    expect(plain).toBeGreaterThan(1000)
    const picture = { type: 'image_generation_call', id: 'ig_1', status: 'completed', result: 'A'.repeat(400_000) }
    const thought = { type: 'reasoning', id: 'rs_1', summary: [], encrypted_content: 'A'.repeat(400_000) }
    const said = { type: 'message', id: 'msg_1', role: 'assistant', content: [{ type: 'output_text', text: 'Hi' }] }
    const namespace = { type: 'namespace', name: 'mcp__t__', tools: [described] }
    const full = estimateOf([user, picture, thought, said, user], [namespace, hosted])
    expect(full).toBeGreaterThan(plain)
    expect(full).toBeLessThan(plain + 100)
  })

  it('has no hosted tools beside functions, and is refused where nothing else is there or one is demanded (38, 39)', () => {
    expect(chat({ input: 'x', tools: [hosted, add], tool_choice: 'auto' }).tools).toHaveLength(1)
    expect(refusal({ input: 'x', tools: [hosted] })).toMatchObject({ status: 400, param: 'tools' })
    expect(refusal({ input: 'x', tools: [hosted, add], tool_choice: { type: 'web_search' } })).toMatchObject({ param: 'tool_choice' })
    const none = chat({ input: 'x', tools: [hosted], tool_choice: 'none', parallel_tool_calls: true })
    expect(Object.keys(none)).not.toEqual(expect.arrayContaining(['tools']))
    const empty = chat({ input: 'x', tools: [], tool_choice: 'auto', parallel_tool_calls: true })
    for (const key of ['tools', 'tool_choice', 'parallel_tool_calls']) expect(empty).not.toHaveProperty(key)
  })

  it.each([
    ['auto', 'auto'],
    ['required', 'required'],
    [
      { type: 'function', name: 'add' },
      { type: 'function', function: { name: 'add' } },
    ],
    [{ type: 'allowed_tools', mode: 'required', tools: [{ type: 'function', name: 'add' }] }, 'required'],
  ])('has the choice %j as %j', (given, expected) => {
    const body = chat({ input: 'x', tools: [add, { ...add, name: 'sub' }], tool_choice: given })
    expect(body.tool_choice).toEqual(expected)
    expect(body.tools).toHaveLength(typeof given === 'object' && given.type === 'allowed_tools' ? 1 : 2)
  })

  it.each([
    ['high', 'high'],
    ['original', 'high'],
    ['medium', undefined],
    [123, undefined],
  ])('has pictures of detail %j as %j (41)', (detail, expected) => {
    const content = [{ type: 'input_image', image_url: 'https://example.test/a.png', detail }]
    const [part] = chat({ input: [{ role: 'user', content }] }).messages[0].content
    expect(part).toEqual({ type: 'image_url', image_url: { url: 'https://example.test/a.png', ...(expected && { detail: expected }) } })
  })

  it('has files as data or address, and none by an id that nobody else knows (41)', () => {
    const content = [
      { type: 'input_file', filename: 'a.pdf', file_data: 'data:application/pdf;base64,AA==' },
      { type: 'input_file', file_url: 'https://example.test/a.pdf' },
    ]
    expect(chat({ input: [{ role: 'user', content }] }).messages[0].content).toEqual([
      { type: 'file', file: { filename: 'a.pdf', file_data: 'data:application/pdf;base64,AA==' } },
      { type: 'file', file: { file_data: 'https://example.test/a.pdf' } },
    ])
    for (const part of [
      { type: 'input_image', file_id: 'f' },
      { type: 'input_file', file_id: 'f' },
    ])
      expect(refusal({ input: [{ role: 'user', content: [part] }] }).status).toBe(400)
  })

  it('has tools for free text as functions with one argument, and their calls as well (42)', () => {
    const tools = [{ type: 'custom', name: 'patch', format: { type: 'grammar', syntax: 'lark', definition: 'start: "x"' } }]
    const body = chat({
      input: [
        { type: 'custom_tool_call', call_id: '1', name: 'patch', input: '*** Begin' },
        { type: 'custom_tool_call_output', call_id: '1', output: 'ok' },
      ],
      tools,
    })
    expect(body.tools[0].function).toMatchObject({
      name: 'patch',
      parameters: { properties: { input: { type: 'string' } }, required: ['input'] },
    })
    expect(body.tools[0].function.description).toContain('start: "x"')
    expect(body.messages[0].tool_calls[0].function).toEqual({ name: 'patch', arguments: '{"input":"*** Begin"}' })
    expect(body.messages[1]).toEqual({ role: 'tool', tool_call_id: '1', content: 'ok' })
  })

  it('never holds what somebody encrypted for himself (43)', () => {
    const thought = { type: 'reasoning', id: 'rs_1', summary: [], encrypted_content: 'CIPHER' }
    expect(JSON.stringify(chat({ input: [user, thought, call('1'), result('1')] }))).not.toContain('CIPHER')
  })

  it('asks for a format only where there is one (45)', () => {
    const format = { type: 'json_schema', name: 'n', schema: { type: 'object' }, strict: true }
    expect(chat({ input: 'x', text: { format } }).response_format).toEqual({
      type: 'json_schema',
      json_schema: { name: 'n', schema: { type: 'object' }, strict: true },
    })
    expect(chat({ input: 'x', text: { format: { type: 'text' } } })).not.toHaveProperty('response_format')
    expect(chat({ input: 'x', text: { verbosity: 'low' } })).toMatchObject({ verbosity: 'low' })
  })

  it('has neither what is kept here nor what only OpenAI knows', () => {
    const body = chat({
      input: 'x',
      store: true,
      metadata: { a: 'b' },
      truncation: 'auto',
      include: ['reasoning.encrypted_content'],
      prompt_cache_key: 'k',
      client_metadata: {},
    })
    expect(Object.keys(body).sort()).toEqual(['messages', 'model', 'stream'])
  })

  it.each(['compaction', 'compaction_summary', 'context_compaction'])(
    'goes on from a %s of ours, and passes over those of others',
    (type) => {
      const mine: Record<string, unknown> = { ...writeCompaction('cmp_1', 'Ada counts.'), type }
      expect(native({ input: [mine, user] }).input).toMatchObject([{ type: 'message', role: 'user' }, { role: 'user' }])
      expect(chat({ input: [mine, { type, encrypted_content: 'theirs' }, user] }).messages).toEqual([
        { role: 'user', content: readCompaction(mine.encrypted_content) },
        user,
      ])
      expect(readCompaction(mine.encrypted_content)).toContain('Ada counts.')
      expect(COMPACTION_PROMPT).not.toBe('')
    },
  )

  it('passes over the calls of hosted tools', () => {
    const input = [user, { type: 'web_search_call', id: 'ws_1', status: 'completed' }, { role: 'assistant', content: 'Hi' }, user]
    expect(chat({ input }).messages.map(({ role }: { role: string }) => role)).toEqual(['user', 'assistant', 'user'])
  })

  it.each([
    [{ input: 5 }, 'input'],
    [{ input: [5] }, 'input[0]'],
    [{ input: [{}] }, 'input[0]'],
    [{ input: [{ type: 'banana' }] }, 'input[0].type'],
    [{ input: [{ role: 'robot', content: 'x' }] }, 'input[0].role'],
    [{ input: [{ role: 'user', content: [{ type: 'banana' }] }] }, 'input[0].content[0].type'],
  ])('is refused as %j', (fields, param) => {
    expect(refusal(fields)).toMatchObject({ status: 400, type: 'invalid_request_error', param })
    expect(refusal(fields).message).toMatch(/^unsupported responses input shape/)
  })

  it.each([
    [{}, 'input'],
    [{ input: [] }, 'input'],
    [{ input: 'x', temperature: 'hot' }, 'temperature'],
    [{ input: 'x', max_output_tokens: 0 }, 'max_output_tokens'],
    [{ input: 'x', prompt: { id: 'p' } }, 'prompt'],
    [{ input: 'x', conversation: 'c' }, 'conversation'],
    [{ input: 'x', tool_choice: 'banana' }, 'tool_choice'],
    [{ input: [result('nobody')] }, 'input[0].call_id'],
  ])('is refused as %j, by its field', (fields, param) => {
    expect(refusal(fields)).toMatchObject({ status: 400, param })
  })

  it('is a job of what it asks', () => {
    const { job } = read({
      input: 'x',
      model: 'a/b',
      stream: true,
      tools: [add],
      max_output_tokens: 7,
      strategy: 'fast',
      text: { format: { type: 'json_object' } },
    })
    expect(job).toMatchObject({
      kind: 'chat',
      model: 'a/b',
      stream: true,
      includeUsage: true,
      strategy: 'fast',
      need: { tools: true, vision: false, json: true },
      estimate: { out: 7 },
    })
  })
})

describe('a Responses request for a provider of Responses', () => {
  const text = fc.string()
  const id = fc.stringMatching(/^[a-z]{1,8}$/)
  const optionalId = fc.option(
    id.map((value) => ({ id: `msg_${value}` })),
    { nil: {} },
  )
  const message = fc
    .record({ role: fc.constantFrom('user', 'developer', 'system'), text, more: optionalId })
    .map(({ role, text, more }) => [{ type: 'message', role, content: [{ type: 'input_text', text }], ...more }])
  const picture = fc.constantFrom('auto', 'low', 'high', 'original').map((detail) => [
    {
      type: 'message',
      role: 'user',
      content: [
        { type: 'input_text', text: 'see' },
        { type: 'input_image', image_url: 'https://example.test/a', detail },
      ],
    },
  ])
  const turn = fc
    .record({
      thought: text,
      said: text,
      calls: fc.uniqueArray(id, { maxLength: 3 }),
      order: fc.boolean(),
      output: text,
      custom: fc.boolean(),
    })
    .map(({ thought, said, calls, order, output, custom }) => {
      const speech = {
        type: 'message',
        role: 'assistant',
        content: [{ type: 'output_text', text: said, annotations: [] }],
        id: 'msg_1',
        phase: 'commentary',
      }
      const asked = calls.map((one, at) =>
        custom
          ? { type: 'custom_tool_call', call_id: one, name: 'patch', input: said, id: `ctc_${at}` }
          : call(one, 'f', { id: `fc_${at}`, status: 'completed' }),
      )
      const thoughts =
        thought === ''
          ? []
          : [{ type: 'reasoning', id: 'rs_1', summary: [{ type: 'summary_text', text: thought }], encrypted_content: 'CIPHER' }]
      return [
        ...thoughts,
        ...(order ? [speech, ...asked] : [...asked, speech]),
        ...calls.map((one) => (custom ? { type: 'custom_tool_call_output', call_id: one, output } : result(one, output))),
      ]
    })
  // A user's word between two turns keeps the calls of one apart from the results of the other.
  const items = fc.array(
    fc.oneof(
      message,
      picture,
      turn.map((one) => [...one, { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'go' }] }]),
    ),
    { minLength: 1, maxLength: 5 },
  )

  it('is what the client sent', () => {
    fc.assert(
      fc.property(items, (groups) => {
        // Ids of calls are unique in a conversation.
        const input = groups.flatMap((group, at) =>
          group.map((item) => ('call_id' in item ? { ...item, call_id: `${item.call_id}${at}` } : item)),
        )
        // As the client has it from the gateway: marked with whose it is.
        const given = input.map((item) =>
          item.type === 'reasoning'
            ? { ...item, id: 'rs_0', encrypted_content: writeCipher({ id: 'rs_1', content: 'CIPHER' }, 'openai') }
            : item,
        )
        expect(native({ input: given }).input).toEqual(input)
      }),
    )
  })

  it('keeps every setting, and every tool as it was declared', () => {
    const settings = {
      instructions: 'Be brief.',
      max_output_tokens: 100,
      temperature: 0.5,
      top_p: 0.9,
      text: { format: { type: 'json_schema', name: 'n', schema: { type: 'object' }, strict: true }, verbosity: 'low' },
      reasoning: { effort: 'low', summary: 'auto' },
      tools: [add, hosted, { type: 'namespace', name: 'ns', description: 'd', tools: [add] }, { type: 'custom', name: 'patch' }],
      tool_choice: { type: 'allowed_tools', mode: 'auto', tools: [{ type: 'custom', name: 'patch' }] },
      parallel_tool_calls: false,
      include: ['reasoning.encrypted_content'],
      truncation: 'auto',
      metadata: { a: 'b' },
      prompt_cache_key: 'k',
      safety_identifier: 's',
      service_tier: 'flex',
      user: 'u',
      max_tool_calls: 3,
    }
    expect(native({ input: 'x', ...settings })).toMatchObject(settings)
  })

  it('holds what that provider has encrypted, and nothing of another (43)', () => {
    const input = [
      user,
      { type: 'reasoning', id: 'rs_0', summary: [], encrypted_content: writeCipher({ id: 'rs_1', content: 'CIPHER' }, 'openai') },
      { role: 'assistant', content: 'Hi' },
      user,
    ]
    expect(native({ input }).input[1]).toEqual({ type: 'reasoning', id: 'rs_1', summary: [], encrypted_content: 'CIPHER' })
    expect(JSON.stringify(native({ input }, 'azure'))).not.toContain('CIPHER')
  })

  it('can be made of any chat request', () => {
    const body = encoder.encode(
      JSON.stringify({
        messages: [
          { role: 'system', content: 'Be brief.' },
          {
            role: 'user',
            content: [
              { type: 'text', text: 'see' },
              { type: 'image_url', image_url: { url: 'https://example.test/a' } },
            ],
          },
          { role: 'assistant', content: null, tool_calls: [{ id: '1', type: 'function', function: { name: 'f', arguments: '{}' } }] },
          { role: 'tool', tool_call_id: '1', content: 'done' },
        ],
        tools: [{ type: 'function', function: { name: 'f', parameters: { type: 'object' } } }],
        tool_choice: { type: 'function', function: { name: 'f' } },
        response_format: { type: 'json_object' },
        max_completion_tokens: 5,
        reasoning_effort: 'low',
      }),
    )
    expect(JSON.parse(writeRequest(body, { model: 'm', stream: true, provider: 'p' }))).toEqual({
      model: 'm',
      stream: true,
      store: false,
      input: [
        { type: 'message', role: 'system', content: [{ type: 'input_text', text: 'Be brief.' }] },
        {
          type: 'message',
          role: 'user',
          content: [
            { type: 'input_text', text: 'see' },
            { type: 'input_image', image_url: 'https://example.test/a', detail: 'auto' },
          ],
        },
        { type: 'function_call', call_id: '1', name: 'f', arguments: '{}' },
        { type: 'function_call_output', call_id: '1', output: 'done' },
      ],
      tools: [{ type: 'function', name: 'f', parameters: { type: 'object' }, strict: false }],
      tool_choice: { type: 'function', name: 'f' },
      text: { format: { type: 'json_object' } },
      max_output_tokens: 5,
      reasoning: { effort: 'low' },
      include: ['reasoning.encrypted_content'],
    })
  })

  it('gives back what it has encrypted to a chat client that sends it', () => {
    const data = writeCipher({ id: 'rs_1', content: 'C' }, 'p')
    const said = { role: 'assistant', content: 'Hi', reasoning_details: [{ type: 'reasoning.encrypted', data }] }
    const body = encoder.encode(JSON.stringify({ messages: [user, said, user] }))
    const inputFor = (provider: string) => JSON.parse(writeRequest(body, { model: 'm', stream: true, provider })).input
    expect(inputFor('p')[1]).toEqual({ type: 'reasoning', summary: [], id: 'rs_1', encrypted_content: 'C' })
    expect(inputFor('q')).toHaveLength(3)
  })

  it('has no summary without the thought behind it, and no thought in plain words without itself', () => {
    const summary = [{ type: 'summary_text', text: 'hm' }]
    const plain = { type: 'reasoning', summary, content: [{ type: 'reasoning_text', text: 'hm' }] }
    expect(native({ input: [user, { type: 'reasoning', summary }, plain, user] }).input.slice(1, -1)).toEqual([plain])
  })

  it.each([
    ['n', { n: 2 }],
    ['stop', { stop: ['a'] }],
    ['modalities', { modalities: ['text', 'audio'] }],
  ])('is refused where it cannot be said: %s', (param, more) => {
    const body = encoder.encode(JSON.stringify({ messages: [user], ...more }))
    const write = () => writeRequest(body, { model: 'm', stream: false, provider: 'p' })
    expect(write).toThrow(expect.objectContaining({ type: 'invalid_request_error', param }))
  })

  it('is changed as its provider wants it', () => {
    const change = (fields: Record<string, unknown>) => {
      fields.max_output_tokens = 16
    }
    const body = encoder.encode(JSON.stringify({ messages: [user], max_tokens: 1 }))
    expect(JSON.parse(writeRequest(body, { model: 'm', stream: false, provider: 'p', change }))).toMatchObject({ max_output_tokens: 16 })
  })
})
