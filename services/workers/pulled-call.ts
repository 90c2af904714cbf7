// A call whose body stays with the ingress and has to be pulled first; and one that cannot be made at all.

import { FreewayError } from '#contracts/failure.ts'
import { BodyUnavailable } from '#services/blob.ts'
import type { UpstreamCall, UpstreamEvents } from './upstream.ts'

export function pulledCall(
  fetchBody: (signal: AbortSignal) => Promise<Uint8Array>,
  send: (body: Uint8Array) => UpstreamCall,
  events: UpstreamEvents,
): UpstreamCall {
  const aborter = new AbortController()
  let call: UpstreamCall | undefined
  fetchBody(aborter.signal)
    .then((body) => {
      if (!aborter.signal.aborted) call = send(body)
    })
    .catch((error: Error) => {
      if (!aborter.signal.aborted) events.onError(error)
    })
  return {
    abort() {
      aborter.abort()
      call?.abort()
    },
    letGo() {
      aborter.abort()
      call?.letGo()
    },
    pause: () => call?.pause(),
    resume: () => call?.resume(),
  }
}

/** Whatever is wrong with a request that cannot be written, its provider is not to blame. */
export function noCall(events: UpstreamEvents, error: unknown): UpstreamCall {
  const ours = error instanceof FreewayError || error instanceof BodyUnavailable
  const told = ours ? error : new BodyUnavailable('the request cannot be written', { cause: error })
  queueMicrotask(() => events.onError(told))
  return { abort() {}, letGo() {}, pause() {}, resume() {} }
}
