// OpenAI's chat completions: what workers send is what these clients read, so bytes pass as they are.

import { utf8 } from '#contracts/bytes.ts'
import { readRequest } from '#contracts/wire/chat-completions/request.ts'
import { openaiEnvelope } from '#contracts/wire/envelope.ts'
import type { AnswerFormat, Format, StreamFormat } from './format.ts'

const DONE = utf8('data: [DONE]\n\n')

const stream: StreamFormat = {
  // One line feed and no `id:`: a blank line would end an event, and openai-python crashes on an event without data.
  ping: utf8(': ping\n'),
  write: (events) => events,
  end: () => DONE,
  fail: (error, requestId) => utf8(`data: ${JSON.stringify(openaiEnvelope(error, requestId).body)}\n\ndata: [DONE]\n\n`),
}

export const chatAnswer: AnswerFormat = {
  stream: () => stream,
  whole: (completion) => completion,
}

export const chatCompletions: Format = {
  readRequest: (body) => ({ job: readRequest(body), answer: chatAnswer }),
  envelope: openaiEnvelope,
}
