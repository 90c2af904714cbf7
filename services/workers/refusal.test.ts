import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { provider } from '#contracts/catalog.ts'
import samples from '#test/fixtures/error-samples.json' with { type: 'json' }
import type { LimitHabits } from './cooldown.ts'
import { readRefusal } from './refusal.ts'
import { redact } from './refusal-words.ts'
import type { Headers } from './retry-after.ts'

const nowMs = 1_790_000_000_000
const HOUR = 3600

interface Sample {
  id: string
  provider: string
  status: number
  headers?: Headers
  body: unknown
  expect: {
    class: string
    scope: string
    next: string
    cooldown_s?: number | string
    larger_context?: boolean
    disable_key?: boolean
    disable_model?: boolean
    disable_provider?: boolean
    disable_model_for_key?: boolean
    drop?: string
  }
}

const read = ({ status, headers = {}, body }: Pick<Sample, 'status' | 'headers' | 'body'>, habits?: LimitHabits, atMs = nowMs) =>
  readRefusal({ status, headers, body: typeof body === 'string' ? body : JSON.stringify(body ?? ''), nowMs: atMs }, habits)

/** What the catalogue says of a provider's limits. */
const folder = new URL('../router/catalog/', import.meta.url)
const habits: Record<string, LimitHabits> = Object.fromEntries(
  readdirSync(folder)
    .filter((file) => file.endsWith('.json') && file !== 'aliases.json')
    .map((file) => provider.parse(JSON.parse(readFileSync(new URL(file, folder), 'utf8'))))
    .map((one) => [one.name, one]),
)

/** The classes of the samples, in our words. */
const codes: Record<string, string[]> = {
  auth_invalid: ['auth'],
  auth_forbidden: ['auth'],
  payment_required: ['payment'],
  model_access: ['model_not_found'],
  model_not_found: ['model_not_found'],
  model_retired: ['model_not_found'],
  quota_window: ['rate_limited'],
  quota_month: ['rate_limited'],
  concurrency: ['rate_limited'],
  rate_limit: ['rate_limited'],
  overloaded: ['overloaded'],
  server_error: ['server'],
  timeout: ['timeout'],
  context_length: ['context_length'],
  request_too_large: ['too_large', 'context_length'],
  content_filter: ['content_policy'],
  unsupported_parameter: ['unsupported', 'invalid_request'],
  bad_request: ['invalid_request', 'unsupported'],
  tool_call_failed: ['malformed'],
  structured_output_failed: ['malformed'],
  provider_retired: ['blocked'],
  region_blocked: ['blocked'],
  provider_restricted: ['blocked'],
  empty_completion: ['malformed'],
  // It says that we went away. We are still here, so nobody is to blame and another may be asked.
  client_canceled: ['server'],
  ok: ['malformed'],
}

/** What waits are, where the sample names a time instead of a length. */
const untilMs: Record<string, number> = {
  'openrouter-429-free-day': 35_200_000,
  'openrouter-429-free-day-high': 35_200_000,
  'openrouter-429-free-min': 60_000,
  'gemini-429-rpd': Date.parse('2026-09-22T07:00:00Z') - nowMs,
  'zhipu-429-1304': Date.parse('2026-09-21T16:00:00Z') - nowMs,
  'modelscope-429': Date.parse('2026-09-21T16:00:00Z') - nowMs,
  'volcengine-429': Date.parse('2026-09-21T16:00:00Z') - nowMs,
  'huggingface-402': Date.parse('2026-10-01T00:00:00Z') - nowMs,
  'zhipu-429-1308': HOUR * 1000,
  'generic-429-http-date': 3 * HOUR * 1000,
  'generic-reset-formats': 59_560,
  'generic-429-no-hints': 30_000,
}

/** Where the sample knows its provider better than words and the catalogue do. What differs, and why that does no harm. */
const known: Record<string, string[]> = {
  // An answer with status 200: nobody is left alone for it, its breaker counts it.
  'generic-200-truncated-json': ['code', 'cooldown'],
  'generic-200-empty-choices': ['cooldown'],
  'generic-200-html': ['code'],
  // The front says "insufficient balance" of a model that is gone; either way the model rests for a day.
  'modelscope-429-retired': ['code'],
  // Another model with the same words may come back: an hour, then it is asked again.
  'siliconflow-400-model': ['cooldown'],
  'gemini-404': ['cooldown'],
  'cloudflare-400-no-model': ['cooldown'],
  // It named a wait of 5 s itself.
  'openrouter-503-no-provider': ['cooldown'],
  // What would have to be changed is what was asked; another provider takes it as it is.
  'mistral-400-role-order': ['adapt'],
  'reka-400-json-object': ['adapt'],
}

