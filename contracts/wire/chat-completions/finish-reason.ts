// The words by which an answer says why it ended, and what providers write instead. Pure.

import type { Chunk, FinishReason } from '../../chunk.ts'

const words: Record<FinishReason | 'error', string[]> = {
  stop: [
    'stop',
    'eos',
    'eos_token',
    'end',
    'end_turn',
    'stop_sequence',
    'stop_token',
    'complete',
    'completed',
    'done',
    'finished',
    'success',
  ],
  length: ['length', 'max_tokens', 'max_output_tokens', 'max_length', 'model_length', 'token_limit', 'incomplete'],
  tool_calls: ['tool_calls', 'tool_call', 'tool_use', 'tools', 'function_calls'],
  function_call: ['function_call'],
  content_filter: [
    'content_filter',
    'content-filter',
    'content_filtered',
    'safety',
    'sensitive',
    'recitation',
    'blocklist',
    'prohibited_content',
    'spii',
    'image_safety',
    'refusal',
    'guardrail',
    'moderation',
  ],
  // Zhipu, DeepSeek, OpenRouter, Mistral and Gemini report a breakdown this way.
  error: ['error', 'network_error', 'insufficient_system_resource', 'engine_overloaded', 'malformed_function_call'],
}

const meanings = new Map(Object.entries(words).flatMap(([reason, names]) => names.map((name) => [name, reason as FinishReason | 'error'])))

/** Undefined while the answer goes on, which some providers say with an empty word. `error` is a breakdown, not an end. */
export function readFinishReason(word: unknown): FinishReason | 'error' | undefined {
  if (typeof word !== 'string' || word === '') return undefined
  return meanings.get(word) ?? meanings.get(word.toLowerCase()) ?? 'stop'
}

/** Clients act on this word: it must say `tool_calls` exactly when there are calls to make. */
export function consistent(reason: FinishReason, hasToolCalls: boolean): FinishReason {
  if (hasToolCalls && reason === 'stop') return 'tool_calls'
  if (!hasToolCalls && reason === 'tool_calls') return 'stop'
  return reason
}

type Finish = Extract<Chunk, { t: 'finish' }>

/**
 * What providers say beyond OpenAI's word: OpenRouter its provider's own, vLLM and SGLang the stop sequence that was met, or null or the
 * number of the model's own end.
 */
export function readWhy({ native_finish_reason, stop_reason, matched_stop }: Record<string, unknown>): Pick<Finish, 'native' | 'stop'> {
  const met = stop_reason === undefined ? matched_stop : stop_reason
  const stop = typeof met === 'string' && met !== '' ? met : met === undefined ? undefined : null
  return {
    ...(typeof native_finish_reason === 'string' && native_finish_reason !== '' && { native: native_finish_reason }),
    ...(stop !== undefined && { stop }),
  }
}

export function writeWhy({ native, stop }: Pick<Finish, 'native' | 'stop'>): Record<string, unknown> {
  return { ...(native !== undefined && { native_finish_reason: native }), ...(stop !== undefined && { stop_reason: stop }) }
}
