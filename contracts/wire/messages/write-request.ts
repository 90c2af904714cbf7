// A job's body as a provider of Anthropic's format gets it. What came from a Messages client comes out as it went in. Pure.

import { FreewayError } from '../../failure.ts'
import type { ChatBody } from '../../job.ts'
import { writeEffort } from './effort.ts'
import { EXTENSION, extensionOf, type Fields } from './schema.ts'
import { createIdCleaner } from './tool-id.ts'
import { writeToolChoice, writeTools } from './tools.ts'
import { writeMessages } from './write-content.ts'

/** Messages has no request without a limit. */
const DEFAULT_MAX_TOKENS = 32_000
const VERSION = '2023-06-01'

const decoder = new TextDecoder()

export interface WrittenRequest {
  /** `anthropic-version`, and `anthropic-beta` if the client named features. */
  headers: Record<string, string>
  body: string
}

/**
 * `change` is done to what is sent. Throws FreewayError `invalid_request_error` for what Messages cannot say: several answers at once,
 * logprobs, sound.
 */
export function writeRequest(
  body: Uint8Array | ChatBody,
  options: { model: string; stream: boolean; change?: (fields: Fields) => void },
): WrittenRequest {
  const fields = (body instanceof Uint8Array ? JSON.parse(decoder.decode(body)) : body) as ChatBody
  if ((fields.n ?? 1) > 1) throw unsaid('n', 'this model gives one answer at a time')
  if (fields.logprobs === true) throw unsaid('logprobs', 'this model does not tell them')
  const { stop_sequences, tool_extras, hosted_tools, betas, tool_choice, ...beyond } = extensionOf(fields)
  const own = fields[EXTENSION] !== undefined
  const { system, messages } = writeMessages(fields.messages, createIdCleaner())
  const tools = writeTools(fields.tools, tool_extras, hosted_tools)
  const choice = tools.length === 0 ? undefined : (tool_choice ?? writeToolChoice(fields.tool_choice, fields.parallel_tool_calls))
  const effort = own || !mayThink(messages, choice) ? undefined : writeEffort(fields.reasoning_effort)
  const maxTokens = fields.max_completion_tokens ?? fields.max_tokens ?? DEFAULT_MAX_TOKENS
  const stops = stop_sequences ?? stopsOf(fields.stop)
  const written: Fields = {
    model: options.model,
    max_tokens: effort === undefined ? maxTokens : maxTokens + effort.tokens,
    messages,
    ...(system !== undefined && { system }),
    ...(fields.temperature != null && effort === undefined && { temperature: own ? fields.temperature : Math.min(1, fields.temperature) }),
    ...(fields.top_p != null && effort === undefined && { top_p: fields.top_p }),
    ...(Array.isArray(stops) && stops.length > 0 && { stop_sequences: stops }),
    ...(tools.length > 0 && { tools }),
    ...(choice !== undefined && { tool_choice: choice }),
    ...(effort && { thinking: effort.thinking }),
    ...(!own && beyondOfChat(fields)),
    ...beyond,
    ...(options.stream && { stream: true }),
  }
  options.change?.(written)
  return {
    headers: { 'anthropic-version': VERSION, ...(typeof betas === 'string' && { 'anthropic-beta': betas }) },
    body: JSON.stringify(written),
  }
}

function beyondOfChat({ user, response_format }: ChatBody): Fields {
  const schema = response_format?.type === 'json_schema' ? response_format.json_schema?.schema : undefined
  return {
    ...(user && { metadata: { user_id: user } }),
    ...(schema && { output_config: { format: { type: 'json_schema', schema } } }),
  }
}

/** Anthropic refuses thought beside a forced tool, before a prefill, and after calls that were made without it. */
function mayThink(messages: Fields[], choice: unknown): boolean {
  const type = (choice as Fields | undefined)?.type
  if (type === 'any' || type === 'tool') return false
  const last = messages.findLast(({ role }) => role === 'assistant')
  if (last === undefined) return true
  if (last === messages.at(-1)) return false
  const blocks = Array.isArray(last.content) ? (last.content as Fields[]) : []
  return !blocks.some((block) => block.type === 'tool_use') || blocks.some((block) => block.type === 'thinking')
}

/** Sequences of white space alone are refused. */
function stopsOf(stop: ChatBody['stop']): string[] {
  const given = typeof stop === 'string' ? [stop] : (stop ?? [])
  return given.filter((sequence) => sequence.trim() !== '')
}

function unsaid(param: string, why: string): FreewayError {
  return new FreewayError('invalid_request_error', `${param}: ${why}`, { param })
}
