import { expect, it } from 'vitest'
import { answerAttributes, callAttributes } from './span-attributes.ts'

it.each([
  ['https://api.groq.example/openai/v1', 'api.groq.example', 443],
  ['http://127.0.0.1:9001/v1', '127.0.0.1', 9001],
  ['http://local.example/v1', 'local.example', 80],
])('a call says whom it asks for what: %s', (baseUrl, address, port) => {
  expect(callAttributes({ prov: 'groq', model: 'openai/gpt-oss', stream: true }, baseUrl)).toEqual({
    'gen_ai.operation.name': 'chat',
    'gen_ai.provider.name': 'groq',
    'gen_ai.request.model': 'openai/gpt-oss',
    'gen_ai.request.stream': true,
    'server.address': address,
    'server.port': port,
  })
})

it('an answer says how it ended and what it cost, and leaves out what nobody reported', () => {
  const end = { finish: 'stop', usage: { in: 9, out: 4 }, usageSource: 'provider', upstreamId: undefined, flags: [] } as const
  expect(answerAttributes({ ...end, flags: [] }, null)).toStrictEqual({
    'gen_ai.response.finish_reasons': ['stop'],
    'gen_ai.usage.input_tokens': 9,
    'gen_ai.usage.output_tokens': 4,
  })
  expect(answerAttributes({ ...end, flags: [], usage: { in: 9, out: 4, cached: 0, reasoning: 2 }, upstreamId: 'c1' }, 410)).toMatchObject({
    'gen_ai.usage.cache_read.input_tokens': 0,
    'gen_ai.usage.reasoning.output_tokens': 2,
    'gen_ai.response.id': 'c1',
    'gen_ai.response.time_to_first_chunk': 0.41,
  })
})
