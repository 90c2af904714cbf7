// What an upstream has read before it need not read again: the longest beginning of a prompt that it knows counts as cached.

import { createHash } from 'node:crypto'
import type { ChatBody } from '#contracts/job.ts'
import type { Answer } from './answer.ts'

/** Short beginnings are not kept, as with real upstreams. */
const MIN_TOKENS = 256
const KEPT = 2_000
const BYTES_PER_TOKEN = 4

/** By hash, the oldest first. */
const known = new Set<string>()

/** The same answer, with `cached_tokens` in its usage if anything of the prompt was known. */
export function withCache(said: Answer, { messages, tools }: ChatBody): Answer {
  const hash = createHash('sha256').update(JSON.stringify(tools ?? []))
  let bytes = 0
  let cached = 0
  for (const message of messages) {
    const text = JSON.stringify(message)
    bytes += text.length
    const beginning = hash.update(text).copy().digest('base64')
    const tokens = Math.floor(bytes / BYTES_PER_TOKEN)
    if (tokens < MIN_TOKENS) continue
    if (known.delete(beginning)) cached = tokens
    known.add(beginning)
  }
  for (const oldest of known) {
    if (known.size <= KEPT) break
    known.delete(oldest)
  }
  if (cached === 0) return said
  // Half at most: in Messages what is cached is no part of the input, and suites want it to be no more than that.
  const cached_tokens = Math.min(cached, Math.floor(said.usage.prompt_tokens / 2))
  return { ...said, usage: { ...said.usage, prompt_tokens_details: { cached_tokens } } }
}
