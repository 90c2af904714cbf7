// Token counts in the words of either format. Pure.

import type { ChunkUsage } from '../../chunk.ts'
import { readUsage as readChatUsage } from '../chat-completions/usage.ts'
import { asFields } from './shape.ts'

/** All keys that the format demands; what was not reported is 0 here, for there is no other way to say it. */
export function writeUsage(usage: ChunkUsage): object {
  const input = asFields(usage.prompt_tokens_details)
  const output = asFields(usage.completion_tokens_details)
  return {
    input_tokens: usage.prompt_tokens,
    input_tokens_details: { cached_tokens: input?.cached_tokens ?? 0, cache_write_tokens: input?.cache_write_tokens ?? 0 },
    output_tokens: usage.completion_tokens,
    output_tokens_details: { reasoning_tokens: output?.reasoning_tokens ?? 0 },
    total_tokens: usage.total_tokens,
  }
}

/** Undefined when nothing was reported. */
export function readUsage(value: unknown): ChunkUsage | undefined {
  const { input_tokens, output_tokens, total_tokens, input_tokens_details, output_tokens_details } = asFields(value) ?? {}
  return readChatUsage({
    prompt_tokens: input_tokens,
    completion_tokens: output_tokens,
    total_tokens,
    ...(input_tokens_details !== undefined && { prompt_tokens_details: input_tokens_details }),
    ...(output_tokens_details !== undefined && { completion_tokens_details: output_tokens_details }),
  })
}
