import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { loadSettings } from './settings.ts'
import { SettingsError } from './settings-error.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'freeway-settings-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const dotEnv = (text: string) => writeFileSync(join(folder, '.env'), text)
const config = (value: unknown) => writeFileSync(join(folder, 'freeway.json'), typeof value === 'string' ? value : JSON.stringify(value))
const load = (env: Record<string, string | undefined> = {}) => loadSettings(env, folder)
function faultsOf(env: Record<string, string | undefined> = {}): string[] {
  try {
    load(env)
  } catch (error) {
    expect(error).toBeInstanceOf(SettingsError)
    return (error as Error).message.split('\n')
  }
  return []
}

describe('environment', () => {
  it('needs nothing to be set', () => {
    expect(load()).toMatchObject({
      host: '127.0.0.1',
      port: 3001,
      dataDir: join(folder, 'data'),
      demo: 'auto',
      natsUrl: undefined,
      mongodbUrl: undefined,
      otlpEndpoint: undefined,
      requestTimeoutMs: 300_000,
      drainMs: 120_000,
      slotLeaseMs: 15_000,
      trustedProxies: [],
      logLevel: 'info',
      providers: {},
      aliases: {},
      strategies: {},
      clients: [],
    })
  })

  it('is read, and what is empty counts as not set', () => {
    const env = { HOST: '0.0.0.0', PORT: ' 8080 ', FREEWAY_DATA: '/var/freeway', FREEWAY_DEMO: 'off', NATS_URL: '', FREEWAY_DRAIN_MS: '0' }
    expect(load(env)).toMatchObject({ host: '0.0.0.0', port: 8080, dataDir: '/var/freeway', demo: 'off', natsUrl: undefined, drainMs: 0 })
  })

  it('says where servers of models run on this machine', () => {
    const { local } = load({
      FREEWAY_LOCAL: 'on',
      OLLAMA_HOST: ' 0.0.0.0 ',
      OLLAMA_CONTEXT_LENGTH: '32768',
      CUSTOM_BASE_URL: 'http://127.0.0.1:5000/v1',
    })
    expect(local).toMatchObject({
      mode: 'on',
      hosts: { ollama: '0.0.0.0' },
      ollamaContext: 32_768,
      customBaseUrl: 'http://127.0.0.1:5000/v1',
    })
    const nowhere = { ollama: undefined, llamacpp: undefined, lmstudio: undefined, vllm: undefined }
    expect(load({ OLLAMA_CONTEXT_LENGTH: '0' }).local).toEqual({
      mode: 'auto',
      hosts: nowhere,
      customBaseUrl: undefined,
      ollamaContext: undefined,
    })
  })

  it('wins over .env, which may be quoted and begin with a byte order mark', () => {
    dotEnv('\uFEFFPORT="4000"\n# a comment\nHOST=\'::1\'\nFREEWAY_DEMO=on\n')
    expect(load({ FREEWAY_DEMO: 'off', HOST: undefined })).toMatchObject({ port: 4000, host: '::1', demo: 'off' })
  })

  it.each([
    ['PORT', 'http', 'environment: PORT: expected a port number from 0 to 65535, e.g. 3001'],
    ['FREEWAY_LOCAL', 'yes', 'environment: FREEWAY_LOCAL: expected on, off, auto'],
    ['CUSTOM_BASE_URL', '127.0.0.1:5000', 'environment: CUSTOM_BASE_URL: expected an http or https address, e.g. http://127.0.0.1:8000/v1'],
    ['PORT', '65536', 'environment: PORT: expected a port number from 0 to 65535, e.g. 3001'],
    ['PORT', '-1', 'environment: PORT: expected a port number from 0 to 65535, e.g. 3001'],
    ['PORT', '1e3', 'environment: PORT: expected a port number from 0 to 65535, e.g. 3001'],
    ['FREEWAY_WORKER_KEYS', 'groq=many', 'environment: FREEWAY_WORKER_KEYS: expected providers, e.g. groq,gemini=2'],
    ['FREEWAY_DEMO', 'yes', 'environment: FREEWAY_DEMO: expected on, off, auto'],
    ['REQUIRE_AUTH', '1', 'environment: REQUIRE_AUTH: expected true, false'],
    ['FREEWAY_KEY_PREFIX', 'no good', 'environment: FREEWAY_KEY_PREFIX: expected up to 16 letters, digits, _ or -, e.g. fai_'],
    ['FREEWAY_LOG_LEVEL', 'loud', 'environment: FREEWAY_LOG_LEVEL: expected debug, info, warn, error'],
    ['FREEWAY_REQUEST_TIMEOUT_MS', '0', 'environment: FREEWAY_REQUEST_TIMEOUT_MS: expected milliseconds, e.g. 300000'],
    ['FREEWAY_REQUEST_TIMEOUT_MS', '99999999999', 'environment: FREEWAY_REQUEST_TIMEOUT_MS: expected milliseconds, e.g. 300000'],
    ['MONGODB_URL', 'localhost:27017', 'environment: MONGODB_URL: expected mongodb://host:port/database'],
    ...['http://127.0.0.1:4222', 'nats://user:hunter2@a b', 'nats://a:4222,', 'nats://a:port'].map((url) => [
      'NATS_URL',
      url,
      'environment: NATS_URL: expected nats://host:4222 or tls://host:4222, several with commas between',
    ]),
    [
      'OTEL_EXPORTER_OTLP_ENDPOINT',
      'localhost:4318',
      'environment: OTEL_EXPORTER_OTLP_ENDPOINT: expected an http or https address, e.g. http://127.0.0.1:4318',
    ],
    [
      'FREEWAY_TRUSTED_PROXIES',
      '10.0.0.0/33',
      'environment: FREEWAY_TRUSTED_PROXIES: expected addresses or CIDR ranges separated by commas, e.g. 10.0.0.0/8,::1',
    ],
    [
      'FREEWAY_TRUSTED_PROXIES',
      'proxy',
      'environment: FREEWAY_TRUSTED_PROXIES: expected addresses or CIDR ranges separated by commas, e.g. 10.0.0.0/8,::1',
    ],
  ])('refuses %s=%s and says what to do', (name, value, fault) => expect(faultsOf({ [name]: value })).toEqual([fault]))

  it('names every fault at once', () => {
    expect(faultsOf({ PORT: 'x', FREEWAY_DEMO: 'x' }).map((fault) => fault.split(': ')[1])).toEqual(['PORT', 'FREEWAY_DEMO'])
  })

  it('takes proxies as addresses and ranges', () => {
    expect(load({ FREEWAY_TRUSTED_PROXIES: '10.0.0.0/8, ::1,192.168.1.2' }).trustedProxies).toEqual(['10.0.0.0/8', '::1', '192.168.1.2'])
  })

  it('asks for keys, and issues them with a prefix, as the operator wants', () => {
    expect(load({})).toMatchObject({ requireAuth: false, keyPrefix: 'fai_' })
    expect(load({ REQUIRE_AUTH: 'true', FREEWAY_KEY_PREFIX: 'my-' })).toMatchObject({ requireAuth: true, keyPrefix: 'my-' })
  })

  it('turns tracing off with OTEL_SDK_DISABLED', () => {
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4318' }
    expect(load(env).otlpEndpoint).toBe('http://127.0.0.1:4318')
    expect(load({ ...env, OTEL_SDK_DISABLED: 'true' }).otlpEndpoint).toBeUndefined()
  })
})

