// One client request from its body to its last byte.

import { FreewayError } from '#contracts/failure.ts'
import { readRequest } from '#contracts/wire/chat-completions/request.ts'
import { startSpan } from '#services/trace.ts'
import { collected, streamed } from './delivery.ts'
import type { Desk } from './desk.ts'
import type { Failover } from './failover.ts'
import { onClientGone, readBody } from './front.ts'
import { callersId, newRequestId } from './request-id.ts'

export interface ExchangeOptions {
  desk: Desk
  requestTimeoutMs: number
}

/** Rejects with FreewayError if the request is refused; afterwards every failure is an answer. */
export async function chatCompletions(request: Request, { desk, requestTimeoutMs }: ExchangeOptions): Promise<Response> {
  const receivedMs = performance.now()
  const body = await readBody(request)
  const job = readRequest(body)
  const id = newRequestId()
  const span = startSpan('POST /v1/chat/completions', {
    kind: 'server',
    parent: parentOf(request.headers),
    attributes: { 'http.route': '/v1/chat/completions', 'freeway.request_id': id },
  })
  let failover: Failover | undefined
  const cancel = () => failover?.cancel('client_canceled', performance.now())
  const delivery = job.stream ? streamed(receivedMs, cancel) : collected()
  onClientGone(request, cancel)
  failover = desk.begin({
    id,
    publicId: callersId(request.headers) ?? id,
    job,
    delivery,
    receivedMs,
    deadlineMs: receivedMs + requestTimeoutMs,
    span,
  })
  return delivery.response
}

export function asFreewayError(error: unknown): FreewayError {
  return error instanceof FreewayError ? error : new FreewayError('server_error', 'internal error of the gateway', { cause: error })
}

function parentOf(headers: Pick<Headers, 'get'>): { traceparent: string } | undefined {
  const traceparent = headers.get('traceparent')
  return traceparent !== null && /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/.test(traceparent) ? { traceparent } : undefined
}
