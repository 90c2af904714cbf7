// Providers and other names of models, as an admin sees and changes them.

import { z } from 'zod'
import { aliasTargets } from '#contracts/catalog-change.ts'
import { keyVerdict } from '#contracts/key-trial.ts'
import type { LimitView, ProviderStatus } from '#contracts/router-question.ts'
import { newProvider, providerPatch } from '../../admin/provider-change.ts'
import { gives, json, type Operation } from '../operation.ts'
import { given, taken } from '../schemas.ts'

const tag = 'Providers'
const count = z.int().nullable()
const text = z.string().nullable()
const limit = given(
  'LimitView',
  z.object({
    pool: z.string().describe('Whoever names the same pool shares what is left.'),
    account: z.string(),
    unit: z.string(),
    per: text.describe('null: at any one time.'),
    max: z.number(),
    used: z.number(),
    remaining: z.number(),
    resets_in_ms: z.number(),
    source: z.enum(['configured', 'learned']),
    learned_max: z.number().optional(),
  }) satisfies z.ZodType<LimitView>,
)
const status = given(
  'ProviderStatus',
  z.object({
    name: z.string(),
    enabled: z.boolean(),
    has_key: z.boolean(),
    healthy: z.boolean().describe('Whether any of its models may be called now.'),
    requests_today: z.int().describe('Since midnight UTC, all its keys together.'),
    requests_this_minute: z.int(),
    rpm_limit: count.describe('For one key.'),
    rpd_limit: count,
    tpm_limit: count,
    tpd_limit: count,
    tokens_today: z.int(),
    weight: z.number(),
    last_latency_ms: z.number().nullable(),
    latency_ema_ms: z.number().nullable(),
    tags: z.array(z.string()),
    default_model: text,
    last_error: z.string().optional(),
    display_name: z.string(),
    status: text,
    terms: text.describe('What using it asks of the operator.'),
    as_of: text,
    base_url: z.string(),
    configured: z.boolean().describe('Whether it may be routed to: it has a key, or needs none.'),
    key_source: z.enum(['stored', 'settings']).nullable(),
    custom: z.boolean(),
    metered: z.boolean(),
    accounts: z.array(z.string()).describe('One for each key.'),
    models: z.int(),
    success_rate: z.number().nullable(),
    total_failures: z.int(),
    cooldowns: z.array(
      z.object({
        account: z.string().optional(),
        model: z.string().optional(),
        reason: z.string(),
        ends_in_ms: z.number(),
        ends_at: z.string(),
      }),
    ),
    limits: z.array(limit),
  }) satisfies z.ZodType<ProviderStatus>,
)
const changed = given(
  'ChangedProvider',
  z.object({
    provider: status,
    model_warning: text.describe('Why `default_model` may be wrong.'),
    model_suggestions: z.array(z.string()),
    ignored_fields: z.array(z.string()).optional(),
  }),
)
const fields = {
  api_key: '"": it has no key. null: that of the settings.',
  api_keys: 'Several, each an account of its own; instead of `api_key`.',
  weight: 'What the score of its models is multiplied with; 0 is the last resort.',
  models: 'Those that differ, by id: the fields that do, or null for one that is to go; or the whole list.',
  rpm_limit: 'Requests per minute of one key; `rpd`: per day; `tpm`, `tpd`: tokens.',
}
const name = { name: 'Of the provider, e.g. `groq`.' }
const ok = gives('It is done.', z.object({ ok: z.literal(true) }), { ok: true })
const path = '/api/providers'

