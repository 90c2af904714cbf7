// What a router may be asked over the bus, and the answer. One of them answers: every router hears the outcome of every attempt,
// and quotas are counted for all, so that their views differ by moments only.

import { z } from 'zod'
import { providerName } from './catalog.ts'
import { strategyDefinition } from './strategy.ts'

export const routerQuestion = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('providers'),
    /** Absent: all. */
    name: providerName.optional(),
    /** Of the changes that the answer has to know of. */
    version: z.int().min(0),
  }),
  z.object({ kind: z.literal('preview'), definition: strategyDefinition }),
])
export type RouterQuestion = z.infer<typeof routerQuestion>

/** A provider as its operator sees it: FreeAI's fields first. Null: there is none, or nobody knows. Times in ms. */
export interface ProviderStatus {
  name: string
  enabled: boolean
  has_key: boolean
  /** Whether any of its models may be called now. */
  healthy: boolean
  /** Since midnight UTC, all its keys together; the same for tokens. */
  requests_today: number
  requests_this_minute: number
  /** As it counts for one key: the operator's number, else the catalogue's. */
  rpm_limit: number | null
  rpd_limit: number | null
  tpm_limit: number | null
  tpd_limit: number | null
  tokens_today: number
  weight: number
  last_latency_ms: number | null
  latency_ema_ms: number | null
  tags: string[]
  default_model: string | null
  last_error?: string

  display_name: string
  /** Whether it gives anything away, what it asks of the operator, and the date of these facts. */
  status: string | null
  terms: string | null
  as_of: string | null
  base_url: string
  /** Whether it may be routed to: it has a key, or needs none. */
  configured: boolean
  /** Where its keys are from: an admin has stored them, or the environment and freeway.json. */
  key_source: 'stored' | 'settings' | null
  /** Whether it was added while freeway runs. */
  custom: boolean
  metered: boolean
  /** One for each key. */
  accounts: string[]
  models: number
  /** Of the latest calls, 0 to 1. */
  success_rate: number | null
  total_failures: number
  /** What rests, why and until when. Without an account: all of the provider; without a model: all of the account. */
  cooldowns: { account?: string; model?: string; reason: string; ends_in_ms: number; ends_at: string }[]
  limits: LimitView[]
}

/** One limit of a pool as it stands. */
export interface LimitView {
  /** Whoever names the same pool shares what is left. */
  pool: string
  account: string
  unit: string
  /** Null: at any one time. */
  per: string | null
  max: number
  used: number
  remaining: number
  /** Until nothing of it is used any more, if nothing is added. */
  resets_in_ms: number
  /** Whose number holds: ours, or what the provider has told since. */
  source: 'configured' | 'learned'
  /** What the provider has told, if it has. */
  learned_max?: number
}

/** What a strategy of the operator's would choose now. */
export interface Preview {
  /** Best first. */
  candidates: {
    name: string
    score: number
    healthy: boolean
    /** Null: there is no limit that we know of. */
    rpd_remaining: number | null
    /** Null: never called. */
    last_latency_ms: number | null
  }[]
  /** Providers with a key that `require` shuts out, and by which rule. */
  excluded: { name: string; reason: string }[]
  warnings: string[]
}

export interface RouterAnswers {
  providers: ProviderStatus[]
  preview: Preview
}

/** On the wire. A refusal's words are public. */
export type RouterReply<Kind extends RouterQuestion['kind']> = { answer: RouterAnswers[Kind] } | { refused: string }
