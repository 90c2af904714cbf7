// The table of everything that can go wrong, and the one error class.
// Source of words and statuses: the error table that the public routes document.

interface Kind {
  /** HTTP status of the answer. */
  status: number
  /** Whether the same request may succeed when it is sent again later. */
  retryable: boolean
}

export const failures = {
  invalid_request_error: { status: 400, retryable: false },
  context_length_exceeded: { status: 400, retryable: false },
  content_policy_violation: { status: 400, retryable: false },
  invalid_api_key: { status: 401, retryable: false },
  daily_checkin_required: { status: 403, retryable: false },
  model_access_denied: { status: 403, retryable: false },
  discord_membership_required: { status: 403, retryable: false },
  user_paused: { status: 403, retryable: false },
  ip_blacklisted: { status: 403, retryable: false },
  client_signature_banned: { status: 403, retryable: false },
  rate_limit_error: { status: 429, retryable: true },
  concurrency_limit_error: { status: 429, retryable: true },
  glm_depleted: { status: 429, retryable: false },
  client_canceled: { status: 499, retryable: false },
  server_error: { status: 500, retryable: true },
  provider_error: { status: 502, retryable: true },
  provider_unavailable: { status: 503, retryable: true },
  discord_membership_error: { status: 503, retryable: true },
  provider_timeout: { status: 504, retryable: true },
} as const satisfies Record<string, Kind>

export type FailureType = keyof typeof failures

/** What a request can come to; exactly one per accepted request. */
export type Outcome =
  | 'ok'
  | 'client_error'
  | 'client_canceled'
  | 'shed'
  | 'no_route'
  | 'provider_error'
  | 'provider_timeout'
  | 'truncated'
  | 'gateway_error'
  | 'lost'

export interface FailureDetails {
  /** Where one type has several statuses: 404, 405, 409, 413, 415, 422 and 431 are `invalid_request_error`, 503 may be `server_error`. */
  status?: number
  /** A more exact word than the type, e.g. `model_not_found`. */
  code?: string
  /** The request field at fault, e.g. `messages[0].role`. */
  param?: string
  retryAfterMs?: number
  /** False where repeating within minutes is useless; both official SDKs obey it. */
  shouldRetry?: boolean
  /** Further response headers, e.g. `allow`. */
  headers?: Record<string, string>
  cause?: unknown
}

/** The one error that reaches a client. Its message is public: no key, no address, no provider text. */
export class FreewayError extends Error {
  override name = 'FreewayError'
  readonly type: FailureType
  readonly status: number
  readonly code: string
  readonly param: string | null
  readonly retryAfterMs: number | undefined
  readonly shouldRetry: boolean | undefined
  readonly headers: Readonly<Record<string, string>>

  constructor(type: FailureType, message: string, details: FailureDetails = {}) {
    super(message, { cause: details.cause })
    this.type = type
    this.status = details.status ?? failures[type].status
    this.code = details.code ?? type
    this.param = details.param ?? null
    this.retryAfterMs = details.retryAfterMs
    // Official clients try a conflict again of their own accord; here nothing but another request mends one.
    this.shouldRetry = details.shouldRetry ?? (this.status === 409 ? false : undefined)
    this.headers = details.headers ?? {}
  }
}

/** OpenAI's envelope, all four keys always present. */
export interface ErrorBody {
  error: { message: string; type: string; code: string; param: string | null }
}

export function errorBody(error: FreewayError): ErrorBody {
  return { error: { message: error.message, type: error.type, code: error.code, param: error.param } }
}

export function errorHeaders(error: FreewayError): Record<string, string> {
  const headers: Record<string, string> = { ...error.headers }
  if (error.retryAfterMs !== undefined) headers['retry-after'] = String(Math.max(1, Math.ceil(error.retryAfterMs / 1000)))
  if (error.shouldRetry !== undefined) headers['x-should-retry'] = String(error.shouldRetry)
  if (error.status === 401) headers['www-authenticate'] = 'Bearer'
  return headers
}

/** `Error id: <prefix>-xxxxxxxxxxxx`, the public diagnostic id that ends a provider's error message. */
export function withErrorId(message: string, prefix: string, requestId: string): string {
  const id = requestId
    .replaceAll(/[^A-Za-z0-9]/g, '')
    .slice(0, 12)
    .padEnd(12, '0')
  return `${message}. Error id: ${prefix.slice(0, 12)}-${id}`
}

/** The id at the end of such a message. */
export function errorIdOf(message: string): string | undefined {
  return / Error id: (\S+)$/.exec(message)?.[1]
}
