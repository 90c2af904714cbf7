// Tokens as Messages counts them, where what came from a cache is no part of the input. Pure.

import type { ChunkUsage } from '../../chunk.ts'
import { readUsage as readChatUsage } from '../chat-completions/usage.ts'
import { type Fields, isFields } from './schema.ts'

/** `cache_read_input_tokens` and `cache_creation_input_tokens` are null where nothing was told of a cache. */
export interface MessagesUsage {
  input_tokens: number
  cache_creation_input_tokens: number | null
  cache_read_input_tokens: number | null
  output_tokens: number
}

export function writeUsage({ prompt_tokens, completion_tokens, prompt_tokens_details: details }: ChunkUsage): MessagesUsage {
  const read = isFields(details) ? countOf(details.cached_tokens) : undefined
  const written = isFields(details) ? countOf(details.cache_write_tokens) : undefined
  return {
    input_tokens: Math.max(0, prompt_tokens - (read ?? 0) - (written ?? 0)),
    cache_creation_input_tokens: written ?? null,
    cache_read_input_tokens: read ?? null,
    output_tokens: completion_tokens,
  }
}

/** What `message_start` and `message_delta` have told together; undefined if neither told anything. */
export function readUsage(told: Fields): ChunkUsage | undefined {
  const input = countOf(told.input_tokens)
  const output = countOf(told.output_tokens)
  if (input === undefined && output === undefined) return undefined
  const read = countOf(told.cache_read_input_tokens)
  const written = countOf(told.cache_creation_input_tokens)
  const details = { ...(read !== undefined && { cached_tokens: read }), ...(written !== undefined && { cache_write_tokens: written }) }
  return readChatUsage({
    prompt_tokens: (input ?? 0) + (read ?? 0) + (written ?? 0),
    completion_tokens: output ?? 0,
    ...(Object.keys(details).length > 0 && { prompt_tokens_details: details }),
  })
}

function countOf(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? Math.round(value) : undefined
}
