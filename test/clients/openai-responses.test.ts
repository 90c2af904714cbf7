// The official OpenAI client's Responses, against a real freeway over the simulator.

import OpenAI from 'openai'
import type { ResponseStreamEvent } from 'openai/resources/responses/responses'
import { beforeAll, describe, expect, it } from 'vitest'
import { setUpGateway } from '#test/support/setup.ts'
import { until } from '#test/support/until.ts'

const KEYS = { sdk: 'fw-sdk-key-9aZ', other: 'fw-other-key-7bY' }
const setup = setUpGateway({ keys: KEYS })
let client: OpenAI
let other: OpenAI

beforeAll(() => {
  client = new OpenAI({ baseURL: `${setup.gateway.url}/v1`, apiKey: KEYS.sdk, maxRetries: 0 })
  other = new OpenAI({ baseURL: `${setup.gateway.url}/v1`, apiKey: KEYS.other, maxRetries: 0 })
})

const model = 'alpha/m-large'
const input = 'Say exactly: alpha beta gamma'
const weather = {
  type: 'function' as const,
  name: 'weather',
  description: 'Tells the weather of a city.',
  parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  strict: false,
}

async function collect(stream: AsyncIterable<ResponseStreamEvent>): Promise<ResponseStreamEvent[]> {
  const events: ResponseStreamEvent[] = []
  for await (const event of stream) events.push(event)
  return events
}
const texts = (events: ResponseStreamEvent[]) =>
  events.map((event) => (event.type === 'response.output_text.delta' ? event.delta : '')).join('')

describe('a response', () => {
  it('comes whole, with every key', async () => {
    const response = await client.responses.create({ model, input, metadata: { a: 'b' }, user: 'u1' })
    expect(response.output_text).toBe('alpha beta gamma')
    expect(response.id).toBe(`resp_${response._request_id}`)
    expect(response).toMatchObject({
      object: 'response',
      status: 'completed',
      background: false,
      error: null,
      incomplete_details: null,
      instructions: null,
      max_output_tokens: null,
      max_tool_calls: null,
      parallel_tool_calls: true,
      previous_response_id: null,
      prompt_cache_key: null,
      reasoning: { effort: null, summary: null },
      safety_identifier: null,
      service_tier: 'default',
      store: true,
      temperature: 1,
      text: { format: { type: 'text' }, verbosity: 'medium' },
      tool_choice: 'auto',
      tools: [],
      top_logprobs: 0,
      top_p: 1,
      truncation: 'disabled',
      metadata: { a: 'b' },
      user: 'u1',
    })
    expect(response.usage?.total_tokens).toBe((response.usage?.input_tokens ?? 0) + (response.usage?.output_tokens ?? 0))
    expect(response.completed_at).toBeGreaterThanOrEqual(response.created_at)
  })

  it('comes as a stream whose events are numbered', async () => {
    const events = await collect(await client.responses.create({ model, input, stream: true }))
    expect(texts(events)).toBe('alpha beta gamma')
    expect(events.map(({ sequence_number }) => sequence_number)).toEqual(events.map((_, index) => index))
    expect(events.at(-1)?.type).toBe('response.completed')
  })

  it('comes as a stream that the SDK puts together', async () => {
    const response = await client.responses.stream({ model, input }).finalResponse()
    expect(response.output_text).toBe('alpha beta gamma')
  })

  it('follows a schema', async () => {
    const schema = { type: 'object', properties: { answer: { type: 'string' } }, required: ['answer'], additionalProperties: false }
    const response = await client.responses.create({
      model,
      input,
      text: { format: { type: 'json_schema', name: 'verdict', schema, strict: true } },
    })
    expect(JSON.parse(response.output_text)).toEqual({ answer: expect.any(String) })
  })

  it('is incomplete when the tokens do not suffice', async () => {
    const response = await client.responses.create({ model, input, max_output_tokens: 1 })
    expect(response.status).toBe('incomplete')
    expect(response.incomplete_details).toEqual({ reason: 'max_output_tokens' })
    expect(response.output.at(-1)).toMatchObject({ status: 'incomplete' })
  })

  it('shows what a model thought as a summary', async () => {
    const events = await collect(await client.responses.create({ model: 'alpha/m-reasoner', input, stream: true }))
    const types = events.map(({ type }) => type)
    expect(types.indexOf('response.reasoning_summary_part.added')).toBeLessThan(types.indexOf('response.output_text.delta'))
    const last = events.at(-1)
    expect(last?.type === 'response.completed' && last.response.output.map(({ type }) => type)).toEqual(['reasoning', 'message'])
  })
})

