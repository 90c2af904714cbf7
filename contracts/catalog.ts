// What a provider and a model are. The router owns the catalogue and publishes it; everybody else watches it.

import { z } from 'zod'
import { limit } from './limit.ts'
import { mediaRoute } from './media.ts'
import { fieldMap, requestPolicy } from './request-policy.ts'

export const providerName = z.string().regex(/^[a-z0-9][a-z0-9_-]{0,31}$/, 'must match [a-z0-9][a-z0-9_-]{0,31}')

export const capabilities = [
  'chat',
  'tools',
  'vision',
  'json_schema',
  'reasoning',
  'code',
  'audio_in',
  'embeddings',
  'image_gen',
  'image_edit',
  'stt',
  'tts',
] as const
export type Capability = (typeof capabilities)[number]

/** Who may use a model: anybody with a key, or accounts of a certain role. Operators may name roles of their own. */
const tier = z.string().regex(/^[a-z0-9_-]{1,32}$/, 'must match [a-z0-9_-]{1,32}')

const confidence = z.enum(['high', 'medium', 'low'])

/** What a call uses of limits that count neither calls nor tokens. */
export const cost = z.strictObject({
  unit: z.enum(['neurons', 'credits']),
  /** For a million tokens. */
  in: z.number().min(0).default(0),
  out: z.number().min(0).default(0),
  image: z.number().min(0).default(0),
  audio_minute: z.number().min(0).default(0),
})
export type Cost = z.infer<typeof cost>

export const model = z.strictObject({
  /** The provider's own name. */
  id: z.string().min(1).max(200),
  /** Stable for ever, also across catalogue updates: clients of FreeLLMAPI keep it. */
  model_id: z.int().min(1).optional(),
  display_name: z.string().optional(),
  /** One word for the same weights at different providers. */
  canonical: z.string().optional(),
  family: z.string().optional(),
  capabilities: z.array(z.string()).default(['chat']),
  /** Tokens. */
  context_window: z.int().min(1).default(8192),
  max_output: z.int().min(1).optional(),
  /** 1 is best. */
  intelligence_rank: z.number().min(1).default(50),
  speed_rank: z.number().min(1).default(50),
  size_label: z.enum(['Small', 'Medium', 'Large', 'Frontier']).optional(),
  tier: tier.default('public'),
  enabled: z.boolean().default(true),
  /** Why it is as it is, e.g. `active`, `retired`, `special_purpose`, `paid`. */
  status: z.string().optional(),
  /** Limits of this model, or of its pool. `limitsOf` says how they and those of its provider go together. */
  limits: z.array(limit).default([]),
  cost: cost.optional(),
  /** Models of one account that name the same pool share their limits. Absent: the model is its own pool. */
  pool: z.string().optional(),
  /** Whether the intelligence rank follows a public index or is a guess. */
  rank_basis: z.enum(['index', 'estimate']).optional(),
  /** How sure the facts of this row are. */
  confidence: confidence.optional(),
  /** Of an embedding. */
  dimensions: z.int().min(1).optional(),
  voices: z.array(z.string()).optional(),
  input_formats: z.array(z.string()).optional(),
  note: z.string().optional(),
  /** ISO date of the facts above. */
  as_of: z.string().optional(),
})
export type Model = z.infer<typeof model>

const auth = z.strictObject({
  style: z.enum(['bearer', 'header', 'none']).default('bearer'),
  /** For `header`. */
  header: z.string().default('authorization'),
  /** A call without a key is served as well, with smaller limits. */
  optional: z.boolean().default(false),
  /** What a call without a key says in its place. */
  anonymous: z.string().optional(),
  /** `account_id:api_token`: the first part fills `{account_id}` in addresses. */
  key_format: z.enum(['key', 'account_id:api_token']).default('key'),
})

/** How a key is tried out without spending much of it. Paths are relative to `base_url`, or whole addresses. */
const validate = z.strictObject({
  method: z.enum(['GET', 'POST']),
  path: z.string(),
  /** Where keys are tried that `path` does not know, e.g. those of an account instead of a person. */
  alt: z.string().optional(),
  ok: z.array(z.int()).default([200]),
  bad_key: z.array(z.int()).default([401, 403]),
  note: z.string().optional(),
})

/** How a provider says that a limit is reached. */
const limitSignal = z.strictObject({
  status: z.array(z.int()).default([429]),
  /** Whether `Retry-After` comes along, in words. */
  retry_after: z.string().optional(),
  /** What the body looks like. */
  body: z.string().optional(),
})

export const errorShapes = [
  'openai',
  'flat',
  'mistral',
  'google',
  'message',
  'problem',
  'cloudflare',
  'string_or_object',
  'openai_code_string',
  'code_error_string',
  'detail',
  'code_message_data',
  'anthropic_like',
  'errors_message',
] as const

