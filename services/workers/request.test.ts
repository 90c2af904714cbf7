import { expect, it } from 'vitest'
import type { Offer } from '#contracts/attempt.ts'
import { utf8 } from '#contracts/bytes.ts'
import { type CatalogProvider, catalog } from '#contracts/catalog.ts'
import { createHabits } from './habits.ts'
import { type Account, accountsOf } from './keys.ts'
import { providerRequest } from './request.ts'
import type { UpstreamRequest } from './upstream.ts'

function providerOf(fields: object): CatalogProvider {
  const common = { name: 'groq', base_url: 'https://groq.example/openai/v1', configured: true, models: [{ id: 'm', max_output: 100 }] }
  return catalog.parse({ providers: [{ ...common, ...fields }], aliases: [] }).providers[0] as CatalogProvider
}
const groq = providerOf({})
const account = (provider: CatalogProvider, keys: string[]) => [...accountsOf(provider, keys).values()][0] as Account
const offer = (stream: boolean, more: Partial<Offer> = {}) => ({ stream, model: 'openai/gpt-oss', ...more }) as Offer
const body = utf8(JSON.stringify({ model: 'freeai-auto', stream: false, messages: [{ role: 'user', content: 'hi' }] }))
const sent = (request: Pick<UpstreamRequest, 'body'>) => JSON.parse(String(request.body))

it.each([
  [true, 'text/event-stream'],
  [false, 'application/json'],
])('a provider gets its own model, its key and nothing of the client (streamed: %s)', (stream, accept) => {
  const request = providerRequest(account(groq, ['gsk-1']), createHabits(groq), offer(stream), body)
  expect(request.path).toBe('/openai/v1/chat/completions')
  expect(request.headers).toStrictEqual({
    'content-type': 'application/json',
    accept,
    'accept-encoding': 'identity',
    'user-agent': 'freeway',
    authorization: 'Bearer gsk-1',
  })
  expect(sent(request)).toMatchObject({ model: 'openai/gpt-oss', stream, messages: [{ role: 'user', content: 'hi' }] })
})

it('the headers of its policy go along, those whose value is not known do not', () => {
  const openrouter = providerOf({ request_policy: { headers: { 'HTTP-Referer': '{public_url}', 'X-Title': '{app_name}' } } })
  const { headers } = providerRequest(account(openrouter, ['k']), createHabits(openrouter), offer(true), body)
  expect(headers['x-title']).toBe('freeway')
  expect(headers).not.toHaveProperty('http-referer')
})

it('what a refusal has taught is done for that request, and for all once it has helped', () => {
  const habits = createHabits(groq)
  const request = (more: Partial<Offer> = {}) =>
    sent(
      providerRequest(
        account(groq, ['k']),
        habits,
        offer(false, { model: 'm', ...more }),
        utf8(JSON.stringify({ messages: [], seed: 1, user: 'u', max_tokens: 500 })),
      ),
    )
  expect(request()).toMatchObject({ seed: 1, user: 'u', max_tokens: 100 })
  expect(request({ adapt: { drop: ['seed'] } })).not.toHaveProperty('seed')
  expect(request()).toHaveProperty('seed')
  habits.remember('m', { drop: ['seed'] })
  expect(request()).not.toHaveProperty('seed')
  expect(request({ model: 'other' })).toHaveProperty('seed')
  habits.remember('m', { drop: ['user'] })
  expect(Object.keys(request())).toEqual(['model', 'messages', 'max_tokens', 'stream'])
})
