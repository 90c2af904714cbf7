// What comes back, in order: start, pieces, finish and usage, and last an end or a failure.
// The middle language between the wire formats; one union, so that a format is translated by one `switch`.

export type FinishReason = 'stop' | 'length' | 'tool_calls' | 'content_filter' | 'function_call'

/** Tokens as the provider counted them. Absent details mean "not reported", never zero. */
export interface ChunkUsage {
  prompt_tokens: number
  completion_tokens: number
  total_tokens: number
  /** prompt_tokens_details, completion_tokens_details and whatever else was reported. */
  [detail: string]: unknown
}

/** `choice` is the index of one of `n` answers. */
export type Chunk =
  | { t: 'start'; id: string; model: string; created: number; extra?: Record<string, unknown> }
  | { t: 'text'; choice: number; text: string; logprobs?: unknown }
  /** `signature` proves to its provider that the text so far is its own; `redacted` is thought that only its provider can read. */
  | { t: 'reasoning'; choice: number; text: string; signature?: string; redacted?: string }
  | { t: 'refusal'; choice: number; text: string }
  /** First piece of a call has `id` and `name`; `arguments` are fragments of JSON text. `call` is dense from 0. */
  | { t: 'tool'; choice: number; call: number; id?: string; name?: string; arguments: string; extra?: Record<string, unknown> }
  /** A delta of a kind we do not know (audio, annotations, ...), kept as it came. */
  | { t: 'other'; choice: number; delta: Record<string, unknown> }
  /** `native`: the provider's own word, where ours says less. `stop`: the stop sequence at which the text was cut; null: at none. Absent: not told. */
  | { t: 'finish'; choice: number; reason: FinishReason; native?: string; stop?: string | null }
  | { t: 'usage'; usage: ChunkUsage }
  | { t: 'end' }
  | { t: 'failure'; message: string; type: string; code: string }
