// Anthropic's Messages request as far as it is looked at; what is not known passes through untouched. Pure.
// Field lists: Anthropic's API reference of POST /v1/messages.

import { z } from 'zod'
import { EXTENSION_PREFIX } from '../../job.ts'

/** Where a job keeps what Messages has beyond chat completions: in the body, its messages and their parts. */
export const EXTENSION = `${EXTENSION_PREFIX}messages`

export type Fields = Record<string, unknown>
export type Block = Fields & { type: string }

const block = z.looseObject({ type: z.string() })
const content = z.union([z.string(), z.array(block)])

const message = z.looseObject({ role: z.enum(['user', 'assistant', 'system']), content })
export type Message = z.infer<typeof message>

const tool = z.looseObject({
  type: z.string().nullish(),
  name: z.string().min(1).optional(),
  description: z.string().nullish(),
  input_schema: z.looseObject({}).nullish(),
  strict: z.boolean().nullish(),
})
export type Tool = z.infer<typeof tool>

const toolChoice = z.looseObject({
  type: z.enum(['auto', 'any', 'tool', 'none']),
  name: z.string().optional(),
  disable_parallel_tool_use: z.boolean().nullish(),
})
export type ToolChoice = z.infer<typeof toolChoice>

/** The body of count_tokens. */
export const countBody = z.looseObject({
  model: z.string().nullish(),
  messages: z.array(message).min(1),
  system: content.nullish(),
  max_tokens: z.number().int().min(1).nullish(),
  stream: z.boolean().nullish(),
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().min(0).max(1).nullish(),
  top_k: z.number().int().min(0).nullish(),
  stop_sequences: z.array(z.string()).nullish(),
  tools: z.array(tool).nullish(),
  tool_choice: toolChoice.nullish(),
  thinking: z.looseObject({ type: z.string(), budget_tokens: z.number().int().nullish() }).nullish(),
  output_config: z.looseObject({ effort: z.string().nullish(), format: z.looseObject({ type: z.string() }).nullish() }).nullish(),
  metadata: z.looseObject({ user_id: z.string().nullish() }).nullish(),
})

/** `max_tokens` is required, as Anthropic has it. */
export const messagesBody = countBody.extend({ max_tokens: z.number().int().min(1) })
export type MessagesBody = z.infer<typeof countBody>

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** What is kept of a chat message or part for Messages alone. */
export function extensionOf(value: unknown): Fields {
  const kept = isFields(value) ? value[EXTENSION] : undefined
  return isFields(kept) ? kept : {}
}

/** `{}` where there is nothing to keep, so that it can be spread. */
export function extension(kept: Fields): Fields {
  const entries = Object.entries(kept).filter(([, value]) => value !== undefined && value !== null)
  return entries.length === 0 ? {} : { [EXTENSION]: Object.fromEntries(entries) }
}