describe('tools', () => {
  it.each([false, true])('are called, and go on without being declared again (stream: %s)', async (stream) => {
    const body = { model, input: 'What is the weather in Paris?', tools: [weather], tool_choice: 'required' as const }
    const first = stream ? await client.responses.stream(body).finalResponse() : await client.responses.create(body)
    const call = (first.output as OpenAI.Responses.ResponseOutputItem[]).find(
      (item): item is OpenAI.Responses.ResponseFunctionToolCall => item.type === 'function_call',
    )
    expect(call?.name).toBe('weather')
    expect(call?.id).not.toBe(call?.call_id)
    const second = await client.responses.create({
      model,
      previous_response_id: first.id,
      input: [{ type: 'function_call_output', call_id: call?.call_id ?? '', output: 'sunny, 21 degrees' }],
    })
    expect(second.output_text).toContain('sunny')
    expect(second.previous_response_id).toBe(first.id)
  })

  it('are called by their name in their namespace', async () => {
    const tools = [{ type: 'namespace' as const, name: 'mcp__t__', description: 'tools', tools: [{ ...weather, name: 'add' }] }]
    const response = await client.responses.create({ model, input: 'Add.', tools, tool_choice: 'required' })
    expect(response.output[0]).toMatchObject({ type: 'function_call', name: 'add', namespace: 'mcp__t__' })
  })

  it('that take free text get free text', async () => {
    const tools = [{ type: 'custom' as const, name: 'apply_patch', description: 'Applies a patch.' }]
    const events = await collect(await client.responses.create({ model, input: 'Patch.', tools, tool_choice: 'required', stream: true }))
    const done = events.find((event) => event.type === 'response.custom_tool_call_input.done')
    const last = events.at(-1)
    expect(last?.type === 'response.completed' && last.response.output[0]).toMatchObject({
      type: 'custom_tool_call',
      name: 'apply_patch',
      input: done?.input,
    })
  })

  it('of a vendor are refused if they are all there is', async () => {
    await expect(client.responses.create({ model, input, tools: [{ type: 'web_search' }] })).rejects.toMatchObject({ status: 400 })
    const response = await client.responses.create({ model, input, tools: [{ type: 'web_search' }, weather] })
    expect(response.output_text).toBe('alpha beta gamma')
  })
})

describe('what is kept', () => {
  it('is found, listed, gone on from and deleted', async () => {
    const first = await client.responses.create({ model, input: 'My name is Ada.' })
    expect(await client.responses.retrieve(first.id)).toEqual(expect.objectContaining({ id: first.id, output: first.output }))
    const second = await client.responses.create({ model, input: 'What is my name?', previous_response_id: first.id })
    expect(second.output_text).toContain('Ada')
    const items = await client.responses.inputItems.list(second.id, { order: 'asc' })
    expect(items.data.map((item) => ('role' in item ? item.role : item.type))).toEqual(['user', 'assistant', 'user'])
    const page = await client.responses.inputItems.list(second.id, { order: 'asc', limit: 1, after: items.data[0]?.id ?? '' })
    expect(page.data.map(({ id }) => id)).toEqual([items.data[1]?.id])
    expect(page.has_more).toBe(true)
    await client.responses.delete(first.id)
    await expect(client.responses.retrieve(first.id)).rejects.toMatchObject({ status: 404 })
    const gone = client.responses.create({ model, input, previous_response_id: first.id })
    await expect(gone).rejects.toMatchObject({ status: 400, code: 'previous_response_not_found', param: 'previous_response_id' })
  })

  it('is found by a reference to one of its items', async () => {
    const first = await client.responses.create({ model, input: 'My name is Ada.' })
    const [message] = first.output
    const response = await client.responses.create({
      model,
      input: [
        { role: 'user', content: 'My name is Ada.' },
        { type: 'item_reference', id: message?.id ?? '' },
        { role: 'user', content: 'What is my name?' },
      ],
    })
    expect(response.output_text).toContain('Ada')
  })

  it('belongs to the key that asked', async () => {
    const { id } = await client.responses.create({ model, input })
    await expect(other.responses.retrieve(id)).rejects.toMatchObject({ status: 404 })
    await expect(other.responses.delete(id)).rejects.toMatchObject({ status: 404 })
    await expect(other.responses.create({ model, input, previous_response_id: id })).rejects.toMatchObject({ status: 400 })
    expect((await client.responses.retrieve(id)).id).toBe(id)
  })

  it('is nothing where store is false', async () => {
    const { id, store } = (await client.responses.create({ model, input, store: false })) as OpenAI.Responses.Response & { store: boolean }
    expect(store).toBe(false)
    await expect(client.responses.retrieve(id)).rejects.toMatchObject({ status: 404 })
  })

  it('is told again as a stream', async () => {
    const { id } = await client.responses.create({ model, input })
    const events = await collect(await client.responses.retrieve(id, { stream: true }))
    expect(texts(events)).toBe('alpha beta gamma')
    expect(events.at(-1)?.type).toBe('response.completed')
  })
})

