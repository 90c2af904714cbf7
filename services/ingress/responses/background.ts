// A background response from its request to its job: nobody waits on this connection, the answer goes to the store.

import { FreewayError } from '#contracts/failure.ts'
import { readRequest } from '#contracts/wire/responses/request.ts'
import type { InputItem, ResponsesRequest } from '#contracts/wire/responses/shape.ts'
import { asServed, callersTrace, type ExchangeOptions, waitOf } from '../exchange.ts'
import type { Failover } from '../failover.ts'
import { openStream } from '../formats/responses.ts'
import { callersId, newRequestId } from '../request-id.ts'
import { RequestTrace } from '../request-trace.ts'
import { storeDown, withIds } from './recall.ts'
import type { Runs } from './runs.ts'

export interface BackgroundOptions {
  owner: string
  serving: ExchangeOptions
  runs: Runs
  recalled: { context: InputItem[]; items: InputItem[] }
}

/** Resolves with the id of the response once it can be found everywhere. Rejects with FreewayError if the request is refused. */
export async function runInBackground(request: Request, asked: ResponsesRequest, options: BackgroundOptions): Promise<string> {
  const { owner, runs, recalled } = options
  const { desk, access, requestTimeoutMs, fallback } = options.serving
  const receivedMs = performance.now()
  const maxWaitMs = waitOf(request.headers) ?? options.serving.maxWaitMs
  const { job: wanted, names } = readRequest(asked, recalled)
  const job = asServed(wanted, request, access, fallback)
  const admitted = await access.admit(request, job)
  const requestId = newRequestId()
  const id = `resp_${requestId}`
  let failover: Failover | undefined
  const run = { id, owner, stream: openStream(id, asked, names), items: withIds(recalled.items, id), context: recalled.context }
  let cancelled = false
  const cancel = () => {
    cancelled = true
    failover?.cancel('client_canceled', performance.now())
  }
  const delivery = await runs.begin(run, cancel).catch((cause) => {
    admitted.finished('gateway_error', false)
    throw cause instanceof FreewayError ? cause : storeDown(cause)
  })
  const route = '/v1/responses'
  const publicId = callersId(request.headers) ?? requestId
  const trace = new RequestTrace({
    route,
    id: requestId,
    publicId,
    receivedMs,
    parent: callersTrace(request.headers),
    forced: job.explain === true,
  })
  const deadlineMs = receivedMs + requestTimeoutMs
  failover = desk.begin({
    id: requestId,
    publicId,
    format: 'responses',
    job,
    admitted,
    delivery,
    receivedMs,
    deadlineMs,
    maxWaitMs,
    trace,
  })
  // From the moment it can be found it can be called off.
  if (cancelled) cancel()
  return id
}
