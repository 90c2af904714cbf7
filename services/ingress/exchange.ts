// One client request from its body to its last byte, in whatever format it is said.

import { FreewayError } from '#contracts/failure.ts'
import type { Job } from '#contracts/job.ts'
import type { TraceContext } from '#services/trace/trace.ts'
import type { Access } from './access/access.ts'
import { collected, streamed } from './delivery.ts'
import type { Desk } from './desk.ts'
import { wantsExplanation } from './explained.ts'
import type { Failover } from './failover.ts'
import type { Format } from './formats/format.ts'
import { onClientGone, readBody } from './front.ts'
import { callersId, newRequestId } from './request-id.ts'
import { RequestTrace } from './request-trace.ts'

export interface ExchangeOptions {
  desk: Desk
  access: Access
  requestTimeoutMs: number
  /** How long a request waits for quota that does not say so itself. */
  maxWaitMs: number
  /** Whether a request that fails goes to another provider, unless it says otherwise. */
  fallback(): boolean
}

/**
 * `route` is told to traces; `given` is the body where it was read before.
 * Rejects with FreewayError if the request is refused; afterwards every failure is an answer.
 */
export async function exchange(
  request: Request,
  route: string,
  format: Format,
  { desk, access, requestTimeoutMs, maxWaitMs, fallback }: ExchangeOptions,
  given?: Uint8Array,
): Promise<Response> {
  const receivedMs = performance.now()
  const wait = waitOf(request.headers) ?? maxWaitMs
  const body = given ?? (await readBody(request, format.maxBodyBytes))
  const id = newRequestId()
  const reading = format.readRequest(body, { headers: request.headers, id })
  const { job: asked, answer } = reading instanceof Promise ? await reading : reading
  const job = asServed(asked, request, access, fallback)
  const { envelope } = format
  const delivery = job.stream ? streamed(answer.stream(), envelope, receivedMs, cancel) : collected(answer, envelope)
  let failover: Failover | undefined
  let gone = false
  function cancel(): void {
    gone = true
    failover?.cancel('client_canceled', performance.now())
  }
  // The client may leave while it is being admitted.
  onClientGone(request, cancel)
  const admitted = await access.admit(request, job)
  const publicId = callersId(request.headers) ?? id
  const trace = new RequestTrace({ route, id, publicId, receivedMs, parent: callersTrace(request.headers), forced: job.explain === true })
  failover = desk.begin({
    id,
    publicId,
    format: route.replace(/^\/(v1|api)\//, ''),
    job,
    admitted,
    delivery,
    receivedMs,
    deadlineMs: receivedMs + requestTimeoutMs,
    maxWaitMs: wait,
    trace,
  })
  if (gone) cancel()
  return delivery.response
}

/** The job as the operator and the caller's headers want it served. */
export function asServed(job: Job, request: Request, access: Access, fallback: () => boolean): Job & { explain: boolean | undefined } {
  const explain = wantsExplanation(request.headers, access.callerOf(request)) || undefined
  return { ...job, fallback: job.fallback && fallback(), explain }
}

export function asFreewayError(error: unknown): FreewayError {
  return error instanceof FreewayError ? error : new FreewayError('server_error', 'internal error of the gateway', { cause: error })
}

/** How long the client would wait for quota, in ms. Undefined if it does not say. Throws FreewayError if that is no number of seconds. */
export function waitOf(headers: Pick<Headers, 'get'>): number | undefined {
  const text = headers.get('x-freeway-max-wait')?.trim()
  if (text === undefined || text === '') return undefined
  if (!/^\d{1,6}(\.\d{1,3})?$/.test(text)) {
    throw new FreewayError('invalid_request_error', 'x-freeway-max-wait: expected seconds, e.g. 30', { param: 'x-freeway-max-wait' })
  }
  return Number(text) * 1000
}

/** Long ones are not handed on: they would travel with every message. */
const MAX_TRACESTATE = 512

/** Undefined if the caller is not traced itself. */
export function callersTrace(headers: Pick<Headers, 'get'>): TraceContext | undefined {
  const traceparent = headers.get('traceparent')
  if (traceparent === null || !/^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/.test(traceparent)) return undefined
  const tracestate = headers.get('tracestate')
  return tracestate !== null && tracestate.length <= MAX_TRACESTATE ? { traceparent, tracestate } : { traceparent }
}
