// The lists of models.

import { z } from 'zod'
import type { Leaderboard } from '#contracts/question.ts'
import type { AnthropicList } from '../../catalog/anthropic.ts'
import type { FullEntry } from '../../catalog/full.ts'
import type { ModelEntry } from '../../catalog/models.ts'
import type { RandomModel } from '../../catalog/random.ts'
import { gives, type Operation } from '../operation.ts'
import { given } from '../schemas.ts'

const entry = {
  id: z.string().describe('To be sent as `model`.'),
  object: z.literal('model'),
  created: z.int().describe('Unix seconds.'),
  owned_by: z.string(),
  context_window: z.int().describe('Tokens.'),
  capabilities: z
    .array(z.string())
    .describe(
      '`chat`, `tools`, `vision`, `json_schema`, `reasoning`, `code`, `audio_in`, `embeddings`, `image_gen`, `image_edit`, `stt`, `tts`.',
    ),
  description: z.string().optional(),
}
const model = given('Model', z.object(entry) satisfies z.ZodType<ModelEntry>)
const full = given(
  'FullModel',
  z.object({
    ...entry,
    max_output: z.int().nullable().describe('Tokens; null: unknown, or chosen for each request.'),
    image_support: z.boolean().describe('Whether it reads pictures.'),
    tier: z.string(),
    access: z.enum(['open', 'granted', 'denied']).describe('Whether this caller may use it.'),
  }) satisfies z.ZodType<FullEntry>,
)
const anthropicModel = z.object({ type: z.literal('model'), id: z.string(), display_name: z.string(), created_at: z.string() })
const anthropicList = given(
  'AnthropicModelList',
  z.object({
    data: z.array(anthropicModel),
    has_more: z.boolean(),
    first_id: z.string().nullable(),
    last_id: z.string().nullable(),
  }) satisfies z.ZodType<AnthropicList>,
)
const list = <T extends z.ZodType>(one: T) => z.object({ object: z.literal('list'), data: z.array(one) })
const modelList = given('ModelList', list(model))
const example: ModelEntry = {
  id: 'freeai-auto',
  object: 'model',
  created: 1_767_225_600,
  owned_by: 'freeway',
  context_window: 1_048_576,
  capabilities: ['chat', 'tools', 'vision'],
  description: 'chosen by freeway for each request',
}
const tag = 'Models'

export const modelOperations: Operation[] = [
  {
    method: 'GET',
    path: '/v1/models',
    id: 'listModels',
    tag,
    summary: 'List models',
    description:
      "What can be called now and this key may use. With an `anthropic-version` header: as Anthropic's clients read it, page by page.",
    query: {
      limit: { schema: z.int().min(1).max(1000).default(1000), about: "Entries of a page; of Anthropic's list only, as all of these." },
      after_id: { schema: z.string(), about: '`last_id` of the page before.' },
      before_id: { schema: z.string(), about: '`first_id` of the page after.' },
    },
    answers: gives('The models.', z.union([modelList, anthropicList]), { object: 'list', data: [example] }),
  },
  {
    method: 'GET',
    path: '/v1/models/full',
    id: 'listFullModels',
    tag,
    summary: 'List models with sizes, tiers and access',
    answers: gives('The models.', list(full)),
  },
  {
    method: 'GET',
    path: '/v1/models/random',
    id: 'randomModel',
    tag,
    summary: 'Draw a model that works now',
    description: 'Of those that this key may use; ten times an hour.',
    errors: [429, 503],
    answers: gives(
      'The model.',
      given(
        'RandomModel',
        z.object({
          modelId: z.string().describe('To be sent as `model`.'),
          name: z.string(),
          capabilityMapping: z.string().describe('A name for this kind of model, to be sent as `model` as well.'),
          contextWindow: z.int(),
          providerId: z.string(),
        }) satisfies z.ZodType<RandomModel>,
      ),
    ),
  },
  {
    method: 'GET',
    path: '/v1/models/leaderboard',
    id: 'modelLeaderboard',
    tag,
    summary: 'Rank models by use',
    answers: gives(
      'The models of the last day, the most used first.',
      given(
        'Leaderboard',
        z.object({
          object: z.literal('list'),
          window: z.string(),
          data: z.array(
            z.object({
              rank: z.int(),
              id: z.string(),
              requests: z.int(),
              success_rate: z.number(),
              avg_latency_ms: z.number().nullable(),
              tokens: z.int(),
            }),
          ),
        }) satisfies z.ZodType<Leaderboard>,
      ),
    ),
  },
  {
    method: 'GET',
    path: '/v1/models/{model}',
    id: 'retrieveModel',
    tag,
    summary: 'Look up a model',
    params: { model: 'Any name that a request may send. Slashes and colons may be percent-encoded or not.' },
    errors: [404],
    answers: gives('The model.', z.union([model, anthropicModel]), example),
  },
]
