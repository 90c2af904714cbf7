// What every answer does, whatever it answers: its bytes are read as its headers say, until it has ended or failed; a refusal is understood.

import type { Offer } from '#contracts/attempt.ts'
import { FreewayError } from '#contracts/failure.ts'
import type { LearnedLimit } from '#contracts/limit.ts'
import type { RefusalCode } from '#contracts/settlement.ts'
import { BodyUnavailable } from '#services/blob.ts'
import { redactText } from '#services/redact.ts'
import type { LimitHabits } from './cooldown.ts'
import type { Dialect } from './dialect.ts'
import type { LimitReader } from './learned-limits.ts'
import { Collecting, type Reading } from './reading.ts'
import { type Refusal, readRefusal } from './refusal.ts'
import { type AnswerEnd, type AnswerFailure, type AnswerSink, GivenUp, type Listener } from './sink.ts'

const MAX_COLLECTED_BYTES = 32 * 1024 * 1024
const MAX_REFUSAL_BYTES = 64 * 1024

export type Headers = Record<string, string | string[] | undefined>

/** What is known of a provider's limits, and what its headers tell of them. */
export interface ProviderKnowledge {
  provider: LimitHabits
  limits: LimitReader
  /** Undefined: it speaks chat completions. */
  dialect?: Dialect | undefined
}

/** One response. After `stop`, or once it has ended or failed, it takes no notice of anything. */
export abstract class Incoming implements Listener {
  protected readonly offer: Offer
  protected readonly sink: AnswerSink
  protected readonly knowledge: ProviderKnowledge
  protected over = false
  #reading: Reading | undefined
  #headers: Headers = {}

  constructor(offer: Offer, sink: AnswerSink, knowledge: ProviderKnowledge) {
    this.offer = offer
    this.sink = sink
    this.knowledge = knowledge
  }

  /** How the body is to be read. */
  protected abstract readingOf(status: number, headers: Headers): Reading

  onHeaders(status: number, headers: Headers): void {
    this.#headers = headers
    this.#reading = this.readingOf(status, headers)
  }

  onData(bytes: Uint8Array): void {
    if (this.over) return
    try {
      this.#reading?.push(bytes)
    } catch (error) {
      this.fail({ phase: 'limit', status: 502, code: 'malformed', detail: (error as Error).message })
    }
  }

  onEnd(): void {
    if (!this.over) this.#reading?.end()
  }

  /** `sent`: a byte of the request may have been written. */
  onError(error: Error, sent: boolean): void {
    if (this.over) return
    this.#reading?.flush?.()
    this.fail(errorOf(error, sent, this.#reading !== undefined))
  }

  stop(): void {
    this.over = true
  }

  protected collect(done: (body: Uint8Array) => void): Reading {
    return new Collecting(MAX_COLLECTED_BYTES, false, done)
  }

  /** Of a refusal the beginning says enough. */
  protected collectRefusal(done: (body: Uint8Array) => void): Reading {
    return new Collecting(MAX_REFUSAL_BYTES, true, done)
  }

  protected end(end: AnswerEnd): void {
    if (this.over) return
    this.over = true
    this.sink.end(end)
  }

  protected fail(failure: AnswerFailure): void {
    if (this.over) return
    this.over = true
    this.sink.fail(failure)
  }

  /** The provider has said no, in so many words. */
  protected refuse(status: number, text: string): void {
    const failed = status > 299
    this.fail({ phase: failed ? 'status' : 'in_band', status: failed ? status : 502, ...this.meaningOf(status, text) })
  }

  /** What a refusal means, whatever was asked. */
  protected meaningOf(status: number, body: string): Omit<AnswerFailure, 'phase' | 'status'> {
    const { provider, limits } = this.knowledge
    const headers = this.#headers
    const nowMs = Date.now()
    const refusal = readRefusal({ status, headers, body, nowMs }, provider)
    const told = limits.all(headers, nowMs).filter(({ unit, per }) => !refusal.learned.some((one) => one.unit === unit && one.per === per))
    return failureOf({ ...refusal, learned: [...refusal.learned, ...told] })
  }

  /** What the headers of a good answer tell of limits. */
  protected learned(): LearnedLimit[] | undefined {
    return this.knowledge.limits.read(this.#headers, `${this.offer.account}/${this.offer.model}`, Date.now())
  }
}

/** Undefined for what is no JSON, which is no answer either. */
export function parseBody(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(body))
  } catch {
    return undefined // as said above
  }
}

/** A call that came to no answer. `sent`: a byte of the request may have been written; `begun`: the answer has. */
function errorOf(error: Error, sent: boolean, begun: boolean): AnswerFailure {
  const detail = (error as NodeJS.ErrnoException).code ?? error.name
  if (error instanceof GivenUp) return { phase: 'expired', status: 0, code: 'expired', detail: error.message }
  if (error instanceof BodyUnavailable) return { phase: 'body', status: 0, code: 'body', detail: error.message }
  // The provider's format has no words for the request: another one's may.
  if (error instanceof FreewayError)
    return { phase: 'status', status: error.status, code: 'unsupported', scope: 'request', detail: error.message }
  if (!begun) return { phase: sent ? 'ttfb' : 'connect', status: 0, code: 'network', detail }
  return { phase: 'stream', status: 0, code: 'truncated', detail }
}

/** What may be over the next moment is left to the breakers, unless the provider has named a time. */
const PASSING: ReadonlySet<RefusalCode> = new Set(['overloaded', 'server', 'timeout'])

function failureOf(refusal: Refusal): Omit<AnswerFailure, 'phase' | 'status'> {
  const { code, scope, keyFault, told, learned, adapt, detail } = refusal
  const retryAfterMs = PASSING.has(code) && !told ? undefined : refusal.retryAfterMs
  return {
    code,
    scope,
    key_fault: keyFault,
    detail: redactText(detail),
    ...(retryAfterMs !== undefined && { retry_after_ms: retryAfterMs }),
    ...(learned.length > 0 && { learned }),
    ...(adapt && { adapt }),
  }
}
