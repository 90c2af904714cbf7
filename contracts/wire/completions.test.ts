import { describe, expect, it } from 'vitest'
import { utf8 } from '../bytes.ts'
import type { Chunk } from '../chunk.ts'
import { CompletionWriter, readRequest, splitPrompts } from './completions.ts'

const ask = (fields: object) => readRequest(utf8(JSON.stringify({ model: 'm', prompt: 'Once', ...fields })))
const bodyOf = (fields: object) => JSON.parse(new TextDecoder().decode(ask(fields).job.body))

describe('a request', () => {
  it('is a chat of one message', () => {
    expect(bodyOf({ max_tokens: 9, stop: ['.'], frequency_penalty: 1, best_of: 1, unknown: 1 })).toEqual({
      model: 'm',
      max_tokens: 9,
      stop: ['.'],
      frequency_penalty: 1,
      messages: [{ role: 'user', content: 'Once' }],
    })
  })

  it('with a suffix asks for what leads over to it', () => {
    const [first, second] = bodyOf({ suffix: 'the end' }).messages
    expect(first).toMatchObject({ role: 'system', content: expect.stringContaining('<<<the end>>>') })
    expect(second).toEqual({ role: 'user', content: 'Once' })
  })

  it('for likely tokens asks for them as chats do', () => {
    expect(bodyOf({ logprobs: 2 })).toMatchObject({ logprobs: true, top_logprobs: 2 })
    expect(bodyOf({ logprobs: 0 })).toMatchObject({ logprobs: true, top_logprobs: 0 })
  })

  it.each([
    [{ prompt: null }, 'missing prompt'],
    [{ prompt: [[1, 2]] }, 'text, not tokens'],
    [{ prompt: { a: 1 } }, 'text, not tokens'],
    [{ best_of: 3 }, 'best_of'],
    [{ logprobs: true }, 'logprobs'],
    [{ temperature: 9 }, 'temperature'],
  ])('is refused with %j', (fields, message) => {
    expect(() => ask(fields)).toThrow(expect.objectContaining({ status: 400, message: expect.stringContaining(message) }))
  })
})

describe('several prompts', () => {
  const split = (fields: object) => splitPrompts(utf8(JSON.stringify({ model: 'm', temperature: 0, ...fields })))
  const read = (bodies: Uint8Array[]) => bodies.map((body) => JSON.parse(new TextDecoder().decode(body)))

  it('are requests of their own', () => {
    const { bodies, ...asked } = split({ prompt: ['a', ['b'], 'c'], n: 2, stream: true, stream_options: { include_usage: true } })
    expect(asked).toEqual({ n: 2, stream: true, usage: true })
    expect(read(bodies).map(({ prompt }) => prompt)).toEqual(['a', 'b', 'c'])
    expect(read(bodies)[2]).toMatchObject({ model: 'm', temperature: 0, n: 2 })
  })

  it.each(['a', ['a'], undefined, []])('are not what %j is', (prompt) => {
    expect(split({ prompt }).bodies).toHaveLength(1)
  })

  it.each([
    [[1, 2, 3], 'text, not tokens'],
    [[[1, 2], [3]], 'text, not tokens'],
    [['a', ''], 'missing prompt'],
    [Array(129).fill('a'), 'at most 128'],
  ])('are refused where one of them is no text: %j', (prompt, message) => {
    expect(() => split({ prompt })).toThrow(
      expect.objectContaining({ status: 400, param: 'prompt', message: expect.stringContaining(message) }),
    )
  })
})

describe('an answer', () => {
  const logprobs = { content: [{ token: ' Hi', logprob: -1, top_logprobs: [{ token: ' Hi', logprob: -1 }] }] }
  const chunks: Chunk[] = [
    { t: 'start', id: 'chatcmpl-7', model: 'm', created: 5 },
    { t: 'reasoning', choice: 0, text: 'hm' },
    { t: 'text', choice: 1, text: 'Ho' },
    { t: 'text', choice: 0, text: ' Hi', logprobs },
    { t: 'text', choice: 0, text: ' you' },
    { t: 'finish', choice: 0, reason: 'length' },
    { t: 'finish', choice: 1, reason: 'tool_calls' },
    { t: 'usage', usage: { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 } },
    { t: 'end' },
  ]

  it('is whole, in the order of its choices', () => {
    expect(new CompletionWriter('Once').whole(chunks)).toEqual({
      id: 'cmpl-7',
      object: 'text_completion',
      created: 5,
      model: 'm',
      choices: [
        {
          index: 0,
          text: 'Once Hi you',
          logprobs: { tokens: [' Hi'], token_logprobs: [-1], top_logprobs: [{ ' Hi': -1 }], text_offset: [4] },
          finish_reason: 'length',
        },
        { index: 1, text: 'OnceHo', logprobs: null, finish_reason: 'stop' },
      ],
      usage: { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 },
    })
  })

  it('of a model that was cut while it thought is what it has thought', () => {
    const cut: Chunk[] = [
      { t: 'start', id: 'x', model: 'm', created: 5 },
      { t: 'reasoning', choice: 0, text: 'Let me ' },
      { t: 'reasoning', choice: 0, text: 'see' },
      { t: 'finish', choice: 0, reason: 'length' },
    ]
    expect(new CompletionWriter('').whole(cut)).toMatchObject({ choices: [{ text: 'Let me see', finish_reason: 'length' }] })
  })

  it('in pieces says the prompt once for each choice, and its end last', () => {
    const writer = new CompletionWriter('Once')
    const events = chunks.flatMap((chunk) => writer.write(chunk)) as {
      choices: { index: number; text: string; finish_reason: string | null }[]
    }[]
    const said = events.flatMap(({ choices }) => choices.map(({ index, text, finish_reason }) => [index, text, finish_reason]))
    expect(said).toEqual([
      [1, 'Once', null],
      [1, 'Ho', null],
      [0, 'Once', null],
      [0, ' Hi', null],
      [0, ' you', null],
      [0, '', 'length'],
      [1, '', 'stop'],
    ])
    expect(events.at(-1)).toMatchObject({ choices: [], usage: { total_tokens: 3 } })
  })
})