export const providerOperations: Operation[] = [
  {
    method: 'GET',
    path,
    id: 'listProviders',
    tag,
    summary: 'List providers',
    answers: gives('All that the catalogue knows.', z.array(status)),
  },
  {
    method: 'POST',
    path,
    id: 'addProvider',
    tag,
    summary: 'Add a provider of your own',
    errors: [409],
    body: {
      content: json(taken('NewProvider', newProvider.extend({ name: z.string() }), { api_key: 'Its key.', api_keys: fields.api_keys }), {
        name: 'mine',
        base_url: 'http://127.0.0.1:9001/v1',
        api_key: 'sk-0123456789',
        models: [{ id: 'm-large', capabilities: ['chat', 'tools'], context_window: 131_072 }],
      }),
    },
    answers: { 201: { about: 'The provider.', content: json(changed) } },
  },
  {
    method: 'GET',
    path: `${path}/{name}`,
    id: 'retrieveProvider',
    tag,
    summary: 'Look at a provider',
    params: name,
    errors: [404],
    answers: gives('The provider.', status),
  },
  {
    method: 'PATCH',
    path: `${path}/{name}`,
    id: 'changeProvider',
    tag,
    summary: 'Change a provider',
    description: 'Only the fields that are sent change; null takes away what was set here. Its health and quarantine are forgotten.',
    params: name,
    errors: [404],
    body: { content: json(taken('ProviderPatch', providerPatch, fields), { api_key: 'gsk_0123456789', weight: 2 }) },
    answers: gives('The provider as it is now.', changed),
  },
  {
    method: 'DELETE',
    path: `${path}/{name}`,
    id: 'removeProvider',
    tag,
    summary: 'Remove a provider of your own',
    params: name,
    errors: [404, 409],
    answers: ok,
  },
  {
    method: 'GET',
    path: `${path}/{name}/models`,
    id: 'listProviderModels',
    tag,
    summary: 'List the models of a provider',
    params: name,
    errors: [404],
    answers: gives(
      'Also those that cannot be called.',
      z.object({
        provider: z.string(),
        models: z.array(
          z.object({
            id: z.string(),
            display_name: z.string(),
            context_window: z.int(),
            max_output: count,
            capabilities: z.array(z.string()),
            enabled: z.boolean(),
            tier: z.string(),
            status: text,
            note: text,
          }),
        ),
      }),
    ),
  },
  {
    method: 'POST',
    path: `${path}/{name}/reset`,
    id: 'resetProvider',
    tag,
    summary: 'Forget health, quarantine and what the provider said of its limits',
    params: name,
    errors: [404],
    answers: ok,
  },
  {
    method: 'POST',
    path: `${path}/{name}/test`,
    id: 'testProvider',
    tag,
    summary: 'Try out the keys of a provider',
    params: name,
    errors: [404],
    answers: gives(
      'What came of it, for each key.',
      z.object({ provider: z.string(), ok: z.boolean(), message: z.string().optional(), keys: z.array(given('KeyVerdict', keyVerdict)) }),
    ),
  },
  {
    method: 'GET',
    path: '/api/aliases',
    id: 'listAliases',
    tag,
    summary: 'List other names of models',
    answers: gives('All of them.', z.array(z.object({ alias: z.string(), targets: z.array(z.string()), stored: z.boolean() }))),
  },
  {
    method: 'PUT',
    path: '/api/aliases/{alias}',
    id: 'setAlias',
    tag,
    summary: 'Give a model another name',
    params: { alias: 'Slashes may be percent-encoded or not.' },
    errors: [409],
    body: {
      content: json(
        taken('AliasTargets', z.object({ targets: aliasTargets }), { targets: '`provider/model`, or several in order of preference.' }),
        {
          targets: ['groq/llama-3.3-70b-versatile'],
        },
      ),
    },
    answers: gives(
      'The alias.',
      z.object({ alias: z.string(), targets: z.array(z.string()), stored: z.literal(true), warnings: z.array(z.string()) }),
    ),
  },
  {
    method: 'DELETE',
    path: '/api/aliases/{alias}',
    id: 'removeAlias',
    tag,
    summary: 'Take a name back',
    params: { alias: 'As it was set.' },
    errors: [404],
    answers: ok,
  },
]
