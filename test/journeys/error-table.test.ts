// The public error table, row by row and in every format in which a client may ask: status, type, headers and the style of the words.

import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { FailureType } from '#contracts/failure.ts'
import type { Simulator } from '#services/simulator/simulator.ts'
import { type Gateway, startGateway } from '#test/support/gateway.ts'
import { startUpstream } from '#test/support/upstream.ts'

const FREEWAY_ADMIN_TOKEN = 'Zk3vQ9xR7mW2pL5tN8bH'
const TIMEOUT_MS = 2_000

interface Format {
  name: string
  path: string
  /** How the words are wrapped. */
  family: 'openai' | 'messages' | 'php'
  /** `undefined`: without naming a model. */
  body(model: string | undefined): Record<string, unknown> | FormData
}

const user = [{ role: 'user', content: 'hello' }]
function recording(model: string | undefined): FormData {
  const form = new FormData()
  if (model !== undefined) form.set('model', model)
  form.set('file', new File([wav()], 'hello.wav', { type: 'audio/wav' }))
  return form
}

const formats: readonly Format[] = [
  { name: 'chat', path: '/v1/chat/completions', family: 'openai', body: (model) => ({ model, messages: user }) },
  { name: 'messages', path: '/v1/messages', family: 'messages', body: (model) => ({ model, max_tokens: 9, messages: user }) },
  { name: 'responses', path: '/v1/responses', family: 'openai', body: (model) => ({ model, input: 'hello', store: false }) },
  { name: 'completions', path: '/v1/completions', family: 'openai', body: (model) => ({ model, prompt: 'hello' }) },
  { name: 'php', path: '/api/chat.php', family: 'php', body: (model) => ({ model_id: model ?? null, messages: user, stream: false }) },
  { name: 'embeddings', path: '/v1/embeddings', family: 'openai', body: (model) => ({ model, input: 'hello' }) },
  { name: 'images', path: '/v1/images/generations', family: 'openai', body: (model) => ({ model, prompt: 'hello' }) },
  { name: 'speech', path: '/v1/audio/speech', family: 'openai', body: (model) => ({ model, input: 'hello', voice: 'alloy' }) },
  { name: 'transcriptions', path: '/v1/audio/transcriptions', family: 'openai', body: recording },
]

/** Of half a second of silence. */
function wav(): Uint8Array<ArrayBuffer> {
  const bytes = 8_000
  const view = new DataView(new ArrayBuffer(44 + bytes))
  const text = (at: number, words: string) => {
    for (const [i, letter] of [...words].entries()) view.setUint8(at + i, letter.charCodeAt(0))
  }
  text(0, 'RIFF')
  view.setUint32(4, 36 + bytes, true)
  text(8, 'WAVEfmt ')
  view.setUint32(16, 16, true)
  view.setUint16(20, 1, true)
  view.setUint16(22, 1, true)
  view.setUint32(24, 8_000, true)
  view.setUint32(28, 16_000, true)
  view.setUint16(32, 2, true)
  view.setUint16(34, 16, true)
  text(36, 'data')
  view.setUint32(40, bytes, true)
  return new Uint8Array(view.buffer)
}

/** Those that take JSON. */
const written = formats.filter(({ name }) => name !== 'transcriptions')

let upstream: Simulator
let gateway: Gateway

/** Each is a provider in each format: one failure must not rest another. */
const faults: Record<string, object> = {
  rejected: { status: 400, body: { error: { message: 'the field is wrong', type: 'invalid_request_error' } } },
  long: {
    status: 400,
    body: {
      error: {
        message: "This model's maximum context length is 8192 tokens.",
        type: 'invalid_request_error',
        code: 'context_length_exceeded',
      },
    },
  },
  immoral: {
    status: 400,
    body: {
      error: {
        message: 'Your request was rejected by our safety system.',
        type: 'invalid_request_error',
        code: 'content_policy_violation',
      },
    },
  },
  limited: { status: 429, headers: { 'retry-after': '40' }, body: { error: { message: 'Rate limit reached: 5 requests per minute' } } },
  glm: { status: 429, headers: { 'retry-after': '7200' }, body: { error: { message: 'Usage limit reached for 5 hour.' } } },
  broken: { status: 500, body: { error: { message: 'oh no' } } },
  silent: { stall: 'head' },
}
const capabilities = ['chat', 'tools', 'embeddings', 'image_gen', 'tts', 'stt']
const fiveHours = [{ unit: 'requests', max: 1_000, per: '5h' }]

