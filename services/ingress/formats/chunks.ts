// What workers send, read as the chunks that every format shares; for the formats that say an answer in other words.

import type { Chunk } from '#contracts/chunk.ts'
import { FreewayError } from '#contracts/failure.ts'
import { createStreamReader, readReply } from '#contracts/wire/chat-completions/reply.ts'
import { SseReader } from '#contracts/wire/sse.ts'

const decoder = new TextDecoder()

/** Takes the events of one stream as they come; what is in them, in order. Never throws: nonsense is a `failure`. */
export function createChunkReader(): (events: Uint8Array) => Chunk[] {
  const reader = createStreamReader()
  let chunks: Chunk[] = []
  const events = new SseReader(({ data }) => {
    if (data === '[DONE]') return
    for (const chunk of readEvent(data)) chunks.push(chunk)
  })
  const readEvent = (data: string): Chunk[] => {
    try {
      return reader.read(JSON.parse(data))
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
