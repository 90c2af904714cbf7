// Providers that speak Messages or Responses and nothing else, each asked by clients of every format.

import Anthropic from '@anthropic-ai/sdk'
import OpenAI from 'openai'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Simulator, startSimulator } from '#services/simulator/simulator.ts'
import { type Gateway, startGateway } from '#test/support/gateway.ts'

let upstream: Simulator
let gateway: Gateway
let openai: OpenAI
let anthropic: Anthropic

const messages = [{ role: 'user' as const, content: 'Say exactly: alpha beta gamma' }]
const question = 'What is the weather in Paris?'
const schema = { type: 'object' as const, properties: { city: { type: 'string' } } }
const openaiTool = {
  type: 'function' as const,
  function: { name: 'weather', description: 'Tells the weather of a city.', parameters: schema },
}
const anthropicTool = { name: 'weather', description: 'Tells the weather of a city.', input_schema: schema }
const responsesTool = { type: 'function' as const, name: 'weather', description: 'Tells the weather.', parameters: schema, strict: false }

const clients = ['chat', 'messages', 'responses']
const breakdowns = ['m?end=-2', 'm?error=6']

beforeAll(async () => {
  upstream = await startSimulator({ apiKey: 'sk-native' })
  const capabilities = ['chat', 'tools', 'vision', 'reasoning', 'json_schema']
  const models = ['large', 'reasoner', 'lost?status=404', ...breakdowns].map((id) => ({ id, capabilities, context_window: 200_000 }))
  const native = { base_url: `${upstream.url}/v1`, api_key: 'sk-native', models }
  const claude = { ...native, format: 'messages', auth: { style: 'header', header: 'x-api-key' } }
  const gpt = { ...native, format: 'responses' }
  // Who fails twice is left alone for a while: one for each client that sees it.
  const failing = clients.flatMap((client) => [[`claude-${client}`, claude] as const, [`gpt-${client}`, gpt] as const])
  const providers = { claude, gpt, usual: native, ...Object.fromEntries(failing) }
  gateway = await startGateway({ config: { providers } })
  openai = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: 'none', maxRetries: 0 })
  anthropic = new Anthropic({ baseURL: gateway.url, apiKey: 'none', maxRetries: 0 })
})
afterAll(async () => {
  await gateway?.[Symbol.asyncDispose]()
  await upstream?.close()
})
beforeEach(() => upstream.reset())

/** What was sent to the provider last. */
// biome-ignore lint/suspicious/noExplicitAny: bodies are looked into at will
const sent = (): any => upstream.calls.at(-1)?.body

describe.each([
  ['claude', '/v1/messages'],
  ['gpt', '/v1/responses'],
])('a client of %s', (provider, path) => {
  const model = `${provider}/large`

  it('is answered in chat completions, whole and as a stream, with usage', async () => {
    const whole = await openai.chat.completions.create({ model, messages })
    expect(whole.choices[0]).toMatchObject({ message: { role: 'assistant', content: 'alpha beta gamma' }, finish_reason: 'stop' })
    expect(whole.usage?.prompt_tokens).toBeGreaterThan(0)
    const stream = openai.chat.completions.stream({ model, messages, stream_options: { include_usage: true } })
    expect((await stream.finalChatCompletion()).choices[0]).toMatchObject({
      message: { content: 'alpha beta gamma' },
      finish_reason: 'stop',
    })
    expect(await stream.totalUsage()).toMatchObject({ completion_tokens: whole.usage?.completion_tokens })
    expect(new Set(upstream.calls.map((call) => call.path))).toEqual(new Set([path]))
  })

  it('is answered in Messages and in Responses as well', async () => {
    const message = await anthropic.messages.stream({ model, max_tokens: 100, messages }).finalMessage()
    expect(message).toMatchObject({ content: [{ type: 'text', text: 'alpha beta gamma' }], stop_reason: 'end_turn' })
    const response = await openai.responses.create({ model, input: 'Say exactly: alpha beta gamma' })
    expect(response.output_text).toBe('alpha beta gamma')
  })

  it.each([false, true])('calls tools, and brings their results (stream: %s)', async (stream) => {
    const asked = [{ role: 'user' as const, content: question }]
    const ask = { model, messages: asked, tools: [openaiTool], tool_choice: 'required' as const }
    const answer = stream ? await openai.chat.completions.stream(ask).finalChatCompletion() : await openai.chat.completions.create(ask)
    const message = answer.choices[0]?.message
    expect(answer.choices[0]?.finish_reason).toBe('tool_calls')
    const [call] = message?.tool_calls ?? []
    expect(call).toMatchObject({ type: 'function', function: { name: 'weather', arguments: expect.stringContaining('city') } })
    const told = await openai.chat.completions.create({
      model,
      messages: [
        ...asked,
        { role: 'assistant', content: null, tool_calls: message?.tool_calls ?? [] },
        { role: 'tool', tool_call_id: call?.id ?? '', content: 'sunny, 21 degrees' },
      ],
      tools: [openaiTool],
    })
    expect(told.choices[0]?.message.content).toContain('sunny, 21 degrees')
  })

  it('is told what this provider cannot do, unless it may be another one', async () => {
    const refused = openai.chat.completions.create({ model, messages, n: 2 })
    await expect(refused).rejects.toMatchObject({ status: 400, type: 'invalid_request_error' })
    expect(upstream.calls).toHaveLength(0)
  })

  it('hears of a refusal', async () => {
    const answer = openai.chat.completions.create({ model: `${provider}/lost?status=404`, messages })
    await expect(answer).rejects.toBeInstanceOf(OpenAI.APIError)
  })
})

