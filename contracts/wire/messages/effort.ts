// How hard to think: a word in chat completions, a number of tokens or a word in Messages. Pure.

import type { Fields, MessagesBody } from './schema.ts'

const LOW_TOKENS = 1024
const MEDIUM_TOKENS = 8192
const budgets: Record<string, number> = { low: LOW_TOKENS, medium: MEDIUM_TOKENS, high: 24_576, xhigh: 32_768, max: 32_768 }

/** `reasoning_effort`; undefined where the provider may decide. */
export function readEffort({ thinking, output_config }: MessagesBody): string | undefined {
  if (thinking?.type === 'enabled' && typeof thinking.budget_tokens === 'number') {
    return thinking.budget_tokens <= LOW_TOKENS ? 'low' : thinking.budget_tokens <= MEDIUM_TOKENS ? 'medium' : 'high'
  }
  if (thinking?.type === 'disabled') return undefined
  return output_config?.effort ?? undefined
}

/** Whether the client is to see the thoughts. */
export function wantsThinking({ thinking }: MessagesBody): boolean {
  return thinking?.type === 'enabled' || thinking?.type === 'adaptive'
}

/** `thinking` of a Messages request, and how many tokens it takes on top of the answer's. */
export function writeEffort(effort: unknown): { thinking: Fields; tokens: number } | undefined {
  const tokens = typeof effort === 'string' ? budgets[effort] : undefined
  return tokens === undefined ? undefined : { thinking: { type: 'enabled', budget_tokens: tokens }, tokens }
}
