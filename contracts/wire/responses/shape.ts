// What a Responses request may look like, checked where we act on it; the rest passes by unseen. Pure.
// Field list: OpenAI's OpenAPI description of POST /responses.

import { z } from 'zod'
import { FreewayError } from '../../failure.ts'
import { EXTENSION_PREFIX } from '../../job.ts'
import { asInvalid, parseBody } from '../chat-completions/request.ts'

export type Fields = Record<string, unknown>

/** Under this key of a chat body, a message or a part stands what chat completions cannot say. */
export const EXTENSION = `${EXTENSION_PREFIX}responses`

const item = z.looseObject({ type: z.string().nullish(), role: z.string().nullish(), id: z.string().nullish() })
const typed = z.looseObject({ type: z.string() })

export const responsesRequest = z.looseObject({
  model: z.string().nullish(),
  input: z.union([z.string(), z.array(item)]).nullish(),
  instructions: z.string().nullish(),
  previous_response_id: z.string().nullish(),
  store: z.boolean().nullish(),
  background: z.boolean().nullish(),
  stream: z.boolean().nullish(),
  include: z.array(z.string()).nullish(),
  parallel_tool_calls: z.boolean().nullish(),
  max_output_tokens: z.number().int().min(1).nullish(),
  max_tool_calls: z.number().int().nullish(),
  text: z.looseObject({ format: typed.nullish(), verbosity: z.string().nullish() }).nullish(),
  reasoning: z.looseObject({ effort: z.string().nullish(), summary: z.string().nullish() }).nullish(),
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().min(0).max(1).nullish(),
  top_logprobs: z.number().int().min(0).max(20).nullish(),
  truncation: z.enum(['auto', 'disabled']).nullish(),
  metadata: z.looseObject({}).nullish(),
  user: z.string().nullish(),
  safety_identifier: z.string().nullish(),
  prompt_cache_key: z.string().nullish(),
  service_tier: z.string().nullish(),
  tools: z.array(typed).nullish(),
  tool_choice: z.union([z.string(), typed]).nullish(),
})
export type ResponsesRequest = z.infer<typeof responsesRequest>
export type InputItem = z.infer<typeof item>

/** Throws FreewayError 400, which names the field at fault. */
export function parseRequest(bytes: Uint8Array): ResponsesRequest {
  const fields = parseBody(bytes).fields
  const { input } = fields
  if (input !== undefined && input !== null && typeof input !== 'string') {
    const misfit = Array.isArray(input) ? input.findIndex((one) => asFields(one) === undefined) : -1
    if (!Array.isArray(input)) throw unsupportedInput('input', 'expected a string or a list of items')
    if (misfit >= 0) throw unsupportedInput(`input[${misfit}]`, 'expected an object')
  }
  const parsed = responsesRequest.safeParse(fields)
  if (!parsed.success) throw asInvalid(parsed.error.issues)
  for (const name of ['prompt', 'conversation'] as const) {
    // To answer without what it refers to would be a false success.
    if (fields[name] !== undefined && fields[name] !== null)
      throw invalid(`${name}: is not kept by this gateway; send its content in input`, name)
  }
  return parsed.data
}

/** The input as a list of items, whichever way it was written. */
export function inputItems({ input }: ResponsesRequest): InputItem[] {
  if (input === undefined || input === null) return []
  return typeof input === 'string' ? [{ type: 'message', role: 'user', content: [{ type: 'input_text', text: input }] }] : input
}

export function unsupportedInput(param: string, detail: string): FreewayError {
  return invalid(`unsupported responses input shape: ${param}: ${detail}`, param)
}

export function invalid(message: string, param: string, code?: string): FreewayError {
  return new FreewayError('invalid_request_error', message, { param, ...(code !== undefined && { code }) })
}

export function asFields(value: unknown): Fields | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : undefined
}

export function asText(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}
