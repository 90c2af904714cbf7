// Pure. What a failed attempt means for the request: another try with what was learned, or the error the client gets.

import { type Adaptation, bothAdaptations } from '#contracts/adaptation.ts'
import type { Fail, Noroute, Target } from '#contracts/attempt.ts'
import { virtualModelOf } from '#contracts/catalog.ts'
import type { Outcome } from '#contracts/failure.ts'
import { FreewayError, withErrorId } from '#contracts/failure.ts'
import type { Job } from '#contracts/job.ts'

export const MAX_GRANTED = 3
const UNAVAILABLE_RETRY_MS = 30_000

export interface RequestSoFar {
  id: string
  job: Pick<Job, 'model' | 'fallback' | 'kind'>
  granted: number
  /** Content has reached the client: it must not be told anything else now. */
  delivered: boolean
  /** A bigger context was asked for already. */
  widened: boolean
  /** What the request was changed to after a refusal, if it was. */
  adapted: Adaptation | undefined
  /** All accounts of the provider that failed. */
  accounts: readonly string[]
}

/** `spends`: the provider is in trouble, so that trying again needs a budget. */
export interface Again {
  again: true
  exclude?: readonly string[]
  avoid?: string
  wider?: boolean
  /** To be sent to the same model once more, changed like this. */
  adapt?: Adaptation
  spends: boolean
  error: FreewayError
}
export type Verdict = Again | { again: false; error: FreewayError }

export function afterFail(fail: Fail, target: Target, request: RequestSoFar): Verdict {
  const error = failureOf(fail, target, request)
  if (request.delivered || !request.job.fallback || request.granted >= MAX_GRANTED) return { again: false, error }
  // Whether the provider has answered is not known, and the call may cost money: never twice.
  const unknown = fail.sent && fail.phase !== 'status' && fail.phase !== 'in_band'
  if (unknown && target.billable) return { again: false, error }
  const again = { again: true, spends: inTrouble(fail), error } as const
  const adapt = adaptationFor(fail, request.adapted)
  if (adapt) return { ...again, adapt }
  switch (fail.code) {
    case 'invalid_request':
    case 'content_policy':
      return { again: false, error }
    case 'context_length':
      return request.widened ? { again: false, error } : { ...again, wider: true }
    case 'expired':
    case 'body':
      return { ...again, avoid: target.prov }
    default:
      return { ...again, exclude: excludedBy(fail, target, request.accounts) }
  }
}

/** Another adaptation than those that did not help. */
function adaptationFor({ adapt, phase }: Fail, adapted: Adaptation | undefined): Adaptation | undefined {
  if (!adapt || phase !== 'status') return undefined
  const both = bothAdaptations(adapted ?? {}, adapt)
  return JSON.stringify(both) === JSON.stringify(adapted) ? undefined : both
}

/** A refusal is its work; what is left are its breakdowns. */
function inTrouble({ code, status }: Fail): boolean {
  if (code === 'expired' || code === 'gone' || code === 'body') return false
  return status < 400 || status >= 500
}

/** Who would fail in the same way: `provider`, `provider/account` or `provider/account/model`. */
function excludedBy({ code, scope, status }: Fail, { prov, account, model }: Target, accounts: readonly string[]): string[] {
  switch (code) {
    case 'auth':
      return [`${prov}/${account}`]
    case 'rate_limited':
    case 'payment':
      // Another key has limits and money of its own.
      if (scope === 'model') return [`${prov}/${account}/${model}`]
      return [scope === 'provider' ? prov : `${prov}/${account}`]
    case 'model_not_found':
    case 'unsupported':
    case 'malformed':
    case 'overloaded':
      // Whatever the key: it is the model. After a 5xx the whole provider is passed over.
      if (scope === 'key') return [`${prov}/${account}`]
      return scope === 'provider' || status >= 500 || accounts.length === 0 ? [prov] : accounts.map((other) => `${prov}/${other}/${model}`)
    default:
      return [prov]
  }
}

/** The worker vanished after its grant. */
export function afterLoss(target: Target, request: RequestSoFar): Verdict {
  const error = providerError('the connection to the provider was lost', target, request)
  const again = !request.delivered && request.job.fallback && request.granted < MAX_GRANTED && !target.billable
  return again ? { again, avoid: target.prov, spends: false, error } : { again: false, error }
}

/** No provider for the job; `last` is what the provider before it said, if there was one. */
export function afterNoroute(noroute: Noroute, last: FreewayError | undefined, job: RequestSoFar['job']): FreewayError {
  if (noroute.reason === 'unknown_model') {
    return new FreewayError('invalid_request_error', 'unknown aliased model', { code: 'model_not_found', param: 'model' })
  }
  if (noroute.reason === 'unknown_strategy') {
    return new FreewayError('invalid_request_error', 'unknown strategy', { code: 'strategy_not_found', param: 'strategy' })
  }
  if (job.kind !== 'chat' && !last && (noroute.reason === 'unsupported' || (noroute.reason === 'none' && !isExact({ job }))))
    return cannot(job)
  if (noroute.reason === 'unsupported') {
    // It was too long for one, and nobody has more room: that is what the client can mend.
    if (last?.type === 'context_length_exceeded') return last
    const why = 'no configured model can serve this request: tools, images, n, logprobs or context length'
    return new FreewayError('invalid_request_error', why, { param: 'model' })
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

/** Nobody is able to, or not the one that was named. */
function cannot(job: RequestSoFar['job']): FreewayError {
  const message = isExact({ job })
    ? `unsupported media operation: the model does not serve this ${job.kind} request`
    : `no ${job.kind} provider is configured that serves this request`
  return new FreewayError('invalid_request_error', message, { param: 'model' })
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
    case 'unsupported':
      // Found out before anything was sent: these words are our own.
      if (!fail.sent) return new FreewayError('invalid_request_error', fail.detail)
      return rejected(target, request)
    case 'invalid_request':
      return rejected(target, request)
    case 'context_length':
      return new FreewayError(
        'context_length_exceeded',
        'the request does not fit into the context of the model: shorten it or ask for fewer tokens',
      )
    case 'too_large':
      return new FreewayError('invalid_request_error', withErrorId('the request is too large for the provider', target.prov, request.id), {
        status: 413,
      })
    case 'overloaded':
      return providerError('the provider has no room at the moment', target, request)
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

function rejected(target: Target, request: RequestSoFar): FreewayError {
  return new FreewayError('invalid_request_error', withErrorId('provider rejected the request payload', target.prov, request.id))
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
