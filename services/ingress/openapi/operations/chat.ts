// Chat completions and Messages: the two formats in which most clients talk.

import { z } from 'zod'
import { chatBody } from '#contracts/job.ts'
import { countBody, messagesBody } from '#contracts/wire/messages/schema.ts'
import { EVENTS_TYPE, gives, json, type Operation } from '../operation.ts'
import { given, taken } from '../schemas.ts'

const MODEL = 'A name of `GET /v1/models`. Without it, freeway chooses by what is asked.'

const chatRequest = taken(
  'ChatCompletionRequest',
  chatBody.extend({
    strategy: z.string().nullish(),
    preferred_provider: z.string().nullish(),
    fallback: z.boolean().nullish(),
  }),
  {
    model: MODEL,
    messages: 'The conversation. Content is a text or a list of parts: `text`, `image_url`, `input_audio`, `file`.',
    stream: 'Answer as server-sent events, which end with `data: [DONE]`.',
    stream_options: '`include_usage`: a last chunk with token counts.',
    response_format: '`json_object`, or `json_schema` with a schema that the answer follows.',
    reasoning_effort: '`none`, `minimal`, `low`, `medium`, `high`, `xhigh`, `max`; the nearest that the model knows, if any.',
    n: 'How many answers. Asked of providers that give several.',
    logprobs: 'Asked of providers that tell them.',
    strategy:
      "How a provider is chosen: `auto`, `fast`, `quality`, `code`, `reasoning`, `cheap`, `vision`, `long`, `random`, or the operator's own.",
    preferred_provider: "Raises this provider's rank; does not exclude others.",
    fallback: 'false: one attempt, at one provider.',
  },
)

const usage = given('Usage', z.looseObject({ prompt_tokens: z.int(), completion_tokens: z.int(), total_tokens: z.int() }))
const toolCall = given(
  'ToolCall',
  z.looseObject({
    id: z.string(),
    type: z.string(),
    function: z.looseObject({ name: z.string(), arguments: z.string().describe('JSON as a text.') }).optional(),
  }),
)
export const completion = given(
  'ChatCompletion',
  z.looseObject({
    id: z.string(),
    object: z.literal('chat.completion'),
    created: z.int().describe('Unix seconds.'),
    model: z.string().describe('Who answered, as its provider names it; `x-freeway-provider` says at whom.'),
    choices: z.array(
      z.looseObject({
        index: z.int(),
        message: z.looseObject({
          role: z.literal('assistant'),
          content: z.string().nullable(),
          refusal: z.string().nullable().optional(),
          reasoning_content: z.string().optional().describe('What the model thought, where it tells.'),
          tool_calls: z.array(toolCall).optional(),
        }),
        finish_reason: z.string().describe('`stop`, `length`, `tool_calls` or `content_filter`.'),
        logprobs: z.unknown().optional(),
      }),
    ),
    usage: usage.optional(),
  }),
)
export const completionChunk = given(
  'ChatCompletionChunk',
  z.looseObject({
    id: z.string(),
    object: z.literal('chat.completion.chunk'),
    created: z.int(),
    model: z.string(),
    choices: z
      .array(
        z.looseObject({
          index: z.int(),
          delta: z.looseObject({
            role: z.string().optional(),
            content: z.string().nullish(),
            reasoning_content: z.string().nullish(),
            tool_calls: z.array(z.looseObject({ index: z.int() })).optional(),
          }),
          finish_reason: z.string().nullish(),
        }),
      )
      .describe('Empty in the chunk that holds the usage.'),
    usage: usage.nullish(),
  }),
)

