// What became of an attempt: its outcome for the routers to learn from, and the end of its lease.

import { z } from 'zod'
import { learnedLimit } from './limit.ts'
import { isToken } from './subjects.ts'

const token = z.string().refine(isToken)
const ms = z.number().min(0)
export const usage = z.object({
  in: z.int().min(0),
  out: z.int().min(0),
  cached: z.int().min(0).optional(),
  reasoning: z.int().min(0).optional(),
  /** Of media: what other limits than those of tokens count. */
  audio_seconds: z.int().min(0).optional(),
  images: z.int().min(0).optional(),
  /** In credits, where the provider says it. */
  cost: z.number().min(0).optional(),
})
export type Usage = z.infer<typeof usage>

/** Where in a call it failed; `expired` and `gone` answer a grant that comes too late. */
export const phases = ['expired', 'gone', 'body', 'connect', 'status', 'ttfb', 'in_band', 'stream', 'limit'] as const
export type Phase = (typeof phases)[number]

/** What a provider's refusal means for us. */
export const refusalCodes = [
  'rate_limited',
  // It has no room for anybody at the moment; this is no limit of ours.
  'overloaded',
  // The key is wrong or barred.
  'auth',
  // The key is good and its credit spent.
  'payment',
  // The provider does not serve such as us: a country, a kind of client, or nobody any more.
  'blocked',
  'invalid_request',
  'context_length',
  // Too many bytes, whatever the context of the model.
  'too_large',
  'content_policy',
  'model_not_found',
  // This provider cannot serve such a request; another may.
  'unsupported',
  'server',
  'network',
  'timeout',
  'malformed',
  'truncated',
  'expired',
  'gone',
  'body',
] as const
export type RefusalCode = (typeof refusalCodes)[number]

export const refusalScopes = ['request', 'model', 'key', 'provider'] as const
export type RefusalScope = (typeof refusalScopes)[number]

const attemptOutcome = z.object({
  prov: token,
  account: token,
  model: z.string(),
  status: z.int(),
  phase: z.enum(phases).nullable(),
  /** Absent after a success. */
  code: z.enum(refusalCodes).optional(),
  scope: z.enum(refusalScopes).optional(),
  key_fault: z.boolean(),
  retry_after_ms: ms.nullable(),
  learned: z.array(learnedLimit).optional(),
  /** Output tokens per second, from the first token to the last. */
  tokens_per_second: z.number().min(0).optional(),
  /** Time to first token. */
  ttfb_ms: ms.nullable(),
})
export type AttemptOutcome = z.infer<typeof attemptOutcome>

const settle = z.object({
  t: z.literal('settle'),
  lease: z.string(),
  mode: z.enum(['actual', 'estimate']),
  usage,
  outcome: attemptOutcome.optional(),
})
const release = z.object({ t: z.literal('release'), lease: z.string(), outcome: attemptOutcome.optional() })
export const settlement = z.discriminatedUnion('t', [settle, release])
export type Settlement = z.infer<typeof settlement>
/** One request carries all transitions of an account since the last one; repeats do nothing. */
export const settlements = z.object({ t: z.literal('settlements'), items: z.array(settlement) })
export type Settlements = z.infer<typeof settlements>
export const settlementKinds: ReadonlySet<string> = new Set(['settlements'])
