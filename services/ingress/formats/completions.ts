// OpenAI's legacy text completions, answered by models that chat.

import { utf8 } from '#contracts/bytes.ts'
import type { Chunk } from '#contracts/chunk.ts'
import type { FreewayError } from '#contracts/failure.ts'
import { type CompletionHead, CompletionWriter, readRequest } from '#contracts/wire/completions.ts'
import { openaiEnvelope } from '#contracts/wire/envelope.ts'
import { writeSse } from '#contracts/wire/sse.ts'
import { createChunkReader, readCompletion } from './chunks.ts'
import type { AnswerFormat, Format, StreamFormat } from './format.ts'

const PING = utf8(': ping\n\n')
const DONE = 'data: [DONE]\n\n'

export const completions: Format = {
  envelope: openaiEnvelope,
  readRequest(body) {
    const { job, echo } = readRequest(body)
    return { job, answer: answerOf(new CompletionWriter(echo), streamOf) }
  },
}

/** What the answers to several prompts have in common. */
export interface Sheet {
  head: CompletionHead
  /** Of all answers so far; undefined if no provider has told any. */
  usage: CompletionUsage | undefined
}

type CompletionUsage = Record<'prompt_tokens' | 'completion_tokens' | 'total_tokens', number>

export function newSheet(): Sheet {
  return { head: { id: '', created: 0, model: '' }, usage: undefined }
}

/** One of several prompts, whose choices are counted from `firstIndex` on. Its answer is a part of one: without usage, end or error. */
export function partOf(sheet: Sheet, firstIndex: number): Format {
  return {
    envelope: openaiEnvelope,
    readRequest(body) {
      const { job, echo } = readRequest(body)
      return { job, answer: answerOf(new CompletionWriter(echo, firstIndex, sheet.head), (writer) => partStreamOf(writer, sheet)) }
    },
  }
}

/** What ends a stream of several parts. */
export function writeEnd({ head, usage }: Sheet, tellUsage: boolean): Uint8Array {
  const told = { ...head, object: 'text_completion', choices: [], usage }
  return utf8((tellUsage && usage ? writeSse(JSON.stringify(told)) : '') + DONE)
}

export function writeFailure(error: FreewayError): Uint8Array {
  return utf8(writeSse(JSON.stringify(openaiEnvelope(error, '').body)) + DONE)
}

export function addUsage(sheet: Sheet, usage: unknown): void {
  const { prompt_tokens = 0, completion_tokens = 0, total_tokens = 0 } = usage as Partial<CompletionUsage>
  const before = sheet.usage ?? { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 }
  sheet.usage = {
    prompt_tokens: before.prompt_tokens + prompt_tokens,
    completion_tokens: before.completion_tokens + completion_tokens,
    total_tokens: before.total_tokens + total_tokens,
  }
}

function answerOf(writer: CompletionWriter, stream: (writer: CompletionWriter) => StreamFormat): AnswerFormat {
  return {
    stream: () => stream(writer),
    whole: (completion) => utf8(JSON.stringify(writer.whole(readCompletion(completion)))),
  }
}

function streamOf(writer: CompletionWriter): StreamFormat {
  return {
    ping: PING,
    write: writing((chunk) => writer.write(chunk)),
    end: () => utf8(DONE),
    fail: writeFailure,
  }
}

function partStreamOf(writer: CompletionWriter, sheet: Sheet): StreamFormat {
  return {
    ping: PING,
    write: writing((chunk) => {
      if (chunk.t !== 'usage') return writer.write(chunk)
      addUsage(sheet, chunk.usage)
      return []
    }),
    end: () => new Uint8Array(),
    fail: () => undefined,
  }
}

function writing(write: (chunk: Chunk) => object[]): StreamFormat['write'] {
  const read = createChunkReader()
  return (events) => {
    let text = ''
    for (const chunk of read(events)) for (const event of write(chunk)) text += writeSse(JSON.stringify(event))
    return text === '' ? undefined : utf8(text)
  }
}
