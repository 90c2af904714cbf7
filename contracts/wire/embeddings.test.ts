import { Buffer } from 'node:buffer'
import { describe, expect, it } from 'vitest'
import { utf8 } from '../bytes.ts'
import { readMediaBody } from '../media.ts'
import { checkDimensions, readReply, readRequest, writeReply } from './embeddings.ts'

const ask = (fields: object) => readRequest(utf8(JSON.stringify({ model: 'm', ...fields })))

describe('a request', () => {
  it.each<[unknown, number, number]>([
    ['abcdefgh', 2, 2],
    [['abcdefgh', 'abcd'], 3, 2],
    [[1, 2, 3], 3, 3],
    [[[1, 2], [3]], 3, 2],
  ])('%j is %i tokens, of which %i have to fit at once', (input, tokens, context) => {
    expect(ask({ input }).job).toMatchObject({ kind: 'embedding', estimate: { in: tokens, out: 0 }, need: { ctx: context } })
  })

  it('keeps how the vectors are wanted to itself: providers are asked for numbers', () => {
    const { job, encoding, dimensions } = ask({
      input: 'a',
      encoding_format: 'base64',
      dimensions: 8,
      input_type: 'query',
      strategy: 'fast',
    })
    expect({ encoding, dimensions }).toEqual({ encoding: 'base64', dimensions: 8 })
    expect(readMediaBody(job.body).fields).toEqual({ input: 'a', dimensions: 8, input_type: 'query' })
    expect(job.strategy).toBe('fast')
  })

  it.each([
    [{}, 'missing input'],
    [{ input: '' }, 'input'],
    [{ input: ['a', ''] }, 'input'],
    [{ input: [1.5] }, 'input'],
    [{ input: ['a', 1] }, 'input'],
    [{ input: Array(2049).fill('a') }, 'input'],
    [{ input: 'a', encoding_format: 'int8' }, 'encoding_format'],
    [{ input: 'a', model: 7 }, 'model'],
  ])('is refused with %j', (fields, message) => {
    expect(() => ask(fields)).toThrow(expect.objectContaining({ status: 400, message: expect.stringContaining(message) }))
  })
})

describe('an answer', () => {
  const vectors = [
    [1, -0.5],
    [0.25, 0],
  ]

  it('comes back from what was written, packed or not', () => {
    for (const encoding of ['float', 'base64'] as const) {
      const written = writeReply({ vectors, tokens: 3 }, 'm', encoding, 9)
      expect(readReply(written)).toEqual({ vectors, tokens: 3 })
    }
  })

  it('is packed as little-endian float32', () => {
    const { data } = writeReply({ vectors, tokens: undefined }, 'm', 'base64', 9) as { data: { embedding: string }[] }
    expect(data[0]?.embedding).toBe(Buffer.from(new Float32Array([1, -0.5]).buffer).toString('base64'))
  })

  it('counts what was expected where the provider did not count', () => {
    expect(writeReply({ vectors, tokens: undefined }, 'm', 'float', 9)).toMatchObject({ usage: { prompt_tokens: 9, total_tokens: 9 } })
  })

  it('of another length than asked for is refused, never handed out', () => {
    expect(() => checkDimensions({ vectors, tokens: 1 }, 3)).toThrow(expect.objectContaining({ status: 400, param: 'dimensions' }))
    expect(() => checkDimensions({ vectors, tokens: 1 }, 2)).not.toThrow()
  })
})
