import { describe, expect, it } from 'vitest'
import { utf8 } from '#contracts/bytes.ts'
import { FreewayError } from '#contracts/failure.ts'
import { createStreamReader } from '#contracts/wire/chat-completions/reply.ts'
import { createChunkReader, readCompletion } from './chunks.ts'

const chunk = (choices: object[], more: object = {}) => ({
  id: 'x',
  object: 'chat.completion.chunk',
  created: 1,
  model: 'm',
  choices,
  ...more,
})
const delta = (fields: object, index = 0, finish_reason: string | null = null) =>
  chunk([{ index, delta: fields, logprobs: null, finish_reason }])
const events = (...chunks: object[]) => utf8(chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`).join(''))

describe('a stream of a worker', () => {
  it('is read the same, whether its events are alike or not', () => {
    const stream = [
      delta({ role: 'assistant', content: '' }),
      ...['a', 'b', 'c"\\\n', 'd', '', 'ü'].map((content) => delta({ content })),
      ...['a', 'b'].map((content) => delta({ content }, 1)),
      delta({ reasoning_content: 'hm' }),
      delta({ content: 'e' }),
      chunk([{ index: 0, delta: { content: 'f' }, logprobs: { content: [] }, finish_reason: null }]),
      delta({ content: 'g' }),
      delta({ content: 'h' }, 0, 'stop'),
      delta({}, 1, 'stop'),
      chunk([], { usage: { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 } }),
    ]
    const reader = createStreamReader()
    const expected = stream.flatMap((event) => reader.read(event))
    const read = createChunkReader()
    expect(stream.flatMap((event) => read(events(event)))).toEqual(expected)
    expect(createChunkReader()(events(...stream))).toEqual(expected)
  })

  it('that is nonsense is a failure, never a throw', () => {
    expect(createChunkReader()(utf8('data: {oops\n\n'))).toMatchObject([{ t: 'failure', type: 'server_error' }])
  })

  it('may bring its terminator, which says nothing', () => {
    expect(createChunkReader()(utf8('data: [DONE]\n\n'))).toEqual([])
  })
})

describe('a whole completion', () => {
  it('ends with its end', () => {
    const choices = [{ index: 0, message: { role: 'assistant', content: 'Hi' }, finish_reason: 'stop' }]
    expect(readCompletion(utf8(JSON.stringify({ id: 'x', choices }))).map(({ t }) => t)).toEqual(['start', 'text', 'finish', 'end'])
  })

  it('without an answer in it is a failure of the provider', () => {
    expect(() => readCompletion(utf8('{"choices":[]}'))).toThrow(FreewayError)
  })
})
