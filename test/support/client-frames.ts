// What a stream may hold in each format, event by event: every key that clients read, and nothing that they trip over.
// Sources: OpenAI's API description 2.3.0, the Open Responses specification, Anthropic's reference of streaming.

import { z } from 'zod'

const text = z.string()
const id = z.string().min(1)
const count = z.int().min(0)
const choiceLogprobs = z.looseObject({ content: z.array(z.looseObject({ token: text, logprob: z.number() })).nullable() }).nullable()

const toolDelta = z.union([
  z.strictObject({ index: count, id, type: z.literal('function'), function: z.strictObject({ name: id, arguments: text }) }),
  z.strictObject({ index: count, function: z.strictObject({ arguments: text }) }),
])
const openaiUsage = z
  .looseObject({ prompt_tokens: count, completion_tokens: count, total_tokens: count })
  .refine((usage) => usage.total_tokens === usage.prompt_tokens + usage.completion_tokens, 'the total is the sum')

/** With `include_usage`. */
export const chatChunk = z.strictObject({
  id,
  object: z.literal('chat.completion.chunk'),
  created: count,
  model: id,
  choices: z.array(
    z.strictObject({
      index: count,
      delta: z.looseObject({
        role: z.literal('assistant').optional(),
        content: text.nullish(),
        refusal: text.nullish(),
        reasoning_content: text.optional(),
        tool_calls: z.array(toolDelta).min(1).optional(),
      }),
      logprobs: choiceLogprobs,
      finish_reason: z.enum(['stop', 'length', 'tool_calls', 'content_filter', 'function_call']).nullable(),
    }),
  ),
  usage: openaiUsage.nullable(),
})

export const completionChunk = z.strictObject({
  id: text.startsWith('cmpl-'),
  object: z.literal('text_completion'),
  created: count,
  model: id,
  choices: z.array(
    z.strictObject({
      index: count,
      text,
      logprobs: z.looseObject({ tokens: z.array(text), token_logprobs: z.array(z.number()) }).nullable(),
      finish_reason: z.enum(['stop', 'length', 'content_filter']).nullable(),
    }),
  ),
  usage: openaiUsage.optional(),
})

const messagesUsage = z.strictObject({
  input_tokens: count,
  output_tokens: count,
  cache_creation_input_tokens: count.nullable(),
  cache_read_input_tokens: count.nullable(),
})
const block = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('text'), text: z.literal('') }),
  z.strictObject({ type: z.literal('thinking'), thinking: z.literal(''), signature: z.literal('') }),
  z.strictObject({ type: z.literal('redacted_thinking'), data: id }),
  z.strictObject({ type: z.literal('tool_use'), id: text.regex(/^toolu_[\w-]+$/), name: id, input: z.strictObject({}) }),
])
const blockDelta = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('text_delta'), text: id }),
  z.strictObject({ type: z.literal('thinking_delta'), thinking: id }),
  z.strictObject({ type: z.literal('signature_delta'), signature: id }),
  z.strictObject({ type: z.literal('input_json_delta'), partial_json: text }),
])
export const messagesEvent = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('message_start'),
    message: z.strictObject({
      id: text.startsWith('msg_'),
      type: z.literal('message'),
      role: z.literal('assistant'),
      model: id,
      content: z.tuple([]),
      stop_reason: z.null(),
      stop_sequence: z.null(),
      usage: messagesUsage,
    }),
  }),
  z.strictObject({ type: z.literal('ping') }),
  z.strictObject({ type: z.literal('content_block_start'), index: count, content_block: block }),
  z.strictObject({ type: z.literal('content_block_delta'), index: count, delta: blockDelta }),
  z.strictObject({ type: z.literal('content_block_stop'), index: count }),
  z.strictObject({
    type: z.literal('message_delta'),
    delta: z.strictObject({
      stop_reason: z.enum([
        'end_turn',
        'max_tokens',
        'stop_sequence',
        'tool_use',
        'pause_turn',
        'refusal',
        'model_context_window_exceeded',
      ]),
      stop_sequence: text.nullable(),
    }),
    usage: messagesUsage,
  }),
  z.strictObject({ type: z.literal('message_stop') }),
])

