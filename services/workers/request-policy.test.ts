import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { utf8 } from '#contracts/bytes.ts'
import { requestPolicy } from '#contracts/request-policy.ts'
import { writeRequest } from '#contracts/wire/chat-completions/request.ts'
import { compilePolicy } from './request-policy.ts'

type Json = Record<string, unknown>

/** What is sent to a provider with this policy. */
function send(policy: object, request: Json, options: { maxOutput?: number; stream?: boolean; adapt?: object } = {}): Json {
  const { maxOutput, stream = false, adapt } = options
  const change = compilePolicy(requestPolicy.parse(policy), maxOutput === undefined ? undefined : { max_output: maxOutput }, adapt)
  return JSON.parse(writeRequest(utf8(JSON.stringify(request)), { model: 'm', stream, change }))
}

const user = { role: 'user', content: 'hi' }
const tool = (parameters: Json) => ({ type: 'function', function: { name: 'f', parameters } })
const plainTool = tool({ type: 'object', properties: {} })
const call = (id: string) => ({ id, type: 'function', function: { name: 'f', arguments: '{}' } })

/** As they are shipped. */
const folder = new URL('../router/catalog/', import.meta.url)
const policies: Record<string, object> = Object.fromEntries(
  readdirSync(folder)
    .filter((file) => file.endsWith('.json') && file !== 'aliases.json')
    .map((file) => JSON.parse(readFileSync(new URL(file, folder), 'utf8')))
    .map(({ name, request_policy }) => [name, request_policy ?? {}]),
)

/** What clients send who think they talk to OpenAI. */
const everything = {
  messages: [{ role: 'developer', content: 'be kind' }, user],
  temperature: 0.5,
  top_p: 0.9,
  n: 2,
  seed: 7,
  stop: ['x'],
  logit_bias: { '5': 1 },
  logprobs: true,
  top_logprobs: 3,
  frequency_penalty: 0.1,
  presence_penalty: 0.2,
  user: 'u1',
  store: true,
  metadata: { a: 'b' },
  service_tier: 'auto',
  max_completion_tokens: 50,
}
const system = [{ role: 'system', content: 'be kind' }, user]
const kept = { model: 'm', stream: false, temperature: 0.5, top_p: 0.9, stop: ['x'], max_tokens: 50 }

describe('a request with all that OpenAI knows', () => {
  it.each<[provider: string, sent: Json]>([
    [
      'groq',
      {
        ...kept,
        messages: everything.messages,
        n: 1,
        seed: 7,
        frequency_penalty: 0.1,
        presence_penalty: 0.2,
        user: 'u1',
        store: true,
        metadata: { a: 'b' },
        service_tier: 'auto',
      },
    ],
    ['cerebras', { ...kept, messages: system, n: 2, seed: 7, logprobs: true, top_logprobs: 3, user: 'u1', metadata: { a: 'b' } }],
    ['mistral', { ...kept, messages: system, n: 2, random_seed: 7, frequency_penalty: 0.1, presence_penalty: 0.2 }],
    ['gemini', { ...kept, messages: system, n: 2, seed: 7, frequency_penalty: 0.1, presence_penalty: 0.2, user: 'u1' }],
    ['cohere', { ...kept, messages: everything.messages, seed: 7, frequency_penalty: 0.1, presence_penalty: 0.2 }],
    [
      'nvidia',
      {
        ...kept,
        messages: everything.messages,
        n: 2,
        seed: 7,
        logprobs: true,
        top_logprobs: 3,
        frequency_penalty: 0.1,
        presence_penalty: 0.2,
      },
    ],
    ['cloudflare', { ...kept, messages: everything.messages, n: 2, seed: 7, frequency_penalty: 0.1, presence_penalty: 0.2 }],
    ['zhipu', { ...kept, messages: system, user: 'u1', service_tier: 'auto' }],
    [
      'deepseek',
      {
        ...kept,
        messages: system,
        logprobs: true,
        top_logprobs: 3,
        frequency_penalty: 0.1,
        presence_penalty: 0.2,
        metadata: { a: 'b' },
        service_tier: 'auto',
      },
    ],
    [
      'ollama',
      { ...kept, messages: everything.messages, seed: 7, logprobs: true, top_logprobs: 3, frequency_penalty: 0.1, presence_penalty: 0.2 },
    ],
    [
      'aihorde',
      {
        ...kept,
        messages: everything.messages,
        ...rest(
          'n',
          'seed',
          'logit_bias',
          'logprobs',
          'top_logprobs',
          'frequency_penalty',
          'presence_penalty',
          'user',
          'store',
          'metadata',
          'service_tier',
        ),
      },
    ],
  ])('as %s takes it', (provider, sent) => expect(send(policies[provider] as object, everything)).toStrictEqual(sent))
})

