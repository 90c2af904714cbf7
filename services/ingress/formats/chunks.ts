// What workers send, read as the chunks that every format shares; for the formats that say an answer in other words.

import type { Chunk } from '#contracts/chunk.ts'
import { FreewayError } from '#contracts/failure.ts'
import { type Likeness, likenessOf, textLike } from '#contracts/wire/chat-completions/likeness.ts'
import { createStreamReader, readReply } from '#contracts/wire/chat-completions/reply.ts'
import { SseReader } from '#contracts/wire/sse.ts'

const decoder = new TextDecoder()

/** Takes the events of one stream as they come; what is in them, in order. Never throws: nonsense is a `failure`. */
export function createChunkReader(): (events: Uint8Array) => Chunk[] {
  const reader = createStreamReader()
  let chunks: Chunk[] = []
  /** An event that only said something, and the choice that did. */
  let likeness: Likeness | undefined
  let speaker = 0

  const events = new SseReader(({ data }) => {
    const text = likeness && textLike(likeness, data)
    if (text !== undefined) chunks.push({ t: 'text', choice: speaker, text })
    else if (data !== '[DONE]') for (const chunk of read(data)) chunks.push(chunk)
  })

  function read(data: string): Chunk[] {
    try {
      const fields = JSON.parse(data)
      const read = reader.read(fields)
      const [said] = read
      if (read.length === 1 && said?.t === 'text' && said.logprobs === undefined) {
        likeness = likenessOf(fields, data)
        speaker = said.choice
      }
      return read
    } catch {
      // A worker repairs before it sends, so this is a fault of ours that the client must not take for an end.
      return [{ t: 'failure', message: 'internal error of the gateway', type: 'server_error', code: 'server_error' }]
    }
  }

  return (bytes) => {
    chunks = []
    events.push(bytes)
    return chunks
  }
}

/** The chunks of a whole completion, ended by `end`. Throws FreewayError if there is no answer in it. */
export function readCompletion(completion: Uint8Array): Chunk[] {
  const chunks = readReply(JSON.parse(decoder.decode(completion)))
  const failure = chunks.find((chunk) => chunk.t === 'failure')
  if (failure) throw new FreewayError('provider_error', failure.message)
  return chunks
}
