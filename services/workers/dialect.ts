// A provider that speaks another format than chat completions: what it is sent, and how its answers are heard as if they were such.
// Everything behind this (repair, usage, refusals) knows one format only.

import { utf8 } from '#contracts/bytes.ts'
import type { Provider } from '#contracts/catalog.ts'
import type { Chunk } from '#contracts/chunk.ts'
import { createStreamWriter, writeReply } from '#contracts/wire/chat-completions/reply.ts'
import { createStreamReader, readReply } from '#contracts/wire/messages/read-reply.ts'
import { type WrittenRequest, writeRequest } from '#contracts/wire/messages/write-request.ts'
import { SseReader } from '#contracts/wire/sse.ts'
import type { Reading } from './reading.ts'

export interface Dialect {
  /** Below the provider's own path. */
  path: string
  /** Throws FreewayError for what this format cannot say. `change`: the provider's habits, in the words of its own format. */
  write(body: Uint8Array, options: { model: string; stream: boolean; change: (fields: Record<string, unknown>) => void }): WrittenRequest
  /** Reads a stream; `chat` gets the events of a chat completion. */
  reading(chat: Reading): Reading
  /** A whole answer, or the error in its place, as a chat completion's JSON. */
  whole(json: unknown): unknown
}

/** Undefined: it speaks chat completions. */
export function dialectOf({ format }: Pick<Provider, 'format'>): Dialect | undefined {
  return format === 'messages' ? messages : undefined
}

const messages: Dialect = {
  path: '/messages',
  write: writeRequest,
  reading: (chat) => new MessagesReading(chat),
  whole(json) {
    const chunks = readReply(json, nowSeconds())
    const failure = chunks.find((chunk) => chunk.t === 'failure')
    if (failure === undefined) return writeReply(chunks)
    const { message, type, code } = failure
    return { error: { message, type, code, param: null } }
  },
}

class MessagesReading implements Reading {
  readonly #chat: Reading
  readonly #events: SseReader
  readonly #reader = createStreamReader(nowSeconds())
  readonly #writer = createStreamWriter({ includeUsage: true })
  #text = ''

  constructor(chat: Reading) {
    this.#chat = chat
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
