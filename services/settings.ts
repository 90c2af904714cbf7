// What the operator has set: environment, `.env` and freeway.json, read once at the start and checked.
// Secrets are handed out by function and never stand in a field, so that settings may be logged.

import { isIP } from 'node:net'
import { resolve } from 'node:path'
import { z } from 'zod'
import type { AccessSettingsChange } from '#contracts/account.ts'
import type { ConfiguredStrategy } from '#contracts/strategy.ts'
import type { ConfigFile, ConfiguredClient, ConfiguredProvider, RetryBudgetSettings } from './config-file.ts'
import { readConfigFile } from './config-file.ts'
import { type DiscordSettings, readDiscordSettings } from './discord-settings.ts'
import { type Environment, withDotEnv } from './dot-env.ts'
import type { LogLevel } from './logger.ts'
import { logLevels } from './logger.ts'
import type { KeyedProvider } from './provider-keys.ts'
import { providerKeys } from './provider-keys.ts'
import { describeIssues, SettingsError } from './settings-error.ts'

export interface Settings {
  host: string
  /** 0: any free port. */
  port: number
  /** Absolute. */
  dataDir: string
  /** Whether the simulator is served as provider `demo`; `auto`: only if there is no key at all. */
  demo: 'on' | 'off' | 'auto'
  /** Servers of models on this machine. */
  local: LocalSettings
  natsUrl: string | undefined
  /** Files: the seed of this service's user on the broker, and the authority that signed the broker's certificate. */
  natsSeedFile: string | undefined
  /** PEM files: the authority of the broker's certificate, and a certificate of our own. */
  natsTls: { caFile: string | undefined; certFile: string | undefined; keyFile: string | undefined }
  mongodbUrl: string | undefined
  /** Where /metrics and the probes are served; undefined: nowhere. */
  operationsPort: number | undefined
  operationsHost: string
  otlpEndpoint: string | undefined
  /** The whole of one client request, retries included. */
  requestTimeoutMs: number
  /** How long a request waits for a window of quota to open if it does not say so itself. */
  maxWaitMs: number
  /** Pictures by address are fetched for providers that take data only. */
  fetchImages: boolean
  /** How much may be tried again. */
  retryBudget: RetryBudgetSettings
  /** How long running streams may go on after SIGTERM. */
  drainMs: number
  /** So long after the last word of an ingress that has died, its clients may have its places among their parallel requests. */
  slotLeaseMs: number
  /** Addresses and CIDR ranges whose `X-Forwarded-For` is believed. */
  trustedProxies: string[]
  /** No request without a key, not even from this machine before there is any client. */
  requireAuth: boolean
  /** How the keys begin that are issued here. */
  keyPrefix: string
  logLevel: LogLevel
  /** By name: changes to catalogue entries, and providers of the operator's own. No secrets. */
  providers: Record<string, ConfiguredProvider>
  /** Public name → `provider/model`, or several in order of preference. */
  aliases: ConfigFile['aliases']
  strategies: Record<string, ConfiguredStrategy>
  clients: ConfiguredClient[]
  access: AccessSettingsChange
  /** Undefined: no community there. */
  discord: DiscordSettings | undefined
  /** By provider: how many keys its workers have, for a router that has none of them. */
  workerKeys: ReadonlyMap<string, number>
  /** A provider's keys, those of freeway.json first; the first is that of account `<provider>-1`. */
  keysOf(provider: KeyedProvider): string[]
  /** As it was set, also if empty; undefined if it was not set. */
  secretOf(variable: 'FREEWAY_ADMIN_TOKEN' | 'FREEWAY_SECRET' | 'FREEWAY_SECRET_OLD' | 'SITE_KEY' | 'NATS_NKEY_SEED'): string | undefined
}

export interface LocalSettings {
  /** Whether they are looked for; `auto`: only where all of freeway runs in one process. */
  mode: 'on' | 'off' | 'auto'
  /** As it was written: `host`, `host:port`, `:port` or an address. */
  hosts: Readonly<Record<'ollama' | 'llamacpp' | 'lmstudio' | 'vllm', string | undefined>>
  /** Any other OpenAI-compatible server. */
  customBaseUrl: string | undefined
  /** Tokens that Ollama was told to read. */
  ollamaContext: number | undefined
}

