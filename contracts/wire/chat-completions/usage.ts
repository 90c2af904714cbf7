// Token counts as providers report them, made fit for arithmetic. Pure.

import type { ChunkUsage } from '../../chunk.ts'

/** Undefined when nothing was reported. Counts are whole and never negative, the total is the sum, details never exceed it. */
export function readUsage(value: unknown): ChunkUsage | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  const { prompt_tokens, completion_tokens, total_tokens, ...rest } = value as Record<string, unknown>
  let prompt = readCount(prompt_tokens)
  let completion = readCount(completion_tokens)
  const total = readCount(total_tokens)
  if (prompt === undefined && completion === undefined) {
    if (total === undefined) return undefined
    prompt = total
  }
  if (total !== undefined) {
    prompt ??= Math.max(0, total - (completion as number))
    completion ??= Math.max(0, total - prompt)
  }
  prompt ??= 0
  completion ??= 0
  const usage: ChunkUsage = { prompt_tokens: prompt, completion_tokens: completion, total_tokens: prompt + completion }
  for (const [name, detail] of Object.entries(rest)) {
    if (name === 'prompt_tokens_details') usage[name] = capped(detail, prompt)
    else if (name === 'completion_tokens_details') usage[name] = capped(detail, completion)
    else usage[name] = detail
  }
  return usage
}

function capped(detail: unknown, limit: number): unknown {
  if (typeof detail !== 'object' || detail === null) return detail
  const entries = Object.entries(detail).map(([name, value]) => [
    name,
    typeof value === 'number' ? Math.min(readCount(value) ?? 0, limit) : value,
  ])
  return Object.fromEntries(entries)
}

/** No answer has so many tokens. Beyond what a number holds exactly, neither sums nor records of it would be right. */
const MOST = 1e9

/** Undefined for what is no count: text, negative, infinite, or more than there can be. */
export function readCount(value: unknown): number | undefined {
  return typeof value === 'number' && value >= 0 && value <= MOST ? Math.round(value) : undefined
}