const message = given(
  'Message',
  z.looseObject({
    id: z.string(),
    type: z.literal('message'),
    role: z.literal('assistant'),
    model: z.string(),
    content: z.array(z.looseObject({ type: z.string().describe('`text`, `thinking`, `redacted_thinking` or `tool_use`.') })),
    stop_reason: z.string().nullable().describe('`end_turn`, `max_tokens`, `stop_sequence`, `tool_use` or `refusal`.'),
    stop_sequence: z.string().nullable(),
    usage: z.looseObject({ input_tokens: z.int(), output_tokens: z.int() }),
  }),
)
const messageEvent = given(
  'MessageEvent',
  z.looseObject({
    type: z
      .string()
      .describe(
        '`message_start`, `content_block_start`, `content_block_delta`, `content_block_stop`, `message_delta`, `message_stop`, `ping` or `error`; the `event:` line says the same.',
      ),
  }),
)
const messagesFields = {
  model: MODEL,
  messages: 'User and assistant in turn. A last message of the assistant is gone on with.',
  system: 'A text, or blocks of text.',
  stream: "Answer as server-sent events in Anthropic's order.",
  thinking: '`{"type": "enabled", "budget_tokens": 2048}` or `{"type": "disabled"}`.',
}

const hello = { model: 'freeai-auto', messages: [{ role: 'user', content: 'Say hello.' }] }

export const chatOperations: Operation[] = [
  {
    method: 'POST',
    path: '/v1/chat/completions',
    id: 'createChatCompletion',
    tag: 'Chat',
    summary: 'Chat completion',
    description:
      'OpenAI\'s Chat Completions with tools, structured outputs, pictures and sound. Fields that are not listed reach the provider as they are. `x-freeway-provider` and `x-freeway-model` of the answer say who gave it. When a stream fails after it began, its last event is `{"error": {…}}`, then `[DONE]`.',
    inference: true,
    body: { content: json(chatRequest, hello) },
    answers: {
      200: {
        about: 'The completion, or its chunks if `stream` is true.',
        content: {
          ...json(completion, {
            id: 'chatcmpl-ZWQ1t0Yb3xKp',
            object: 'chat.completion',
            created: 1_790_000_000,
            model: 'llama-3.3-70b-versatile',
            choices: [
              { index: 0, message: { role: 'assistant', content: 'Hello!', refusal: null }, finish_reason: 'stop', logprobs: null },
            ],
            usage: { prompt_tokens: 11, completion_tokens: 3, total_tokens: 14 },
          }),
          [EVENTS_TYPE]: {
            schema: completionChunk,
            example: {
              id: 'chatcmpl-ZWQ1t0Yb3xKp',
              object: 'chat.completion.chunk',
              created: 1_790_000_000,
              model: 'llama-3.3-70b-versatile',
              choices: [{ index: 0, delta: { content: 'Hello' }, finish_reason: null }],
            },
          },
        },
      },
    },
  },
  {
    method: 'POST',
    path: '/v1/messages',
    id: 'createMessage',
    tag: 'Chat',
    summary: 'Message',
    description:
      "Anthropic's Messages with tools, thinking, pictures, documents and prefill. Refusals have Anthropic's shape; an unknown model is 404. `anthropic-version` is accepted and not needed.",
    inference: true,
    errors: [404],
    body: {
      content: json(taken('MessagesRequest', messagesBody, { ...messagesFields, max_tokens: 'Of the answer, thinking included.' }), {
        ...hello,
        max_tokens: 256,
      }),
    },
    answers: {
      200: {
        about: 'The message, or its events if `stream` is true.',
        content: {
          ...json(message, {
            id: 'msg_ZWQ1t0Yb3xKp',
            type: 'message',
            role: 'assistant',
            model: 'llama-3.3-70b-versatile',
            content: [{ type: 'text', text: 'Hello!' }],
            stop_reason: 'end_turn',
            stop_sequence: null,
            usage: { input_tokens: 11, output_tokens: 3 },
          }),
          [EVENTS_TYPE]: {
            schema: messageEvent,
            example: { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'Hello' } },
          },
        },
      },
    },
  },
  {
    method: 'POST',
    path: '/v1/messages/count_tokens',
    id: 'countMessageTokens',
    tag: 'Chat',
    summary: 'Count the tokens of a message',
    description: 'An estimate from the length, the same by which requests are routed: no provider is asked.',
    body: { content: json(taken('CountTokensRequest', countBody, messagesFields), hello) },
    answers: gives('The estimate.', z.object({ input_tokens: z.int() }), { input_tokens: 11 }),
  },
]