function rest(...names: (keyof typeof everything)[]): Json {
  return Object.fromEntries(names.map((name) => [name, everything[name]]))
}

describe('tools', () => {
  it.each<[what: string, provider: string, request: Json, sent: Json]>([
    [
      'a forced choice has another name',
      'mistral',
      { tools: [plainTool], tool_choice: 'required' },
      { tools: [plainTool], tool_choice: 'any' },
    ],
    [
      'any other choice stays',
      'mistral',
      { tools: [plainTool], tool_choice: { type: 'function', function: { name: 'any' } } },
      { tools: [plainTool], tool_choice: { type: 'function', function: { name: 'any' } } },
    ],
    [
      'one at a time, with tools',
      'nvidia',
      { tools: [plainTool], parallel_tool_calls: true },
      { tools: [plainTool], parallel_tool_calls: false },
    ],
    ['but not without', 'nvidia', {}, {}],
    ['no choice', 'ollama', { tools: [plainTool], tool_choice: 'auto', parallel_tool_calls: true }, { tools: [plainTool] }],
    ['none at all', 'aihorde', { tools: [plainTool], tool_choice: 'auto' }, {}],
  ])('%s', (_, provider, request, sent) => {
    expect(send(policies[provider] as object, { messages: [user], ...request })).toStrictEqual({
      model: 'm',
      stream: false,
      messages: [user],
      ...sent,
    })
  })

  it('lose the keywords that are not known, at any depth, but no property that is called so', () => {
    const parameters = {
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      $id: 'x',
      type: 'object',
      additionalProperties: false,
      'x-order': 1,
      properties: {
        additionalProperties: { type: 'string', 'x-hint': 'h' },
        list: { type: 'array', items: { type: 'object', additionalProperties: { type: 'string' }, properties: {} } },
        either: { anyOf: [{ type: 'object', $id: 'y' }, { enum: [{ $id: 'kept' }] }] },
      },
      required: ['additionalProperties'],
    }
    const clean = {
      type: 'object',
      properties: {
        additionalProperties: { type: 'string' },
        list: { type: 'array', items: { type: 'object', properties: {} } },
        either: { anyOf: [{ type: 'object' }, { enum: [{ $id: 'kept' }] }] },
      },
      required: ['additionalProperties'],
    }
    const format = (schema: Json) => ({ type: 'json_schema', json_schema: { name: 's', strict: true, schema } })
    const sent = send(policies.gemini as object, { messages: [user], tools: [tool(parameters)], response_format: format(parameters) })
    expect(sent.tools).toStrictEqual([tool(clean)])
    expect(sent.response_format).toStrictEqual(format(clean))
  })
})

