// From the bytes of a provider's response to the chunks, the end or the failure that the owner of the request gets.
// What one read of the socket gave becomes one payload; nothing waits to fill it.

import type { Fail, Offer, Usage } from '#contracts/attempt.ts'
import type { ChunkUsage } from '#contracts/chunk.ts'
import { createStreamWriter, readReply } from '#contracts/wire/chat-completions/reply.ts'
import type { SseEvent } from '#contracts/wire/sse.ts'
import { SseReader } from '#contracts/wire/sse.ts'
import { BodyUnavailable } from '#services/blob.ts'
import type { InBandError } from './in-band-error.ts'
import { readRefusal } from './refusal.ts'
import { createRepair } from './repair.ts'
import { repairReply } from './repair-reply.ts'

const MAX_COLLECTED_BYTES = 32 * 1024 * 1024
const MAX_REFUSAL_BYTES = 64 * 1024

export interface AnswerEnd {
  finish: string
  usage: Usage
  usageSource: 'provider' | 'estimated'
  upstreamId: string | undefined
  flags: string[]
}
export type AnswerFailure = Pick<Fail, 'phase' | 'status' | 'code' | 'detail'> & Partial<Pick<Fail, 'key_fault' | 'retry_after_ms'>>

/** `head` comes before any payload; `end` or `fail` come once, and last. */
export interface AnswerSink {
  head(framing: 'sse' | 'bytes', type: string, upstreamId: string | undefined): void
  /** `whole`: events that must not be torn apart. */
  payload(bytes: Uint8Array, whole: boolean): void
  end(end: AnswerEnd): void
  fail(failure: AnswerFailure): void
}

type Headers = Record<string, string | string[] | undefined>

/** One response. After `stop`, or once it has ended or failed, it takes no notice of anything. */
export class Answer {
  readonly #offer: Offer
  readonly #sink: AnswerSink
  #reading: Reading | undefined
  #headers: Headers = {}
  #over = false

  constructor(offer: Offer, sink: AnswerSink) {
    this.#offer = offer
    this.#sink = sink
  }

  onHeaders(status: number, headers: Headers): void {
    this.#headers = headers
    const type = String(headers['content-type'] ?? '')
    if (status < 200 || status > 299) this.#reading = new Collecting(MAX_REFUSAL_BYTES, true, (body) => this.#refused(status, body))
    else if (!this.#offer.stream) this.#reading = new Collecting(MAX_COLLECTED_BYTES, false, (body) => this.#whole(body))
    else if (type.includes('application/json'))
      this.#reading = new Collecting(MAX_COLLECTED_BYTES, false, (body) => this.#wholeAsStream(body))
    else this.#reading = new Streaming(this.#offer, this.#guardedSink(), (failure) => this.#failInBand(failure))
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
    const detail = (error as NodeJS.ErrnoException).code ?? error.name
    if (error instanceof BodyUnavailable) return this.#fail({ phase: 'body', status: 0, code: 'body', detail: error.message })
    if (!this.#reading) return this.#fail({ phase: sent ? 'ttfb' : 'connect', status: 0, code: 'network', detail })
    this.#reading.flush?.()
    this.#fail({ phase: 'stream', status: 0, code: 'truncated', detail })
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
        sink.end(end)
      },
      fail: (failure) => this.#fail(failure),
    }
  }

  #refused(status: number, body: Uint8Array): void {
    const refusal = readRefusal({ status, headers: this.#headers, body: new TextDecoder().decode(body), nowMs: Date.now() })
    const { code, keyFault, retryAfterMs, detail } = refusal
    this.#fail({ phase: 'status', status, code, key_fault: keyFault, retry_after_ms: retryAfterMs, detail })
  }

  #failInBand(error: InBandError): void {
    const read = readRefusal({ status: error.status, headers: this.#headers, body: JSON.stringify({ error }), nowMs: Date.now() })
    const code = error.code === 'malformed' || error.code === 'empty_completion' ? 'malformed' : read.code
    this.#fail({
      phase: 'in_band',
      status: error.status,
      code,
      key_fault: read.keyFault,
      retry_after_ms: read.retryAfterMs,
      detail: read.detail,
    })
  }

  #whole(body: Uint8Array): void {
    const { model } = this.#offer
    const reply = repairReply(parse(body), { model, id: `chatcmpl-${this.#offer.id}`, created: Math.floor(Date.now() / 1000) })
    if (reply.failure) return this.#failInBand(reply.failure)
    this.#sink.head('bytes', 'application/json', reply.upstreamId)
    this.#sink.payload(new TextEncoder().encode(JSON.stringify(reply.body)), false)
    this.#end(reply.finish ?? 'stop', reply.usage, reply.usageSource, reply.upstreamId)
  }

  /** The provider was asked for a stream and sent the whole answer at once. */
  #wholeAsStream(body: Uint8Array): void {
    const { model } = this.#offer
    const reply = repairReply(parse(body), { model, id: `chatcmpl-${this.#offer.id}`, created: Math.floor(Date.now() / 1000) })
    if (reply.failure) return this.#failInBand(reply.failure)
    const writer = createStreamWriter({ includeUsage: this.#offer.include_usage })
    const text = readReply(reply.body).map((chunk) => (chunk.t === 'end' ? '' : writer.write(chunk)))
    this.#sink.head('sse', 'text/event-stream', reply.upstreamId)
    this.#sink.payload(new TextEncoder().encode(text.join('')), true)
    this.#end(reply.finish ?? 'stop', reply.usage, reply.usageSource, reply.upstreamId)
  }

  #end(finish: string, usage: ChunkUsage, usageSource: 'provider' | 'estimated', upstreamId: string | undefined): void {
    this.#over = true
    this.#sink.end({ finish, usage: readUsage(usage), usageSource, upstreamId, flags: [] })
  }

  #fail(failure: AnswerFailure): void {
    if (this.#over) return
    this.#over = true
    this.#sink.fail(failure)
  }
}