describe('in the background', () => {
  it('a response is fetched when it is ready', async () => {
    const begun = await client.responses.create({ model, input, background: true })
    expect(['queued', 'in_progress']).toContain(begun.status)
    await until('it is complete', async () => (await client.responses.retrieve(begun.id)).status === 'completed')
    expect((await client.responses.retrieve(begun.id)).output_text).toBe('alpha beta gamma')
  })

  it('a stream is taken up again after any event', async () => {
    const stream = await client.responses.create({ model, input, background: true, stream: true })
    const events = await collect(stream)
    expect(texts(events)).toBe('alpha beta gamma')
    const [first] = events
    const id = first?.type === 'response.created' ? first.response.id : ''
    for (const [after] of events.entries()) {
      const rest = await collect(await client.responses.retrieve(id, { stream: true, starting_after: after }))
      expect(rest).toEqual(events.slice(after + 1))
    }
    expect((await client.responses.stream({ response_id: id, starting_after: 2 }).finalResponse()).output_text).toBe('alpha beta gamma')
  })

  it('a response is called off, at the provider as well', async () => {
    setup.upstream.setFault({}, { chunks: 10_000, size: 10, tps: 50 })
    const begun = await client.responses.create({ model, input, background: true })
    await until('the provider is called', () => setup.upstream.calls.length > 0)
    const cancelled = await client.responses.cancel(begun.id)
    expect(cancelled.status).toBe('cancelled')
    expect((await client.responses.retrieve(begun.id)).status).toBe('cancelled')
    expect((await client.responses.cancel(begun.id)).status).toBe('cancelled')
    await until('the provider is rid of it', () => setup.upstream.calls.every(({ closedAt }) => closedAt !== undefined))
  })

  it('only such a response can be called off', async () => {
    const { id } = await client.responses.create({ model, input })
    await expect(client.responses.cancel(id)).rejects.toMatchObject({ status: 400 })
    await expect(client.responses.create({ model, input, background: true, store: false })).rejects.toMatchObject({ status: 400 })
  })
})

describe('beside the answer', () => {
  it('tokens are counted', async () => {
    const count = await client.responses.inputTokens.count({ model, input })
    expect(count).toEqual({ object: 'response.input_tokens', input_tokens: expect.any(Number) })
    const more = await client.responses.inputTokens.count({ model, input: input.repeat(20) })
    expect(more.input_tokens).toBeGreaterThan(count.input_tokens)
  })

  it('a conversation is compacted, and goes on from that', async () => {
    const compacted = await client.responses.compact({ model: 'alpha/echo', input: 'My name is Ada.' })
    expect(compacted).toMatchObject({ object: 'response.compaction', output: [{ type: 'compaction' }] })
    const next = [...(compacted.output as OpenAI.Responses.ResponseInputItem[]), { role: 'user' as const, content: input }]
    expect((await client.responses.create({ model, input: next })).output_text).toBe('alpha beta gamma')
  })

  it('a failure is told before the stream as an error, and in it as response.failed', async () => {
    await expect(client.responses.create({ model: 'alpha/none', input, stream: true })).rejects.toMatchObject({ code: 'model_not_found' })
    setup.upstream.setFault({}, { chunks: 20, size: 10, cut: 5 })
    const events: ResponseStreamEvent[] = []
    const body = JSON.stringify({ model, input, stream: true })
    const headers = { authorization: `Bearer ${KEYS.sdk}`, 'content-type': 'application/json' }
    const text = await (await fetch(`${setup.gateway.url}/v1/responses`, { method: 'POST', headers, body })).text()
    for (const line of text.split('\n')) if (line.startsWith('data: {')) events.push(JSON.parse(line.slice(6)))
    expect(events.slice(-2).map(({ type }) => type)).toEqual(['error', 'response.failed'])
    const last = events.at(-1)
    expect(last?.type === 'response.failed' && last.response.error).toEqual({ code: 'server_error', message: expect.any(String) })
    expect(text.endsWith('data: [DONE]\n\n')).toBe(true)
  })
})