/** Reads `.env` and freeway.json below `cwd`; `env` wins over `.env`. Throws SettingsError, which names every fault. */
export function loadSettings(env: Environment, cwd: string): Settings {
  const merged = withDotEnv(env, cwd)
  const variables = readVariables(merged)
  const configPath = resolve(cwd, variables.FREEWAY_CONFIG ?? 'freeway.json')
  const { apiKeys, max_wait_s, retry_budget, ...config } = readConfigFile(configPath, variables.FREEWAY_CONFIG !== undefined)

  return {
    host: variables.HOST,
    port: variables.PORT,
    dataDir: resolve(cwd, variables.FREEWAY_DATA),
    demo: variables.FREEWAY_DEMO,
    local: {
      mode: variables.FREEWAY_LOCAL,
      hosts: {
        ollama: variables.OLLAMA_HOST,
        llamacpp: variables.LLAMACPP_HOST,
        lmstudio: variables.LMSTUDIO_HOST,
        vllm: variables.VLLM_HOST,
      },
      customBaseUrl: variables.CUSTOM_BASE_URL,
      ollamaContext: variables.OLLAMA_CONTEXT_LENGTH || undefined,
    },
    natsUrl: variables.NATS_URL,
    natsSeedFile: variables.NATS_NKEY_FILE,
    natsTls: { caFile: variables.NATS_CA_FILE, certFile: variables.NATS_CERT_FILE, keyFile: variables.NATS_KEY_FILE },
    mongodbUrl: variables.MONGODB_URL,
    operationsPort: variables.METRICS_PORT,
    operationsHost: variables.METRICS_HOST ?? variables.HOST,
    otlpEndpoint: variables.OTEL_SDK_DISABLED === 'true' ? undefined : variables.OTEL_EXPORTER_OTLP_ENDPOINT,
    requestTimeoutMs: variables.FREEWAY_REQUEST_TIMEOUT_MS,
    maxWaitMs: max_wait_s * 1000,
    fetchImages: variables.FREEWAY_FETCH_IMAGES === 'on',
    retryBudget: retry_budget,
    drainMs: variables.FREEWAY_DRAIN_MS,
    slotLeaseMs: variables.FREEWAY_SLOT_LEASE_MS,
    trustedProxies: variables.FREEWAY_TRUSTED_PROXIES,
    requireAuth: variables.REQUIRE_AUTH === 'true',
    keyPrefix: variables.FREEWAY_KEY_PREFIX,
    logLevel: variables.FREEWAY_LOG_LEVEL,
    ...config,
    discord: readDiscordSettings(merged),
    workerKeys: variables.FREEWAY_WORKER_KEYS,
    keysOf: (provider) => providerKeys(provider, apiKeys.get(provider.name) ?? [], merged),
    secretOf: (variable) => merged[variable],
  }
}

const MAX_PORT = 65_535
/** The longest time that a timer of the runtime can wait. */
const MAX_MS = 2 ** 31 - 1
const MAX_TOKENS = 100_000_000

function number(min: number, max: number, expected: string) {
  return z
    .string()
    .refine((text) => /^\d+$/.test(text) && Number(text) >= min && Number(text) <= max, expected)
    .transform(Number)
}

const port = (expected: string) => number(0, MAX_PORT, expected)
const wholeNumber = (min: number, max: number, otherwise: number, expected: string) => number(min, max, expected).default(otherwise)