describe('an answer in JSON', () => {
  const schema = { type: 'object', properties: { a: { type: 'number' } } }
  const wanted = { type: 'json_schema', json_schema: { name: 's', schema } }
  const words = `Answer with one JSON object that matches this JSON schema: ${JSON.stringify(schema)}. Write nothing but the JSON.`

  it.each(['deepseek', 'zhipu'])('by a schema, is said in words to %s', (provider) => {
    const sent = send(policies[provider] as object, {
      messages: [{ role: 'developer', content: 'be kind' }, user],
      response_format: wanted,
    })
    expect(sent.messages).toStrictEqual([{ role: 'system', content: `be kind\n\n${words}` }, user])
    expect(sent.response_format).toStrictEqual({ type: 'json_object' })
  })

  it('is asked for in words where no format is known', () => {
    expect(send(policies.kilo as object, { messages: [user], response_format: wanted })).toStrictEqual({
      model: 'm',
      stream: false,
      messages: [{ role: 'system', content: words }, user],
    })
    expect(send(policies.kilo as object, { messages: [user], response_format: { type: 'json_object' } }).messages).toStrictEqual([
      { role: 'system', content: 'Answer with one JSON object. Write nothing but the JSON.' },
      user,
    ])
  })

  it('stays as it is where it is known', () => {
    expect(send(policies.deepseek as object, { messages: [user], response_format: { type: 'json_object' } })).toMatchObject({
      messages: [user],
      response_format: { type: 'json_object' },
    })
    expect(send({}, { messages: [user], response_format: wanted }).response_format).toStrictEqual(wanted)
  })

  it('joins a system message of parts', () => {
    const parts = [{ role: 'system', content: [{ type: 'text', text: 'be kind' }] }, user]
    expect(send(policies.kilo as object, { messages: parts, response_format: wanted }).messages).toStrictEqual([
      {
        role: 'system',
        content: [
          { type: 'text', text: 'be kind' },
          { type: 'text', text: words },
        ],
      },
      user,
    ])
  })
})

describe('how much may be written', () => {
  it.each<[what: string, policy: object, request: Json, options: { maxOutput?: number; adapt?: object }, sent: Json]>([
    ['the newer name becomes the older', {}, { max_completion_tokens: 9 }, {}, { max_tokens: 9 }],
    ['of both the newer counts', {}, { max_completion_tokens: 9, max_tokens: 5 }, {}, { max_tokens: 9 }],
    [
      'unless the provider wants the newer',
      { rename: { max_tokens: 'max_completion_tokens' } },
      { max_tokens: 9 },
      {},
      { max_completion_tokens: 9 },
    ],
    [
      'or has said so',
      {},
      { max_completion_tokens: 9 },
      { adapt: { rename: { max_tokens: 'max_completion_tokens' } } },
      { max_completion_tokens: 9 },
    ],
    ['never more than the model can', {}, { max_tokens: 9000 }, { maxOutput: 4096 }, { max_tokens: 4096 }],
    [
      'by the newer name as well',
      { rename: { max_tokens: 'max_completion_tokens' } },
      { max_tokens: 9000 },
      { maxOutput: 4096 },
      { max_completion_tokens: 4096 },
    ],
    ['a default, where nothing was said', { default: { max_tokens: 8192 } }, {}, { maxOutput: 4096 }, { max_tokens: 4096 }],
    ['a default gives way', { default: { max_tokens: 8192 } }, { max_completion_tokens: 9 }, {}, { max_tokens: 9 }],
    ['never less than is allowed', { min: { max_tokens: 16 } }, { max_tokens: 1 }, {}, { max_tokens: 16 }],
    ['as a refusal said', {}, { max_tokens: 1 }, { adapt: { min: { max_tokens: 3 } } }, { max_tokens: 3 }],
    ['nothing said stays nothing said', { min: { max_tokens: 16 } }, {}, { maxOutput: 4096 }, {}],
  ])('%s', (_, policy, request, options, sent) => {
    expect(send(policy, { messages: [user], ...request }, options)).toStrictEqual({ model: 'm', stream: false, messages: [user], ...sent })
  })
})