const itemStatus = z.enum(['in_progress', 'completed', 'incomplete'])
const outputText = z.strictObject({
  type: z.literal('output_text'),
  text,
  annotations: z.array(z.looseObject({})),
  logprobs: z.array(z.looseObject({})),
})
const refusalPart = z.strictObject({ type: z.literal('refusal'), refusal: text })
const contentPart = z.discriminatedUnion('type', [outputText, refusalPart])
const summaryPart = z.strictObject({ type: z.literal('summary_text'), text })
const item = z.discriminatedUnion('type', [
  z.strictObject({ id, type: z.literal('message'), status: itemStatus, role: z.literal('assistant'), content: z.array(contentPart) }),
  z.strictObject({ id, type: z.literal('function_call'), status: itemStatus, call_id: id, name: id, arguments: text }),
  z.strictObject({ id, type: z.literal('reasoning'), summary: z.array(summaryPart), encrypted_content: id.optional() }),
])
const responsesUsage = z.strictObject({
  input_tokens: count,
  input_tokens_details: z.strictObject({ cached_tokens: count, cache_write_tokens: count }),
  output_tokens: count,
  output_tokens_details: z.strictObject({ reasoning_tokens: count }),
  total_tokens: count,
})
export const responseObject = z.strictObject({
  id: text.startsWith('resp_'),
  object: z.literal('response'),
  created_at: count,
  completed_at: count.nullable(),
  status: z.enum(['queued', 'in_progress', 'completed', 'incomplete', 'failed', 'cancelled']),
  background: z.boolean(),
  error: z.strictObject({ code: id, message: id }).nullable(),
  incomplete_details: z.strictObject({ reason: z.enum(['max_output_tokens', 'content_filter']) }).nullable(),
  instructions: text.nullable(),
  max_output_tokens: count.nullable(),
  max_tool_calls: count.nullable(),
  model: id,
  output: z.array(item),
  parallel_tool_calls: z.boolean(),
  previous_response_id: text.nullable(),
  prompt_cache_key: text.nullable(),
  reasoning: z.strictObject({ effort: text.nullable(), summary: text.nullable() }),
  safety_identifier: text.nullable(),
  service_tier: text,
  store: z.boolean(),
  temperature: z.number(),
  text: z.strictObject({ format: z.looseObject({ type: text }), verbosity: text }),
  tool_choice: z.union([text, z.looseObject({ type: text })]),
  tools: z.array(z.looseObject({ type: text })),
  top_logprobs: count,
  top_p: z.number(),
  truncation: z.enum(['auto', 'disabled']),
  metadata: z.record(text, z.unknown()),
  frequency_penalty: z.number(),
  presence_penalty: z.number(),
  // A string or absent, never null.
  user: text.optional(),
  usage: responsesUsage.nullable(),
})

const numbered = { sequence_number: count }
const onItem = { ...numbered, item_id: id, output_index: count }
const onPart = { ...onItem, content_index: count }
const onSummary = { ...onItem, summary_index: count }
const event = <T extends string>(type: T) => ({ type: z.literal(`response.${type}` as const) })
const lifecycle = (['created', 'in_progress', 'completed', 'incomplete', 'failed'] as const).map((type) =>
  z.strictObject({ ...event(type), ...numbered, response: responseObject }),
)
export const responsesEvent = z.union([
  ...lifecycle,
  z.strictObject({ ...event('output_item.added'), ...numbered, output_index: count, item }),
  z.strictObject({ ...event('output_item.done'), ...numbered, output_index: count, item }),
  z.strictObject({ ...event('content_part.added'), ...onPart, part: contentPart }),
  z.strictObject({ ...event('content_part.done'), ...onPart, part: contentPart }),
  z.strictObject({ ...event('output_text.delta'), ...onPart, delta: text, logprobs: z.array(z.looseObject({})) }),
  z.strictObject({ ...event('output_text.done'), ...onPart, text, logprobs: z.array(z.looseObject({})) }),
  z.strictObject({
    ...event('output_text.annotation.added'),
    ...onPart,
    annotation_index: count,
    annotation: z.looseObject({ type: text }),
  }),
  z.strictObject({ ...event('refusal.delta'), ...onPart, delta: text }),
  z.strictObject({ ...event('refusal.done'), ...onPart, refusal: text }),
  z.strictObject({ ...event('function_call_arguments.delta'), ...onItem, delta: id }),
  z.strictObject({ ...event('function_call_arguments.done'), ...onItem, name: id, arguments: text }),
  z.strictObject({ ...event('reasoning_summary_part.added'), ...onSummary, part: summaryPart }),
  z.strictObject({ ...event('reasoning_summary_part.done'), ...onSummary, part: summaryPart }),
  z.strictObject({ ...event('reasoning_summary_text.delta'), ...onSummary, delta: id }),
  z.strictObject({ ...event('reasoning_summary_text.done'), ...onSummary, text }),
])

const openaiError = z.strictObject({ message: id, type: id, param: text.nullable(), code: text.nullable() })
/** What a stream that breaks off says in the end. */
export const brokenOff = {
  chat: z.strictObject({ error: openaiError }),
  messages: z.looseObject({ type: z.literal('error'), error: z.looseObject({ type: id, message: id }) }),
  responses: z.strictObject({
    type: z.literal('error'),
    ...numbered,
    code: id,
    message: id,
    param: text.nullable(),
    error: openaiError,
  }),
  php: z.looseObject({ error: id, code: count }),
}
