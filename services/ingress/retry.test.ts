import { describe, expect, it } from 'vitest'
import type { Fail, Noroute } from '#contracts/attempt.ts'
import { type FailureType, FreewayError } from '#contracts/failure.ts'
import type { RequestSoFar, Verdict } from './retry.ts'
import {
  afterFail,
  afterLoss,
  afterNoroute,
  brokerDown,
  MAX_GRANTED,
  noRouter,
  notPlaced,
  outcomeOf,
  shuttingDown,
  tooLate,
} from './retry.ts'

const free = { prov: 'groq', account: 'groq-1', model: 'm', billable: false }
const billable = { ...free, billable: true }

const failed = (code: Fail['code'], change: Partial<Fail> = {}): Fail =>
  ({
    seq: 0,
    phase: 'status',
    status: 500,
    code,
    sent: true,
    key_fault: false,
    detail: 'upstream said sk-secret',
    ...change,
  }) as Fail
const request = ({
  fallback = true,
  model,
  kind = 'chat',
  ...change
}: Partial<RequestSoFar> & { fallback?: boolean; model?: string; kind?: RequestSoFar['job']['kind'] } = {}): RequestSoFar => ({
  id: 'aBcDeFgHiJkLmNoPqRsTuV',
  job: { model, fallback, kind },
  granted: 1,
  delivered: false,
  widened: false,
  adapted: undefined,
  accounts: ['groq-1', 'groq-2'],
  ...change,
})
/** What is learned for the next try; undefined if there is none. */
function next(verdict: Verdict): object | undefined {
  if (!verdict.again) return undefined
  const { again, error, spends, ...learned } = verdict
  return learned
}

describe('after a failure the request is tried again', () => {
  it.each<[Fail['code'], Partial<Fail>, object | undefined]>([
    ['rate_limited', { scope: 'model', status: 429 }, { exclude: ['groq/groq-1/m'] }],
    ['rate_limited', { scope: 'key', status: 429 }, { exclude: ['groq/groq-1'] }],
    ['rate_limited', { scope: 'provider', status: 429 }, { exclude: ['groq'] }],
    ['rate_limited', { status: 429 }, { exclude: ['groq/groq-1'] }],
    ['auth', { status: 401, scope: 'key' }, { exclude: ['groq/groq-1'] }],
    ['payment', { status: 402, scope: 'key' }, { exclude: ['groq/groq-1'] }],
    ['payment', { status: 429, scope: 'model' }, { exclude: ['groq/groq-1/m'] }],
    ['payment', { status: 402, scope: 'request' }, { exclude: ['groq/groq-1'] }],
    ['blocked', { status: 403, scope: 'provider' }, { exclude: ['groq'] }],
    // Whatever the key, this model will not do.
    ['model_not_found', { status: 404, scope: 'model' }, { exclude: ['groq/groq-1/m', 'groq/groq-2/m'] }],
    ['model_not_found', { status: 404, scope: 'key' }, { exclude: ['groq/groq-1'] }],
    ['unsupported', { status: 400, scope: 'request' }, { exclude: ['groq/groq-1/m', 'groq/groq-2/m'] }],
    ['malformed', { status: 400, scope: 'request' }, { exclude: ['groq/groq-1/m', 'groq/groq-2/m'] }],
    ['malformed', { status: 502, phase: 'in_band' }, { exclude: ['groq'] }],
    ['overloaded', { status: 429, scope: 'model' }, { exclude: ['groq/groq-1/m', 'groq/groq-2/m'] }],
    ['overloaded', { status: 503, scope: 'model' }, { exclude: ['groq'] }],
    ['too_large', { status: 413, scope: 'request' }, { exclude: ['groq'] }],
    ['server', { scope: 'model' }, { exclude: ['groq'] }],
    ['network', {}, { exclude: ['groq'] }],
    ['timeout', {}, { exclude: ['groq'] }],
    ['truncated', {}, { exclude: ['groq'] }],
    ['gone', {}, { exclude: ['groq'] }],
    ['expired', {}, { avoid: 'groq' }],
    ['body', {}, { avoid: 'groq' }],
    ['context_length', { status: 400 }, { wider: true }],
    ['invalid_request', { status: 400 }, undefined],
    ['content_policy', { status: 400 }, undefined],
  ])('%s: %j %j', (code, change, learned) => expect(next(afterFail(failed(code, change), free, request()))).toEqual(learned))

  const adapt = { drop: ['logit_bias'] }
  it.each<[string, Partial<Fail>, Partial<RequestSoFar>, object | undefined]>([
    ['as the provider wants it', { adapt }, {}, { adapt }],
    ['with all that it wants', { adapt }, { adapted: { drop: ['seed'] } }, { adapt: { drop: ['seed', 'logit_bias'] } }],
    ['elsewhere, if that has not helped', { adapt }, { adapted: adapt }, { exclude: ['groq/groq-1/m', 'groq/groq-2/m'] }],
    ['elsewhere, if the answer had begun', { adapt, phase: 'in_band' }, {}, { exclude: ['groq/groq-1/m', 'groq/groq-2/m'] }],
  ])('%s', (_, change, so, learned) => {
    expect(next(afterFail(failed('unsupported', { status: 400, ...change }), free, request(so)))).toEqual(learned)
  })

  it('also where the client would be told that it was at fault, as long as something can be changed', () => {
    expect(next(afterFail(failed('invalid_request', { status: 400, adapt }), free, request()))).toEqual({ adapt })
    expect(next(afterFail(failed('invalid_request', { status: 400, adapt }), free, request({ adapted: adapt })))).toBeUndefined()
  })

  it.each<[Fail['code'], Partial<Fail>, boolean]>([
    ['server', { status: 500 }, true],
    ['overloaded', { status: 503 }, true],
    ['network', { phase: 'connect', status: 0, sent: false }, true],
    ['timeout', { phase: 'ttfb', status: 504 }, true],
    ['malformed', { phase: 'in_band', status: 502 }, true],
    ['rate_limited', { status: 429 }, false],
    ['auth', { status: 401 }, false],
    ['unsupported', { status: 400 }, false],
    ['expired', { phase: 'expired', status: 0 }, false],
    ['body', { phase: 'body', status: 0 }, false],
  ])('and needs a budget where the provider is in trouble: %s %j %s', (code, change, spends) => {
    expect(afterFail(failed(code, change), free, request())).toMatchObject({ again: true, spends })
  })

  it.each<[string, Partial<RequestSoFar> & { fallback?: boolean }]>([
    ['content has reached the client', { delivered: true }],
    ['the client wants one attempt', { fallback: false }],
    ['three were granted', { granted: MAX_GRANTED }],
  ])('but never once %s', (_, so) => {
    expect(next(afterFail(failed('server'), free, request(so)))).toBeUndefined()
    expect(next(afterLoss(free, request(so)))).toBeUndefined()
  })

  it('a bigger context is asked for once', () => {
    expect(next(afterFail(failed('context_length'), free, request({ widened: true })))).toBeUndefined()
  })
})

