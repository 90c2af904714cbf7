// Pure. A provider's token counts as leases and events carry them.

import type { ChunkUsage } from '#contracts/chunk.ts'
import type { Usage } from '#contracts/settlement.ts'

export function usageOf(usage: ChunkUsage): Usage {
  const cached = detail(usage.prompt_tokens_details, 'cached_tokens')
  const reasoning = detail(usage.completion_tokens_details, 'reasoning_tokens')
  return {
    in: usage.prompt_tokens,
    out: usage.completion_tokens,
    ...(cached !== undefined && { cached }),
    ...(reasoning !== undefined && { reasoning }),
    ...(isAmount(usage.cost) && { cost: usage.cost }),
  }
}

/** A streamed token with its envelope takes about this many bytes. */
const BYTES_PER_TOKEN = 200

/** What an answer that broke off is charged by: the expected input, and the output that was handed on. */
export function estimatedUsage(promptTokens: number, payloadBytes: number): Usage {
  return { in: promptTokens, out: Math.ceil(payloadBytes / BYTES_PER_TOKEN) }
}

/** Gateways that count in credits say what an answer has cost. */
function isAmount(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0
}

function detail(details: unknown, name: string): number | undefined {
  const value = (details as Record<string, unknown> | null | undefined)?.[name]
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 ? value : undefined
}
