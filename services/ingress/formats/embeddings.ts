// OpenAI's embeddings. Vectors come as lists of numbers, and leave as the client wants them.

import { utf8 } from '#contracts/bytes.ts'
import { checkDimensions, readReply, readRequest, writeReply } from '#contracts/wire/embeddings.ts'
import { openaiEnvelope } from '#contracts/wire/envelope.ts'
import type { Format } from './format.ts'
import { neverStreamed, readable } from './media.ts'

export const embeddings: Format = {
  envelope: openaiEnvelope,
  readRequest(body) {
    const { job, encoding, dimensions } = readRequest(body)
    return {
      job,
      answer: {
        stream: neverStreamed,
        whole(answer, { model }) {
          const reply = readable(readReply, answer)
          checkDimensions(reply, dimensions)
          return utf8(JSON.stringify(writeReply(reply, model, encoding, job.estimate.in)))
        },
      },
    }
  },
}
