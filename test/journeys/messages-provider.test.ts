// A provider that speaks Anthropic's format and no other: a second freeway, whose own provider is the simulator.

import Anthropic from '@anthropic-ai/sdk'
import OpenAI from 'openai'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Simulator } from '#services/simulator/simulator.ts'
import { type Gateway, startGateway } from '#test/support/gateway.ts'
import { configWith, startUpstream } from '#test/support/upstream.ts'

let upstream: Simulator
let provider: Gateway
let gateway: Gateway
let openai: OpenAI
let anthropic: Anthropic

const model = 'claude-like/alpha/m-large'
const reasoner = 'claude-like/alpha/m-reasoner'
const messages = [{ role: 'user' as const, content: 'Say exactly: alpha beta gamma' }]

beforeAll(async () => {
  upstream = await startUpstream()
  provider = await startGateway({ config: configWith(upstream) })
  const capabilities = ['chat', 'tools', 'vision', 'reasoning']
  const models = ['alpha/m-large', 'alpha/m-reasoner', 'nobody/none'].map((id) => ({ id, capabilities, context_window: 200_000 }))
  const providers = { 'claude-like': { base_url: `${provider.url}/v1`, format: 'messages', needs_key: false, models } }
  gateway = await startGateway({ config: { providers } })
  openai = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: 'none', maxRetries: 0 })
  anthropic = new Anthropic({ baseURL: gateway.url, apiKey: 'none', maxRetries: 0 })
})
afterAll(async () => {
  await gateway?.[Symbol.asyncDispose]()
  await provider?.[Symbol.asyncDispose]()
  await upstream?.close()
})
beforeEach(() => upstream.reset())

const tool = {
  name: 'weather',
  description: 'Tells the weather of a city.',
  schema: { type: 'object' as const, properties: { city: { type: 'string' } } },
}
const openaiTool = { type: 'function' as const, function: { name: tool.name, description: tool.description, parameters: tool.schema } }
const anthropicTool = { name: tool.name, description: tool.description, input_schema: tool.schema }

describe('a client of chat completions', () => {
  it('is answered whole and as a stream, with usage', async () => {
    const whole = await openai.chat.completions.create({ model, messages })
    expect(whole.choices[0]).toMatchObject({ message: { role: 'assistant', content: 'alpha beta gamma' }, finish_reason: 'stop' })
    expect(whole.usage?.prompt_tokens).toBeGreaterThan(0)
    const stream = openai.chat.completions.stream({ model, messages, stream_options: { include_usage: true } })
    const streamed = await stream.finalChatCompletion()
    expect(streamed.choices[0]).toMatchObject({ message: { content: 'alpha beta gamma' }, finish_reason: 'stop' })
    expect(await stream.totalUsage()).toMatchObject({ completion_tokens: whole.usage?.completion_tokens })
  })

  it.each([false, true])('calls tools, and brings their results (stream: %s)', async (stream) => {
    const ask = {
      model,
      messages: [{ role: 'user' as const, content: 'What is the weather in Paris?' }],
      tools: [openaiTool],
      tool_choice: 'required' as const,
    }
    const answer = stream ? await openai.chat.completions.stream(ask).finalChatCompletion() : await openai.chat.completions.create(ask)
    const message = answer.choices[0]?.message
    expect(answer.choices[0]?.finish_reason).toBe('tool_calls')
    const [call] = message?.tool_calls ?? []
    expect(call).toMatchObject({ type: 'function', function: { name: 'weather', arguments: expect.stringContaining('city') } })
    const result = { role: 'tool' as const, tool_call_id: call?.id ?? '', content: 'sunny, 21 degrees' }
    const told = await openai.chat.completions.create({
      model,
      messages: [...ask.messages, { role: 'assistant', content: null, tool_calls: message?.tool_calls ?? [] }, result],
      tools: [openaiTool],
    })
    expect(told.choices[0]?.message.content).toContain('sunny, 21 degrees')
  })

  it('is told what this provider cannot do', async () => {
    await expect(openai.chat.completions.create({ model, messages, n: 2 })).rejects.toMatchObject({
      status: 400,
      type: 'invalid_request_error',
    })
    expect(upstream.calls).toHaveLength(0)
  })
})

describe('a client of Messages', () => {
  it('gets the answer as it was given, thoughts and all', async () => {
    const thinking = { type: 'enabled' as const, budget_tokens: 1024 }
    const ask = { model: reasoner, max_tokens: 4000, messages, thinking }
    for (const message of [await anthropic.messages.create(ask), await anthropic.messages.stream(ask).finalMessage()]) {
      expect(message.content.map(({ type }) => type)).toEqual(['thinking', 'text'])
      expect(message.stop_reason).toBe('end_turn')
    }
    expect(upstream.calls[0]?.body).toMatchObject({ reasoning_effort: 'low' })
  })

  it('is told at which sequence it was cut', async () => {
    const message = await anthropic.messages.create({ model, max_tokens: 100, messages, stop_sequences: ['beta'] })
    expect(message).toMatchObject({ stop_reason: 'stop_sequence', stop_sequence: 'beta' })
  })

  it('calls tools in parallel', async () => {
    const tools = [anthropicTool, { ...anthropicTool, name: 'time', description: 'Tells the time of a city.' }]
    const ask = {
      model,
      max_tokens: 1000,
      tools,
      messages: [{ role: 'user' as const, content: 'Use weather and use time for Paris, both at once.' }],
    }
    const message = await anthropic.messages.stream(ask).finalMessage()
    expect(message.content.map((block) => block.type === 'tool_use' && block.name)).toEqual(['weather', 'time'])
    expect(message.stop_reason).toBe('tool_use')
  })
})

describe('a failure', () => {
  it('in the midst of the stream is one for the client as well', async () => {
    upstream.setFault({}, { cut: 3 })
    const stream = openai.chat.completions.create({ model, messages, stream: true })
    const read = async () => {
      for await (const _ of await stream);
    }
    await expect(read()).rejects.toMatchObject({ type: 'provider_error' })
  })

  it('of the request is told as such', async () => {
    const answer = openai.chat.completions.create({ model: 'claude-like/nobody/none', messages })
    await expect(answer).rejects.toBeInstanceOf(OpenAI.APIError)
  })
})
