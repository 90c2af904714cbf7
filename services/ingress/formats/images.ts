// OpenAI's pictures: made, and changed.

import { utf8 } from '#contracts/bytes.ts'
import { openaiEnvelope } from '#contracts/wire/envelope.ts'
import { type ImageRequest, readEdit, readGeneration, readReply, writeEvents, writeReply } from '#contracts/wire/image.ts'
import { writeSse } from '#contracts/wire/sse.ts'
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

function asked({ job, responseFormat, events }: ImageRequest): Asked {
  return {
    job,
    answer: {
      stream: neverStreamed,
      ...(events && { type: 'text/event-stream; charset=utf-8' }),
      whole(answer) {
        const reply = readable(readReply, answer)
        const now = Math.floor(Date.now() / 1000)
        if (!events) return utf8(JSON.stringify(writeReply(reply, now, responseFormat)))
        const told = writeEvents(reply, now, responseFormat, events)
        return utf8(told.map((event) => writeSse(JSON.stringify(event), `${events}.completed`)).join(''))
      },
    },
  }
}
