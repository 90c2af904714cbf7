// What a provider's response comes to, told in order.

import type { Fail } from '#contracts/attempt.ts'
import type { LearnedLimit } from '#contracts/limit.ts'
import type { Usage } from '#contracts/settlement.ts'

export interface AnswerEnd {
  finish: string
  usage: Usage
  usageSource: 'provider' | 'estimated'
  upstreamId: string | undefined
  flags: string[]
  /** What the headers told about limits. */
  learned?: LearnedLimit[] | undefined
}
export type AnswerFailure = Pick<Fail, 'phase' | 'status' | 'code' | 'detail'> &
  Partial<Pick<Fail, 'key_fault' | 'retry_after_ms' | 'scope' | 'learned' | 'adapt'>>

/** Its owner may have gone elsewhere before anything was sent: of the provider that says nothing. */
export class GivenUp extends Error {
  override name = 'GivenUp'
}

/** Takes one response in, whatever kind of job it answers. After `stop` it takes no notice of anything. */
export interface Listener {
  onHeaders(status: number, headers: Record<string, string | string[] | undefined>): void
  onData(bytes: Uint8Array): void
  onEnd(): void
  /** `sent`: a byte of the request may have been written. */
  onError(error: Error, sent: boolean): void
  stop(): void
}

/** `head` comes before any payload; `end` or `fail` come once, and last. */
export interface AnswerSink {
  head(framing: 'sse' | 'bytes', type: string, upstreamId: string | undefined): void
  /** `whole`: events that must not be torn apart. */
  payload(bytes: Uint8Array, whole: boolean): void
  /** A complete answer: head, payload and end in one. */
  whole(type: string, upstreamId: string | undefined, bytes: Uint8Array, end: AnswerEnd): void
  end(end: AnswerEnd): void
  fail(failure: AnswerFailure): void
}