beforeAll(async () => {
  upstream = await startUpstream()
  const provider = (name: string, more: object = {}) => ({
    base_url: `${upstream.url}/v1`,
    api_key: 'sk-alpha',
    models: [{ id: `${name}-model`, capabilities, context_window: 100_000, ...more }],
  })
  const failing = Object.keys(faults).flatMap((fault) => formats.map(({ name }) => `${fault}-${name}`))
  const providers = failing.map((name) => [name, provider(name, name.startsWith('glm') ? { family: 'glm', limits: fiveHours } : {})])
  gateway = await startGateway({
    config: {
      providers: {
        alpha: {
          ...provider('alpha'),
          models: ['m', 'pro'].map((id) => ({ id, capabilities, tier: id === 'pro' ? 'verified' : 'public' })),
        },
        nokey: { base_url: `${upstream.url}/v1`, models: [{ id: 'n', capabilities }] },
        ...Object.fromEntries(providers),
      },
      retry_budget: { at_least: 10_000 },
    },
    env: {
      FREEWAY_ADMIN_TOKEN,
      FREEWAY_DEMO: 'off',
      FREEWAY_LOG_LEVEL: 'debug',
      FREEWAY_TRUSTED_PROXIES: '127.0.0.1',
      FREEWAY_REQUEST_TIMEOUT_MS: String(TIMEOUT_MS),
      SITE_KEY: 'site.example',
    },
  })
  // Without any client this machine would need no key.
  await client()
  for (const name of failing) upstream.setFault({ model: `${name}-model` }, faults[name.split('-')[0] as string])
})
afterAll(async () => {
  await gateway?.[Symbol.asyncDispose]()
  await upstream?.close()
})

async function admin(method: string, path: string, body?: object): Promise<Record<string, string>> {
  const headers = { 'x-admin-token': FREEWAY_ADMIN_TOKEN, 'content-type': 'application/json' }
  const response = await fetch(gateway.url + path, { method, headers, ...(body && { body: JSON.stringify(body) }) })
  expect(response.ok, `${method} ${path}`).toBe(true)
  return (await response.json()) as Record<string, string>
}

let clients = 0
const issued: string[] = []
async function client(fields: object = {}): Promise<string> {
  const { api_key = '' } = await admin('POST', '/api/clients', { name: `client ${++clients}`, rpm_limit: null, ...fields })
  issued.push(api_key)
  return api_key
}

interface Asked {
  key?: string | undefined
  /** `null`: without one. */
  model?: string | null
  headers?: Record<string, string>
  raw?: string
}

