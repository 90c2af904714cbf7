// A call whose body stays with the ingress and has to be pulled first.

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
