import { describe, expect, it } from 'vitest'
import { utf8 } from '#contracts/bytes.ts'
import type { Catalog } from '#contracts/catalog.ts'
import { FreewayError } from '#contracts/failure.ts'
import { chatPhp } from './chat-php.ts'
import type { Asked } from './format.ts'

const decoder = new TextDecoder()
const format = chatPhp(() => ({ providers: [], aliases: [] }) satisfies Catalog)
const stream = () =>
  (format.readRequest(utf8('{"messages":[{"role":"user","content":"Hi"}]}'), { headers: new Headers(), id: 'r' }) as Asked).answer.stream()
const delta = (content: string) => `data: {"choices":[{"index":0,"delta":{"content":${JSON.stringify(content)}}}]}\n\n`

describe('a stream for FreeLLMAPI’s sample client', () => {
  it('has a choice in every event, one space after data and no names', () => {
    const said = stream()
    const bytes = said.write(
      utf8(`data: {"choices":[],"prompt_filter_results":[]}\n\nevent: x\ndata:{"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n`),
    )
    expect(decoder.decode(bytes)).toBe(delta('a'))
    expect(said.write(utf8('data: {"choices": [ ],"usage":{}}\n\n'))).toBeUndefined()
    expect(decoder.decode(said.end() as Uint8Array)).toBe('data: [DONE]\n\n')
  })

  it('has no content that is null, which the client would print', () => {
    const thought = (more: object) => `data: ${JSON.stringify({ choices: [{ index: 0, delta: { role: 'assistant', ...more } }] })}\n\n`
    const told = thought({ content: null, reasoning_content: 'hm' }) + delta('a "content":null b')
    expect(decoder.decode(stream().write(utf8(told)))).toBe(thought({ reasoning_content: 'hm' }) + delta('a "content":null b'))
  })

  it('is written in whole events, however they come in', () => {
    const said = stream()
    const bytes = utf8(delta('Grüße') + delta('\n'))
    const writes: string[] = []
    for (let at = 0; at < bytes.length; at++) {
      const written = said.write(bytes.subarray(at, at + 1))
      if (written) writes.push(decoder.decode(written))
    }
    expect(writes).toEqual([delta('Grüße'), delta('\n')])
  })

  it('ends in its own terms where it breaks off', () => {
    const error = new FreewayError('provider_error', 'it failed', { retryAfterMs: 1500 })
    expect(decoder.decode(stream().fail(error, 'r'))).toBe('data: {"error":"it failed","code":502,"retry_after":2}\n\ndata: [DONE]\n\n')
  })
})