describe('recorded refusals', () => {
  test.each(samples.refusals as unknown as Sample[])('$id is $expect.class of the $expect.scope', (sample) => {
    const { id, expect: wanted } = sample
    const atMs = /1308|http-date/.test(id) ? Date.parse('2026-11-21T09:00:00Z') : nowMs
    const { code, scope, keyFault, retryAfterMs, adapt, detail } = read(sample, habits[sample.provider], atMs)
    const differs = (what: string) => known[id]?.includes(what) ?? false
    const isLimit = codes[wanted.class]?.[0] === 'rate_limited' || wanted.class.startsWith('rate_limit')

    if (!differs('code')) expect(isLimit ? ['rate_limited'] : codes[wanted.class]).toContain(code)
    // A pool of a whole account is the key's: another key of the same provider has its own.
    if (wanted.class !== 'ok') expect(scope === 'key' && isLimit && wanted.scope === 'provider' ? 'provider' : scope).toBe(wanted.scope)

    const at = untilMs[id]
    const seconds = (retryAfterMs ?? 0) / 1000
    if (at !== undefined) expect(retryAfterMs).toBe(at)
    else if (typeof wanted.cooldown_s === 'number' && !differs('cooldown')) {
      // What was said is exact but for rounding; what is usual is of the same size.
      expect(seconds).toBeGreaterThanOrEqual(wanted.cooldown_s / 2)
      expect(seconds).toBeLessThanOrEqual(wanted.cooldown_s * 2)
    }
    if (!differs('adapt')) expect(adapt !== undefined).toBe(wanted.next === 'adapt')
    if (wanted.drop) expect(JSON.stringify(adapt)).toContain(`["${wanted.drop.replace('messages[].', '')}"]`)
    if (wanted.larger_context) expect(code).toBe('context_length')
    if (wanted.next === 'none' && wanted.class !== 'client_canceled') expect(code).toBe('content_policy')
    if (wanted.disable_key) expect({ keyFault, scope }).toEqual({ keyFault: true, scope: 'key' })
    if (wanted.disable_model || wanted.disable_model_for_key)
      expect({ code, scope, rest: seconds }).toEqual({ code: 'model_not_found', scope: 'model', rest: 24 * HOUR })
    if (wanted.disable_provider) expect({ code, scope, rest: seconds }).toEqual({ code: 'blocked', scope: 'provider', rest: 24 * HOUR })
    expect(detail).toContain(String(sample.status))
    expect(detail.length).toBeLessThanOrEqual(200)
  })

  test('are exactly as long as they were said to be', () => {
    const waits = Object.fromEntries(
      (samples.refusals as unknown as Sample[]).map((sample) => [sample.id, read(sample, habits[sample.provider]).retryAfterMs]),
    )
    expect(waits).toMatchObject({
      'groq-429-tpm': 8000,
      'groq-429-rpd': 87_000,
      'groq-429-tpd': 1_193_000,
      'github-429-day': 41_230_000,
      'gemini-429-rpm': 34_400,
      'gemini-429-tpm': 44_098,
      'generic-429-retry-after-ms': 1500,
    })
  })

  test.each([
    ['groq-429-tpm', [{ unit: 'tokens', per: 'minute', max: 8000, remaining: 0, reset_ms: 8000, scope: 'model' }]],
    ['groq-429-rpd', [{ unit: 'requests', per: 'day', max: 1000, remaining: 0, reset_ms: 87_000, scope: 'model' }]],
    ['groq-429-asph', [{ unit: 'audio_seconds', per: 'hour', max: 7200, remaining: 0, reset_ms: 150_000, scope: 'model' }]],
    ['gemini-429-tpm', [{ unit: 'tokens', per: 'minute', max: 250_000, remaining: 0, reset_ms: 44_098, scope: 'model' }]],
    ['gemini-429-rpm', [{ unit: 'requests', per: 'minute', max: 5, remaining: 0, reset_ms: 34_400, scope: 'model' }]],
    ['openrouter-429-free-min', [{ unit: 'requests', per: 'minute', remaining: 0, reset_ms: 60_000, scope: 'account' }]],
    ['cohere-429-minute', [{ unit: 'requests', per: 'minute', max: 20, remaining: 0, reset_ms: 60_000, scope: 'model' }]],
    ['cohere-429-tpm', [{ unit: 'tokens', per: 'minute', max: 100_000, remaining: 0, reset_ms: 60_000, scope: 'model' }]],
    ['github-429-day', [{ unit: 'requests', per: 'day', max: 50, remaining: 0, reset_ms: 41_230_000, scope: 'model' }]],
    ['nvidia-429', []],
    ['groq-401', []],
  ])('%s teaches a limit', (id, learned) => {
    const sample = (samples.refusals as unknown as Sample[]).find((one) => one.id === id) as Sample
    expect(read(sample, habits[sample.provider]).learned).toEqual(learned)
  })
})

