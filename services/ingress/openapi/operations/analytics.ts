// What was asked and what came of it.

import { z } from 'zod'
import {
  type Analytics,
  BUCKET_COUNT,
  type DeadLetterEntry,
  type Figures,
  PAGE_LIMIT,
  type RequestEntry,
  WINDOW_SECONDS,
} from '#contracts/question.ts'
import { gives, type Operation } from '../operation.ts'
import { given } from '../schemas.ts'

const tag = 'Analytics'
const ms = z.number().nullable()
const word = z.string().nullable()
const figures = {
  calls: z.int(),
  success_rate: z.number().describe('0 to 1.'),
  avg_latency_ms: ms,
  p50_latency_ms: ms,
  p95_latency_ms: ms,
  p99_latency_ms: ms,
  p50_ttft_ms: ms.describe('Time to the first token.'),
  p95_ttft_ms: ms,
  p99_ttft_ms: ms,
  tokens_in: z.int(),
  tokens_out: z.int(),
  list_cost_usd: z.number().describe('What the same tokens cost at a reference price.'),
}
const row = <T extends z.ZodRawShape>(shape: T) => z.array(z.object({ ...shape, ...figures }))
const { calls: _, ...totals } = z.object(figures).shape satisfies Record<keyof Figures, z.ZodType>
const analytics = given(
  'Analytics',
  z.object({
    total_calls: z.int().describe('Calls that ended in the window.'),
    ...totals,
    window_seconds: z.int(),
    bucket_count: z.int(),
    from: z.number().describe('Milliseconds since 1970, as all times here.'),
    to: z.number(),
    price_assumption: z.string(),
    cost_avoided_usd: z.number().describe('The list price of what cost nothing.'),
    by_provider: row({ provider: word, cost_avoided_usd: z.number() }),
    by_model: row({ model: word, provider: word }),
    by_strategy: row({ strategy: word }),
    by_outcome: row({ outcome: z.string() }),
    by_client: row({ client: word }),
    time_buckets: row({ start: z.number(), end: z.number(), ok: z.int() }),
  }) satisfies z.ZodType<Analytics>,
)
const attempt = z.object({
  n: z.int(),
  provider: word,
  model: word,
  worker: word,
  result: word.describe('`ok`, `rejected(status)`, `failed(phase)`, `canceled(why)`, `unknown(why)`; null while it runs.'),
  granted_at: ms,
  ended_at: ms,
  duration_ms: ms,
  ttfb_ms: ms,
  tokens_in: z.int(),
  tokens_out: z.int(),
})
const request = given(
  'RequestEntry',
  z.object({
    id: z.string(),
    started_at: z.number().describe('Milliseconds since 1970.'),
    ended_at: ms,
    client: word,
    format: word,
    stream: z.boolean().nullable(),
    asked_model: word.describe('As the client named it.'),
    strategy: word,
    provider: word,
    model: word,
    outcome: z
      .string()
      .describe(
        '`ok`, `client_error`, `client_canceled`, `shed`, `no_route`, `provider_error`, `provider_timeout`, `truncated`, `gateway_error`, `lost`, or `open`.',
      ),
    unconfirmed: z.boolean(),
    status: z.int().nullable(),
    error: word,
    duration_ms: ms,
    ttfb_ms: ms,
    tokens_in: z.int(),
    tokens_out: z.int(),
    trace_id: word,
    attempts: z.array(attempt),
  }) satisfies z.ZodType<RequestEntry>,
)
const letter = given(
  'DeadLetter',
  z.object({
    id: z.string(),
    at: z.number().describe('Milliseconds since 1970.'),
    reason: z.string().describe('What was wrong when it came.'),
    text: z.string().describe('The beginning of it.'),
    length: z.int().describe('Of all that is kept.'),
  }) satisfies z.ZodType<DeadLetterEntry>,
)
const between = ({ min, max, default: otherwise }: typeof PAGE_LIMIT | typeof WINDOW_SECONDS | typeof BUCKET_COUNT) =>
  z.int().min(min).max(max).default(otherwise)
const filters = {
  client: { schema: z.string(), about: 'Only this client, by its id.' },
  provider: { schema: z.string(), about: 'Only this provider.' },
  model: { schema: z.string(), about: 'Only this model.' },
}
const logFilters = {
  ...filters,
  outcome: { schema: z.string(), about: 'Only this outcome.' },
  since: { schema: z.string(), about: 'From this time on: ISO 8601, or milliseconds since 1970.' },
  until: { schema: z.string(), about: 'Before this time.' },
}

export const analyticsOperations: Operation[] = [
  {
    method: 'GET',
    path: '/api/analytics',
    id: 'getAnalytics',
    tag,
    summary: 'Sum up a window of time',
    query: {
      window_seconds: { schema: between(WINDOW_SECONDS), about: 'How far back.' },
      bucket_count: { schema: between(BUCKET_COUNT), about: 'Parts of the window in `time_buckets`.' },
      ...filters,
    },
    answers: gives('Calls, latencies, tokens and money; of each breakdown the hundred rows with the most calls.', analytics),
  },
  {
    method: 'GET',
    path: '/api/requests',
    id: 'listRequests',
    tag,
    summary: 'List requests',
    query: {
      ...logFilters,
      cursor: { schema: z.string(), about: '`next` of the page before.' },
      limit: { schema: between(PAGE_LIMIT), about: 'Entries of a page.' },
    },
    answers: gives('A page, the latest first.', z.object({ object: z.literal('list'), data: z.array(request), next: word })),
  },
  {
    method: 'GET',
    path: '/api/requests/export',
    id: 'exportRequests',
    tag,
    summary: 'Export requests',
    description:
      'The latest first, and at most 100,000. Whoever gets as many asks again, with `until` set to the `started_at` of the last one.',
    query: { ...logFilters, format: { schema: z.enum(['csv', 'json']).default('csv'), about: 'Of the file.' } },
    answers: {
      200: {
        about: 'A file. Texts that a spreadsheet would take for a formula are quoted.',
        content: { 'text/csv': { schema: z.string() }, 'application/json': { schema: z.array(request) } },
      },
    },
  },
  {
    method: 'GET',
    path: '/api/requests/{id}',
    id: 'retrieveRequest',
    tag,
    summary: 'Look at a request and its attempts',
    params: { id: 'As it is listed: the `x-request-id` of the answer, unless the client sent one of its own.' },
    errors: [404],
    answers: gives('The request.', request),
  },
  {
    method: 'GET',
    path: '/api/dead-letters',
    id: 'listDeadLetters',
    tag,
    summary: 'List what telemetry could not read',
    query: {
      cursor: { schema: z.string(), about: '`next` of the page before.' },
      limit: { schema: between(PAGE_LIMIT), about: 'Entries of a page.' },
    },
    answers: gives('A page, the latest first.', z.object({ object: z.literal('list'), data: z.array(letter), next: word })),
  },
  {
    method: 'POST',
    path: '/api/dead-letters/{id}/requeue',
    id: 'requeueDeadLetter',
    tag,
    summary: 'Read a dead letter again',
    description: 'After whatever was wrong is mended, as by an upgrade of telemetry. What was stored before counts once.',
    params: { id: 'As it is listed.' },
    errors: [404, 409],
    answers: gives('How many facts are stored now; the letter is gone.', z.object({ facts: z.int() })),
  },
]
