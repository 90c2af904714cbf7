// The name under which callers find their request again: their own, if it is harmless as a header and in a log, else one of ours.

import { Buffer } from 'node:buffer'
import { randomFillSync } from 'node:crypto'

/** Six of time, ten of chance. */
const ID_BYTES = 16
const TIME_BYTES = 6
/** Asking for randomness once for many ids costs a tenth of asking each time. */
const pool = Buffer.allocUnsafe(256 * ID_BYTES)
let used = pool.length

/**
 * Eighty random bits, so that nobody guesses another's request, behind the time in ms: what began together stands together in
 * every index of every database, which makes storing it cheaper.
 */
export function newRequestId(): string {
  if (used === pool.length) {
    randomFillSync(pool)
    used = 0
  }
  pool.writeUIntBE(Date.now(), used, TIME_BYTES)
  used += ID_BYTES
  return pool.toString('base64url', used - ID_BYTES, used)
}

export function callersId(headers: Pick<Headers, 'get'>): string | undefined {
  const id = headers.get('x-request-id') ?? headers.get('x-client-request-id')
  return id !== null && /^[A-Za-z0-9._:-]{1,128}$/.test(id) ? id : undefined
}

/** OpenAI's SDK looks for the first, Anthropic's for the second. */
export function requestIdHeaders(headers: Pick<Headers, 'get'>): Record<'x-request-id' | 'request-id', string> {
  const id = callersId(headers) ?? newRequestId()
  return { 'x-request-id': id, 'request-id': id }
}

export function withRequestId(response: Response, headers: Pick<Headers, 'get'>): Response {
  for (const [name, id] of Object.entries(requestIdHeaders(headers))) response.headers.set(name, id)
  return response
}