const limitScope = z.enum(['model', 'account', 'address'])

const withKey = z.strictObject({
  limits: z.array(limit).optional(),
  limit_scope: limitScope.optional(),
  metered: z.boolean().optional(),
})

export const provider = z.strictObject({
  name: providerName,
  /** Other names by which clients call it: `hf/…` for `huggingface/…`. */
  aliases: z.array(z.string()).default([]),
  display_name: z.string().optional(),
  /** Whether it gives anything away today. `local`: a server of the operator's own. */
  status: z.enum(['active_free', 'trial_only', 'paid_only', 'local', 'restricted', 'retired']).optional(),
  /** What using it asks of the operator, in a sentence. */
  terms: z.string().optional(),
  as_of: z.string().optional(),
  confidence: confidence.optional(),
  /** May hold `{account_id}`. */
  base_url: z.url({ protocol: /^https?$/ }),
  /** What it speaks; a format is code, a provider is data. */
  format: z.enum(['chat-completions', 'messages', 'responses']).default('chat-completions'),
  auth: auth.prefault({}),
  /** Environment variables that may hold the key, in order; and, as their names tell, an address or an account. */
  env: z.array(z.string()).default([]),
  /** False for local servers that ask for none. */
  needs_key: z.boolean().default(true),
  enabled: z.boolean().default(true),
  /** What the score of its models is multiplied with when the choice is ours: 2 is far ahead, 0 is the last resort. */
  weight: z.number().min(0).default(1),
  tags: z.array(z.string()).default([]),
  /** Whether a call may cost money. */
  metered: z.boolean().default(false),
  default_model: z.string().optional(),
  /** Parallel calls of one worker process. */
  max_concurrency: z.int().min(1).default(64),
  /** Tools that one request may bring. Absent: as many as it likes. */
  max_tools: z.int().min(1).optional(),
  /** The operator's own numbers for a whole account, in place of those of `limits`. */
  rpm_limit: z.int().min(1).optional(),
  rpd_limit: z.int().min(1).optional(),
  tpm_limit: z.int().min(1).optional(),
  tpd_limit: z.int().min(1).optional(),
  limits: z.array(limit).default([]),
  /** Of its models that state none of their own: rather too much than too little. */
  cost: cost.optional(),
  /** For whom `limits` are counted: each model of an account by itself, or all of an account (or address) together. */
  limit_scope: limitScope.default('account'),
  /** Whose midnight ends a day that a refusal speaks of, where `limits` have none that says so. */
  clock: limit.shape.clock,
  /** What is different for a provider of optional keys once there is a key. */
  with_key: withKey.optional(),
  /** What its interface offers, in the words of `capabilities`, whether or not a model listed here can do it. */
  endpoints: z.array(z.string()).default([]),
  error_shape: z.enum(errorShapes).default('openai'),
  /**
   * Response headers that tell about limits: name in lower case → `<unit> limit|remaining|reset [window] [model|account] [form]`,
   * e.g. `requests remaining day`, `tokens reset minute duration`. The form of a reset: `seconds`, `duration` (`2m59.56s`),
   * `epoch_s` or `epoch_ms`. No window: whichever limit is meant at the time.
   */
  limit_headers: fieldMap.default({}),
  limit_signal: limitSignal.prefault({}),
  request_policy: requestPolicy.prefault({}),
  validate: validate.optional(),
  /** Addresses and habits of routes other than chat, by kind of job. Absent: as OpenAI has it. */
  media: z.strictObject({ embedding: mediaRoute, speech: mediaRoute, transcription: mediaRoute, image: mediaRoute }).partial().default({}),
  /** For humans who wonder why. */
  quirks: z.array(z.string()).default([]),
  /** Upstream first byte in ms. Three times as long where a model reasons, and where an answer is told only when it is whole. */
  first_byte_ms: z.int().min(1).default(20_000),
  stall_ms: z.int().min(1).default(30_000),
  /** Empty where nothing is known that may be used: the operator names models of his own. */
  models: z.array(model),
})
export type Provider = z.infer<typeof provider>

/**
 * `configured`: a key is there or none is needed; only such providers are routed to. `accounts`: one slug for each key,
 * `groq-1`, `groq-2`; each has limits and health of its own. No secret ever stands here.
 */
export const catalog = z.object({
  providers: z.array(
    provider.extend({
      configured: z.boolean(),
      accounts: z.array(z.string()).default([]),
      /** In the order of `accounts`: what stays the same for as long as the key does. Absent where routers do not know the keys. */
      key_ids: z.array(z.string()).optional(),
    }),
  ),
  /** Public name → `provider/model`. A name may occur several times: its targets in order of preference. `*` stands for any text. */
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