describe('messages', () => {
  it('lose the fields that are not known', () => {
    const messages = [
      { role: 'user', name: 'Ann', content: 'hi' },
      { role: 'assistant', content: 'x', reasoning_content: 'r', annotations: [] },
    ]
    expect(send(policies.mistral as object, { messages }).messages).toStrictEqual([user, { role: 'assistant', content: 'x' }])
  })

  it.each(['groq', 'cerebras'])('lose what a model thought at %s, which refuses its own words for it', (provider) => {
    const answer = { role: 'assistant', content: 'x', refusal: null, annotations: [{ type: 'url_citation' }], reasoning_content: 'r' }
    const sent = send(policies[provider] as object, { messages: [user, { ...answer, reasoning_details: [{}] }] })
    expect(sent.messages).toStrictEqual([user, { role: 'assistant', content: 'x' }])
  })

  it('have some content, where none is refused', () => {
    const messages = [
      user,
      { role: 'assistant', content: null, tool_calls: [call('c1')] },
      { role: 'tool', tool_call_id: 'c1', content: '1' },
    ]
    expect(send(policies.cloudflare as object, { messages, tools: [plainTool] }).messages).toStrictEqual([
      user,
      { role: 'assistant', content: '', tool_calls: [call('c1')] },
      messages[2],
    ])
    expect(send(policies.groq as object, { messages, tools: [plainTool] }).messages).toStrictEqual(messages)
  })

  it('are of one text, where a list is refused; pictures stay', () => {
    const text = (...texts: string[]) => texts.map((text) => ({ type: 'text', text }))
    const picture = [
      { type: 'text', text: 'a' },
      { type: 'image_url', image_url: { url: 'data:,' } },
    ]
    const messages = [
      { role: 'user', content: text('a', 'b') },
      { role: 'user', content: picture },
    ]
    expect(send(policies.cloudflare as object, { messages }).messages).toStrictEqual([{ role: 'user', content: 'a\nb' }, messages[1]])
    expect(send(policies.groq as object, { messages }).messages).toStrictEqual(messages)
  })

  it('say reasoning effort in the words of the provider', () => {
    expect(send(policies.cohere as object, { messages: [user], reasoning_effort: 'low' }).reasoning_effort).toBe('none')
    expect(send(policies.cohere as object, { messages: [user], reasoning_effort: 'other' }).reasoning_effort).toBe('other')
  })
})

describe('calls in the history that another provider’s model made', () => {
  const messages = [
    user,
    { role: 'assistant', content: null, tool_calls: [call('call_AbC-123456789')] },
    { role: 'tool', tool_call_id: 'call_AbC-123456789', content: '4' },
  ]
  const sent = (provider: string) => send(policies[provider] as object, { messages, tools: [plainTool] }).messages as Json[]
  const callIn = (said: Json[]) => ((said[1] as Json).tool_calls as Json[])[0]

  it('have ids that Mistral takes, and the result has the same', () => {
    const id = callIn(sent('mistral'))?.id
    expect(id).toMatch(/^[A-Za-z0-9]{9}$/)
    expect(sent('mistral')[2]).toMatchObject({ tool_call_id: id })
  })

  it('are marked for Gemini as calls that it has not signed', () => {
    expect(callIn(sent('gemini'))).toMatchObject({ extra_content: { google: { thought_signature: 'skip_thought_signature_validator' } } })
  })

  it('go to all others as they are', () => {
    for (const provider of Object.keys(policies).filter((name) => name !== 'mistral' && name !== 'gemini'))
      expect([provider, callIn(sent(provider)) ?? call('call_AbC-123456789')]).toEqual([provider, call('call_AbC-123456789')])
  })
})

