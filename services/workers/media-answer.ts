// From a provider's response to a media job to what the owner of the request gets: sound as it comes, all else read and told in OpenAI's terms.

import type { Offer } from '#contracts/attempt.ts'
import { utf8 } from '#contracts/bytes.ts'
import type { Usage } from '#contracts/settlement.ts'
import type { ProviderKnowledge } from './answer.ts'
import { errorOf, refusalOf } from './answer.ts'
import type { MediaReply } from './media-style.ts'
import type { Reading } from './reading.ts'
import { Collecting } from './reading.ts'
import type { AnswerFailure, AnswerSink } from './sink.ts'

const MAX_COLLECTED_BYTES = 32 * 1024 * 1024
const MAX_REFUSAL_BYTES = 64 * 1024

type Headers = Record<string, string | string[] | undefined>
type Read = (answer: { type: string; bytes: Uint8Array; json: unknown }) => MediaReply | undefined

/** One response. After `stop`, or once it has ended or failed, it takes no notice of anything. */
export class MediaAnswer {
  readonly #offer: Offer
  readonly #sink: AnswerSink
  readonly #knowledge: ProviderKnowledge
  readonly #read: Read
  readonly #streams: boolean
  #reading: Reading | undefined
  #headers: Headers = {}
  #over = false

  constructor(offer: Offer, sink: AnswerSink, knowledge: ProviderKnowledge, read: Read, streams: boolean) {
    this.#offer = offer
    this.#sink = sink
    this.#knowledge = knowledge
    this.#read = read
    this.#streams = streams
  }

  onHeaders(status: number, headers: Headers): void {
    this.#headers = headers
    const type = plainType(headers['content-type'])
    if (status < 200 || status > 299 || type === 'text/html')
      this.#reading = this.#collect(MAX_REFUSAL_BYTES, (body) => this.#refused(status, body))
    // An error in place of sound.
    else if (this.#streams && type === 'application/json')
      this.#reading = this.#collect(MAX_REFUSAL_BYTES, (body) => this.#refused(status, body))
    else if (this.#streams) this.#reading = this.#passingOn(type)
    else this.#reading = this.#collect(MAX_COLLECTED_BYTES, (body) => this.#whole(status, type, body))
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
    this.#fail(errorOf(error, sent, this.#reading !== undefined))
  }

  stop(): void {
    this.#over = true
  }

  #collect(maxBytes: number, done: (body: Uint8Array) => void): Reading {
    return new Collecting(maxBytes, maxBytes === MAX_REFUSAL_BYTES, done)
  }

  #passingOn(type: string): Reading {
    let begun = false
    return {
      push: (bytes) => {
        if (bytes.length === 0) return
        if (!begun) this.#sink.head('bytes', type, undefined)
        begun = true
        this.#sink.payload(bytes, false)
      },
      end: () => (begun ? this.#end({}) : this.#malformed('no sound')),
    }
  }

  #whole(status: number, type: string, bytes: Uint8Array): void {
    const json = /[/+]json$/.test(type) || type === '' || type === 'text/plain' ? parse(bytes) : undefined
    const reply = this.#read({ type, bytes, json })
    if (!reply) return isError(json) ? this.#refused(status, bytes) : this.#malformed('an answer without what was asked for')
    const body = reply.body instanceof Uint8Array ? reply.body : utf8(JSON.stringify(reply.body))
    this.#sink.head('bytes', reply.type ?? 'application/json', undefined)
    this.#sink.payload(body, false)
    this.#end(reply.usage)
  }

  #refused(status: number, body: Uint8Array): void {
    const failure = refusalOf({ status, headers: this.#headers, body: new TextDecoder().decode(body) }, this.#knowledge)
    this.#fail({ phase: status > 299 ? 'status' : 'in_band', status: status > 299 ? status : 502, ...failure })
  }

  #malformed(detail: string): void {
    this.#fail({ phase: 'in_band', status: 502, code: 'malformed', scope: 'model', detail })
  }

  /** What the provider has not counted is as it was expected. */
  #end(counted: Partial<Usage>): void {
    if (this.#over) return
    this.#over = true
    const { est, account, model } = this.#offer
    const usageSource = Object.keys(counted).length > 0 ? 'provider' : 'estimated'
    const learned = this.#knowledge.limits.read(this.#headers, `${account}/${model}`, Date.now())
    this.#sink.end({ finish: 'stop', usage: { ...est, ...counted }, usageSource, upstreamId: undefined, flags: [], learned })
  }

  #fail(failure: AnswerFailure): void {
    if (this.#over) return
    this.#over = true
    this.#sink.fail(failure)
  }
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

function parse(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(body))
  } catch {
    return undefined // what is no JSON is no answer either
  }
}