/** Refusals of providers and servers that are in no list of ours. */
describe('refusals never seen before', () => {
  const openai = (message: string, code: string | null = null, type = 'invalid_request_error') => ({
    error: { message, type, param: null, code },
  })
  test.each<[what: string, status: number, body: unknown, wanted: object]>([
    [
      'limit of tokens',
      429,
      openai(
        'Rate limit reached for gpt-4o in organization org-x on tokens per min (TPM): Limit 30000, Used 29000, Requested 2000. Please try again in 2s.',
        'rate_limit_exceeded',
        'tokens',
      ),
      { code: 'rate_limited', retryAfterMs: 2000 },
    ],
    [
      'request over the limit',
      429,
      openai(
        'Request too large for gpt-4o on tokens per min (TPM): Limit 30000, Requested 45000. The input or output tokens must be reduced in order to run successfully.',
        'rate_limit_exceeded',
        'tokens',
      ),
      { code: 'context_length', scope: 'request' },
    ],
    [
      'key',
      401,
      openai(
        'Incorrect API key provided: sk-x. You can find your API key at https://platform.openai.com/account/api-keys.',
        'invalid_api_key',
      ),
      { code: 'auth', scope: 'key', keyFault: true },
    ],
    [
      'key behind a 400',
      400,
      { error: { message: 'API key not valid. Please pass a valid API key.', status: 'INVALID_ARGUMENT' } },
      { code: 'auth', scope: 'key' },
    ],
    ['key that has expired', 400, { error: { message: 'API key expired. Please renew the API key.' } }, { code: 'auth', scope: 'key' }],
    [
      'max_tokens renamed',
      400,
      openai(
        "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
        'unsupported_parameter',
      ),
      { adapt: { rename: { max_tokens: 'max_completion_tokens' } } },
    ],
    [
      'value of a field',
      400,
      openai('Unrecognized request argument supplied: repetition_penalty'),
      { adapt: { drop: ['repetition_penalty'] } },
    ],
    [
      'field of a message, as Groq says it',
      400,
      openai(
        "'messages.2' : for 'role:assistant' the following must be satisfied[('messages.2' : property 'reasoning_content' is unsupported, did you mean 'reasoning'?)]",
      ),
      { adapt: { strip_message_fields: ['reasoning_content'] } },
    ],
    [
      'fields of messages, as Cerebras says it',
      400,
      {
        message:
          "messages.2.assistant.annotations: property 'messages.2.assistant.annotations' is unsupported\nmessages.4.assistant.reasoning_content: property 'messages.4.assistant.reasoning_content' is unsupported",
        type: 'invalid_request_error',
        param: 'validation_error',
        code: 'wrong_api_format',
      },
      { adapt: { strip_message_fields: ['annotations', 'reasoning_content'] } },
    ],
    [
      'field of a message that only some models know',
      400,
      openai('messages[1].reasoning: reasoning is not supported with this model'),
      { adapt: { strip_message_fields: ['reasoning'] } },
    ],
    ...[
      "Error from provider: Extra inputs are not permitted, field: 'messages[8].reasoning_content', value: 'Now'",
      `Invalid JSON payload received. Unknown name "reasoning_content" at 'messages[1]': Cannot find field.`,
      'messages.1.reasoning_content: Extra inputs are not permitted',
    ].map((words): [string, number, object, object] => [
      words,
      400,
      openai(words),
      { adapt: { strip_message_fields: ['reasoning_content'] } },
    ]),
    [
      'thoughts that are missing',
      400,
      openai('The `reasoning_content` in the thinking mode must be passed back to the API.', 'invalid_request_error'),
      { adapt: { reasoning_content: 'required' } },
    ],
    [
      'a thought that is missing',
      400,
      openai('Missing reasoning_content field in the assistant message at message index 2.'),
      { adapt: { reasoning_content: 'required' } },
    ],
    [
      'effort, one of several words',
      400,
      openai('`reasoning_effort` must be one of `low`, `medium`, or `high`'),
      { adapt: { map: { reasoning_effort: { none: 'low', minimal: 'low', xhigh: 'high', max: 'high' } } } },
    ],
    [
      'effort, as Pydantic says it',
      422,
      {
        detail: [
          { type: 'literal_error', loc: ['body', 'reasoning_effort'], msg: "Input should be 'low', 'medium' or 'high'", input: 'max' },
        ],
      },
      { adapt: { map: { reasoning_effort: { none: 'low', minimal: 'low', xhigh: 'high', max: 'high' } } } },
    ],
    [
      'effort, as OpenAI says it',
      400,
      openai(
        "Unsupported value: 'reasoning_effort' does not support 'xhigh' with this model. Supported values are: 'none', 'minimal', 'low', 'medium', and 'high'.",
        'unsupported_value',
      ),
      { adapt: { map: { reasoning_effort: { xhigh: 'high', max: 'high' } } } },
    ],
    [
      'effort, of a model that thinks or does not',
      400,
      openai('`reasoning_effort` must be one of `none` or `default`'),
      { adapt: { drop: ['reasoning_effort'] } },
    ],
    ['effort at all', 400, openai('reasoning_effort is not supported with this model'), { adapt: { drop: ['reasoning_effort'] } }],
    [
      'effort, in Responses',
      400,
      openai("Unsupported parameter: 'reasoning.effort' is not supported with this model."),
      { adapt: { drop: ['reasoning'] } },
    ],
    [
      'a temperature other than its own',
      400,
      openai(
        "Unsupported value: 'temperature' does not support 0.7 with this model. Only the default (1) value is supported.",
        'unsupported_value',
      ),
      { adapt: { drop: ['temperature'] } },
    ],
    ['several answers', 400, openai('n must be at most 1'), { adapt: undefined }],
    ['logprobs', 400, openai("property 'logprobs' is unsupported"), { adapt: undefined }],
    ['range', 400, openai('Range of max_tokens should be [1, 8192]'), { adapt: { min: { max_tokens: 1 }, clamp: { max_tokens: 8192 } } }],
    [
      'upper bound',
      400,
      openai(
        'max_tokens must be less than or equal to `16384`, the maximum value for `max_tokens` is less than the `context_window` for this model',
      ),
      { code: expect.stringMatching(/context_length|invalid_request/) },
    ],
    ['temperature', 422, { detail: 'temperature must be at most 1' }, { adapt: { clamp: { temperature: 1 } } }],
    [
      'role',
      400,
      openai('messages[0].role: unknown variant `developer`, expected one of `system`, `user`, `assistant`, `tool`'),
      { adapt: { role_map: { developer: 'system' } } },
    ],
    [
      'system role',
      400,
      { error: { message: 'System role not supported' } },
      { adapt: { role_map: { system: 'user', developer: 'user' } } },
    ],
    [
      'context of vLLM',
      400,
      { object: 'error', message: "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens", code: 400 },
      { code: 'context_length' },
    ],
    ['context of Bedrock', 400, { message: 'Input is too long for requested model.' }, { code: 'context_length' }],
    [
      'overload',
      503,
      { error: { message: 'The engine is currently overloaded, please try again later', type: 'engine_overloaded_error' } },
      { code: 'overloaded', scope: 'model' },
    ],
    [
      'overload of Anthropic',
      529,
      { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } },
      { code: 'overloaded', scope: 'provider' },
    ],
    [
      'concurrency',
      429,
      { error: 'Too many concurrent requests for this account' },
      { code: 'rate_limited', scope: 'key', retryAfterMs: 10_000 },
    ],
    [
      'limit of the day',
      429,
      { message: 'Daily quota used up, come back tomorrow' },
      { code: 'rate_limited', retryAfterMs: Date.parse('2026-09-22T00:00:00Z') - nowMs },
    ],
    [
      'limit of the month',
      429,
      { message: 'Monthly quota exceeded' },
      { code: 'rate_limited', retryAfterMs: Date.parse('2026-10-01T00:00:00Z') - nowMs },
    ],
    ['reset in words', 429, { message: 'Quota will reset in 2 hours and 5 minutes' }, { code: 'rate_limited', retryAfterMs: 7_500_000 }],
    ['empty purse', 402, {}, { code: 'payment', scope: 'key' }],
    [
      'billing',
      403,
      { error: { message: 'Your account is past due. Please update your billing details.' } },
      { code: 'payment', scope: 'key' },
    ],
    [
      'country',
      403,
      openai('Country, region, or territory not supported', 'unsupported_country_region_territory'),
      { code: 'blocked', scope: 'provider' },
    ],
    ['model', 404, openai('The model `x` does not exist'), { code: 'model_not_found', scope: 'model' }],
    ['model that is deprecated', 400, openai('The model x has been deprecated'), { code: 'model_not_found', retryAfterMs: 86_400_000 }],
    ['tools', 400, openai('x does not support tools'), { code: 'unsupported', scope: 'model', adapt: undefined }],
    [
      'policy',
      400,
      openai('Your request was rejected as a result of our safety system.', 'content_policy_violation'),
      { code: 'content_policy', scope: 'request' },
    ],
    ['page of a proxy', 504, '<html><body><h1>504 Gateway Time-out</h1></body></html>', { code: 'timeout', scope: 'provider' }],
    ['page of Cloudflare', 521, '<!DOCTYPE html><html><title>Web server is down</title></html>', { code: 'server', scope: 'provider' }],
    ['nonsense', 418, { foo: { bar: [1, { baz: null }] } }, { code: 'invalid_request', scope: 'request', adapt: undefined }],
  ])('%s (%i)', (_, status, body, wanted) => expect(read({ status, body })).toMatchObject(wanted))
})