describe('a user who speaks right after a tool', () => {
  const asked = [
    user,
    { role: 'assistant', content: '', tool_calls: [call('aaaaaaaa1'), call('aaaaaaaa2')] },
    { role: 'tool', tool_call_id: 'aaaaaaaa1', content: '4' },
    { role: 'tool', tool_call_id: 'aaaaaaaa2', content: '5' },
  ]
  const answer = { role: 'assistant', content: 'OK.' }
  const sent = (provider: string, messages: Json[]) => send(policies[provider] as object, { messages, tools: [plainTool] }).messages

  it('finds the tool answered at Mistral, each time', () => {
    expect(sent('mistral', [...asked, user, ...asked.slice(1), user, user])).toStrictEqual([
      ...asked,
      answer,
      user,
      ...asked.slice(1),
      answer,
      user,
      user,
    ])
  })

  it.each<[what: string, next: Json[]]>([
    ['a model that has the word', []],
    ['a model that has answered', [{ role: 'assistant', content: '9' }, user]],
  ])('unlike %s', (_, next) => {
    expect(sent('mistral', [...asked, ...next])).toStrictEqual([...asked, ...next])
  })

  it('is passed on to all others as it is', () => {
    const roles = (provider: string) => (sent(provider, [...asked, user]) as Json[]).map(({ role }) => role)
    const others = Object.keys(policies).filter((name) => name !== 'mistral')
    expect(others.length).toBeGreaterThan(40)
    for (const provider of others) expect([provider, ...roles(provider)]).toEqual([provider, 'user', 'assistant', 'tool', 'tool', 'user'])
  })
})

describe('what a shipped policy names', () => {
  it.each(Object.keys(policies))('is changed on the way to %s', (provider) => {
    const {
      drop = [],
      force = {},
      clamp = {},
      role_map = {},
      strip_message_fields: fields = [],
    } = requestPolicy.partial().parse(policies[provider])
    const messages = [
      { role: 'developer', content: 'x' },
      { ...user, ...Object.fromEntries(fields.map((name) => [name, 'y'])) },
    ]
    const asked = {
      ...everything,
      ...Object.fromEntries(drop.map((name) => [name, everything[name as keyof typeof everything] ?? 1])),
      messages,
      tools: [plainTool],
    }
    const sent = send(policies[provider] as object, asked)
    for (const name of drop) expect(sent).not.toHaveProperty(name)
    expect(sent).toMatchObject(drop.includes('tools') ? {} : force)
    for (const [name, most] of Object.entries(clamp)) if (name in sent) expect(sent[name]).toBeLessThanOrEqual(most)
    const [first, second] = sent.messages as Json[]
    expect(first?.role).toBe(role_map.developer ?? 'developer')
    for (const name of fields) expect(second).not.toHaveProperty(name)
  })
})

describe('after a refusal', () => {
  it('ids of calls become short ones, the same for a call and its result', () => {
    const messages = [
      { role: 'assistant', content: null, tool_calls: [call('call_abc_1'), call('call_abc_2'), call('abcDEF123')] },
      { role: 'tool', tool_call_id: 'call_abc_1', content: '1' },
    ]
    const [assistant, result] = send({}, { messages }, { adapt: { tool_call_ids: 'nine_alphanumerics' } }).messages as [
      { tool_calls: { id: string }[] },
      { tool_call_id: string },
    ]
    const ids = assistant.tool_calls.map(({ id }) => id)
    for (const id of ids) expect(id).toMatch(/^[A-Za-z0-9]{9}$/)
    expect(new Set(ids).size).toBe(3)
    expect(ids[2]).toBe('abcDEF123')
    expect(result.tool_call_id).toBe(ids[0])
  })

  it('calls of other models are marked, those with a signature keep it', () => {
    const signed = { ...call('c2'), extra_content: { google: { thought_signature: 's' } } }
    const sent = send(
      {},
      { messages: [{ role: 'assistant', content: null, tool_calls: [call('c1'), signed] }] },
      { adapt: { tool_call_signatures: 'skip' } },
    )
    expect((sent.messages as Json[])[0]?.tool_calls).toStrictEqual([
      { ...call('c1'), extra_content: { google: { thought_signature: 'skip_thought_signature_validator' } } },
      signed,
    ])
  })

  it('a word is put in place of one that is not known', () => {
    const effort = (reasoning_effort: string) =>
      send({}, { messages: [user], reasoning_effort }, { adapt: { map: { reasoning_effort: { max: 'high' } } } }).reasoning_effort
    expect([effort('max'), effort('low')]).toEqual(['high', 'low'])
  })

  it('what other models said gets a thought, where one is demanded', () => {
    const said = (more: object) => ({ role: 'assistant', content: 'x', ...more })
    const messages = [user, said({}), said({ reasoning_content: '' }), said({ reasoning_content: 'hm' })]
    const sent = send({}, { messages }, { adapt: { reasoning_content: 'required' } })
    expect(sent.messages).toStrictEqual([user, ...[' ', ' ', 'hm'].map((reasoning_content) => said({ reasoning_content }))])
  })

  it('the policy of the provider stays in force', () => {
    expect(
      send(policies.mistral as object, { messages: [user], seed: 1, top_p: 2 }, { adapt: { clamp: { top_p: 1 }, drop: ['random_seed'] } }),
    ).toStrictEqual({
      model: 'm',
      stream: false,
      messages: [user],
      top_p: 1,
    })
  })
})

