// Anthropic's Messages: https://docs.anthropic.com/en/api/messages.

import { utf8 } from '#contracts/bytes.ts'
import { FreewayError } from '#contracts/failure.ts'
import { messagesEnvelope } from '#contracts/wire/envelope.ts'
import type { AnswerOptions } from '#contracts/wire/messages/events.ts'
import { createStreamWriter, FailedReply, writeReply } from '#contracts/wire/messages/reply.ts'
import { countTokens, readRequest } from '#contracts/wire/messages/request.ts'
import { writeSseBytes } from '#contracts/wire/sse.ts'
import { readBody } from '../front.ts'
import { json } from '../respond.ts'
import { createChunkReader, readCompletion } from './chunks.ts'
import type { AnswerFormat, Format, StreamFormat } from './format.ts'

const PING = writeSseBytes('{"type":"ping"}', 'ping')

export const messages: Format = {
  readRequest(body, { headers, id }) {
    const { job, stopSequences, prefill, thinking } = readRequest(body, headers.get('anthropic-beta'))
    return { job, answer: answerFormat({ id, inputTokens: job.estimate.in, stopSequences, prefill, thinking }) }
  },
  envelope: messagesEnvelope,
}

function answerFormat(options: AnswerOptions): AnswerFormat {
  return {
    stream: () => streamFormat(options),
    whole(completion) {
      try {
        return utf8(JSON.stringify(writeReply(readCompletion(completion), options)))
      } catch (error) {
        throw error instanceof FailedReply ? new FreewayError('provider_error', error.message) : error
      }
    },
  }
}

function streamFormat(options: AnswerOptions): StreamFormat {
  const read = createChunkReader()
  const writer = createStreamWriter(options)
  return {
    ping: PING,
    write(events) {
      let text = ''
      for (const chunk of read(events)) text += writer.write(chunk)
      return text === '' ? undefined : utf8(text)
    },
    end: () => utf8(writer.write({ t: 'end' })),
    fail: (error, requestId) => writeSseBytes(JSON.stringify(messagesEnvelope(error, requestId).body), 'error'),
  }
}

/** `POST /v1/messages/count_tokens`: the same estimate by which requests are routed, as no provider is asked. Rejects with FreewayError. */
export async function countMessageTokens(request: Request): Promise<Response> {
  return json({ input_tokens: countTokens(await readBody(request)) })
}
