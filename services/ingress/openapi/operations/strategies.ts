// How a provider is chosen, as an admin sees and changes it.

import { z } from 'zod'
import type { Preview } from '#contracts/router-question.ts'
import { strategyDefinition } from '#contracts/strategy.ts'
import { gives, json, type Operation } from '../operation.ts'
import { given, taken } from '../schemas.ts'

const tag = 'Strategies'
const strategy = given(
  'Strategy',
  z.looseObject({ name: z.string(), definition: strategyDefinition, description: z.string(), is_builtin: z.boolean() }),
)
const preview = given(
  'StrategyPreview',
  z.object({
    candidates: z.array(
      z.object({
        name: z.string(),
        score: z.number(),
        healthy: z.boolean(),
        rpd_remaining: z.number().nullable(),
        last_latency_ms: z.number().nullable(),
      }),
    ),
    excluded: z.array(z.object({ name: z.string(), reason: z.string() })),
    warnings: z.array(z.string()),
  }) satisfies z.ZodType<Preview>,
)
const config = given(
  'RoutingConfig',
  z.object({
    default_strategy: z.string(),
    enable_fallback: z.boolean(),
    available_strategies: z.array(z.string()),
    available_providers: z.array(z.string()),
  }),
)
const definition = { definition: '`require` filters providers out, `prefer` adds to their score; null: like `auto`.' }
const example = {
  require: [{ field: 'tags', op: 'contains', value: 'fast' }],
  prefer: [{ field: 'rpd_remaining', op: 'gt', value: 100, weight: 2 }],
}
const ofName = { name: 'Of the strategy.' }

export const strategyOperations: Operation[] = [
  {
    method: 'GET',
    path: '/api/strategies',
    id: 'listStrategies',
    tag,
    summary: 'List strategies',
    answers: gives("freeway's own and the operator's.", z.array(strategy)),
  },
  {
    method: 'POST',
    path: '/api/strategies',
    id: 'addStrategy',
    tag,
    summary: 'Store a strategy',
    errors: [409, 422],
    body: {
      content: json(
        taken(
          'NewStrategy',
          z.object({
            name: z.string().regex(/^[a-z0-9_]{1,32}$/),
            definition: strategyDefinition,
            description: z.string().max(500).optional(),
          }),
          definition,
        ),
        { name: 'my_mix', definition: example, description: 'fast ones first' },
      ),
    },
    answers: { 201: { about: 'The strategy.', content: json(strategy) } },
  },
  {
    method: 'POST',
    path: '/api/strategies/preview',
    id: 'previewStrategy',
    tag,
    summary: 'Try out a strategy',
    description: 'Tells whom it would choose now. Nothing is stored.',
    errors: [422],
    body: {
      content: json(taken('StrategyPreviewRequest', z.object({ definition: strategyDefinition }), definition), { definition: example }),
    },
    answers: gives('The best first.', preview),
  },
  {
    method: 'PATCH',
    path: '/api/strategies/{name}',
    id: 'changeStrategy',
    tag,
    summary: 'Change a strategy',
    params: ofName,
    errors: [404, 422],
    body: {
      content: json(
        taken(
          'StrategyChange',
          z.object({ name: z.string().optional(), definition: strategyDefinition.optional(), description: z.string().max(500).optional() }),
          {
            ...definition,
            name: 'That of the path: strategies are not renamed.',
          },
        ),
        { description: 'fast ones first' },
      ),
    },
    answers: gives('The strategy as it is now.', strategy),
  },
  {
    method: 'DELETE',
    path: '/api/strategies/{name}',
    id: 'removeStrategy',
    tag,
    summary: 'Remove a strategy',
    description: 'Where it was the default, `auto` is again.',
    params: ofName,
    errors: [400, 404],
    answers: gives('It is gone.', z.object({ ok: z.literal(true), default_strategy: z.string() }), { ok: true, default_strategy: 'auto' }),
  },
  {
    method: 'GET',
    path: '/api/config',
    id: 'getConfig',
    tag,
    summary: 'Look at the defaults of routing',
    answers: gives('What holds for requests that say nothing themselves.', config),
  },
  {
    method: 'PUT',
    path: '/api/config/strategy',
    id: 'setDefaultStrategy',
    tag,
    summary: 'Set the default strategy',
    body: { content: json(taken('DefaultStrategy', z.object({ default_strategy: z.string() })), { default_strategy: 'fast' }) },
    answers: gives('What holds now.', config),
  },
  {
    method: 'PUT',
    path: '/api/config/fallback',
    id: 'setFallback',
    tag,
    summary: 'Switch fallback on or off',
    body: {
      content: json(
        taken('Fallback', z.object({ enable_fallback: z.boolean() }), { enable_fallback: 'false: every request is one attempt.' }),
        { enable_fallback: true },
      ),
    },
    answers: gives('What holds now.', config),
  },
  {
    method: 'GET',
    path: '/api/tags',
    id: 'listTags',
    tag,
    summary: 'List tags of providers',
    answers: gives('Each with the providers that have it.', z.array(z.object({ tag: z.string(), providers: z.array(z.string()) }))),
  },
]