function ask(format: Format, { key, model = 'alpha/m', headers = {}, raw }: Asked): Promise<Response> {
  const body = raw ?? format.body(model ?? undefined)
  return fetch(gateway.url + format.path, {
    method: 'POST',
    headers: {
      ...(key === undefined ? {} : format.family === 'messages' ? { 'x-api-key': key } : { authorization: `Bearer ${key}` }),
      ...(body instanceof FormData ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    body: body instanceof FormData || typeof body === 'string' ? body : JSON.stringify(body),
  })
}

interface Row {
  /** In the words of the seeds. */
  row: string
  type: FailureType
  status: number
  /** What the message is, without the error id at its end. */
  message: string | RegExp
  code?: string
  param?: string
  /** Beside those that every row of this status has. */
  headers?: Record<string, string | RegExp>
  formats?: readonly Format[]
  arrange(format: Format): Promise<Asked>
}

const messagesWord: Record<number, string> = {
  400: 'invalid_request_error',
  401: 'authentication_error',
  403: 'permission_error',
  404: 'not_found_error',
  429: 'rate_limit_error',
  504: 'timeout_error',
}

async function expectRow(
  format: Format,
  response: Response,
  { type, status, message, code = type, param, headers = {} }: Row,
): Promise<void> {
  const text = await response.text()
  expect(issued.some((key) => text.includes(key))).toBe(false)
  const body = JSON.parse(text)
  // Anthropic's clients repeat a 400 of an unknown model.
  const expected = format.family === 'messages' && code === 'model_not_found' ? 404 : status
  expect(response.status, text).toBe(expected)
  const said: string = format.family === 'php' ? body.error : body.error.message
  const words = said.replace(/\. Error id: [a-z0-9-]{1,12}-[A-Za-z0-9]{12}$/, '').replace(/^prompt is too long: /, '')
  if (typeof message === 'string') expect(words).toBe(message)
  else expect(words).toMatch(message)
  expect(words).toMatch(/^[a-zA-Z0-9].*[^.]$/)
  const retry = response.headers.get('retry-after')
  if (format.family === 'openai') expect(body).toEqual({ error: { message: said, type, code, param: param ?? null } })
  if (format.family === 'messages') {
    const word = messagesWord[expected] ?? 'api_error'
    expect(body).toEqual({ type: 'error', error: { type: word, message: said, code }, request_id: response.headers.get('request-id') })
  }
  if (format.family === 'php') expect(body).toEqual({ error: said, code: expected, ...(retry && { retry_after: Number(retry) }) })
  expect(response.headers.get('www-authenticate')).toBe(status === 401 ? 'Bearer' : null)
  expect(response.headers.get('x-request-id')).toBeTruthy()
  if (status === 429 || status === 503) expect(retry).toMatch(/^[1-9]\d*$/)
  for (const [name, value] of Object.entries(headers)) {
    if (typeof value === 'string') expect([name, response.headers.get(name)]).toEqual([name, value])
    else expect(response.headers.get(name), name).toMatch(value)
  }
}

const banned = '203.0.113.9'
const left = { owner: 'who-left' }
const unknown = { owner: 'who-knows' }

const rows: readonly Row[] = [
  {
    row: '401 invalid_api_key',
    type: 'invalid_api_key',
    status: 401,
    message: 'missing or invalid API key: send it as "Authorization: Bearer <key>"',
    arrange: async () => ({}),
  },
  {
    row: '403 daily_checkin_required',
    type: 'daily_checkin_required',
    status: 403,
    message: 'this key has not checked in today: check in once per UTC day',
    async arrange() {
      await admin('PATCH', '/api/settings', { checkin_required: true })
      return { key: await client() }
    },
  },
  {
    row: '403 model_access_denied',
    type: 'model_access_denied',
    status: 403,
    message: 'this model is limited to the access tier "verified"',
    param: 'model',
    arrange: async () => ({ key: await client(), model: 'alpha/pro' }),
  },
  {
    row: '403 discord_membership_required',
    type: 'discord_membership_required',
    status: 403,
    message: 'the owner of this key has left the community: join again with the same account',
    async arrange() {
      await admin('PATCH', '/api/settings', { membership_required: true })
      const key = await client(left)
      await admin('PATCH', `/api/members/${left.owner}`, { membership: 'left' })
      return { key }
    },
  },
  {
    row: '403 user_paused',
    type: 'user_paused',
    status: 403,
    message: 'this account is paused by the staff of this gateway',
    async arrange() {
      const key = await client({ owner: 'who-is-paused' })
      await admin('PATCH', '/api/members/who-is-paused', { paused: true })
      return { key }
    },
  },
  {
    row: '403 ip_blacklisted',
    type: 'ip_blacklisted',
    status: 403,
    message: 'this address is banned; only the staff of this gateway can lift it',
    arrange: async () => ({ key: await client(), headers: { 'x-forwarded-for': banned } }),
  },
  {
    row: '403 client_signature_banned',
    type: 'client_signature_banned',
    status: 403,
    message: 'this client software is banned: switch to a supported client',
    arrange: async () => ({ key: await client(), headers: { 'user-agent': 'BadBot/2.0' } }),
  },
  {
    row: '400 invalid_request_error: invalid json payload',
    type: 'invalid_request_error',
    status: 400,
    message: 'invalid json payload',
    formats: written,
    arrange: async () => ({ key: await client(), raw: '{"model":' }),
  },
  {
    row: '400 invalid_request_error: missing model',
    type: 'invalid_request_error',
    status: 400,
    message: 'missing model',
    param: 'model',
    arrange: async () => ({ key: await client({ require_model: true }), model: null }),
  },
  {
    row: '400 invalid_request_error: missing prompt',
    type: 'invalid_request_error',
    status: 400,
    message: 'missing prompt',
    param: 'prompt',
    formats: formats.filter(({ name }) => name === 'images' || name === 'completions'),
    arrange: async () => ({ key: await client(), raw: '{"model":"alpha/m"}' }),
  },
  {
    row: '400 invalid_request_error: unknown aliased model',
    type: 'invalid_request_error',
    status: 400,
    message: 'unknown aliased model',
    code: 'model_not_found',
    param: 'model',
    arrange: async () => ({ key: await client(), model: 'no/such-model' }),
  },
  {
    row: '400 invalid_request_error: unsupported responses input shape',
    type: 'invalid_request_error',
    status: 400,
    message: 'unsupported responses input shape: input: expected a string or a list of items',
    param: 'input',
    formats: formats.filter(({ name }) => name === 'responses'),
    arrange: async () => ({ key: await client(), raw: '{"model":"alpha/m","input":7}' }),
  },
  {
    row: '400 invalid_request_error: provider rejected the request payload',
    type: 'invalid_request_error',
    status: 400,
    message: 'provider rejected the request payload',
    arrange: async ({ name }) => ({ key: await client(), model: `rejected-${name}-model` }),
  },
  {
    row: '400 context_length_exceeded',
    type: 'context_length_exceeded',
    status: 400,
    message: 'the request does not fit into the context of the model: shorten it or ask for fewer tokens',
    arrange: async ({ name }) => ({ key: await client(), model: `long-${name}-model` }),
  },
  {
    row: '400 context_length_exceeded: longer than any model takes',
    type: 'context_length_exceeded',
    status: 400,
    message: 'the request does not fit into the context of the model: shorten it or ask for fewer tokens',
    formats: formats.filter(({ name }) => name === 'chat' || name === 'messages'),
    arrange: async () => ({
      key: await client(),
      raw: JSON.stringify({ model: 'alpha/m', max_tokens: 9, messages: [{ role: 'user', content: 'word '.repeat(60_000) }] }),
    }),
  },
  {
    row: '400 content_policy_violation',
    type: 'content_policy_violation',
    status: 400,
    message: 'the provider refused the content of the request',
    arrange: async ({ name }) => ({ key: await client(), model: `immoral-${name}-model` }),
  },
  {
    row: '429 rate_limit_error: per minute',
    type: 'rate_limit_error',
    status: 429,
    message: 'the limit of 1 requests per minute is reached',
    headers: { 'x-ratelimit-limit': '1', 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': /^\d{10}$/, 'retry-after': /^(6[0-2]|5\d)$/ },
    async arrange(format) {
      const key = await client({ rpm_limit: 1 })
      await (await ask(format, { key, model: 'no/such-model' })).text()
      return { key }
    },
  },
  {
    row: '429 rate_limit_error: daily success cap',
    type: 'rate_limit_error',
    status: 429,
    message: 'the daily limit of 1 successful requests is reached; it resets at 00:00 UTC',
    headers: { 'x-dailylimit-limit': '1', 'x-dailylimit-remaining': '0', 'x-dailylimit-reset': /^\d{10}$/, 'x-should-retry': 'false' },
    async arrange() {
      const key = await client({ daily_limit: 1 })
      await (await ask(formats[0] as Format, { key })).text()
      return { key }
    },
  },
  {
    row: '429 rate_limit_error: provider rate limit',
    type: 'rate_limit_error',
    status: 429,
    message: 'the limit of the provider is reached',
    headers: { 'retry-after': /^(40|39)$/ },
    arrange: async ({ name }) => ({ key: await client(), model: `limited-${name}-model` }),
  },
  {
    row: '429 rate_limit_error: anti-abuse overlap block',
    type: 'rate_limit_error',
    status: 429,
    message: 'this key is used from too many addresses at once',
    headers: { 'x-should-retry': 'false' },
    async arrange(format) {
      const key = await client()
      await admin('PATCH', '/api/settings', { overlap_addresses: 1 })
      await (await ask(format, { key, model: 'no/such-model', headers: { 'x-forwarded-for': '192.0.2.1' } })).text()
      return { key, headers: { 'x-forwarded-for': '192.0.2.2' } }
    },
  },
  {
    row: '429 concurrency_limit_error',
    type: 'concurrency_limit_error',
    status: 429,
    message: '1 requests are running already: wait for one to finish',
    headers: { 'x-concurrency-limit': '1', 'x-concurrency-remaining': '0', 'x-concurrency-reset': /^\d{10}$/ },
    async arrange() {
      const key = await client({ max_concurrency: 1 })
      const calls = upstream.calls.length
      void ask(formats[0] as Format, { key, model: 'silent-chat-model' }).then((answer) => answer.text())
      await expect.poll(() => upstream.calls.length).toBeGreaterThan(calls)
      return { key }
    },
    formats: formats.filter(({ name }) => name === 'messages' || name === 'php' || name === 'responses'),
  },
  {
    row: '429 glm_depleted',
    type: 'glm_depleted',
    status: 429,
    message: 'GLM provider quota is depleted for the current 5-hour window',
    headers: { 'retry-after': /^7(200|199)$/, 'x-should-retry': 'false' },
    arrange: async ({ name }) => ({ key: await client(), model: `glm-${name}-model` }),
  },
  {
    row: '502 provider_error',
    type: 'provider_error',
    status: 502,
    message: 'the provider failed',
    arrange: async ({ name }) => ({ key: await client(), model: `broken-${name}-model` }),
  },
  {
    row: '503 provider_unavailable',
    type: 'provider_unavailable',
    status: 503,
    message: 'no provider is available for this request',
    headers: { 'retry-after': '30' },
    arrange: async () => ({ key: await client(), model: 'nokey/n' }),
  },
  {
    row: '503 discord_membership_error',
    type: 'discord_membership_error',
    status: 503,
    message: 'the membership of the owner of this key could not be looked up',
    headers: { 'retry-after': '30' },
    async arrange() {
      await admin('PATCH', '/api/settings', { membership_required: true })
      const key = await client(unknown)
      await admin('PATCH', `/api/members/${unknown.owner}`, { membership: 'unknown' })
      return { key }
    },
  },
]

describe('the error table', () => {
  it.each(rows)('$row', async (row) => {
    await admin('DELETE', '/api/settings')
    for (const { id } of (await admin('GET', '/api/bans')) as unknown as { id: string }[]) await admin('DELETE', `/api/bans/${id}`)
    if (row.type === 'ip_blacklisted') await admin('POST', '/api/bans', { range: '203.0.113.0/24' })
    if (row.type === 'client_signature_banned') await admin('POST', '/api/bans', { user_agent: 'BadBot/*' })
    for (const format of row.formats ?? formats) {
      const asked = await row.arrange(format)
      await expectRow(format, await ask(format, asked), row)
    }
  })

  it('504 provider_timeout', async () => {
    await admin('DELETE', '/api/settings')
    // Ingress and worker both look at the clock.
    const row: Row = {
      row: '',
      type: 'provider_timeout',
      status: 504,
      message: /^the (provider|request) took too long$/,
      arrange: async () => ({}),
    }
    const key = await client()
    await Promise.all(
      formats.map(async (format) => expectRow(format, await ask(format, { key, model: `silent-${format.name}-model` }), row)),
    )
  })

  it('404 invalid_request_error: deferred video lookup', async () => {
    const response = await fetch(`${gateway.url}/v1/videos/job-1`, { headers: { authorization: `Bearer ${await client()}` } })
    const { error } = (await response.json()) as { error: object }
    expect([response.status, error]).toEqual([
      404,
      { message: 'unknown request id', type: 'invalid_request_error', code: 'invalid_request_error', param: null },
    ])
  })

  it.each([
    ['/v1/models/full', 'invalid site catalog key'],
    ['/v1/models/leaderboard', 'invalid site stats key'],
  ])('401 invalid_request_error: %s', async (path, message) => {
    for (const headers of [{}, { authorization: 'Bearer another.example' }] as Record<string, string>[]) {
      const response = await fetch(gateway.url + path, { headers })
      expect([response.status, await response.json()]).toEqual([
        401,
        { error: { message, type: 'invalid_request_error', code: 'invalid_request_error', param: null } },
      ])
    }
    expect((await fetch(gateway.url + path, { headers: { authorization: 'Bearer site.example' } })).status).toBe(200)
  })
})

it('wrong keys are told so until there are too many of them', async () => {
  const families = [formats[0], formats[1], formats[4]] as [Format, Format, Format]
  const wrong = (format: Format, i: number) => ask(format, { key: `fai_wrong-${i}`, headers: { 'x-forwarded-for': `198.51.100.${i}` } })
  const unknownKey = rows[0] as Row
  for (const [i, format] of families.entries()) await expectRow(format, await wrong(format, i), unknownKey)
  for (let i = 3; i < 9; i++) expect((await wrong(families[0], i)).status).toBe(401)
  const tooMany: Row = {
    ...unknownKey,
    type: 'rate_limit_error',
    status: 429,
    message: 'too many wrong API keys: correct yours before trying again',
    headers: { 'x-should-retry': 'false' },
  }
  for (const [i, format] of families.entries())
    await expectRow(format, await wrong(format, 10 + i), { ...tooMany, code: 'rate_limit_error' })
  expect((await ask(families[0], { key: await client() })).status).toBe(200)
})

it('every format answers where nothing is wrong, and says what is left, also in front of a stream', async () => {
  await admin('DELETE', '/api/settings')
  const key = await client({ rpm_limit: 60, daily_limit: 100, max_concurrency: 4 })
  const names = ['ratelimit', 'dailylimit', 'concurrency'].flatMap((limit) =>
    ['limit', 'remaining', 'reset'].map((what) => `x-${limit}-${what}`),
  )
  const streams = formats.filter(({ name }) => ['chat', 'messages', 'responses', 'php'].includes(name))
  const streamed = streams.map((format) => ({ format, raw: JSON.stringify({ ...format.body('alpha/m'), stream: true }) }))
  for (const { format, ...asked } of [...formats.map((format) => ({ format })), ...streamed]) {
    const response = await ask(format, { key, ...asked })
    await response.arrayBuffer()
    expect([format.name, response.status]).toEqual([format.name, 200])
    for (const name of [...names, 'x-ratelimit-remaining-requests'])
      expect(response.headers.get(name), `${format.name} ${name}`).toMatch(/^\d+$/)
    expect(response.headers.get('x-ratelimit-reset-requests')).toMatch(/^(\d+m)?[\d.]+m?s$/)
  }
})

it('no key was written down: not in the log, not in events, not in any file of the data', async () => {
  const files = await readdir(join(gateway.dir, 'data'), { recursive: true, withFileTypes: true })
  const data = await Promise.all(
    files.filter((file) => file.isFile()).map(async (file) => (await readFile(join(file.parentPath, file.name))).toString('latin1')),
  )
  const written = [gateway.stdout, gateway.stderr, ...data].join('\n')
  // What was recorded is there: the names of clients, and the ends of their requests.
  expect(written).toContain('client 7')
  expect(written).toContain('req.end')
  expect(issued.length).toBeGreaterThan(100)
  for (const secret of [...issued, 'fai_wrong-', FREEWAY_ADMIN_TOKEN]) expect(written.includes(secret)).toBe(false)
})