describe('a client of Messages, at a provider of Messages', () => {
  const model = 'claude/reasoner'
  const thinking = { type: 'enabled' as const, budget_tokens: 1024 }
  const ask = { model, max_tokens: 4000, thinking, tools: [anthropicTool], messages: [{ role: 'user' as const, content: question }] }

  it.each([false, true])('gets thoughts with their signature, and sends them back untouched (stream: %s)', async (stream) => {
    const message = stream ? await anthropic.messages.stream(ask).finalMessage() : await anthropic.messages.create(ask)
    expect(message.content.map(({ type }) => type)).toEqual(['thinking', 'tool_use'])
    expect(message.content[0]).toMatchObject({ signature: expect.stringMatching(/^[\w-]{43}$/) })
    const call = message.content[1] as Anthropic.ToolUseBlock
    const turn = [
      ...ask.messages,
      { role: 'assistant' as const, content: message.content },
      { role: 'user' as const, content: [{ type: 'tool_result' as const, tool_use_id: call.id, content: 'sunny, 21 degrees' }] },
    ]
    const told = await anthropic.messages.create({ ...ask, messages: turn })
    expect(told.content.at(-1)).toMatchObject({ text: expect.stringContaining('sunny, 21 degrees') })
    expect(sent().messages[1].content[0]).toEqual(message.content[0])
    expect(sent()).toMatchObject({ thinking })
  })

  it('is refused by it where a thought was changed', async () => {
    const message = await anthropic.messages.create(ask)
    const [thought] = message.content as Anthropic.ThinkingBlock[]
    const forged = [{ role: 'assistant' as const, content: [{ ...(thought as Anthropic.ThinkingBlock), thinking: 'of another' }] }]
    const answer = anthropic.messages.create({ ...ask, messages: [...ask.messages, ...forged, { role: 'user', content: 'And now?' }] })
    await expect(answer).rejects.toMatchObject({ status: 400 })
  })

  it('has everything of this format reach it', async () => {
    const system = [{ type: 'text' as const, text: 'Be brief.', cache_control: { type: 'ephemeral' as const } }]
    const document = {
      type: 'document' as const,
      source: { type: 'text' as const, media_type: 'text/plain' as const, data: 'facts' },
      citations: { enabled: true },
    }
    const body = {
      model: 'claude/large',
      max_tokens: 100,
      top_k: 5,
      metadata: { user_id: 'u' },
      stop_sequences: ['delta'],
      tools: [{ ...anthropicTool, cache_control: { type: 'ephemeral' as const } }],
      tool_choice: { type: 'auto' as const, disable_parallel_tool_use: true },
      system,
      messages: [{ role: 'user' as const, content: [document, { type: 'text' as const, text: 'Say exactly: alpha' }] }],
    }
    await anthropic.messages.create(body)
    expect(sent()).toEqual({ ...body, model: 'large' })
  })

  it('is told at which sequence it was cut', async () => {
    const message = await anthropic.messages.create({ model: 'claude/large', max_tokens: 100, messages, stop_sequences: ['beta'] })
    expect(message).toMatchObject({ stop_reason: 'stop_sequence', stop_sequence: 'beta' })
  })
})

