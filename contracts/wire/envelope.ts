// An error as each family of routes says it. Pure.
// Sources: OpenAI's error object, Anthropic's error words per status, FreeLLMAPI's flat object.

import { errorBody, errorHeaders, type FreewayError } from '../failure.ts'

export interface WrittenError {
  status: number
  headers: Record<string, string>
  body: object
}

/** `requestId` is the id that the answer carries as a header. */
export type Envelope = (error: FreewayError, requestId: string) => WrittenError

/** What clients are told to wait who have to come again, where nobody knows better. */
const USUAL_RETRY_MS = 30_000

/** Every 429 and 503 says when to come again. */
function retryAfterOf({ status, retryAfterMs }: FreewayError): number | undefined {
  const waitMs = retryAfterMs ?? (status === 429 || status === 503 ? USUAL_RETRY_MS : undefined)
  return waitMs === undefined ? undefined : Math.max(1, Math.ceil(waitMs / 1000))
}

function headersOf(error: FreewayError): Record<string, string> {
  const seconds = retryAfterOf(error)
  return seconds === undefined ? errorHeaders(error) : { ...errorHeaders(error), 'retry-after': String(seconds) }
}

/** `{error: {message, type, code, param}}`, all four keys. */
export const openaiEnvelope: Envelope = (error) => ({ status: error.status, headers: headersOf(error), body: errorBody(error) })

/** Anthropic's words, by status. Their SDKs build the class of the error from the status and show the word. */
const messagesWords: Record<number, string> = {
  400: 'invalid_request_error',
  401: 'authentication_error',
  402: 'billing_error',
  403: 'permission_error',
  404: 'not_found_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  504: 'timeout_error',
  529: 'overloaded_error',
}

/**
 * `{type: "error", error: {type, message, code}, request_id}`; `code` is the word of our own table. An unknown model is 404 here,
 * because Claude Code repeats a 400 up to six times.
 */
export const messagesEnvelope: Envelope = (error, requestId) => {
  const status = error.code === 'model_not_found' ? 404 : error.status
  const type = messagesWords[status] ?? (status >= 500 ? 'api_error' : 'invalid_request_error')
  // The words by which Claude Code knows that it has to shorten the conversation, instead of giving up.
  const message = error.type === 'context_length_exceeded' ? `prompt is too long: ${error.message}` : error.message
  return {
    status,
    headers: headersOf(error),
    body: { type: 'error', error: { type, message, code: error.code }, request_id: requestId },
  }
}

/** `{error: "text", code: 429, retry_after: 60}`: `error` is a text, `code` the status; `retry_after` (s) only where it is known. */
export const phpEnvelope: Envelope = (error) => {
  const seconds = retryAfterOf(error)
  const retryAfter = seconds === undefined ? {} : { retry_after: seconds }
  return { status: error.status, headers: headersOf(error), body: { error: error.message, code: error.status, ...retryAfter } }
}

/** The family of a path, whether or not the route exists. */
export function envelopeOf(path: string): Envelope {
  if (/^\/v1\/messages(?:\/|$)/.test(path)) return messagesEnvelope
  return /^\/api\/[^/]+\.php$/.test(path) ? phpEnvelope : openaiEnvelope
}