test.each<[number, string, string]>([
  [200, 'malformed', 'model'],
  [302, 'malformed', 'request'],
  [400, 'invalid_request', 'request'],
  [401, 'auth', 'key'],
  [402, 'payment', 'key'],
  [403, 'auth', 'key'],
  [404, 'model_not_found', 'model'],
  [408, 'timeout', 'model'],
  [413, 'context_length', 'request'],
  [422, 'invalid_request', 'request'],
  [429, 'rate_limited', 'model'],
  [451, 'blocked', 'provider'],
  [499, 'server', 'request'],
  [500, 'server', 'model'],
  [503, 'overloaded', 'model'],
  [504, 'timeout', 'model'],
  [529, 'overloaded', 'provider'],
])('a bare %i is %s of the %s', (status, code, scope) => {
  expect(readRefusal({ status, headers: {}, body: '', nowMs })).toMatchObject({ code, scope })
})

test.each<[LimitHabits['limit_scope'], string]>([
  ['model', 'model'],
  ['account', 'key'],
  ['address', 'provider'],
])('whose limit it is, the catalogue knows where the refusal does not say: %s', (limit_scope, scope) => {
  expect(read({ status: 429, body: 'slow down' }, { limit_scope, limits: [] }).scope).toBe(scope)
})

test('what the request said does not decide: only fields that carry the meaning are read', () => {
  const body = JSON.stringify({
    error: { message: 'bad value', metadata: { flagged_input: 'invalid api key' }, failed_generation: 'overloaded' },
  })
  expect(readRefusal({ status: 400, headers: {}, body, nowMs }).code).toBe('invalid_request')
})

