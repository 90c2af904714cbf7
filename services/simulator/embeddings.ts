// Pure. POST /v1/embeddings: a bag of words hashed into a unit vector; the same text always gets the same one, and texts that share words are near.

import { Buffer } from 'node:buffer'
import { z } from 'zod'

export const embeddingsRequest = z.looseObject({
  model: z.string(),
  input: z.union([z.string(), z.array(z.string()), z.array(z.number()), z.array(z.array(z.number()))]),
  dimensions: z.int().min(1).max(8192).nullish(),
  encoding_format: z.enum(['float', 'base64']).nullish(),
})

const DIMENSIONS = 384

export function embed(request: z.infer<typeof embeddingsRequest>): object {
  const inputs = typeof request.input === 'string' || typeof request.input[0] === 'number' ? [request.input] : request.input
  const texts = inputs.map((input) => (Array.isArray(input) ? input.join(' ') : String(input)))
  const data = texts.map((text, index) => {
    const vector = embedText(text, request.dimensions ?? DIMENSIONS)
    const embedding = request.encoding_format === 'base64' ? Buffer.from(vector.buffer).toString('base64') : [...vector]
    return { object: 'embedding', index, embedding }
  })
  const prompt_tokens = texts.reduce((sum, text) => sum + Math.ceil(Buffer.byteLength(text) / 4), 0)
  return { object: 'list', data, model: request.model, usage: { prompt_tokens, total_tokens: prompt_tokens } }
}

function embedText(text: string, dimensions: number): Float32Array<ArrayBuffer> {
  const vector = new Float32Array(dimensions)
  for (const word of text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? ['']) {
    let state = hash(word)
    for (let i = 0; i < dimensions; i++) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
      vector[i] = (vector[i] ?? 0) + state / 2 ** 31 - 1
    }
  }
  const length = Math.hypot(...vector) || 1
  return vector.map((value) => value / length)
}

/** FNV-1a. */
function hash(text: string): number {
  let state = 0x811c9dc5
  for (const byte of Buffer.from(text)) state = Math.imul(state ^ byte, 0x01000193)
  return state >>> 0
}
