// freeway.json: providers, clients, aliases and strategies as the operator wrote them.
// A wrong or unknown field stops the start with its path: a limit that is silently ignored costs money.

import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { z } from 'zod'
import { type AccessSettingsChange, accessSettingsChange } from '#contracts/account.ts'
import { providerName } from '#contracts/catalog.ts'
import type { ProviderChange } from '#contracts/catalog-change.ts'
import { aliasName, aliasTargets, providerChangeFields } from '#contracts/catalog-change.ts'
import { parseJson } from '#contracts/json.ts'
import type { ConfiguredStrategy } from '#contracts/strategy.ts'
import { configuredStrategy } from '#contracts/strategy.ts'
import { describeIssues, SettingsError } from './settings-error.ts'

/**
 * What is set here replaces that field of the catalogue entry. `models` as a list replaces the whole list; as an object it is laid over
 * it: `{"new-model": {"context_window": 131072}, "unwanted": null, "slow": {"enabled": false}}`.
 */
export type ConfiguredProvider = ProviderChange

interface ApiKeys {
  api_key?: string
  api_keys?: string[]
}

const limit = z.int().min(1).optional()

const client = z.strictObject({
  name: z.string().min(1).max(100),
  /** SHA-256 of the client's key: the key itself never stands in a file. */
  key_hash: z.string().regex(/^sha256:[0-9a-f]{64}$/, 'expected sha256: and 64 hexadecimal digits in lower case'),
  rpm_limit: limit,
  max_concurrency: limit,
  daily_limit: limit,
  tier: z.string().min(1).optional(),
})
export type ConfiguredClient = z.infer<typeof client>

const apiKey = z
  .string()
  .regex(/\S/, 'must not be empty')
  .refine((text) => !text.startsWith('env:') || /^env:[A-Za-z_][A-Za-z0-9_]*$/.test(text), 'expected the name of a variable after env:')

const configuredProvider = z.strictObject({
  ...providerChangeFields,
  api_key: apiKey.optional(),
  api_keys: z.array(apiKey).min(1).optional(),
}) as unknown as z.ZodType<ConfiguredProvider & ApiKeys>

/** Shares of the requests of about the last minute that may be tried again, and how many always may. */
const retryBudget = z.strictObject({
  client: z.number().min(0).max(1).default(0.1),
  provider: z.number().min(0).max(1).default(0.2),
  at_least: z.int().min(0).default(3),
})
export type RetryBudgetSettings = z.infer<typeof retryBudget>

const configFile = z.strictObject({
  providers: z.record(providerName, configuredProvider).default({}),
  clients: z.array(client).default([]),
  aliases: z.record(aliasName, aliasTargets).default({}),
  strategies: z.record(z.string().min(1), configuredStrategy).default({}),
  access: accessSettingsChange.strict().default({}),
  max_wait_s: z.number().min(0).default(0),
  retry_budget: retryBudget.prefault({}),
})

export interface ConfigFile {
  providers: Record<string, ConfiguredProvider>
  clients: ConfiguredClient[]
  aliases: Record<string, string | string[]>
  strategies: Record<string, ConfiguredStrategy>
  /** As /api/settings shows them; what is set there counts more. */
  access: AccessSettingsChange
  /** How long a request waits for a window of quota to open if it does not say so itself, in seconds. */
  max_wait_s: number
  retry_budget: RetryBudgetSettings
  /** By provider: each the key itself, or `env:` and the name of a variable. */
  apiKeys: ReadonlyMap<string, string[]>
}

/** An absent file is an empty one, unless it is `required`. Throws SettingsError. */
export function readConfigFile(path: string, required: boolean): ConfigFile {
  const name = basename(path)
  const result = configFile.safeParse(readJson(path, required), { reportInput: true })
  if (!result.success) throw new SettingsError(describeIssues(name, result.error.issues))
  const { providers, ...rest } = result.data
  const apiKeys = new Map<string, string[]>()
  const withoutKeys: Record<string, ConfiguredProvider> = Object.create(null)
  for (const [provider, { api_key, api_keys, ...fields }] of Object.entries(providers)) {
    const keys = [...(api_key === undefined ? [] : [api_key]), ...(api_keys ?? [])]
    if (keys.length > 0) apiKeys.set(provider, keys)
    withoutKeys[provider] = fields
  }
  return { ...rest, providers: withoutKeys, apiKeys }
}

function readJson(path: string, required: boolean): unknown {
  let bytes: Uint8Array
  try {
    bytes = readFileSync(path)
  } catch (error) {
    if (!required && (error as NodeJS.ErrnoException).code === 'ENOENT') return {}
    throw new SettingsError(`${path}: cannot be read (${(error as NodeJS.ErrnoException).code}); FREEWAY_CONFIG names the file`)
  }
  try {
    return parseJson(bytes)
  } catch {
    throw new SettingsError(`${basename(path)}: is not valid JSON${placeOfFault(bytes)}`)
  }
}

/** The runtime's own message quotes the text, which may hold a key; only the place is taken from it. */
function placeOfFault(bytes: Uint8Array): string {
  try {
    JSON.parse(new TextDecoder().decode(bytes))
    return ''
  } catch (error) {
    return / \(line \d+ column \d+\)/.exec((error as Error).message)?.[0] ?? ''
  }
}
