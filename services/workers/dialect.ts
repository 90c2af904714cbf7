// A provider that speaks another format than chat completions: what it is sent, and how its answers are heard as if they were such.
// Everything behind this (repair, usage, refusals) knows one format only. What chat completions have no word for goes along beside it.

import { utf8 } from '#contracts/bytes.ts'
import type { Provider } from '#contracts/catalog.ts'
import type { Chunk } from '#contracts/chunk.ts'
import { createStreamWriter, writeReply } from '#contracts/wire/chat-completions/reply.ts'
import * as messages from '#contracts/wire/messages/read-reply.ts'
import { EXTENSION as MESSAGES } from '#contracts/wire/messages/schema.ts'
import { type WrittenRequest, writeRequest as writeMessages } from '#contracts/wire/messages/write-request.ts'
import * as responses from '#contracts/wire/responses/read-reply.ts'
import { writeRequest as writeResponses } from '#contracts/wire/responses/request.ts'
import { EXTENSION as RESPONSES } from '#contracts/wire/responses/shape.ts'
import { SseReader } from '#contracts/wire/sse.ts'
import type { Reading } from './reading.ts'

export interface Dialect {
  /** Below the provider's own path. */
  path: string
  /** Throws FreewayError for what this format cannot say. `change`: the provider's habits, in the words of its own format. */
  write(body: Uint8Array, options: { model: string; stream: boolean; change: (fields: Record<string, unknown>) => void }): WrittenRequest
  /** Reads a stream; `chat` gets the events of a chat completion. */
  reading(chat: Reading): Reading
  /** A whole answer, or the error in its place, as a chat completion's JSON. `asStream`: it will be told in pieces. */
  whole(json: unknown, asStream?: boolean): unknown
}

/** Undefined: it speaks chat completions. */
export function dialectOf({ format, name }: Pick<Provider, 'format' | 'name'>): Dialect | undefined {
  switch (format) {
    case 'chat-completions':
      return undefined
    case 'messages':
      return {
        path: '/messages',
        write: writeMessages,
        reading: (chat) => new DialectReading(chat, messages.createStreamReader(nowSeconds())),
        whole(json, asStream) {
          const content = asStream ? undefined : messages.contentBeyondChat(json)
          return completion(messages.readReply(json, nowSeconds()), content && { [MESSAGES]: { content } })
        },
      }
    case 'responses':
      return {
        path: '/responses',
        write: (body, options) => ({ headers: {}, body: writeResponses(body, { ...options, provider: name }) }),
        reading: (chat) => new DialectReading(chat, responses.createStreamReader(name)),
        whole(json, asStream) {
          const output = asStream ? undefined : responses.itemsBeyondChat(json, name)
          return completion(responses.readReply(json, name), output && { [RESPONSES]: { output } })
        },
      }
  }
}

/** `beyond` says what the chunks cannot: it stands in their place for a client of the same format. */
function completion(chunks: Chunk[], beyond: Record<string, unknown> | undefined): unknown {
  const failure = chunks.find((chunk) => chunk.t === 'failure')
  if (failure === undefined) return writeReply(beyond ? [...chunks, { t: 'other', choice: 0, delta: beyond }] : chunks)
  const { message, type, code } = failure
  return { error: { message, type, code, param: null } }
}

class DialectReading implements Reading {
  readonly #chat: Reading
  readonly #events: SseReader
  readonly #reader: { read(event: unknown): Chunk[] }
  readonly #writer = createStreamWriter({ includeUsage: true })
  #text = ''

  constructor(chat: Reading, reader: { read(event: unknown): Chunk[] }) {
    this.#chat = chat
    this.#reader = reader
    this.#events = new SseReader(({ data }) => {
      for (const chunk of this.#read(data)) this.#text += this.#writer.write(chunk)
    })
  }

  push(bytes: Uint8Array): void {
    this.#events.push(bytes)
    if (this.#text === '') return
    const text = this.#text
    this.#text = ''
    this.#chat.push(utf8(text))
  }

  end(): void {
    this.#events.end()
    this.#chat.end()
  }

  flush(): void {
    this.#chat.flush?.()
  }

  #read(data: string): Chunk[] {
    if (data === '[DONE]') return []
    try {
      return this.#reader.read(JSON.parse(data))
    } catch {
      return [{ t: 'failure', message: 'the provider sent an event that is no JSON', type: 'provider_error', code: 'malformed' }]
    }
  }
}

function nowSeconds(): number {
  return Math.floor(Date.now() / 1000)
}
