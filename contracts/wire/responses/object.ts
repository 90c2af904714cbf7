// The response object: every key that clients read, always there. Pure.
// Key list: OpenAI's OpenAPI description and the Open Responses specification; one superset satisfies both.

import type { FreewayError } from '../../failure.ts'
import type { Fields, ResponsesRequest } from './shape.ts'
import { asFields } from './shape.ts'

export type Status = 'queued' | 'in_progress' | 'completed' | 'incomplete' | 'failed' | 'cancelled'

/** What is known of a response from its beginning. */
export interface ResponseHead {
  /** `resp_…` */
  id: string
  /** Seconds since 1970. */
  createdAt: number
  request: ResponsesRequest
}

/** What changes while it is made. */
export interface ResponseState {
  status: Status
  model: string
  output: object[]
  usage: object | null
  completedAt: number | null
  error: { code: string; message: string } | null
  incompleteReason: string | null
  /** It is kept, and can be gone on from. */
  stored: boolean
}

/** As JSON text. What the request said is rendered once, however many events repeat it. */
export function createResponseWriter(head: ResponseHead): (state: ResponseState) => string {
  const echo = JSON.stringify(echoOf(head.request)).slice(1)
  return (state) => {
    const own = JSON.stringify({
      id: head.id,
      object: 'response',
      created_at: head.createdAt,
      completed_at: state.completedAt,
      status: state.status,
      error: state.error,
      incomplete_details: state.incompleteReason === null ? null : { reason: state.incompleteReason },
      model: state.model,
      output: state.output,
      usage: state.usage,
      store: state.stored,
    })
    return `${own.slice(0, -1)},${echo}`
  }
}

function echoOf(request: ResponsesRequest): object {
  const { reasoning, text, tools, user } = request
  return {
    background: request.background ?? false,
    instructions: request.instructions ?? null,
    max_output_tokens: request.max_output_tokens ?? null,
    max_tool_calls: request.max_tool_calls ?? null,
    parallel_tool_calls: request.parallel_tool_calls ?? true,
    previous_response_id: request.previous_response_id ?? null,
    prompt_cache_key: request.prompt_cache_key ?? null,
    reasoning: { effort: reasoning?.effort ?? null, summary: reasoning?.summary ?? null },
    safety_identifier: request.safety_identifier ?? null,
    service_tier: 'default',
    temperature: request.temperature ?? 1,
    text: { format: formatOf(text?.format), verbosity: text?.verbosity ?? 'medium' },
    tool_choice: request.tool_choice ?? 'auto',
    tools: (tools ?? []).map(echoTool),
    top_logprobs: request.top_logprobs ?? 0,
    top_p: request.top_p ?? 1,
    truncation: request.truncation ?? 'disabled',
    metadata: request.metadata ?? {},
    frequency_penalty: 0,
    presence_penalty: 0,
    // A string or absent: null breaks the schema.
    ...(typeof user === 'string' && { user }),
  }
}

function echoTool(tool: Fields): Fields {
  if (tool.type !== 'function') return tool
  return {
    ...tool,
    name: tool.name,
    description: tool.description ?? null,
    parameters: tool.parameters ?? null,
    strict: tool.strict ?? null,
  }
}

function formatOf(format: unknown): Fields {
  const fields = asFields(format) ?? { type: 'text' }
  return fields.type === 'json_schema' ? { strict: null, ...fields } : fields
}

/** Codes by which clients tell failures apart; Codex knows the first two. */
export function errorCode(error: Pick<FreewayError, 'type'>): string {
  switch (error.type) {
    case 'rate_limit_error':
    case 'concurrency_limit_error':
    case 'glm_depleted':
      return 'rate_limit_exceeded'
    case 'context_length_exceeded':
      return 'context_length_exceeded'
    case 'invalid_request_error':
    case 'content_policy_violation':
      return 'invalid_prompt'
    default:
      return 'server_error'
  }
}
