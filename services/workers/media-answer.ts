// From a provider's response to a media job to what the owner of the request gets: sound as it comes, all else read and told in OpenAI's terms.

import type { Offer } from '#contracts/attempt.ts'
import { utf8 } from '#contracts/bytes.ts'
import type { Usage } from '#contracts/settlement.ts'
import { readCount } from '#contracts/wire/chat-completions/usage.ts'
import { type Headers, Incoming, type ProviderKnowledge, parseBody } from './incoming.ts'
import type { MediaReply } from './media-style.ts'
import type { Reading } from './reading.ts'
import type { AnswerEnd, AnswerSink } from './sink.ts'

type Read = (answer: { type: string; bytes: Uint8Array; json: unknown }) => MediaReply | undefined

export class MediaAnswer extends Incoming {
  readonly #read: Read
  readonly #streams: boolean

  constructor(offer: Offer, sink: AnswerSink, knowledge: ProviderKnowledge, read: Read, streams: boolean) {
    super(offer, sink, knowledge)
    this.#read = read
    this.#streams = streams
  }

  protected readingOf(status: number, headers: Headers): Reading {
    const type = plainType(headers['content-type'])
    const refused = status < 200 || status > 299 || type === 'text/html'
    // JSON in place of sound is an error.
    if (refused || (this.#streams && type === 'application/json')) return this.collectRefusal((body) => this.#refused(status, body))
    return this.#streams ? this.#passingOn(type) : this.collect((body) => this.#whole(status, type, body))
  }

  #passingOn(type: string): Reading {
    let begun = false
    return {
      push: (bytes) => {
        if (bytes.length === 0) return
        if (!begun) this.sink.head('bytes', type, undefined)
        begun = true
        this.sink.payload(bytes, false)
      },
      end: () => (begun ? this.end(this.#endOf({})) : this.#malformed('no sound')),
    }
  }

  #whole(status: number, type: string, bytes: Uint8Array): void {
    const json = /[/+]json$/.test(type) || type === '' || type === 'text/plain' ? parseBody(bytes) : undefined
    const reply = this.#read({ type, bytes, json })
    if (!reply) return isError(json) ? this.#refused(status, bytes) : this.#malformed('an answer without what was asked for')
    const body = reply.body instanceof Uint8Array ? reply.body : utf8(JSON.stringify(reply.body))
    this.over = true
    this.sink.whole(reply.type ?? 'application/json', undefined, body, this.#endOf(reply.usage))
  }

  #refused(status: number, body: Uint8Array): void {
    this.refuse(status, new TextDecoder().decode(body))
  }

  #malformed(detail: string): void {
    this.fail({ phase: 'in_band', status: 502, code: 'malformed', scope: 'model', detail })
  }

  /** What the provider has not counted is as it was expected. */
  #endOf(told: Partial<Usage>): AnswerEnd {
    const counted = countsIn(told)
    const usageSource = Object.keys(counted).length > 0 ? 'provider' : 'estimated'
    const usage = { ...this.offer.est, ...counted }
    return { finish: 'stop', usage, usageSource, upstreamId: undefined, flags: [], learned: this.learned() }
  }
}

function countsIn(told: Partial<Usage>): Partial<Usage> {
  const counts = Object.entries(told).map(([name, count]) => [name, readCount(count)])
  return Object.fromEntries(counts.filter(([, count]) => count !== undefined))
}

function plainType(header: string | string[] | undefined): string {
  return String(header ?? '')
    .split(';', 1)[0]
    ?.trim()
    .toLowerCase() as string
}

function isError(json: unknown): boolean {
  return typeof json === 'object' && json !== null && ('error' in json || 'errors' in json || 'message' in json || 'promptFeedback' in json)
}
