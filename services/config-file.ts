// freeway.json: providers, clients, aliases and strategies as the operator wrote them.
// A wrong or unknown field stops the start with its path: a limit that is silently ignored costs money.

import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { z } from 'zod'
import type { Provider } from '#contracts/catalog.ts'
import { provider, providerName } from '#contracts/catalog.ts'
import { parseJson } from '#contracts/json.ts'
import { describeIssues, SettingsError } from './settings-error.ts'

/** What is set here replaces that field of the catalogue entry; `models` replaces the whole list. */
export type ConfiguredProvider = Partial<Omit<Provider, 'name'>>

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

const strategy = z.strictObject({
  prefer: z.array(providerName).optional(),
  tags: z.array(z.string().min(1)).optional(),
  weights: z.record(z.string(), z.number().min(0)).optional(),
})
export type ConfiguredStrategy = z.infer<typeof strategy>

const apiKey = z
  .string()
  .regex(/\S/, 'must not be empty')
  .refine((text) => !text.startsWith('env:') || /^env:[A-Za-z_][A-Za-z0-9_]*$/.test(text), 'expected the name of a variable after env:')

const configFile = z.strictObject({
  providers: z.record(providerName, partialProvider()).default({}),
  clients: z.array(client).default([]),
  aliases: z.record(z.string().min(1), z.string().regex(/^[^/\s]+\/\S+$/, 'expected provider/model')).default({}),
  strategies: z.record(z.string().min(1), strategy).default({}),
})

export interface ConfigFile {
  providers: Record<string, ConfiguredProvider>
  clients: ConfiguredClient[]
  aliases: Record<string, string>
  strategies: Record<string, ConfiguredStrategy>
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

/** Every field optional and without its default: what is not written here must not override the catalogue. */
function partialProvider(): z.ZodType<ConfiguredProvider & ApiKeys> {
  const fields = Object.entries(provider.shape).filter(([name]) => name !== 'name')
  const optional = fields.map(
    ([name, field]) =>
      [name, (field instanceof z.ZodDefault || field instanceof z.ZodPrefault ? field.unwrap() : field).optional()] as const,
  )
  return z.strictObject({
    ...Object.fromEntries(optional),
    api_key: apiKey.optional(),
    api_keys: z.array(apiKey).min(1).optional(),
  }) as unknown as z.ZodType<ConfiguredProvider & ApiKeys>
}