it('one word to stop at becomes a list', () => {
  expect(send(policies.aihorde as object, { messages: [user], stop: 'END' }).stop).toStrictEqual(['END'])
})

it('a stream asks for usage unless the provider does not know how', () => {
  expect(send(policies.groq as object, { messages: [user] }, { stream: true })).toMatchObject({
    stream: true,
    stream_options: { include_usage: true },
  })
  expect(send(policies.mistral as object, { messages: [user] }, { stream: true })).not.toHaveProperty('stream_options')
})

it('names that every object has are no habits', () => {
  expect(
    send(
      { map: { user: { a: 'b' } }, role_map: { developer: 'system' } },
      { messages: [{ role: 'constructor', content: '' }], user: 'toString' },
    ),
  ).toStrictEqual({
    model: 'm',
    stream: false,
    messages: [{ role: 'constructor', content: '' }],
    user: 'toString',
  })
})

describe('a request in the words of Messages or Responses', () => {
  const change = compilePolicy(requestPolicy.parse({ schema_strip: ['pattern'], min: { max_output_tokens: 16 } }), { max_output: 50 })
  const changed = (fields: Json) => {
    change(fields)
    return fields
  }
  const schema = () => ({ type: 'object', properties: { a: { type: 'string', pattern: 'x' } } })
  const stripped = { type: 'object', properties: { a: { type: 'string' } } }

  it('has no keyword that its provider does not know, where these formats have schemas', () => {
    const tools = [
      { type: 'function', name: 'f', parameters: schema() },
      { name: 'f', input_schema: schema() },
    ]
    const text = { format: { type: 'json_schema', schema: schema() } }
    expect(changed({ input: [], tools, text })).toMatchObject({
      tools: [{ parameters: stripped }, { input_schema: stripped }],
      text: { format: { schema: stripped } },
    })
  })

  it.each([
    [1, 16],
    [500, 50],
  ])('keeps within the bounds of an answer: %d tokens are %d', (asked, allowed) => {
    expect(changed({ input: [], max_output_tokens: asked })).toMatchObject({ max_output_tokens: allowed })
  })

  it('keeps what means something by itself in Responses', () => {
    expect(changed({ input: [], top_logprobs: 2 })).toMatchObject({ top_logprobs: 2 })
    expect(changed({ messages: [], top_logprobs: 2 })).not.toHaveProperty('top_logprobs')
  })
})

describe('pictures, where a provider takes none by address', () => {
  const change = compilePolicy(requestPolicy.parse({ images: 'inline_only' }), undefined)
  const asked = (part: Json) => () => change({ messages: [{ role: 'user', content: [{ type: 'text', text: 'see' }, part] }] })

  it.each<Json>([
    { type: 'image_url', image_url: { url: 'https://example.test/a.png' } },
    { type: 'image_url', image_url: 'HTTP://169.254.169.254/' },
    { type: 'image', source: { type: 'url', url: 'https://example.test/a.png' } },
  ])('are refused, and never fetched: %j', (part) => {
    expect(asked(part)).toThrow(expect.objectContaining({ status: 400, message: expect.stringContaining('data URLs only') }))
  })

  it.each<Json>([
    { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } },
    { type: 'text', text: 'https://example.test/a.png' },
  ])('go along as data: %j', (part) => {
    expect(asked(part)).not.toThrow()
  })
})
