// OpenAI's Responses: what workers send is told as items and their events. What is kept of it afterwards is decided elsewhere.

import { utf8 } from '#contracts/bytes.ts'
import type { FreewayError } from '#contracts/failure.ts'
import { openaiEnvelope } from '#contracts/wire/envelope.ts'
import { type ReadRequest, readRequest } from '#contracts/wire/responses/request.ts'
import type { InputItem, ResponsesRequest } from '#contracts/wire/responses/shape.ts'
import { ResponseStream } from '#contracts/wire/responses/stream.ts'
import { createChunkReader, readCompletion } from './chunks.ts'
import type { AnswerFormat, Format, StreamFormat } from './format.ts'

const PING = utf8(': ping\n\n')
const DONE = 'data: [DONE]\n\n'

/** What came before a request, and what becomes of its response. */
export interface Memory {
  /** Rejects with FreewayError if the request refers to something that is not there. */
  recall(request: ResponsesRequest): Promise<{ context: InputItem[]; items: InputItem[] }>
  /** Never rejects; false if the response could not be kept. `response` is JSON text. */
  keep(id: string, items: InputItem[], context: InputItem[], response: string): Promise<boolean>
}

/** The format of one request, which has been parsed. */
export function responses(request: ResponsesRequest, memory: Memory): Format {
  return {
    envelope: openaiEnvelope,
    async readRequest(_body, { id }) {
      const past = await memory.recall(request)
      const { job, names } = readRequest(request, past)
      const stream = openStream(`resp_${id}`, request, names)
      const keep = request.store === false ? undefined : (text: string) => memory.keep(`resp_${id}`, past.items, past.context, text)
      return { job, answer: answerOf(stream, keep) }
    },
  }
}

export function openStream(id: string, request: ResponsesRequest, names: ReadRequest['names']): ResponseStream {
  const now = () => Math.floor(Date.now() / 1000)
  return new ResponseStream({ id, createdAt: now(), request, names, stored: request.store !== false, now })
}

type Keep = (response: string) => Promise<boolean>

function answerOf(response: ResponseStream, keep: Keep | undefined): AnswerFormat {
  return {
    stream: () => streamOf(response, keep),
    async whole(completion) {
      for (const chunk of readCompletion(completion)) response.write(chunk)
      response.close()
      response.settle()
      if (keep) response.last(await keep(response.response))
      return utf8(response.response)
    },
  }
}

function streamOf(response: ResponseStream, keep: Keep | undefined): StreamFormat {
  const read = createChunkReader()
  const writeAll = (events: Uint8Array) => {
    let text = ''
    for (const chunk of read(events)) text += response.write(chunk)
    return text
  }
  return {
    ping: PING,
    write(events) {
      const text = writeAll(events)
      return text === '' ? undefined : utf8(text)
    },
    end() {
      const closing = response.close()
      response.settle()
      if (!keep) return utf8(closing + response.last() + DONE)
      // Whoever reads the last event may go on from this response at once, on any replica: it has to be there.
      return keep(response.response).then((stored) => utf8(closing + response.last(stored) + DONE))
    },
    fail(error: FreewayError) {
      const text = response.close(true) + response.fail(error) + DONE
      void keep?.(response.response)
      return utf8(text)
    },
  }
}
