import { expect, it } from 'vitest'
import { FreewayError } from '#contracts/failure.ts'
import { openaiEnvelope } from '#contracts/wire/envelope.ts'
import { errorResponse, json, preflight, respond } from './respond.ts'

it('every answer may be read by browsers, and its headers too', () => {
  for (const response of [
    respond(200, {}, null),
    json({}),
    errorResponse(new FreewayError('server_error', ''), openaiEnvelope),
    preflight(),
  ]) {
    expect(response.headers.get('access-control-allow-origin')).toBe('*')
  }
  expect(json({}).headers.get('access-control-expose-headers')).toBe('*')
})

it('an error has its status, its envelope and its headers, and the headers of the request', async () => {
  const error = new FreewayError('provider_unavailable', 'no provider', { retryAfterMs: 1_500 })
  const response = errorResponse(error, openaiEnvelope, { 'x-request-id': 'r1', 'retry-after': '99' })
  expect(response.status).toBe(503)
  expect(Object.fromEntries(response.headers)).toMatchObject({
    'content-type': 'application/json; charset=utf-8',
    'x-request-id': 'r1',
    'retry-after': '2',
  })
  expect(await response.json()).toEqual({
    error: { message: 'no provider', type: 'provider_unavailable', code: 'provider_unavailable', param: null },
  })
})

it('JSON has its type and status', async () => {
  const response = json({ a: '€' }, { 'x-a': 'b' }, 201)
  expect([response.status, response.headers.get('x-a')]).toEqual([201, 'b'])
  expect(await response.json()).toEqual({ a: '€' })
})

it('browsers may ask before they send a key', async () => {
  const response = preflight()
  expect(response.status).toBe(204)
  // The star does not cover `authorization`.
  expect(response.headers.get('access-control-allow-headers')).toBe('authorization, *')
  expect(await response.text()).toBe('')
})