describe('freeway.json', () => {
  it('overrides only what it names: no default of a provider slips in', () => {
    config({ providers: { alpha: { base_url: 'http://127.0.0.1:9001/v1', rpm_limit: 30 } } })
    expect(load().providers).toEqual({ alpha: { base_url: 'http://127.0.0.1:9001/v1', rpm_limit: 30 } })
  })

  it.each([
    [{ signup: 'yes' }, 'access.signup: expected off, community, open'],
    [{ member_limits: { rpm: 3 } }, 'access.member_limits.rpm: unknown field'],
    [{ checkin: true }, 'access.checkin: unknown field'],
    [{ discord_roles: { Verified: 'verified' } }, 'access.discord_roles.Verified: expected the id of a role, 15 to 20 digits'],
    [{ discord_roles: { '111111111111111111': 'Very Good' } }, 'access.discord_roles.111111111111111111: must match [a-z0-9_-]{1,32}'],
  ])('refuses the rules %j for clients, with the path', (access, fault) => {
    config({ access })
    expect(faultsOf()).toEqual([`freeway.json: ${fault}`])
  })

  it('is taken as a whole', () => {
    const written = {
      providers: {
        alpha: {
          weight: 1,
          tags: ['fast'],
          rpd_limit: 1000,
          tpm_limit: 6000,
          tpd_limit: 100_000,
          max_concurrency: 32,
          metered: false,
          models: [{ id: 'm-large' }],
        },
      },
      clients: [
        { name: 'my-app', key_hash: `sha256:${'0'.repeat(64)}`, rpm_limit: 60, max_concurrency: 10, daily_limit: 1000, tier: 'member' },
      ],
      aliases: { 'opc/deepseek-v4-flash-free': 'alpha/m-large' },
      strategies: { 'my-mix': { prefer: ['alpha'], tags: ['fast'], weights: { quality: 0.7, speed: 0.3 } } },
    }
    config(written)
    const { providers, clients, aliases, strategies } = load()
    expect({ clients, aliases, strategies }).toEqual({ clients: written.clients, aliases: written.aliases, strategies: written.strategies })
    expect(providers.alpha).toMatchObject({
      ...written.providers.alpha,
      models: [{ id: 'm-large', capabilities: ['chat'], context_window: 8192 }],
    })
  })

  it.each([
    [{ providers: { alpha: { rpm_limit: -5 } } }, 'providers.alpha.rpm_limit: expected a positive integer'],
    [{ providers: { alpha: { rpm_limit: 1.5 } } }, 'providers.alpha.rpm_limit: expected a positive integer'],
    [{ providers: { alpha: { rpm_limit: '30' } } }, 'providers.alpha.rpm_limit: expected a number'],
    [{ providers: { alpha: { rpm_limt: 30 } } }, 'providers.alpha.rpm_limt: unknown field'],
    [{ providers: { alpha: { base_url: 'ftp://x' } } }, 'providers.alpha.base_url: expected an http or https address'],
    [{ providers: { alpha: { models: [] } } }, 'providers.alpha.models: must not be empty'],
    [{ providers: { alpha: { models: [{ id: 'a' }, { id: 'b', ctx: 1 }] } } }, 'providers.alpha.models[1].ctx: unknown field'],
    [{ providers: { alpha: { models: { a: { ctx: 1 } } } } }, 'providers.alpha.models.a.ctx: unknown field'],
    [{ providers: { alpha: { name: 'beta' } } }, 'providers.alpha.name: unknown field'],
    [{ providers: { alpha: { api_key: ' ' } } }, 'providers.alpha.api_key: must not be empty'],
    [{ providers: { alpha: { api_keys: [] } } }, 'providers.alpha.api_keys: must not be empty'],
    [{ providers: { alpha: { api_keys: ['sk-1', ''] } } }, 'providers.alpha.api_keys[1]: must not be empty'],
    [{ providers: { alpha: { api_key: 'env:' } } }, 'providers.alpha.api_key: expected the name of a variable after env:'],
    [{ providers: { Alpha: {} } }, 'providers.Alpha: must match [a-z0-9][a-z0-9_-]{0,31}'],
    [{ clients: [{ name: 'a' }] }, 'clients[0].key_hash: is missing'],
    [{ clients: [{ name: 'a', key_hash: 'fai_abc' }] }, 'clients[0].key_hash: expected sha256: and 64 hexadecimal digits in lower case'],
    [{ aliases: { a: 'b' } }, 'aliases.a: expected provider/model'],
    [{ aliases: { a: [] } }, 'aliases.a: must not be empty'],
    [{ aliases: { full: 'a/b' } }, 'aliases.full: is the name of a route'],
    [{ strategies: { a: { weights: { speed: -1 } } } }, 'strategies.a.weights.speed: expected 0 or more'],
    [{ provider: {} }, 'provider: unknown field'],
    [[], 'expected an object'],
  ])('refuses %j with the path', (written, fault) => {
    config(written)
    expect(faultsOf()).toEqual([`freeway.json: ${fault}`])
  })

  it('says where the JSON is broken, without quoting it', () => {
    config('{"providers": {"alpha": {"api_key": "sk-very-secret",\n}}}')
    expect(faultsOf()).toEqual(['freeway.json: is not valid JSON (line 2 column 1)'])
    config('{"api_key": sk-very-secret}')
    expect(faultsOf()).toEqual(['freeway.json: is not valid JSON'])
  })

  it('must be there if FREEWAY_CONFIG names it', () => {
    expect(faultsOf({ FREEWAY_CONFIG: 'other.json' })).toEqual([
      `${join(folder, 'other.json')}: cannot be read (ENOENT); FREEWAY_CONFIG names the file`,
    ])
    writeFileSync(join(folder, 'other.json'), '{"aliases":{"a":"b/c"}}')
    expect(load({ FREEWAY_CONFIG: 'other.json' }).aliases).toEqual({ a: 'b/c' })
  })
})

