// Pure. What a failed attempt means for the request: another try with what was learned, or the error the client gets.

import type { Fail, Noroute, Target } from '#contracts/attempt.ts'
import { virtualModelOf } from '#contracts/catalog.ts'
import type { Outcome } from '#contracts/failure.ts'
import { FreewayError, withErrorId } from '#contracts/failure.ts'
import type { Job } from '#contracts/job.ts'

export const MAX_GRANTED = 3
const UNAVAILABLE_RETRY_MS = 30_000

export interface RequestSoFar {
  id: string
  job: Pick<Job, 'model' | 'fallback'>
  granted: number
  /** Content has reached the client: it must not be told anything else now. */
  delivered: boolean
  /** A bigger context was asked for already. */
  widened: boolean
}

export type Verdict =
  | { again: true; exclude?: string; avoid?: string; wider?: boolean; error: FreewayError }
  | { again: false; error: FreewayError }

export function afterFail(fail: Fail, target: Target, request: RequestSoFar): Verdict {
  const error = failureOf(fail, target, request)
  if (request.delivered || !request.job.fallback || request.granted >= MAX_GRANTED) return { again: false, error }
  // Whether the provider has answered is not known, and the call may cost money: never twice.
  const unknown = fail.sent && fail.phase !== 'status' && fail.phase !== 'in_band'
  if (unknown && target.billable) return { again: false, error }
  switch (fail.code) {
    case 'invalid_request':
    case 'content_policy':
      return { again: false, error }
    case 'context_length':
      return request.widened ? { again: false, error } : { again: true, wider: true, error }
    case 'auth':
      return { again: true, exclude: `${target.prov}/${target.account}`, error }
    case 'expired':
    case 'body':
      return { again: true, avoid: target.prov, error }
    default:
      return { again: true, exclude: target.prov, error }
  }
}

/** The worker vanished after its grant. */
export function afterLoss(target: Target, request: RequestSoFar): Verdict {
  const error = providerError('the connection to the provider was lost', target, request)
  const again = !request.delivered && request.job.fallback && request.granted < MAX_GRANTED && !target.billable
  return again ? { again, avoid: target.prov, error } : { again: false, error }
}

/** No provider for the job; `last` is what the provider before it said, if there was one. */
export function afterNoroute(noroute: Noroute, last: FreewayError | undefined, job: RequestSoFar['job']): FreewayError {
  if (noroute.reason === 'unknown_model') {
    return new FreewayError('invalid_request_error', 'unknown aliased model', { code: 'model_not_found', param: 'model' })
  }
  if (noroute.reason === 'unknown_strategy') {
    return new FreewayError('invalid_request_error', 'unknown strategy', { code: 'strategy_not_found', param: 'strategy' })
  }
  if (noroute.reason === 'unsupported') {
    return new FreewayError('invalid_request_error', 'no configured model can serve this request: tools, images or context length', {
      param: 'model',
    })
  }
  if (noroute.reason === 'tier') {
    return new FreewayError('model_access_denied', 'this model is not open to your access tier', { param: 'model' })
  }
  if (noroute.reason === 'quota' && (last === undefined || last.type === 'provider_unavailable' || last.type === 'rate_limit_error')) {
    const soonestMs = Math.min(noroute.retry_after_ms ?? UNAVAILABLE_RETRY_MS, last?.retryAfterMs ?? Number.POSITIVE_INFINITY)
    return allLimited(job, soonestMs)
  }
  if (last) return last
  return new FreewayError('provider_unavailable', 'no provider is available for this request', {
    retryAfterMs: noroute.retry_after_ms ?? UNAVAILABLE_RETRY_MS,
  })
}

export function notPlaced(): FreewayError {
  return new FreewayError('provider_unavailable', 'no worker took the request in time', { retryAfterMs: 1_000 })
}

export function brokerDown(): FreewayError {
  return new FreewayError('server_error', 'the message broker is not reachable', { status: 503, retryAfterMs: 1_000 })
}

export function noRouter(): FreewayError {
  return new FreewayError('server_error', 'no router is running', { status: 503, retryAfterMs: 1_000 })
}

export function shuttingDown(): FreewayError {
  return new FreewayError('server_error', 'the gateway is shutting down', { status: 503, retryAfterMs: 1_000 })
}

export function tooLate(): FreewayError {
  return new FreewayError('provider_timeout', 'the request took too long')
}

export function outcomeOf(error: FreewayError, delivered: boolean): Outcome {
  if (delivered) return 'truncated'
  switch (error.type) {
    case 'provider_unavailable':
      return 'no_route'
    case 'provider_error':
      return 'provider_error'
    case 'provider_timeout':
      return 'provider_timeout'
    case 'server_error':
      return 'gateway_error'
    case 'client_canceled':
      return 'client_canceled'
    default:
      return 'client_error'
  }
}

function failureOf(fail: Fail, target: Target, request: RequestSoFar): FreewayError {
  switch (fail.code) {
    case 'rate_limited':
      return limited(fail, target, request)
    case 'invalid_request':
    case 'unsupported':
      return new FreewayError('invalid_request_error', withErrorId('provider rejected the request payload', target.prov, request.id))
    case 'context_length':
      return new FreewayError(
        'context_length_exceeded',
        'the request does not fit into the context of the model: shorten it or ask for fewer tokens',
      )
    case 'content_policy':
      return new FreewayError(
        'content_policy_violation',
        withErrorId('the provider refused the content of the request', target.prov, request.id),
      )
    case 'timeout':
      return new FreewayError('provider_timeout', withErrorId('the provider took too long', target.prov, request.id))
    case 'network':
      return providerError('the provider could not be reached', target, request)
    case 'truncated':
      return providerError('the provider broke off its answer', target, request)
    case 'malformed':
      return providerError('the provider sent an answer that cannot be read', target, request)
    default:
      return providerError('the provider failed', target, request)
  }
}

function limited(fail: Fail, target: Target, request: RequestSoFar): FreewayError {
  const retryAfterMs = fail.retry_after_ms ?? UNAVAILABLE_RETRY_MS
  if (isExact(request) || !request.job.fallback) {
    return new FreewayError('rate_limit_error', withErrorId('the limit of the provider is reached', target.prov, request.id), {
      retryAfterMs,
    })
  }
  return allLimited(request.job, retryAfterMs)
}

function allLimited(job: RequestSoFar['job'], retryAfterMs: number): FreewayError {
  if (isExact({ job }) || !job.fallback)
    return new FreewayError('rate_limit_error', 'the limit of the provider is reached', { retryAfterMs })
  return new FreewayError('provider_unavailable', 'every provider is at its limit', { retryAfterMs })
}

/** The client named one model, so another provider's limit is of no interest to it. */
function isExact({ job: { model } }: Pick<RequestSoFar, 'job'>): boolean {
  return model !== undefined && virtualModelOf(model) === undefined
}

function providerError(message: string, target: Target, request: RequestSoFar): FreewayError {
  return new FreewayError('provider_error', withErrorId(message, target.prov, request.id))
}
