// OpenAI's pictures: made, and changed.

import { utf8 } from '#contracts/bytes.ts'
import { openaiEnvelope } from '#contracts/wire/envelope.ts'
import { type ImageRequest, readEdit, readGeneration, readReply, writeReply } from '#contracts/wire/image.ts'
import type { Asked, Format } from './format.ts'
import { neverStreamed, readable } from './media.ts'

export const imageGenerations: Format = {
  envelope: openaiEnvelope,
  readRequest: (body) => asked(readGeneration(body)),
}

export const imageEdits: Format = {
  envelope: openaiEnvelope,
  readRequest: (body, { headers }) => asked(readEdit(body, headers.get('content-type') ?? '')),
}

function asked({ job, responseFormat }: ImageRequest): Asked {
  return {
    job,
    answer: {
      stream: neverStreamed,
      whole: (answer) => utf8(JSON.stringify(writeReply(readable(readReply, answer), Math.floor(Date.now() / 1000), responseFormat))),
    },
  }
}
