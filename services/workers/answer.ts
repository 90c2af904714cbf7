// From a provider's response to the chunks, the end or the failure that the owner of the request gets.

import { utf8 } from '#contracts/bytes.ts'
import { createStreamWriter, readReply } from '#contracts/wire/chat-completions/reply.ts'
import type { InBandError } from './in-band-error.ts'
import { type Headers, Incoming, parseBody } from './incoming.ts'
import type { Reading } from './reading.ts'
import type { RepairedReply } from './repair-reply.ts'
import { repairReply } from './repair-reply.ts'
import { rescueReply } from './rescue.ts'
import type { AnswerEnd, AnswerSink } from './sink.ts'
import { Streaming } from './streaming.ts'
import { usageOf } from './usage.ts'

export class Answer extends Incoming {
  protected readingOf(status: number, headers: Headers): Reading {
    const type = String(headers['content-type'] ?? '')
    // A page in place of an answer is a proxy's, or asks for a login.
    if (status < 200 || status > 299 || type.startsWith('text/html')) return this.collectRefusal((body) => this.#refused(status, body))
    if (!this.offer.stream) return this.collect((body) => this.#whole(this.#parsed(body)))
    if (type.includes('application/json')) return this.collect((body) => this.#wholeAsStream(this.#parsed(body, true)))
    const streaming = new Streaming(this.offer, this.#guardedSink(), (failure) => this.#failInBand(failure))
    return this.knowledge.dialect?.reading(streaming) ?? streaming
  }

  #guardedSink(): AnswerSink {
    const { sink } = this
    return {
      head: (framing, type, id) => sink.head(framing, type, id),
      payload: (bytes, whole) => {
        if (!this.over) sink.payload(bytes, whole)
      },
      whole: (type, id, bytes, end) => sink.whole(type, id, bytes, end),
      end: (end) => this.end({ ...end, learned: this.learned() }),
      fail: (failure) => this.fail(failure),
    }
  }

  #refused(status: number, body: Uint8Array): void {
    const text = new TextDecoder().decode(body)
    const rescued = status === 400 ? rescueReply(text, this.offer.id) : undefined
    if (!rescued) return this.refuse(status, text)
    if (this.offer.stream) this.#wholeAsStream(rescued)
    else this.#whole(rescued)
  }

  #failInBand(error: InBandError): void {
    const malformed = error.code === 'malformed' || error.code === 'empty_completion'
    const meaning = this.meaningOf(error.status, JSON.stringify({ error }))
    this.fail({ phase: 'in_band', status: error.status, ...meaning, ...(malformed && { code: 'malformed', scope: 'model' }) })
  }

  #whole(body: unknown): void {
    const reply = this.#repaired(body)
    if (!reply) return
    this.over = true
    this.sink.whole('application/json', reply.upstreamId, utf8(JSON.stringify(reply.body)), this.#endOf(reply))
  }

  /** The provider was asked for a stream and sent the whole answer at once. */
  #wholeAsStream(body: unknown): void {
    const reply = this.#repaired(body)
    if (!reply) return
    const writer = createStreamWriter({ includeUsage: this.offer.include_usage })
    const text = readReply(reply.body).map((chunk) => writer.write(chunk))
    this.sink.head('sse', 'text/event-stream', reply.upstreamId)
    // The owner of the request writes the terminator.
    this.sink.payload(utf8(text.join('').replace(/data: \[DONE\]\n\n$/, '')), true)
    this.end(this.#endOf(reply))
  }

  /** As a chat completion, whatever the provider's format. */
  #parsed(body: Uint8Array, asStream = false): unknown {
    const { dialect } = this.knowledge
    return dialect ? dialect.whole(parseBody(body), asStream) : parseBody(body)
  }

  #repaired(body: unknown): RepairedReply | undefined {
    const { model, id, est } = this.offer
    const created = Math.floor(Date.now() / 1000)
    const reply = repairReply(body, { model, id: `chatcmpl-${id}`, created, promptTokens: est.in })
    if (!reply.failure) return reply
    this.#failInBand(reply.failure)
    return undefined
  }

  #endOf({ finish = 'stop', usage, usageSource, upstreamId }: RepairedReply): AnswerEnd {
    return { finish, usage: usageOf(usage), usageSource, upstreamId, flags: [], learned: this.learned() }
  }
}
