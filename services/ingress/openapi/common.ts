// What many routes have in common: how a caller shows who it is, headers of answers, and the headers by which a request says how it wants to be treated.

import type { Route } from '../routes.ts'
import type { JsonSchema } from './schemas.ts'

export const securitySchemes: Record<string, JsonSchema> = {
  clientKey: { type: 'http', scheme: 'bearer', description: "A client's key, as OpenAI's clients send it." },
  apiKey: { type: 'apiKey', in: 'header', name: 'x-api-key', description: "A client's key, as Anthropic's clients send it." },
  adminToken: {
    type: 'apiKey',
    in: 'header',
    name: 'X-Admin-Token',
    description: 'The admin token: `FREEWAY_ADMIN_TOKEN`, or the file that the banner names at the start.',
  },
  adminBearer: { type: 'http', scheme: 'bearer', description: 'The admin token as a bearer token.' },
  siteKey: { type: 'http', scheme: 'bearer', description: "The key of the operator's web site, `SITE_KEY`." },
}

const anyOf = (...schemes: string[]) => schemes.map((scheme) => ({ [scheme]: [] }))

/** By the kind of route; whoever has one of these is let in. */
export const security: Record<Route['access'], JsonSchema[]> = {
  public: [],
  key: anyOf('clientKey', 'apiKey', 'adminBearer'),
  admin: anyOf('adminToken', 'adminBearer'),
  catalog: anyOf('siteKey', 'clientKey', 'apiKey', 'adminBearer'),
  stats: anyOf('siteKey', 'adminBearer'),
}

const described: Record<string, [name: string, description: string]> = {
  RequestId: ['x-request-id', "The caller's own `x-request-id`, or one of ours; `request-id` holds the same."],
  RetryAfter: ['retry-after', 'Seconds.'],
  RateLimit: ['x-ratelimit-limit', 'Requests per minute of this key. Absent where there is no limit, as all of these are.'],
  RateRemaining: ['x-ratelimit-remaining', 'Requests left in this minute.'],
  RateReset: ['x-ratelimit-reset', 'When all of them are there again, in Unix seconds.'],
  RateLimitRequests: ['x-ratelimit-limit-requests', "The same by OpenAI's names."],
  RateRemainingRequests: ['x-ratelimit-remaining-requests', 'Requests left in this minute.'],
  RateResetRequests: ['x-ratelimit-reset-requests', 'Until all of them are there again, e.g. `1m30s`.'],
  ConcurrencyLimit: ['x-concurrency-limit', 'Parallel requests of this key.'],
  ConcurrencyRemaining: ['x-concurrency-remaining', 'How many more may run now.'],
  ConcurrencyReset: ['x-concurrency-reset', 'When all of them may run again, in Unix seconds.'],
  DailyLimit: ['x-dailylimit-limit', 'Successes per UTC day.'],
  DailyRemaining: ['x-dailylimit-remaining', 'Successes left today.'],
  DailyReset: ['x-dailylimit-reset', 'The next UTC midnight, in Unix seconds.'],
  AnsweredBy: ['x-freeway-provider', 'Who answered.'],
  AnsweredWith: ['x-freeway-model', 'With which model, as that provider names it.'],
  Attempts: ['x-freeway-attempts', 'How many providers were called.'],
  TraceId: ['x-freeway-trace-id', 'Of the trace, where traces are taken; `x-trace-id` holds the same.'],
  ServerTiming: ['server-timing', 'Where the time went.'],
  Explained: ['x-freeway-explained', 'Why it went there, as JSON; for `x-freeway-trace`.'],
}
const texts = new Set(['RequestId', 'RateResetRequests', 'AnsweredBy', 'AnsweredWith', 'TraceId', 'ServerTiming', 'Explained'])

/** Name below `components.headers` → name on the wire. */
export const headerNames: Record<string, string> = Object.fromEntries(Object.entries(described).map(([id, [name]]) => [id, name]))
export const limitHeaders = Object.keys(described).filter((id) => /^(Rate|Concurrency|Daily)/.test(id))
export const answerHeaders = ['AnsweredBy', 'AnsweredWith', 'Attempts', 'TraceId', 'ServerTiming', 'Explained']
export const headers: Record<string, JsonSchema> = Object.fromEntries(
  Object.entries(described).map(([id, [, description]]) => [id, { description, schema: { type: texts.has(id) ? 'string' : 'integer' } }]),
)

export const parameters: Record<string, JsonSchema> = {
  MaxWait: {
    name: 'x-freeway-max-wait',
    in: 'header',
    description: 'How many seconds the request may wait for free quota before it is refused. 0: not at all.',
    schema: { type: 'number', minimum: 0 },
  },
  Trace: {
    name: 'x-freeway-trace',
    in: 'header',
    description: '`1`: say why the request goes where it goes. For admins, and for keys with the role `trace`.',
    schema: { type: 'string', const: '1' },
  },
}
