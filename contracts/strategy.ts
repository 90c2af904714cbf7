// How a provider is chosen: the strategies that come with freeway by their names, and those that operators define.

import { z } from 'zod'
import { providerName, virtualModels } from './catalog.ts'

/** `random` has no virtual model: it is asked for by `strategy` alone. */
export const strategyNames = [...virtualModels, 'random'] as const
export type StrategyName = (typeof strategyNames)[number]

/** FreeAI's words for the same. */
const synonyms: Record<string, StrategyName> = {
  fastest: 'fast',
  best_quality: 'quality',
  coding: 'code',
  cheapest: 'cheap',
  long_context: 'long',
}

const byName = new Map<string, StrategyName>([...strategyNames.map((name) => [name, name] as const), ...Object.entries(synonyms)])

/** Undefined if it is none of ours: then it may be one that the operator has stored. */
export function builtInStrategyOf(name: string): StrategyName | undefined {
  return byName.get(name)
}

/** What of a candidate can be weighed against the rest; each is from 0 to 1, and 1 is best. */
export const qualities = ['quality', 'speed', 'headroom', 'reliability', 'cost', 'context', 'spread'] as const
export type Quality = (typeof qualities)[number]

const numbers = [
  'weight',
  'last_latency_ms',
  'latency_ema_ms',
  'requests_today',
  'requests_this_minute',
  'rpm_limit',
  'rpd_limit',
  'rpd_remaining',
  'tokens_today',
  'total_failures',
] as const
export type NumberField = (typeof numbers)[number]

const numberOps = ['eq', 'ne', 'lt', 'lte', 'gt', 'gte', '==', '!=', '<', '<=', '>', '>='] as const
export type NumberOp = (typeof numberOps)[number]

const ofTags = { field: z.literal('tags'), op: z.literal('contains'), value: z.string().min(1).max(64) }
const ofName = { field: z.literal('name'), op: z.enum(['eq', 'ne', '==', '!=']), value: z.string().min(1).max(64) }
const ofNumber = { field: z.enum(numbers), op: z.enum(numberOps), value: z.number() }
/** What a preference that is met adds to a score that lies between 0 and the provider's weight. Negative: it tells against. */
const added = { weight: z.number().min(-100).max(100).default(1) }

const requirement = z.discriminatedUnion('field', [z.strictObject(ofTags), z.strictObject(ofName), z.strictObject(ofNumber)])
const preference = z.discriminatedUnion('field', [
  z.strictObject({ ...ofTags, ...added }),
  z.strictObject({ ...ofName, ...added }),
  z.strictObject({ ...ofNumber, ...added }),
])
export type Requirement = z.infer<typeof requirement>
export type Preference = z.infer<typeof preference>

const MAX_RULES = 32

/** As it is stored by the admin routes. `null`: like `auto`. `require` filters providers out, `prefer` adds to their score. */
export const strategyDefinition = z
  .strictObject({
    require: z.array(requirement).max(MAX_RULES).default([]),
    prefer: z.array(preference).max(MAX_RULES).default([]),
  })
  .nullable()
export type StrategyDefinition = z.infer<typeof strategyDefinition>

/** A stored strategy may not take the name of one of ours. */
export const storedStrategyName = z
  .string()
  .regex(/^[a-z0-9_]{1,32}$/, 'must match [a-z0-9_]{1,32}')
  .refine((name) => !byName.has(name), 'is the name of a built-in strategy')

/** What was changed of routing while freeway runs; one document. */
export const routingSettings = z.strictObject({
  /** One more with every change. */
  version: z.int().min(0).default(0),
  /** For requests that name neither a strategy nor a model. */
  default_strategy: z.string().default('auto'),
  /** False: every request is one attempt. */
  enable_fallback: z.boolean().default(true),
  strategies: z.record(z.string(), z.strictObject({ definition: strategyDefinition, description: z.string().max(500) })).default({}),
})
export type RoutingSettings = z.infer<typeof routingSettings>

/** As it stands in freeway.json: providers and tags to be favoured, and how much each quality counts. */
export const configuredStrategy = z.strictObject({
  prefer: z.array(providerName).optional(),
  tags: z.array(z.string().min(1)).optional(),
  weights: z.partialRecord(z.enum(qualities), z.number().min(0)).optional(),
})
export type ConfiguredStrategy = z.infer<typeof configuredStrategy>