describe('a call that may cost money', () => {
  it.each<[string, Partial<Fail>, boolean]>([
    ['was refused with a status', { phase: 'status', status: 503 }, true],
    ['was refused inside the answer', { phase: 'in_band', status: 503 }, true],
    ['never left', { phase: 'connect', sent: false }, true],
    ['was granted too late', { phase: 'expired', code: 'expired', sent: false }, true],
    ['may have been answered', { phase: 'ttfb', status: 504 }, false],
    ['broke off', { phase: 'stream', status: 0 }, false],
    ['took too long', { phase: 'limit', status: 504 }, false],
    ['had ended before', { phase: 'gone', code: 'gone' }, false],
  ])('that %s is repeated: %j %s', (_, change, again) => {
    expect(afterFail(failed('server', change), billable, request()).again).toBe(again)
    expect(afterFail(failed('server', change), free, request()).again).toBe(true)
  })

  it('is not repeated when its worker is lost; a free one is, elsewhere if possible', () => {
    expect(next(afterLoss(billable, request()))).toBeUndefined()
    expect(next(afterLoss(free, request()))).toEqual({ avoid: 'groq' })
  })
})

describe('what the client is told', () => {
  it.each<[Fail['code'], FailureType, number, boolean]>([
    ['invalid_request', 'invalid_request_error', 400, true],
    ['unsupported', 'invalid_request_error', 400, true],
    ['context_length', 'context_length_exceeded', 400, false],
    ['content_policy', 'content_policy_violation', 400, true],
    ['timeout', 'provider_timeout', 504, true],
    ['network', 'provider_error', 502, true],
    ['truncated', 'provider_error', 502, true],
    ['malformed', 'provider_error', 502, true],
    ['server', 'provider_error', 502, true],
    ['overloaded', 'provider_error', 502, true],
    ['payment', 'provider_error', 502, true],
    ['blocked', 'provider_error', 502, true],
    ['too_large', 'invalid_request_error', 413, true],
    ['auth', 'provider_error', 502, true],
    ['model_not_found', 'provider_error', 502, true],
    ['rate_limited', 'provider_unavailable', 503, false],
  ])('of %s: %s, %d', (code, type, status, withId) => {
    const { error } = afterFail(failed(code), free, request())
    expect(error).toMatchObject({ type, status })
    expect(error.message.endsWith('. Error id: groq-aBcDeFgHiJkL')).toBe(withId)
    expect(error.message).not.toContain('sk-secret')
  })

  it.each<[string, Parameters<typeof request>[0], FailureType]>([
    ['leaves the choice to us', {}, 'provider_unavailable'],
    ['names a virtual model', { model: 'freeai-auto' }, 'provider_unavailable'],
    ['names a model', { model: 'groq/m' }, 'rate_limit_error'],
    ['wants one attempt', { fallback: false }, 'rate_limit_error'],
  ])('of a limit, when it %s: %j %s', (_, so, type) => {
    expect(afterFail(failed('rate_limited', { retry_after_ms: 17_000 }), free, request(so)).error).toMatchObject({
      type,
      retryAfterMs: 17_000,
    })
    expect(afterFail(failed('rate_limited'), free, request(so)).error).toMatchObject({ type, retryAfterMs: 30_000 })
  })

  const last = new FreewayError('provider_error', 'the last one failed')
  const tooLong = new FreewayError('context_length_exceeded', 'too long for that one')
  it.each<[Noroute['reason'], FreewayError | undefined, object]>([
    ['unknown_model', undefined, { status: 400, code: 'model_not_found', param: 'model' }],
    ['unknown_model', last, { status: 400, code: 'model_not_found' }],
    ['unsupported', undefined, { status: 400, type: 'invalid_request_error', param: 'model' }],
    ['unsupported', last, { status: 400, type: 'invalid_request_error', param: 'model' }],
    ['unsupported', tooLong, tooLong],
    ['none', undefined, { status: 503, type: 'provider_unavailable', retryAfterMs: 9_000 }],
    ['quota', undefined, { status: 503, retryAfterMs: 9_000 }],
    ['cooldown', undefined, { status: 503, retryAfterMs: 9_000 }],
    ['version', undefined, { status: 503 }],
    ['none', last, last],
    ['cooldown', last, last],
  ])('when there is no provider (%s) after %s', (reason, before, error) => {
    expect(afterNoroute({ t: 'noroute', reason, retry_after_ms: 9_000 }, before, request().job)).toMatchObject(error)
  })

  it.each<[string, Parameters<typeof request>[0], FreewayError | undefined, object]>([
    ['names a model', { model: 'groq/m' }, undefined, { status: 429, type: 'rate_limit_error', retryAfterMs: 9_000 }],
    ['wants one attempt', { fallback: false }, undefined, { status: 429, type: 'rate_limit_error' }],
    [
      'was limited before, for less time',
      {},
      new FreewayError('provider_unavailable', 'limited', { retryAfterMs: 4_000 }),
      { status: 503, retryAfterMs: 4_000 },
    ],
    [
      'was limited before, for more time',
      {},
      new FreewayError('provider_unavailable', 'limited', { retryAfterMs: 40_000 }),
      { status: 503, retryAfterMs: 9_000 },
    ],
    ['has failed otherwise before', {}, last, last],
  ])('when every window is spent and the client %s', (_, so, before, error) => {
    expect(afterNoroute({ t: 'noroute', reason: 'quota', retry_after_ms: 9_000 }, before, request(so).job)).toMatchObject(error)
  })

  it('to wait half a minute if no router says how long', () => {
    expect(afterNoroute({ t: 'noroute', reason: 'none' }, undefined, request().job).retryAfterMs).toBe(30_000)
  })

  it.each([
    [notPlaced(), 'provider_unavailable', 503],
    [brokerDown(), 'server_error', 503],
    [noRouter(), 'server_error', 503],
    [shuttingDown(), 'server_error', 503],
  ])('to come back soon: %s', (error, type, status) => expect(error).toMatchObject({ type, status, retryAfterMs: 1_000 }))
})

describe('what a request came to', () => {
  it.each<[FreewayError, string]>([
    [notPlaced(), 'no_route'],
    [brokerDown(), 'gateway_error'],
    [tooLate(), 'provider_timeout'],
    [new FreewayError('provider_error', ''), 'provider_error'],
    [new FreewayError('client_canceled', ''), 'client_canceled'],
    [new FreewayError('context_length_exceeded', ''), 'client_error'],
    [new FreewayError('rate_limit_error', ''), 'client_error'],
  ])('%s: %s; truncated once content was delivered', (error, outcome) => {
    expect(outcomeOf(error, false)).toBe(outcome)
    expect(outcomeOf(error, true)).toBe('truncated')
  })
})
