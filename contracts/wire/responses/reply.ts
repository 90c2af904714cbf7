// A whole Responses answer, made of the chunks that all formats share; for a stream see stream.ts. Pure.

import type { Chunk } from '../../chunk.ts'
import { FreewayError } from '../../failure.ts'
import { ResponseStream, type StreamOptions } from './stream.ts'

/** A whole answer as JSON text. Throws FreewayError when the chunks tell of a failure. */
export function writeReply(chunks: Iterable<Chunk>, options: StreamOptions): string {
  const stream = new ResponseStream(options)
  for (const chunk of chunks) {
    if (chunk.t === 'failure') throw new FreewayError('provider_error', chunk.message)
    stream.write(chunk)
  }
  stream.close()
  stream.settle()
  return stream.response
}
