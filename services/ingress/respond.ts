// Answers that are whole from the start. Browser clients may read all of them.

import { FastResponse } from 'srvx'
import { errorBody, errorHeaders, type FreewayError } from '#contracts/failure.ts'

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

export function errorResponse(error: FreewayError, headers: Record<string, string> = {}): Response {
  return json(errorBody(error), { ...headers, ...errorHeaders(error) }, error.status)
}

export function preflight(): Response {
  return new FastResponse(null, { status: 204, headers: PREFLIGHT })
}
