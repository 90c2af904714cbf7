import { describe, expect, it } from 'vitest'
import { FreewayError } from '../failure.ts'
import { envelopeOf, messagesEnvelope, openaiEnvelope, phpEnvelope } from './envelope.ts'

describe('the family of a path', () => {
  it.each([
    ['/v1/messages', messagesEnvelope],
    ['/v1/messages/count_tokens', messagesEnvelope],
    ['/v1/messages/no/such/thing', messagesEnvelope],
    ['/v1/messagesx', openaiEnvelope],
    ['/v1/chat/completions', openaiEnvelope],
    ['/v1/responses', openaiEnvelope],
    ['/api/chat.php', phpEnvelope],
    ['/api/none.php', phpEnvelope],
    ['/api/providers', openaiEnvelope],
    ['/api/providers/x.php', openaiEnvelope],
    ['/', openaiEnvelope],
  ])('%s', (path, envelope) => {
    expect(envelopeOf(path)).toBe(envelope)
  })
})

describe('an error of the messages family', () => {
  it.each([
    ['invalid_request_error', undefined, 400, 'invalid_request_error'],
    ['invalid_api_key', undefined, 401, 'authentication_error'],
    ['model_access_denied', undefined, 403, 'permission_error'],
    ['invalid_request_error', 404, 404, 'not_found_error'],
    ['invalid_request_error', 405, 405, 'invalid_request_error'],
    ['invalid_request_error', 413, 413, 'request_too_large'],
    ['rate_limit_error', undefined, 429, 'rate_limit_error'],
    ['concurrency_limit_error', undefined, 429, 'rate_limit_error'],
    ['server_error', undefined, 500, 'api_error'],
    ['provider_error', undefined, 502, 'api_error'],
    ['provider_unavailable', undefined, 503, 'api_error'],
    ['provider_timeout', undefined, 504, 'timeout_error'],
    ['provider_unavailable', 529, 529, 'overloaded_error'],
  ] as const)('%s with status %s is %s %s', (type, status, written, word) => {
    expect(messagesEnvelope(new FreewayError(type, 'it failed', { ...(status && { status }) }), 'r1')).toMatchObject({
      status: written,
      body: { type: 'error', error: { type: word, message: 'it failed', code: type }, request_id: 'r1' },
    })
  })

  it('says of an unknown model that it is not found, since its clients repeat a 400', () => {
    const error = new FreewayError('invalid_request_error', 'unknown aliased model', { code: 'model_not_found' })
    expect(messagesEnvelope(error, 'r1')).toMatchObject({
      status: 404,
      body: { error: { type: 'not_found_error', code: 'model_not_found' } },
    })
    expect(openaiEnvelope(error, 'r1').status).toBe(400)
  })

  it('says of a conversation that is too long what agents listen for', () => {
    expect(messagesEnvelope(new FreewayError('context_length_exceeded', 'shorten it'), 'r1')).toMatchObject({
      status: 400,
      body: { error: { type: 'invalid_request_error', message: 'prompt is too long: shorten it', code: 'context_length_exceeded' } },
    })
  })

  it('keeps the headers that SDKs obey', () => {
    const error = new FreewayError('rate_limit_error', 'no more today', { retryAfterMs: 90_000, shouldRetry: false })
    expect(messagesEnvelope(error, 'r1').headers).toEqual({ 'retry-after': '90', 'x-should-retry': 'false' })
  })
})

it('an error of the PHP family is a text, with its status and when to come again', () => {
  const error = new FreewayError('rate_limit_error', 'too fast', { retryAfterMs: 59_100 })
  expect(phpEnvelope(error, 'r1').body).toEqual({ error: 'too fast', code: 429, retry_after: 60 })
  expect(phpEnvelope(new FreewayError('server_error', 'oh'), 'r1').body).toEqual({ error: 'oh', code: 500 })
})

it.each([
  ['rate_limit_error', {}, '30'],
  ['rate_limit_error', { retryAfterMs: 1_200 }, '2'],
  ['server_error', { status: 503 }, '30'],
  ['server_error', {}, undefined],
  ['provider_error', {}, undefined],
  ['provider_timeout', { retryAfterMs: 5_000 }, '5'],
] as const)('says when to come again wherever that helps: %s %j', (type, details, seconds) => {
  for (const envelope of [openaiEnvelope, messagesEnvelope, phpEnvelope]) {
    expect(envelope(new FreewayError(type, 'x', details), 'r1').headers['retry-after']).toBe(seconds)
  }
  const { retry_after } = phpEnvelope(new FreewayError(type, 'x', details), 'r1').body as { retry_after?: number }
  expect(retry_after).toBe(seconds && Number(seconds))
})
