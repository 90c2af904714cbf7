// Answers that are whole from the start. Browser clients may read all of them.

import { FastResponse } from 'srvx'
import type { FreewayError } from '#contracts/failure.ts'
import type { Envelope } from '#contracts/wire/envelope.ts'

const CORS = { 'access-control-allow-origin': '*', 'access-control-expose-headers': '*' }
const PREFLIGHT = {
  ...CORS,
  'access-control-allow-methods': '*',
  'access-control-allow-headers': 'authorization, *',
  'access-control-max-age': '86400',
}

export function respond(status: number, headers: Record<string, string>, body: BodyInit | null): Response {
  return new FastResponse(body, { status, headers: { ...CORS, ...headers } })
}

export function json(value: unknown, headers: Record<string, string> = {}, status = 200): Response {
  return respond(status, { 'content-type': 'application/json; charset=utf-8', ...headers }, JSON.stringify(value))
}

/** `headers` should have the request id: some envelopes repeat it. */
export function errorResponse(error: FreewayError, envelope: Envelope, headers: Record<string, string> = {}): Response {
  const written = envelope(error, headers['request-id'] ?? '')
  return json(written.body, { ...headers, ...written.headers }, written.status)
}

export function preflight(): Response {
  return new FastResponse(null, { status: 204, headers: PREFLIGHT })
}