interface Reading {
  push(bytes: Uint8Array): void
  end(): void
  flush?(): void
}

/** Throws over `maxBytes`, unless the rest may be left out. */
class Collecting implements Reading {
  readonly #maxBytes: number
  readonly #cut: boolean
  readonly #done: (body: Uint8Array) => void
  #parts: Uint8Array[] = []
  #bytes = 0

  constructor(maxBytes: number, cut: boolean, done: (body: Uint8Array) => void) {
    this.#maxBytes = maxBytes
    this.#cut = cut
    this.#done = done
  }

  push(bytes: Uint8Array): void {
    this.#bytes += bytes.length
    if (this.#bytes <= this.#maxBytes) return void this.#parts.push(bytes)
    if (!this.#cut) throw new Error(`answer longer than ${this.#maxBytes} bytes`)
  }

  end(): void {
    this.#done(this.#parts.length === 1 ? (this.#parts[0] as Uint8Array) : join(this.#parts))
  }
}

class Streaming implements Reading {
  readonly #sink: AnswerSink
  readonly #repair: ReturnType<typeof createRepair>
  readonly #reader: SseReader
  readonly #failInBand: (error: InBandError) => void
  #pieces: (Uint8Array | string)[] = []
  #opened = false
  #over = false

  constructor(offer: Offer, sink: AnswerSink, failInBand: (error: InBandError) => void) {
    this.#sink = sink
    this.#failInBand = failInBand
    const created = Math.floor(Date.now() / 1000)
    this.#repair = createRepair({ includeUsage: offer.include_usage, model: offer.model, id: `chatcmpl-${offer.id}`, created })
    this.#reader = new SseReader((event) => this.#onEvent(event))
  }

  push(bytes: Uint8Array): void {
    this.#reader.push(bytes)
  }

  end(): void {
    this.#reader.end()
    this.#finish()
  }

  #onEvent(event: SseEvent): void {
    if (this.#over) return
    const { output, meaningful, failure } = this.#repair.push(event)
    if (failure) {
      this.#over = true
      this.flush()
      return this.#failInBand(failure)
    }
    if (meaningful && !this.#opened) {
      this.#opened = true
      this.#sink.head('sse', 'text/event-stream', undefined)
    }
    if (output !== undefined) {
      if (this.#pieces.length === 0) queueMicrotask(() => this.flush())
      this.#pieces.push(output)
    }
    if (isDone(event.data)) this.#finish()
  }

  flush(): void {
    const pieces = this.#pieces
    if (pieces.length === 0) return
    this.#pieces = []
    this.#sink.payload(pieces.length === 1 ? asBytes(pieces[0] as Uint8Array | string) : join(pieces.map(asBytes)), true)
  }

  #finish(): void {
    if (this.#over) return
    this.#over = true
    const end = this.#repair.finish()
    if (!end.complete) {
      this.flush()
      const phase = this.#opened ? 'stream' : 'in_band'
      const code = this.#opened ? 'truncated' : 'malformed'
      return this.#sink.fail({ phase, status: 502, code, detail: end.empty ? 'empty stream' : 'stream without an end' })
    }
    if (!this.#opened) this.#sink.head('sse', 'text/event-stream', end.upstreamId)
    if (end.output !== undefined) this.#pieces.push(end.output)
    this.flush()
    const { usage, usageSource, upstreamId, flags } = end
    this.#sink.end({ finish: end.finish ?? 'stop', usage: readUsage(usage), usageSource, upstreamId, flags })
  }
}

const encoder = new TextEncoder()

function asBytes(piece: Uint8Array | string): Uint8Array {
  return typeof piece === 'string' ? encoder.encode(piece) : piece
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

function isDone(data: string): boolean {
  return data.length < 16 && data.includes('DONE')
}

function parse(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(body))
  } catch {
    return undefined // what is no JSON is no answer either
  }
}

function readUsage(usage: ChunkUsage): Usage {
  const cached = detail(usage.prompt_tokens_details, 'cached_tokens')
  const reasoning = detail(usage.completion_tokens_details, 'reasoning_tokens')
  return {
    in: usage.prompt_tokens,
    out: usage.completion_tokens,
    ...(cached !== undefined && { cached }),
    ...(reasoning !== undefined && { reasoning }),
  }
}

function detail(details: unknown, name: string): number | undefined {
  const value = (details as Record<string, unknown> | null | undefined)?.[name]
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 ? value : undefined
}