describe('a client of Responses, at a provider of Responses', () => {
  const model = 'gpt/reasoner'
  const ask = { model, input: question, tools: [responsesTool], reasoning: { effort: 'low' as const, summary: 'auto' as const } }
  const answered = (response: OpenAI.Responses.Response) => {
    expect(response.output.map(({ type }) => type)).toEqual(['reasoning', 'function_call'])
    const call = response.output[1] as OpenAI.Responses.ResponseFunctionToolCall
    return { type: 'function_call_output' as const, call_id: call.call_id, output: 'sunny, 21 degrees' }
  }

  it.each([false, true])('gets encrypted thoughts, and sends them back so that the provider knows them (stream: %s)', async (stream) => {
    const own = { ...ask, store: false, include: ['reasoning.encrypted_content' as const] }
    const response = stream ? await openai.responses.stream(own).finalResponse() : await openai.responses.create(own)
    const result = answered(response)
    const input = [{ role: 'user' as const, content: question }, ...response.output, result] as OpenAI.Responses.ResponseInput
    const told = await openai.responses.create({ ...own, input })
    expect(told.output_text).toContain('sunny, 21 degrees')
    const [thought] = sent().input.filter(({ type }: { type: string }) => type === 'reasoning')
    const [given] = response.output as OpenAI.Responses.ResponseReasoningItem[]
    expect(thought).toMatchObject({ summary: given?.summary, id: expect.stringMatching(/^rs_sim/) })
    expect(given?.encrypted_content).toContain(thought.encrypted_content)
  })

  it('goes on from a response that only the gateway has kept', async () => {
    const response = await openai.responses.create(ask)
    const result = answered(response)
    const told = await openai.responses.create({ ...ask, input: [result], previous_response_id: response.id })
    expect(told.output_text).toContain('sunny, 21 degrees')
    expect(sent()).toMatchObject({ store: false, include: ['reasoning.encrypted_content'] })
    expect(sent()).not.toHaveProperty('previous_response_id')
  })

  it('goes on at any other provider, which never sees what this one has encrypted', async () => {
    const response = await openai.responses.create(ask)
    const result = answered(response)
    for (const provider of ['claude', 'usual']) {
      const told = await openai.responses.create({ ...ask, model: `${provider}/large`, input: [result], previous_response_id: response.id })
      expect(told.output_text).toContain('sunny, 21 degrees')
      expect(JSON.stringify(sent())).not.toContain('fwr1')
    }
  })

  it('has everything of this format reach it', async () => {
    const settings = {
      instructions: 'Be brief.',
      max_output_tokens: 100,
      metadata: { a: 'b' },
      prompt_cache_key: 'k',
      parallel_tool_calls: false,
      text: { verbosity: 'low' as const },
      tools: [responsesTool, { type: 'custom' as const, name: 'patch' }],
      truncation: 'auto' as const,
    }
    await openai.responses.create({ model: 'gpt/large', input: 'Say exactly: alpha', ...settings })
    expect(sent()).toMatchObject(settings)
  })
})

describe.each(['claude', 'gpt'])('a stream of %s that breaks off, or has an error in it, is no answer', (provider) => {
  it.each(breakdowns)('of chat completions: %s', async (id) => {
    const answer = openai.chat.completions.stream({ model: `${provider}-chat/${id}`, messages }).finalChatCompletion()
    await expect(answer).rejects.toMatchObject({ type: 'provider_error' })
  })

  it.each(breakdowns)('of Messages: %s', async (id) => {
    const answer = anthropic.messages.stream({ model: `${provider}-messages/${id}`, max_tokens: 100, messages }).finalMessage()
    await expect(answer).rejects.toBeInstanceOf(Anthropic.APIError)
  })

  it.each(breakdowns)('of Responses: %s', async (id) => {
    const events: string[] = []
    const read = async () => {
      const stream = await openai.responses.create({ model: `${provider}-responses/${id}`, input: messages, stream: true })
      for await (const { type } of stream) events.push(type)
    }
    await expect(read()).rejects.toThrow(/^the provider/)
    expect(events).toContain('response.created')
  })
})
