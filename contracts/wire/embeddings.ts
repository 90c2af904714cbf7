// Embeddings, both ways: https://platform.openai.com/docs/api-reference/embeddings. Pure.
// Between worker and ingress vectors are lists of numbers; base64 is only how a client may want them.

import { Buffer } from 'node:buffer'
import { z } from 'zod'
import { FreewayError } from '../failure.ts'
import type { Job } from '../job.ts'
import { parseBody } from './chat-completions/request.ts'
import { checked, mediaJob, missing, tokensOf } from './media-job.ts'

const MAX_INPUTS = 2048
const tokens = z.array(z.int().min(0)).min(1)

const request = z.looseObject({
  input: z.union([z.string().min(1), z.array(z.string().min(1)).min(1).max(MAX_INPUTS), tokens, z.array(tokens).min(1).max(MAX_INPUTS)]),
  encoding_format: z.enum(['float', 'base64']).nullish(),
  dimensions: z.int().min(1).max(100_000).nullish(),
})

export interface EmbeddingsRequest {
  job: Job
  encoding: 'float' | 'base64'
  dimensions: number | undefined
}

/** Throws FreewayError `invalid_request_error`. */
export function readRequest(bytes: Uint8Array): EmbeddingsRequest {
  const { fields } = parseBody(bytes)
  if (fields.input === undefined || fields.input === null) throw missing('input')
  const { input, encoding_format, dimensions } = checked(request, fields)
  const { encoding_format: _, ...rest } = fields
  const job = mediaJob({ kind: 'embedding', stream: false, fields: rest, estimate: { in: countTokens(input), out: 0 } })
  // What must fit into the context is the longest of the texts, not all of them together.
  const longest =
    Array.isArray(input) && typeof input[0] !== 'number' ? Math.max(...input.map((one) => countTokens(one as string))) : undefined
  return {
    job: { ...job, need: { ...job.need, ctx: longest ?? job.estimate.in } },
    encoding: encoding_format ?? 'float',
    dimensions: dimensions ?? undefined,
  }
}

function countTokens(input: string | readonly (string | number | readonly number[])[]): number {
  if (typeof input === 'string') return tokensOf(input)
  return input.reduce<number>((sum, one) => sum + (typeof one === 'string' ? tokensOf(one) : typeof one === 'number' ? 1 : one.length), 0)
}

const counted = z.int().min(0)

/** What providers answer; `embedding` may be base64 there as well. */
const reply = z.looseObject({
  data: z.array(z.looseObject({ index: counted.optional(), embedding: z.union([z.array(z.number()), z.string()]) })).min(1),
  usage: z.looseObject({ prompt_tokens: counted.nullish(), total_tokens: counted.nullish() }).nullish(),
})

export interface EmbeddingsReply {
  vectors: number[][]
  /** Undefined if the provider did not count. */
  tokens: number | undefined
}

/** In the order of the inputs. Undefined if it is no such answer. */
export function readReply(json: unknown): EmbeddingsReply | undefined {
  const read = reply.safeParse(json)
  if (!read.success) return undefined
  const { data, usage } = read.data
  const ordered = data.map((one, place) => ({ place: one.index ?? place, vector: vectorOf(one.embedding) }))
  ordered.sort((a, b) => a.place - b.place)
  return { vectors: ordered.map(({ vector }) => vector), tokens: usage?.prompt_tokens ?? usage?.total_tokens ?? undefined }
}

/** `tokens` if the provider did not count. */
export function writeReply({ vectors, tokens }: EmbeddingsReply, model: string, encoding: 'float' | 'base64', estimated: number): object {
  const count = tokens ?? estimated
  const data = vectors.map((vector, index) => ({
    object: 'embedding',
    index,
    embedding: encoding === 'base64' ? base64Of(vector) : vector,
  }))
  return { object: 'list', data, model, usage: { prompt_tokens: count, total_tokens: count } }
}

/** A vector of another length than asked for would be compared with others in vain. */
export function checkDimensions({ vectors }: EmbeddingsReply, wanted: number | undefined): void {
  if (wanted === undefined || vectors.every((vector) => vector.length === wanted)) return
  throw new FreewayError('invalid_request_error', 'dimensions: this model does not give vectors of that length', { param: 'dimensions' })
}

/** Little-endian float32, whatever the machine. */
function base64Of(vector: readonly number[]): string {
  const bytes = Buffer.alloc(vector.length * 4)
  for (const [i, value] of vector.entries()) bytes.writeFloatLE(value, i * 4)
  return bytes.toString('base64')
}

function vectorOf(embedding: number[] | string): number[] {
  if (typeof embedding !== 'string') return embedding
  const bytes = Buffer.from(embedding, 'base64')
  return Array.from({ length: Math.floor(bytes.length / 4) }, (_, i) => bytes.readFloatLE(i * 4))
}
