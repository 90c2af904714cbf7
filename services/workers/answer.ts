// From a provider's response to the chunks, the end or the failure that the owner of the request gets.

import type { Offer } from '#contracts/attempt.ts'
import { utf8 } from '#contracts/bytes.ts'
import { FreewayError } from '#contracts/failure.ts'
import type { LearnedLimit } from '#contracts/limit.ts'
import type { RefusalCode } from '#contracts/settlement.ts'
import { createStreamWriter, readReply } from '#contracts/wire/chat-completions/reply.ts'
import { BodyUnavailable } from '#services/blob.ts'
import { redactText } from '#services/redact.ts'
import type { LimitHabits } from './cooldown.ts'
import type { Dialect } from './dialect.ts'
import type { InBandError } from './in-band-error.ts'
import type { LimitReader } from './learned-limits.ts'
import type { Reading } from './reading.ts'
import { Collecting } from './reading.ts'
import { type Refusal, readRefusal } from './refusal.ts'
import type { RepairedReply } from './repair-reply.ts'
import { repairReply } from './repair-reply.ts'
import { rescueReply } from './rescue.ts'
import type { AnswerEnd, AnswerFailure, AnswerSink } from './sink.ts'
import { Streaming } from './streaming.ts'
import { usageOf } from './usage.ts'

const MAX_COLLECTED_BYTES = 32 * 1024 * 1024
const MAX_REFUSAL_BYTES = 64 * 1024

type Headers = Record<string, string | string[] | undefined>

/** What is known of a provider's limits, and what its headers tell of them. */
export interface ProviderKnowledge {
  provider: LimitHabits
  limits: LimitReader
  /** Undefined: it speaks chat completions. */
  dialect?: Dialect | undefined
}

/** One response. After `stop`, or once it has ended or failed, it takes no notice of anything. */
export class Answer {
  readonly #offer: Offer
  readonly #sink: AnswerSink
  readonly #knowledge: ProviderKnowledge
  #reading: Reading | undefined
  #headers: Headers = {}
  #over = false

  constructor(offer: Offer, sink: AnswerSink, knowledge: ProviderKnowledge) {
    this.#offer = offer
    this.#sink = sink
    this.#knowledge = knowledge
  }

