import { describe, expect, it } from 'vitest'
import { utf8 } from '../bytes.ts'
import { readRequest } from './chat-php.ts'

const messages = [{ role: 'user', content: 'Hi' }]
const ask = (fields: object) => readRequest(utf8(JSON.stringify({ messages, ...fields })), (id) => (id === 3 ? 'groq/llama' : undefined))
const bodyOf = (fields: object) => JSON.parse(new TextDecoder().decode(ask(fields).body))

describe('a request of FreeLLMAPI', () => {
  it('streams, and has the documented defaults', () => {
    expect(ask({})).toMatchObject({ kind: 'chat', stream: true, model: undefined, estimate: { out: 1024 } })
    expect(bodyOf({})).toEqual({ stream: true, temperature: 0.7, max_tokens: 1024, messages })
  })

  it('says otherwise where it says something; null is nothing', () => {
    expect(bodyOf({ stream: false, temperature: 0, max_tokens: 5, model_id: null })).toEqual({
      stream: false,
      temperature: 0,
      max_tokens: 5,
      messages,
    })
    expect(bodyOf({ stream: null, temperature: null, max_tokens: null })).toMatchObject({
      stream: true,
      temperature: 0.7,
      max_tokens: 1024,
    })
  })

  it.each([
    [3, 'groq/llama'],
    ['opc/large', 'opc/large'],
    [null, undefined],
    [undefined, undefined],
  ])('with model_id %j is for %s', (model_id, model) => expect(ask({ model_id }).model).toBe(model))

  it('gets no event that is about usage', () => {
    expect(ask({ stream_options: { include_usage: true } }).includeUsage).toBe(false)
  })

  it.each([
    [{ model_id: 4 }, 'model_id'],
    [{ model_id: {} }, 'model'],
    [{ messages: [] }, 'messages'],
    [{ messages: undefined }, 'messages'],
    [{ temperature: 3 }, 'temperature'],
  ])('is refused with %j', (fields, message) => {
    expect(() => ask(fields)).toThrow(expect.objectContaining({ status: 400, message: expect.stringContaining(message) }))
  })
})
