// Pure. A provider's token counts as leases and events carry them.

import type { Usage } from '#contracts/attempt.ts'
import type { ChunkUsage } from '#contracts/chunk.ts'

export function usageOf(usage: ChunkUsage): Usage {
  const cached = detail(usage.prompt_tokens_details, 'cached_tokens')
  const reasoning = detail(usage.completion_tokens_details, 'reasoning_tokens')
  return {
    in: usage.prompt_tokens,
    out: usage.completion_tokens,
    ...(cached !== undefined && { cached }),
    ...(reasoning !== undefined && { reasoning }),
  }
}

function detail(details: unknown, name: string): number | undefined {
  const value = (details as Record<string, unknown> | null | undefined)?.[name]
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 ? value : undefined
}
