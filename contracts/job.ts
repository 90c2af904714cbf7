// What a client wants, in whatever format it was said. A chat job is OpenAI Chat Completions as superset:
// what we know is checked, what we do not know passes through untouched.

import { z } from 'zod'

const contentPart = z.looseObject({ type: z.string() })
const text = z.union([z.string(), z.array(contentPart)])

const toolCall = z.looseObject({
  id: z.string().optional(),
  type: z.string().optional(),
  function: z.looseObject({ name: z.string(), arguments: z.string().optional() }).optional(),
})

const message = z.looseObject({
  role: z.enum(['developer', 'system', 'user', 'assistant', 'tool', 'function']),
  content: text.nullish(),
  name: z.string().nullish(),
  tool_calls: z.array(toolCall).nullish(),
  tool_call_id: z.string().nullish(),
})

const tool = z.looseObject({
  type: z.string(),
  function: z
    .looseObject({
      name: z.string().min(1),
      description: z.string().nullish(),
      parameters: z.looseObject({}).nullish(),
      strict: z.boolean().nullish(),
    })
    .optional(),
})

const responseFormat = z.looseObject({
  type: z.string(),
  json_schema: z.looseObject({ name: z.string().optional(), schema: z.looseObject({}).optional() }).optional(),
})

const tokens = z.number().int().min(1)

/** Keys that begin so hold what a client's format has beyond chat completions. A provider that speaks that format gets it back, no other does. */
export const EXTENSION_PREFIX = 'x_freeway_'

/** The body that travels on the bus and, after the provider's request policy, to the provider. */
export const chatBody = z.looseObject({
  model: z.string().nullish(),
  messages: z.array(message).min(1),
  stream: z.boolean().nullish(),
  stream_options: z.looseObject({ include_usage: z.boolean().nullish() }).nullish(),
  max_tokens: tokens.nullish(),
  max_completion_tokens: tokens.nullish(),
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().min(0).max(1).nullish(),
  n: z.number().int().min(1).max(128).nullish(),
  stop: z.union([z.string(), z.array(z.string()).max(16)]).nullish(),
  seed: z.number().int().nullish(),
  frequency_penalty: z.number().min(-2).max(2).nullish(),
  presence_penalty: z.number().min(-2).max(2).nullish(),
  logprobs: z.boolean().nullish(),
  top_logprobs: z.number().int().min(0).max(20).nullish(),
  tools: z.array(tool).nullish(),
  tool_choice: z.union([z.string(), z.looseObject({})]).nullish(),
  parallel_tool_calls: z.boolean().nullish(),
  response_format: responseFormat.nullish(),
  reasoning_effort: z.string().nullish(),
  user: z.string().nullish(),
})
export type ChatBody = z.infer<typeof chatBody>
export type ChatMessage = z.infer<typeof message>

/** Capabilities that the answering model must have, and the room it needs. */
export const need = z.object({
  tools: z.boolean(),
  /** How many of them, if there are any. */
  tool_count: z.number().int().min(1).optional(),
  vision: z.boolean(),
  json: z.boolean(),
  /** Further capabilities, e.g. `audio_in`, `image_edit`; and what an answer must have: `choices` (several), `logprobs`. */
  also: z.array(z.string()).optional(),
  /** Tokens of context: input and requested output. */
  ctx: z.number().int().min(0),
})
export type Need = z.infer<typeof need>

/** Expected tokens, before the provider has counted; and what else limits of media count. */
export const estimate = z.object({
  in: z.number().int().min(0),
  out: z.number().int().min(0),
  audio_seconds: z.number().int().min(0).optional(),
  images: z.number().int().min(0).optional(),
})
export type Estimate = z.infer<typeof estimate>

export const jobKinds = ['chat', 'embedding', 'speech', 'transcription', 'image'] as const
export type JobKind = (typeof jobKinds)[number]

export interface Job {
  kind: JobKind
  stream: boolean
  /** The client asked for a usage chunk at the end of the stream. */
  includeUsage: boolean
  /** As the client wrote it; undefined means "choose for me". Never a token of a subject. */
  model: string | undefined
  strategy: string | undefined
  /** A provider to be favoured; does not exclude others. */
  preferred: string | undefined
  /** False: one attempt. */
  fallback: boolean
  /** The client wants to know why it goes where it goes. */
  explain?: boolean
  need: Need
  estimate: Estimate
  /** Of a chat: JSON; `model` and `stream` in it are overwritten by the worker. Of all others: as `contracts/media.ts` writes it. */
  body: Uint8Array
}
