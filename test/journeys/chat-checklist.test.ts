// What chat completions allow a client to ask and to be told, field by field: everything reaches the provider, everything comes back.

import { describe, expect, it } from 'vitest'
import { setUpGateway } from '#test/support/setup.ts'
import { configWith } from '#test/support/upstream.ts'

const setup = setUpGateway({
  config(upstream) {
    const { providers } = configWith(upstream) as { providers: { alpha: { models: { capabilities: string[] }[] } } }
    for (const model of providers.alpha.models) model.capabilities.push('audio_in')
    return { providers }
  },
})

const hello = [{ role: 'user', content: 'Say exactly: alpha beta gamma' }]
const ask = (fields: object) =>
  fetch(`${setup.gateway.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'alpha/m-large', messages: hello, ...fields }),
  })
// biome-ignore lint/suspicious/noExplicitAny: the answers of these tests are looked at field by field
type Json = any
async function whole(fields: object): Promise<Json> {
  const answer = await ask(fields)
  expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'application/json'])
  return answer.json()
}
async function streamed(fields: object): Promise<Json[]> {
  const text = await (await ask({ ...fields, stream: true })).text()
  const events = text.split('\n\n').filter(Boolean)
  expect(events.at(-1)).toBe('data: [DONE]')
  return events.slice(0, -1).map((event) => JSON.parse(event.slice('data: '.length)))
}
const sent = () => setup.upstream.calls[0]?.body as Record<string, unknown>

const schema = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'], additionalProperties: false }
const tool = (name: string) => ({
  type: 'function',
  function: { name, description: `Tells the ${name}.`, parameters: schema, strict: true },
})

describe('a request reaches the provider with', () => {
  it.each<[string, object]>([
    ['stop words', { stop: ['beta', 'gamma'] }],
    ['chances', { temperature: 0, top_p: 0.1, seed: 7, frequency_penalty: -2, presence_penalty: 2, logit_bias: { 50256: -100 } }],
    ['logprobs', { logprobs: true, top_logprobs: 3 }],
    ['an effort', { reasoning_effort: 'minimal' }],
    ['who asks and what for', { user: 'u1', safety_identifier: 's1', metadata: { a: 'b' }, store: false, service_tier: 'flex' }],
    ['caches', { prompt_cache_key: 'k', prompt_cache_retention: '24h' }],
    ['a prediction', { prediction: { type: 'content', content: 'alpha' } }],
    ['verbosity', { verbosity: 'low' }],
    ['sound wanted', { modalities: ['text', 'audio'], audio: { voice: 'alloy', format: 'wav' } }],
    ['search', { web_search_options: {} }],
    ['fields of tomorrow', { something_new: { a: [1, null] } }],
    ['tools', { tools: [tool('weather')], tool_choice: 'auto', parallel_tool_calls: false }],
    ['one tool demanded', { tools: [tool('weather')], tool_choice: { type: 'function', function: { name: 'weather' } } }],
    [
      'some tools allowed',
      {
        tools: [tool('weather'), tool('time')],
        tool_choice: {
          type: 'allowed_tools',
          allowed_tools: { mode: 'auto', tools: [{ type: 'function', function: { name: 'weather' } }] },
        },
      },
    ],
    ['custom tools', { tools: [{ type: 'custom', custom: { name: 'patch', format: { type: 'text' } } }, tool('weather')] }],
    ['functions of old', { functions: [{ name: 'weather', parameters: schema }], function_call: 'auto' }],
    ['a schema', { response_format: { type: 'json_schema', json_schema: { name: 'n', description: 'd', strict: true, schema } } }],
    ['an object', { response_format: { type: 'json_object' } }],
    ['plain text', { response_format: { type: 'text' } }],
  ])('%s', async (_, fields) => {
    await whole(fields)
    expect(sent()).toEqual({ model: 'm-large', messages: hello, stream: false, ...fields })
  })

  it('a stop word, as the list that every provider understands', async () => {
    await whole({ stop: 'beta' })
    expect(sent().stop).toEqual(['beta'])
  })

  it('every role, every kind of part, and nothing of theirs changed', async () => {
    const messages = [
      { role: 'developer', content: 'Be brief.' },
      { role: 'system', content: [{ type: 'text', text: 'Be kind.' }] },
      {
        role: 'user',
        name: 'ada',
        content: [
          { type: 'text', text: 'See' },
          { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA', detail: 'low' } },
          { type: 'image_url', image_url: { url: 'https://pictures.example/a.png' } },
          { type: 'input_audio', input_audio: { data: 'AAAA', format: 'wav' } },
          { type: 'file', file: { filename: 'a.pdf', file_data: 'data:application/pdf;base64,JVBE' } },
        ],
      },
      { role: 'assistant', content: [{ type: 'refusal', refusal: 'no' }] },
      { role: 'assistant', content: null, tool_calls: [{ id: 'c1', type: 'function', function: { name: 'f', arguments: '{}' } }] },
      { role: 'tool', tool_call_id: 'c1', content: [{ type: 'text', text: 'done' }] },
      { role: 'assistant', content: null, function_call: { name: 'g', arguments: '{}' } },
      { role: 'function', name: 'g', content: 'done' },
      { role: 'user', content: 'and now?' },
    ]
    await whole({ messages })
    expect(sent().messages).toEqual(messages)
  })

  it('the limit by the name that all know', async () => {
    await whole({ max_completion_tokens: 50 })
    expect(sent()).toMatchObject({ max_tokens: 50 })
    expect(sent()).not.toHaveProperty('max_completion_tokens')
  })

  it('no settings of tools where there are none', async () => {
    await whole({ tools: [], tool_choice: 'auto', parallel_tool_calls: true })
    expect(Object.keys(sent()).sort()).toEqual(['messages', 'model', 'stream'])
  })
})

describe('an answer brings back', () => {
  /** What a provider answers, word for word. */
  const reply = (message: object, more: object = {}, usage: object = {}) =>
    setup.upstream.setFault(
      {},
      {
        status: 200,
        body: {
          id: 'chatcmpl-9',
          object: 'chat.completion',
          created: 1_790_000_000,
          model: 'm-large',
          choices: [{ index: 0, message: { role: 'assistant', content: null, ...message }, finish_reason: 'stop', ...more }],
          usage: { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15, ...usage },
        },
      },
    )

  it('sound, with what it costs', async () => {
    const audio = { id: 'audio_1', expires_at: 1_790_003_600, data: 'UklGRg==', transcript: 'alpha' }
    const completion_tokens_details = { audio_tokens: 4, reasoning_tokens: 0 }
    reply({ audio }, {}, { completion_tokens_details })
    const { choices, usage } = await whole({ modalities: ['text', 'audio'], audio: { voice: 'alloy', format: 'wav' } })
    expect(choices[0].message).toMatchObject({ content: null, audio, refusal: null })
    expect(usage.completion_tokens_details).toEqual(completion_tokens_details)
  })

  it('a refusal, annotations and a function call of old', async () => {
    reply({ refusal: 'I will not.' })
    expect((await whole({})).choices[0]).toMatchObject({ message: { content: null, refusal: 'I will not.' }, logprobs: null })
    const annotations = [{ type: 'url_citation', url_citation: { url: 'https://a.example', title: 'A', start_index: 0, end_index: 1 } }]
    reply({ content: 'see', annotations })
    expect((await whole({})).choices[0].message).toMatchObject({ content: 'see', annotations })
    reply({ function_call: { name: 'f', arguments: '{}' } }, { finish_reason: 'function_call' })
    expect((await whole({})).choices[0]).toMatchObject({
      message: { function_call: { name: 'f', arguments: '{}' } },
      finish_reason: 'function_call',
    })
  })

  it('details of usage as they were told, and invents none', async () => {
    reply({ content: 'a' }, {}, { prompt_tokens_details: { cached_tokens: 8 } })
    expect((await whole({})).usage).toEqual({
      prompt_tokens: 10,
      completion_tokens: 5,
      total_tokens: 15,
      prompt_tokens_details: { cached_tokens: 8 },
    })
    reply({ content: 'a' })
    expect((await whole({})).usage).toEqual({ prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 })
  })

  it('logprobs, whole and in each chunk', async () => {
    const { choices } = await whole({ logprobs: true, top_logprobs: 1 })
    expect(choices[0].logprobs.content.map(({ token }: Json) => token).join('')).toBe('alpha beta gamma')
    const chunks = await streamed({ logprobs: true, top_logprobs: 1 })
    const tokens = chunks.flatMap(({ choices }) => choices[0]?.logprobs?.content ?? [])
    expect(tokens.map(({ token }) => token).join('')).toBe('alpha beta gamma')
  })

  it('several choices, each by its index', async () => {
    expect((await whole({ n: 3 })).choices.map(({ index }: Json) => index)).toEqual([0, 1, 2])
    const chunks = await streamed({ n: 3 })
    for (const index of [0, 1, 2]) {
      const own = chunks.flatMap(({ choices }) => choices.filter((choice: Json) => choice.index === index))
      expect(own[0].delta.role).toBe('assistant')
      expect(own.map(({ delta }) => delta.content ?? '').join('')).toBe('alpha beta gamma')
      expect(own.filter(({ finish_reason }) => finish_reason !== null)).toHaveLength(1)
    }
  })

  it('several calls, each with its own index, id and type', async () => {
    const asked = {
      messages: [{ role: 'user', content: 'Use weather and use time for Paris, both at once.' }],
      tools: [tool('weather'), tool('time')],
    }
    const { choices } = await whole(asked)
    expect(choices[0]).toMatchObject({ message: { content: null }, finish_reason: 'tool_calls' })
    expect(choices[0].message.tool_calls.map((call: Json) => [call.type, call.function.name])).toEqual([
      ['function', 'weather'],
      ['function', 'time'],
    ])
    const calls = (await streamed(asked)).flatMap(({ choices }) => choices[0]?.delta.tool_calls ?? [])
    const begun = calls.filter(({ id }) => id !== undefined)
    expect(begun.map(({ index, type }) => [index, type])).toEqual([
      [0, 'function'],
      [1, 'function'],
    ])
    expect(new Set(begun.map(({ id }) => id)).size).toBe(2)
  })

  it('usage in a stream exactly where it is asked for', async () => {
    for (const chunk of await streamed({})) expect(chunk).not.toHaveProperty('usage')
    const chunks = await streamed({ stream_options: { include_usage: true } })
    expect(chunks.slice(0, -1).every(({ usage }) => usage === null)).toBe(true)
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { total_tokens: expect.any(Number) } })
  })

  it('thoughts apart from the text, as hard as was asked', async () => {
    const { choices } = await whole({ model: 'alpha/m-reasoner', reasoning_effort: 'high' })
    expect(choices[0].message).toMatchObject({ content: 'alpha beta gamma', reasoning_content: expect.stringMatching(/./) })
    expect((await whole({ model: 'alpha/m-reasoner', reasoning_effort: 'none' })).choices[0].message).not.toHaveProperty(
      'reasoning_content',
    )
  })

  it('an answer that follows its schema, and a picture seen', async () => {
    const response_format = { type: 'json_schema', json_schema: { name: 'n', strict: true, schema } }
    expect(JSON.parse((await whole({ response_format })).choices[0].message.content)).toEqual({ city: expect.any(String) })
    const content = [
      { type: 'text', text: 'What do you see?' },
      { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } },
    ]
    expect((await whole({ messages: [{ role: 'user', content }] })).choices[0].message.content).toContain('picture')
  })

  it('its cut at a stop word, and at its limit', async () => {
    expect((await whole({ stop: ['beta'] })).choices[0]).toMatchObject({ message: { content: 'alpha ' }, finish_reason: 'stop' })
    expect((await whole({ max_tokens: 1 })).choices[0].finish_reason).toBe('length')
  })
})