  onHeaders(status: number, headers: Headers): void {
    this.#headers = headers
    const type = String(headers['content-type'] ?? '')
    // A page in place of an answer is a proxy's, or asks for a login.
    if (status < 200 || status > 299 || type.startsWith('text/html'))
      this.#reading = new Collecting(MAX_REFUSAL_BYTES, true, (body) => this.#refused(status, body))
    else if (!this.#offer.stream) this.#reading = new Collecting(MAX_COLLECTED_BYTES, false, (body) => this.#whole(this.#parsed(body)))
    else if (type.includes('application/json'))
      this.#reading = new Collecting(MAX_COLLECTED_BYTES, false, (body) => this.#wholeAsStream(this.#parsed(body, true)))
    else {
      const streaming = new Streaming(this.#offer, this.#guardedSink(), (failure) => this.#failInBand(failure))
      this.#reading = this.#knowledge.dialect?.reading(streaming) ?? streaming
    }
  }

  onData(bytes: Uint8Array): void {
    if (this.#over) return
    try {
      this.#reading?.push(bytes)
    } catch (error) {
      this.#fail({ phase: 'limit', status: 502, code: 'malformed', detail: (error as Error).message })
    }
  }

  onEnd(): void {
    if (!this.#over) this.#reading?.end()
  }

  /** `sent`: a byte of the request may have been written. */
  onError(error: Error, sent: boolean): void {
    if (this.#over) return
    this.#reading?.flush?.()
    this.#fail(errorOf(error, sent, this.#reading !== undefined))
  }

  stop(): void {
    this.#over = true
  }

  #guardedSink(): AnswerSink {
    const sink = this.#sink
    return {
      head: (framing, type, id) => sink.head(framing, type, id),
      payload: (bytes, whole) => {
        if (!this.#over) sink.payload(bytes, whole)
      },
      end: (end) => {
        if (this.#over) return
        this.#over = true
        sink.end({ ...end, learned: this.#learned() })
      },
      whole: (type, id, bytes, end) => sink.whole(type, id, bytes, end),
      fail: (failure) => this.#fail(failure),
    }
  }

  #refused(status: number, body: Uint8Array): void {
    const text = new TextDecoder().decode(body)
    const rescued = status === 400 ? rescueReply(text, this.#offer.id) : undefined
    if (rescued) return this.#offer.stream ? this.#wholeAsStream(rescued) : this.#whole(rescued)
    const failure = refusalOf({ status, headers: this.#headers, body: text }, this.#knowledge)
    this.#fail({ phase: status > 299 ? 'status' : 'in_band', status: status > 299 ? status : 502, ...failure })
  }

  #failInBand(error: InBandError): void {
    const failure = refusalOf({ status: error.status, headers: this.#headers, body: JSON.stringify({ error }) }, this.#knowledge)
    const malformed = error.code === 'malformed' || error.code === 'empty_completion'
    this.#fail({ phase: 'in_band', status: error.status, ...failure, ...(malformed && { code: 'malformed', scope: 'model' }) })
  }

  #learned(): LearnedLimit[] | undefined {
    return this.#knowledge.limits.read(this.#headers, `${this.#offer.account}/${this.#offer.model}`, Date.now())
  }

  #whole(body: unknown): void {
    const reply = this.#repaired(body)
    if (!reply) return
    this.#over = true
    this.#sink.whole('application/json', reply.upstreamId, utf8(JSON.stringify(reply.body)), this.#endOf(reply))
  }

  /** The provider was asked for a stream and sent the whole answer at once. */
  #wholeAsStream(body: unknown): void {
    const reply = this.#repaired(body)
    if (!reply) return
    const writer = createStreamWriter({ includeUsage: this.#offer.include_usage })
    const text = readReply(reply.body).map((chunk) => writer.write(chunk))
    this.#sink.head('sse', 'text/event-stream', reply.upstreamId)
    // The owner of the request writes the terminator.
    this.#sink.payload(utf8(text.join('').replace(/data: \[DONE\]\n\n$/, '')), true)
    this.#end(reply)
  }

  /** As a chat completion, whatever the provider's format. */
  #parsed(body: Uint8Array, asStream = false): unknown {
    const { dialect } = this.#knowledge
    return dialect ? dialect.whole(parse(body), asStream) : parse(body)
  }

  #repaired(body: unknown): RepairedReply | undefined {
    const { model, id, est } = this.#offer
    const created = Math.floor(Date.now() / 1000)
    const reply = repairReply(body, { model, id: `chatcmpl-${id}`, created, promptTokens: est.in })
    if (!reply.failure) return reply
    this.#failInBand(reply.failure)
    return undefined
  }

  #end(reply: RepairedReply): void {
    this.#over = true
    this.#sink.end(this.#endOf(reply))
  }

  #endOf({ finish = 'stop', usage, usageSource, upstreamId }: RepairedReply): AnswerEnd {
    return { finish, usage: usageOf(usage), usageSource, upstreamId, flags: [], learned: this.#learned() }
  }

  #fail(failure: AnswerFailure): void {
    if (this.#over) return
    this.#over = true
    this.#sink.fail(failure)
  }
}

/** What a refusal means, whatever was asked. */
export function refusalOf(
  { status, headers, body }: { status: number; headers: Headers; body: string },
  { provider, limits }: Pick<ProviderKnowledge, 'provider' | 'limits'>,
): Omit<AnswerFailure, 'phase' | 'status'> {
  const nowMs = Date.now()
  const refusal = readRefusal({ status, headers, body, nowMs }, provider)
  const told = limits.all(headers, nowMs).filter(({ unit, per }) => !refusal.learned.some((one) => one.unit === unit && one.per === per))
  return failureOf({ ...refusal, learned: [...refusal.learned, ...told] })
}

/** A call that came to no answer. `sent`: a byte of the request may have been written; `begun`: the answer has. */
export function errorOf(error: Error, sent: boolean, begun: boolean): AnswerFailure {
  const detail = (error as NodeJS.ErrnoException).code ?? error.name
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

function parse(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(body))
  } catch {
    return undefined // what is no JSON is no answer either
  }
}