const httpAddress = (expected: string) =>
  z
    .string()
    .refine((text) => /^https?:\/\//.test(text) && URL.canParse(text), expected)
    .optional()

const oneOf = <const T extends readonly [string, ...string[]]>(values: T) => z.enum(values, `expected ${values.join(', ')}`)

const variables = z.object({
  HOST: z
    .string()
    .regex(/^[^\s/]+$/, 'expected an address or a host name, e.g. 127.0.0.1, or 0.0.0.0 to be reachable from outside')
    .default('127.0.0.1'),
  PORT: port('expected a port number from 0 to 65535, e.g. 3001').default(3001),
  FREEWAY_DATA: z.string().default('./data'),
  FREEWAY_CONFIG: z.string().optional(),
  FREEWAY_WORKER_KEYS: z
    .string()
    .default('')
    .transform((text) => text.split(',').flatMap((part) => part.trim() || []))
    .refine((parts) => parts.every((part) => /^[a-z0-9][a-z0-9_-]{0,31}(=\d{1,3})?$/.test(part)), 'expected providers, e.g. groq,gemini=2')
    .transform((parts) => new Map(parts.map((part) => [part.split('=')[0] as string, Number(part.split('=')[1] ?? 1)]))),
  FREEWAY_DEMO: oneOf(['on', 'off', 'auto']).default('auto'),
  FREEWAY_LOCAL: oneOf(['on', 'off', 'auto']).default('auto'),
  FREEWAY_FETCH_IMAGES: oneOf(['on', 'off']).default('off'),
  FREEWAY_LOG_LEVEL: oneOf(logLevels).default('info'),
  FREEWAY_REQUEST_TIMEOUT_MS: wholeNumber(1, MAX_MS, 300_000, 'expected milliseconds, e.g. 300000'),
  FREEWAY_DRAIN_MS: wholeNumber(0, MAX_MS, 120_000, 'expected milliseconds, e.g. 120000'),
  FREEWAY_SLOT_LEASE_MS: wholeNumber(1_000, MAX_MS, 15_000, 'expected milliseconds from 1000, e.g. 15000'),
  FREEWAY_TRUSTED_PROXIES: z
    .string()
    .default('')
    .transform((text) =>
      text
        .split(',')
        .map((range) => range.trim())
        .filter(Boolean),
    )
    .refine((ranges) => ranges.every(isAddressRange), 'expected addresses or CIDR ranges separated by commas, e.g. 10.0.0.0/8,::1'),
  REQUIRE_AUTH: oneOf(['true', 'false']).default('false'),
  FREEWAY_KEY_PREFIX: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,15}$/, 'expected up to 16 letters, digits, _ or -, e.g. fai_')
    .default('fai_'),
  OLLAMA_HOST: z.string().optional(),
  OLLAMA_CONTEXT_LENGTH: wholeNumber(0, MAX_TOKENS, 0, 'expected a number of tokens, e.g. 32768'),
  LLAMACPP_HOST: z.string().optional(),
  LMSTUDIO_HOST: z.string().optional(),
  VLLM_HOST: z.string().optional(),
  CUSTOM_BASE_URL: httpAddress('expected an http or https address, e.g. http://127.0.0.1:8000/v1'),
  NATS_URL: z.string().refine(areBrokers, 'expected nats://host:4222 or tls://host:4222, several with commas between').optional(),
  NATS_NKEY_FILE: z.string().optional(),
  NATS_CA_FILE: z.string().optional(),
  NATS_CERT_FILE: z.string().optional(),
  NATS_KEY_FILE: z.string().optional(),
  MONGODB_URL: z
    .string()
    .regex(/^mongodb(\+srv)?:\/\/./, 'expected mongodb://host:port/database')
    .optional(),
  METRICS_PORT: port('expected a port number from 0 to 65535, e.g. 9464').optional(),
  METRICS_HOST: z.string().optional(),
  OTEL_EXPORTER_OTLP_ENDPOINT: httpAddress('expected an http or https address, e.g. http://127.0.0.1:4318'),
  OTEL_SDK_DISABLED: z.string().optional(),
})

/** A variable that is set but empty counts as not set. */
function readVariables(env: Environment): z.infer<typeof variables> {
  const set = Object.keys(variables.shape).map((name) => [name, env[name]?.trim() || undefined] as const)
  const result = variables.safeParse(Object.fromEntries(set), { reportInput: true })
  if (result.success) return result.data
  throw new SettingsError(describeIssues('environment', result.error.issues))
}

function areBrokers(text: string): boolean {
  const urls = text.split(',').map((part) => (part.includes('://') ? part.trim() : `nats://${part.trim()}`))
  return urls.every((url) => /^(nats|tls):\/\/[^/]/.test(url) && URL.canParse(url))
}

function isAddressRange(text: string): boolean {
  const [address = '', bits, ...rest] = text.split('/')
  const family = isIP(address)
  if (family === 0 || rest.length > 0) return false
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128))
}
