// OpenAI's legacy text completions, answered by models that chat.

import { utf8 } from '#contracts/bytes.ts'
import { CompletionWriter, readRequest } from '#contracts/wire/completions.ts'
import { openaiEnvelope } from '#contracts/wire/envelope.ts'
import { writeSse } from '#contracts/wire/sse.ts'
import { createChunkReader, readCompletion } from './chunks.ts'
import type { Format, StreamFormat } from './format.ts'

const PING = utf8(': ping\n\n')
const DONE = 'data: [DONE]\n\n'

export const completions: Format = {
  envelope: openaiEnvelope,
  readRequest(body) {
    const { job, echo } = readRequest(body)
    return {
      job,
      answer: {
        stream: () => streamOf(new CompletionWriter(echo)),
        whole: (completion) => utf8(JSON.stringify(new CompletionWriter(echo).whole(readCompletion(completion)))),
      },
    }
  },
}

function streamOf(writer: CompletionWriter): StreamFormat {
  const read = createChunkReader()
  return {
    ping: PING,
    write(events) {
      let text = ''
      for (const chunk of read(events)) for (const event of writer.write(chunk)) text += writeSse(JSON.stringify(event))
      return text === '' ? undefined : utf8(text)
    },
    end: () => utf8(DONE),
    fail: (error, requestId) => utf8(writeSse(JSON.stringify(openaiEnvelope(error, requestId).body)) + DONE),
  }
}