test.each(['', 'null', '[]', '"text"', '{"error":null}', '{', '{"error":{"message":{"message":{}}}}', '\u0000'])(
  'any body is survived: %j',
  (body) => {
    expect(readRefusal({ status: 500, headers: {}, body, nowMs }).code).toBe('server')
  },
)

test('a hostile body is read in no time', () => {
  const started = performance.now()
  for (const text of [
    '<'.repeat(1e6),
    'model '.repeat(2e5),
    `${'['.repeat(1e5)}`,
    JSON.stringify({ error: { message: 'invalid '.repeat(1e5) } }),
    `"loc":[${'"loc": ['.repeat(2e4)}`,
    'max_tokens max_tokens '.repeat(5e4),
    JSON.stringify({ detail: 'extra_forbidden', message: 'please wait 1 '.repeat(1e4) }),
  ]) {
    readRefusal({ status: 400, headers: {}, body: text, nowMs })
    readRefusal({ status: 429, headers: {}, body: text, nowMs })
  }
  expect(performance.now() - started).toBeLessThan(1000)
})

test.each([
  'Incorrect API key provided: sk-proj-abcdefghijklmnop1234. See https://x',
  'key gsk_0123456789abcdefghijABCDEFGHIJ is invalid',
  'url ?key=AIzaSyA0123456789abcdefghij&x=1',
  'Authorization: Bearer abc.def.ghi was refused',
  'token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.x expired',
])('keys are cut out of %j', (text) => {
  const line = redact(text)
  expect(line).toContain('[redacted]')
  expect(line).not.toMatch(/abcdefghij|AIzaSy|abc\.def|eyJhbG/)
})

test('a detail is one short line', () => {
  expect(redact(`a\nb\u0007c ${'x '.repeat(500)}`)).toMatch(/^a b c [x ]{190,}$/)
})
