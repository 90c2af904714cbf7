// OpenAI's Responses, and what can be done with one that is kept.

import { z } from 'zod'
import { responsesRequest } from '#contracts/wire/responses/shape.ts'
import { EVENTS_TYPE, gives, json, type Operation } from '../operation.ts'
import { given, taken } from '../schemas.ts'

const MODEL = 'A name of `GET /v1/models`. Without it, freeway chooses by what is asked.'
const fields = {
  model: MODEL,
  input: 'A text, or a list of items: messages, function calls and their outputs, reasoning.',
  instructions: 'What the model is told before all else; not carried over by `previous_response_id`.',
  previous_response_id: 'Goes on from a response that is kept.',
  store: 'false: the response is not kept. Else it is for a day.',
  background: 'true: answer at once, and work on; fetch the response or its stream later. Needs `store`.',
  stream: 'Answer as server-sent events, numbered by `sequence_number`.',
  tools: '`function`, `custom`, or a `namespace` of them.',
  text: '`format`: `text`, `json_object` or `json_schema`.',
}
const request = taken('ResponsesRequest', responsesRequest, fields)

const item = given('ResponseItem', z.looseObject({ type: z.string(), id: z.string().optional() }), {
  type: '`message`, `reasoning`, `function_call`, `custom_tool_call` and their like.',
})
const usage = z.looseObject({
  input_tokens: z.int(),
  input_tokens_details: z.looseObject({ cached_tokens: z.int() }),
  output_tokens: z.int(),
  output_tokens_details: z.looseObject({ reasoning_tokens: z.int() }),
  total_tokens: z.int(),
})
const response = given(
  'Response',
  z.looseObject({
    id: z.string(),
    object: z.literal('response'),
    created_at: z.int().describe('Unix seconds.'),
    completed_at: z.int().nullable(),
    status: z.enum(['queued', 'in_progress', 'completed', 'incomplete', 'failed', 'cancelled']),
    error: z.looseObject({ code: z.string(), message: z.string() }).nullable(),
    incomplete_details: z.looseObject({ reason: z.string() }).nullable(),
    model: z.string(),
    output: z.array(item),
    usage: usage.nullable(),
    store: z.boolean(),
    background: z.boolean(),
    previous_response_id: z.string().nullable(),
  }),
)
const event = given(
  'ResponseEvent',
  z.looseObject({
    type: z
      .string()
      .describe('`response.created`, `response.output_text.delta`, …, `response.completed`; the `event:` line says the same.'),
    sequence_number: z.int().describe('From 0. `starting_after` takes it.'),
  }),
)
const example = {
  id: 'resp_ZWQ1t0Yb3xKp',
  object: 'response',
  created_at: 1_790_000_000,
  completed_at: 1_790_000_001,
  status: 'completed',
  error: null,
  incomplete_details: null,
  model: 'llama-3.3-70b-versatile',
  output: [
    {
      id: 'msg_1',
      type: 'message',
      role: 'assistant',
      status: 'completed',
      content: [{ type: 'output_text', text: 'Hello!', annotations: [] }],
    },
  ],
  usage: {
    input_tokens: 11,
    input_tokens_details: { cached_tokens: 0 },
    output_tokens: 3,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: 14,
  },
  store: true,
  background: false,
  previous_response_id: null,
}
const either = {
  200: {
    about: 'The response, or its events if `stream` is true.',
    content: {
      ...json(response, example),
      [EVENTS_TYPE]: {
        schema: event,
        example: {
          type: 'response.output_text.delta',
          sequence_number: 4,
          item_id: 'msg_1',
          output_index: 0,
          content_index: 0,
          delta: 'Hello',
        },
      },
    },
  },
}
const params = { response_id: 'The `id` of a response. Those of other keys do not exist.' }
const tag = 'Responses'
const path = '/v1/responses'

export const responsesOperations: Operation[] = [
  {
    method: 'POST',
    path,
    id: 'createResponse',
    tag,
    summary: 'Response',
    description: "OpenAI's Responses with tools, structured outputs and summaries of reasoning.",
    inference: true,
    body: { content: json(request, { model: 'freeai-auto', input: 'Say hello.' }) },
    answers: either,
  },
  {
    method: 'POST',
    path: `${path}/input_tokens`,
    id: 'countResponseTokens',
    tag,
    summary: 'Count the tokens of an input',
    description: 'An estimate from the length: no provider is asked.',
    body: { content: json(request, { input: 'Say hello.' }) },
    answers: gives('The estimate.', z.object({ object: z.literal('response.input_tokens'), input_tokens: z.int() }), {
      object: 'response.input_tokens',
      input_tokens: 11,
    }),
  },
  {
    method: 'POST',
    path: `${path}/compact`,
    id: 'compactResponse',
    tag,
    summary: 'Compact a conversation',
    description: 'What was said so far as one item that later requests send in its place. `model` is required.',
    inference: true,
    body: { content: json(request, { model: 'freeai-auto', input: 'A long conversation.' }) },
    answers: gives(
      'The compacted conversation.',
      z.looseObject({ id: z.string(), object: z.literal('response.compaction'), created_at: z.int(), output: z.array(item), usage }),
    ),
  },
  {
    method: 'GET',
    path: `${path}/{response_id}`,
    id: 'retrieveResponse',
    tag,
    summary: 'Fetch a response',
    description: 'Also one that is still being made, on any replica. A stream that broke off is gone on with by `starting_after`.',
    params,
    query: {
      stream: { schema: z.enum(['true', 'false']), about: '`true`: its events instead.' },
      starting_after: { schema: z.int().min(0), about: 'Only events after this `sequence_number`.' },
    },
    errors: [404, 503],
    answers: either,
  },
  {
    method: 'GET',
    path: `${path}/{response_id}/input_items`,
    id: 'listResponseInputItems',
    tag,
    summary: 'List what a response was made from',
    params,
    query: {
      limit: { schema: z.int().min(1).max(100).default(20), about: 'Items of a page.' },
      order: { schema: z.enum(['asc', 'desc']).default('desc'), about: 'The oldest or the newest first.' },
      after: { schema: z.string(), about: '`last_id` of the page before.' },
    },
    errors: [404, 503],
    answers: gives(
      'A page.',
      z.object({
        object: z.literal('list'),
        data: z.array(item),
        first_id: z.string().nullable(),
        last_id: z.string().nullable(),
        has_more: z.boolean(),
      }),
    ),
  },
  {
    method: 'POST',
    path: `${path}/{response_id}/cancel`,
    id: 'cancelResponse',
    tag,
    summary: 'Cancel a response in the background',
    params,
    errors: [400, 404, 503],
    answers: gives('The response as it is now.', response, { ...example, status: 'cancelled', background: true }),
  },
  {
    method: 'DELETE',
    path: `${path}/{response_id}`,
    id: 'deleteResponse',
    tag,
    summary: 'Forget a response',
    description: 'One that is being made is cancelled.',
    params,
    errors: [404, 503],
    answers: gives('It is gone.', z.object({ id: z.string(), object: z.literal('response'), deleted: z.literal(true) }), {
      id: 'resp_ZWQ1t0Yb3xKp',
      object: 'response',
      deleted: true,
    }),
  },
]
