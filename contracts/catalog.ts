// What a provider and a model are. The router owns the catalogue and publishes it; everybody else watches it.

import { z } from 'zod'

export const providerName = z.string().regex(/^[a-z0-9][a-z0-9_-]{0,31}$/, 'must match [a-z0-9][a-z0-9_-]{0,31}')

export const capabilities = ['chat', 'tools', 'vision', 'json_schema', 'reasoning', 'code', 'audio', 'long_context'] as const

export const model = z.strictObject({
  /** The provider's own name. */
  id: z.string().min(1).max(200),
  display_name: z.string().optional(),
  capabilities: z.array(z.string()).default(['chat']),
  /** Tokens. */
  context_window: z.int().min(1).default(8192),
  max_output: z.int().min(1).optional(),
  /** 1 is best. */
  intelligence_rank: z.number().min(1).default(50),
  speed_rank: z.number().min(1).default(50),
  enabled: z.boolean().default(true),
})
export type Model = z.infer<typeof model>

export const provider = z.strictObject({
  name: providerName,
  display_name: z.string().optional(),
  base_url: z.url({ protocol: /^https?$/ }),
  /** Environment variables that may hold the key, in order. */
  env: z.array(z.string()).default([]),
  /** False for local servers that ask for none. */
  needs_key: z.boolean().default(true),
  enabled: z.boolean().default(true),
  /** Greater is chosen first. */
  weight: z.number().min(0).default(1),
  tags: z.array(z.string()).default([]),
  /** Whether a call may cost money. */
  metered: z.boolean().default(false),
  /** Parallel calls of one worker process. */
  max_concurrency: z.int().min(1).default(64),
  rpm_limit: z.int().min(1).optional(),
  rpd_limit: z.int().min(1).optional(),
  tpm_limit: z.int().min(1).optional(),
  tpd_limit: z.int().min(1).optional(),
  /** Upstream first byte in ms; reasoning models may take longer. */
  first_byte_ms: z.int().min(1).default(20_000),
  stall_ms: z.int().min(1).default(30_000),
  models: z.array(model).min(1),
})
export type Provider = z.infer<typeof provider>

/** `configured`: a key is there or none is needed; only such providers are routed to. No secret ever stands here. */
export const catalog = z.object({
  providers: z.array(provider.extend({ configured: z.boolean() })),
  /** Public name → `provider/model`. */
  aliases: z.array(z.tuple([z.string(), z.string()])),
})
export type Catalog = z.infer<typeof catalog>
export type CatalogProvider = Catalog['providers'][number]

/** Sending one of these as `model` leaves the choice to freeway. `freeway-…` are synonyms of `freeai-…`. */
export const virtualModels = ['auto', 'fast', 'quality', 'code', 'reasoning', 'cheap', 'vision', 'long'] as const
export type VirtualModel = (typeof virtualModels)[number]

const virtualByName = new Map<string, VirtualModel>()
for (const name of virtualModels) for (const prefix of ['freeai-', 'freeway-']) virtualByName.set(prefix + name, name)
virtualByName.set('auto', 'auto')
virtualByName.set('fast', 'fast')
virtualByName.set('quality', 'quality')

export function virtualModelOf(name: string): VirtualModel | undefined {
  return virtualByName.get(name)
}
