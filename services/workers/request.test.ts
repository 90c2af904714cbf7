import { expect, it } from 'vitest'
import type { Offer } from '#contracts/attempt.ts'
import { utf8 } from '#contracts/bytes.ts'
import { provider } from '#contracts/catalog.ts'
import { providerRequest } from './request.ts'

const groq = provider.parse({ name: 'groq', base_url: 'https://groq.example/openai/v1', models: [{ id: 'm' }] })
const local = { ...groq, needs_key: false }
const offer = (stream: boolean) => ({ stream, model: 'openai/gpt-oss' }) as Offer
const body = utf8(JSON.stringify({ model: 'freeai-auto', stream: false, messages: [{ role: 'user', content: 'hi' }] }))

it.each([
  [true, 'text/event-stream'],
  [false, 'application/json'],
])('a provider gets its own model, its key and nothing of the client (streamed: %s)', (stream, accept) => {
  const request = providerRequest(groq, 'gsk-1', offer(stream), body, '/openai/v1')
  expect(request.path).toBe('/openai/v1/chat/completions')
  expect(request.headers).toStrictEqual({
    'content-type': 'application/json',
    accept,
    'accept-encoding': 'identity',
    'user-agent': 'freeway',
    authorization: 'Bearer gsk-1',
  })
  expect(JSON.parse(String(request.body))).toMatchObject({ model: 'openai/gpt-oss', stream, messages: [{ role: 'user', content: 'hi' }] })
})

it('one that asks for no key gets none', () => {
  expect(providerRequest(local, 'gsk-1', offer(true), body, '').headers).not.toHaveProperty('authorization')
  expect(providerRequest(groq, undefined, offer(true), body, '').headers).not.toHaveProperty('authorization')
})
