// A provider's event stream, repaired and handed on. What one read of the socket gave becomes one payload; nothing waits to fill it.

import type { Offer } from '#contracts/attempt.ts'
import { concat, utf8 } from '#contracts/bytes.ts'
import type { SseEvent } from '#contracts/wire/sse.ts'
import { SseReader } from '#contracts/wire/sse.ts'
import { isDone } from './event-data.ts'
import type { InBandError } from './in-band-error.ts'
import type { Reading } from './reading.ts'
import { createRepair } from './repair.ts'
import type { AnswerSink } from './sink.ts'
import { usageOf } from './usage.ts'

export class Streaming implements Reading {
  readonly #sink: AnswerSink
  readonly #repair: ReturnType<typeof createRepair>
  readonly #reader: SseReader
  readonly #failInBand: (error: InBandError) => void
  #pieces: (Uint8Array | string)[] = []
  readonly #promptTokens: number
  #opened = false
  #over = false

  constructor(offer: Offer, sink: AnswerSink, failInBand: (error: InBandError) => void) {
    this.#sink = sink
    this.#failInBand = failInBand
    this.#promptTokens = offer.est.in
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
    this.#sink.payload(concat(pieces.map(asBytes)), true)
  }

  #finish(): void {
    if (this.#over) return
    this.#over = true
    const end = this.#repair.finish(this.#promptTokens)
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
    this.#sink.end({ finish: end.finish ?? 'stop', usage: usageOf(usage), usageSource, upstreamId, flags })
  }
}

function asBytes(piece: Uint8Array | string): Uint8Array {
  return typeof piece === 'string' ? utf8(piece) : piece
}