describe('keys', () => {
  const alpha = { name: 'alpha', env: ['ALPHA_KEY', 'ALPHA_TOKEN'] }

  it('come from freeway.json first, then from the variables in order, trimmed and each once', () => {
    const env = { ALPHA_KEY: ' ', ALPHA_TOKEN: ' second \n', OTHER: 'other' }
    expect(load(env).keysOf(alpha)).toEqual(['second'])
    expect(load({ ...env, ALPHA_KEY: 'first' }).keysOf(alpha)).toEqual(['first', 'second'])
    config({ providers: { alpha: { api_key: ' literal ' } } })
    expect(load(env).keysOf(alpha)).toEqual(['literal', 'second'])
    config({ providers: { alpha: { api_key: 'env:OTHER', api_keys: ['literal', 'env:ALPHA_TOKEN'] } } })
    expect(load(env).keysOf(alpha)).toEqual(['other', 'literal', 'second'])
    expect(load({ ALPHA_KEY: 'first' }).keysOf(alpha)).toEqual(['literal', 'first'])
  })

  it('are absent for names that every object has', () => {
    expect(load().keysOf({ name: 'constructor', env: ['constructor', '__proto__', 'toString'] })).toEqual([])
  })

  it('stand in no field of the settings', () => {
    dotEnv('ALPHA_KEY=canary-1\nFREEWAY_ADMIN_TOKEN=canary-2\n')
    config({ providers: { alpha: { api_key: 'canary-3' } } })
    const settings = load({ FREEWAY_SECRET: 'canary-4' })
    expect(JSON.stringify(settings)).not.toContain('canary')
    expect(settings.secretOf('FREEWAY_ADMIN_TOKEN')).toBe('canary-2')
    expect(settings.secretOf('FREEWAY_SECRET')).toBe('canary-4')
  })
})
