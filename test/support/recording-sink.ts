// Where a worker tells what a provider's response comes to, when nobody but the test listens.

import { concat } from '#contracts/bytes.ts'

/** `said`: all bytes of the payload so far; `result`: how it ended. The two types are those of the worker's own sink. */
export function recordingSink<End, Failure>() {
  const payloads: Uint8Array[] = []
  const result: { ended?: End; failed?: Failure } = {}
  const sink = {
    head() {},
    payload: (bytes: Uint8Array) => void payloads.push(bytes),
    whole(_type: string, _id: string | undefined, bytes: Uint8Array, end: End) {
      payloads.push(bytes)
      result.ended = end
    },
    end(end: End) {
      result.ended = end
    },
    fail(failure: Failure) {
      result.failed = failure
    },
  }
  return { sink, result, said: () => concat(payloads) }
}
