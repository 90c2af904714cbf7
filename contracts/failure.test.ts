import { describe, expect, it } from 'vitest'
import { errorBody, errorHeaders, FreewayError, failures, withErrorId } from './failure.ts'

describe('an error that reaches a client', () => {
  it('has all four keys of the envelope, always', () => {
    expect(errorBody(new FreewayError('server_error', 'no router is running'))).toEqual({
      error: { message: 'no router is running', type: 'server_error', code: 'server_error', param: null },
    })
    expect(errorBody(new FreewayError('invalid_request_error', 'bad', { code: 'empty_array', param: 'messages[0].role' }))).toEqual({
      error: { message: 'bad', type: 'invalid_request_error', code: 'empty_array', param: 'messages[0].role' },
    })
  })

  it('says nothing of its cause', () => {
    const error = new FreewayError('server_error', 'internal error', { cause: new Error('sk-secret') })
    expect(JSON.stringify([errorBody(error), errorHeaders(error)])).not.toContain('sk-secret')
  })

  it.each(Object.entries(failures))('of type %s has its status unless told otherwise', (type, { status }) => {
    expect(new FreewayError(type as keyof typeof failures, '').status).toBe(status)
    expect(new FreewayError(type as keyof typeof failures, '', { status: 413 }).status).toBe(413)
  })

  it.each([
    [{}, {}],
    [{ retryAfterMs: 0 }, { 'retry-after': '1' }],
    [{ retryAfterMs: 1_000 }, { 'retry-after': '1' }],
    [{ retryAfterMs: 1_001 }, { 'retry-after': '2' }],
    [{ retryAfterMs: -5 }, { 'retry-after': '1' }],
    [{ shouldRetry: false }, { 'x-should-retry': 'false' }],
    [{ shouldRetry: true }, { 'x-should-retry': 'true' }],
    [{ status: 409 }, { 'x-should-retry': 'false' }],
    [{ status: 409, shouldRetry: true }, { 'x-should-retry': 'true' }],
    [{ headers: { allow: 'GET, HEAD' } }, { allow: 'GET, HEAD' }],
    [{ status: 401 }, { 'www-authenticate': 'Bearer' }],
  ])('with %j has the headers %j', (details, headers) => {
    expect(errorHeaders(new FreewayError('server_error', '', details))).toEqual(headers)
  })
})

it.each([
  ['groq', 'aBcDeFgHiJkLmNoP', 'it failed. Error id: groq-aBcDeFgHiJkL'],
  ['groq', 'a_-b', 'it failed. Error id: groq-ab0000000000'],
  ['a-provider-with-a-long-name', 'aaaaaaaaaaaaaaaa', 'it failed. Error id: a-provider-w-aaaaaaaaaaaa'],
])('the diagnostic id of %s and %s', (prefix, id, message) => expect(withErrorId('it failed', prefix, id)).toBe(message))
