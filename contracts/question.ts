// What a service may ask another over the bus, and the answer. Telemetry is the only one that is asked; whoever asks has no database.
// An answer fits into one message. Money is in US dollars, times are in ms since 1970 unless their name says otherwise.

import { z } from 'zod'

/** Bounds of the public analytics route. */
export const WINDOW_SECONDS = { min: 60, max: 604_800, default: 86_400 } as const
export const BUCKET_COUNT = { min: 1, max: 168, default: 24 } as const
export const PAGE_LIMIT = { min: 1, max: 100, default: 50 } as const

const word = z.string().max(300)
const filters = { client: word.optional(), provider: word.optional(), model: word.optional() }

export const question = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('analytics'),
    window_seconds: z.int().min(WINDOW_SECONDS.min).max(WINDOW_SECONDS.max),
    bucket_count: z.int().min(BUCKET_COUNT.min).max(BUCKET_COUNT.max),
    ...filters,
  }),
  z.object({ kind: z.literal('stats') }),
  z.object({ kind: z.literal('leaderboard') }),
  z.object({
    kind: z.literal('requests'),
    ...filters,
    outcome: word.optional(),
    /** First heard of from `since` on and before `until`. */
    since: z.number().optional(),
    until: z.number().optional(),
    /** `next` of the page before. */
    cursor: word.optional(),
    limit: z.int().min(PAGE_LIMIT.min).max(PAGE_LIMIT.max),
  }),
  z.object({ kind: z.literal('request'), id: word }),
  /** Messages of the event log that could not be read. */
  z.object({ kind: z.literal('dead_letters'), cursor: word.optional(), limit: z.int().min(PAGE_LIMIT.min).max(PAGE_LIMIT.max) }),
  /** Reads one again, after whatever was wrong is mended, and lets it go if it is stored now. */
  z.object({ kind: z.literal('requeue'), id: word }),
])
export type Question = z.infer<typeof question>
export type QuestionKind = Question['kind']
export type QuestionOf<Kind extends QuestionKind> = Extract<Question, { kind: Kind }>

/** What calls come to. Latencies are those of successful calls (in `by_outcome`: of that outcome), null where there is none. */
export interface Figures {
  calls: number
  /** Share of calls that ended `ok`, 0 to 1; 0 where there are no calls. */
  success_rate: number
  avg_latency_ms: number | null
  p50_latency_ms: number | null
  p95_latency_ms: number | null
  p99_latency_ms: number | null
  /** Time to the first token, of answers that had one. */
  p50_ttft_ms: number | null
  p95_ttft_ms: number | null
  p99_ttft_ms: number | null
  tokens_in: number
  tokens_out: number
  /** What the same tokens cost at a reference price; an estimate, see `services/telemetry/prices.ts`. */
  list_cost_usd: number
}

export interface TimeBucket extends Figures {
  start: number
  /** The last bucket ends in the future: it is still filling. */
  end: number
  ok: number
}

export interface Analytics extends Omit<Figures, 'calls'> {
  /** Calls that have ended, by the time of their end. */
  total_calls: number
  window_seconds: number
  bucket_count: number
  /** The window as it was counted: whole minutes. */
  from: number
  to: number
  /** Of `list_cost_usd`, in words. */
  price_assumption: string
  /** The largest first. Null: nobody knows, or there was none. */
  by_provider: ({ provider: string | null } & Figures)[]
  by_model: ({ model: string | null; provider: string | null } & Figures)[]
  by_strategy: ({ strategy: string | null } & Figures)[]
  by_outcome: ({ outcome: string } & Figures)[]
  by_client: ({ client: string | null } & Figures)[]
  time_buckets: TimeBucket[]
}

export interface Stats {
  /** Since midnight UTC. */
  requests_today: number
  tokens_used: number
  avg_latency: number
  success_rate: number
}

export interface Leaderboard {
  window: string
  data: { rank: number; id: string; requests: number; success_rate: number; avg_latency_ms: number | null; tokens: number }[]
}

/** One request as it was told, without a word of what was said in it. */
export interface RequestEntry {
  id: string
  started_at: number
  ended_at: number | null
  client: string | null
  format: string | null
  stream: boolean | null
  /** As the client named it. */
  asked_model: string | null
  strategy: string | null
  provider: string | null
  model: string | null
  /** `open`: its end has not been told. */
  outcome: string
  /** Its end was not told by the ingress but found out afterwards from its attempts. */
  unconfirmed: boolean
  status: number | null
  error: string | null
  duration_ms: number | null
  ttfb_ms: number | null
  tokens_in: number
  tokens_out: number
  trace_id: string | null
  attempts: AttemptEntry[]
}

export interface AttemptEntry {
  n: number
  provider: string | null
  model: string | null
  worker: string | null
  /** ok, rejected(status), failed(phase), canceled(why), unknown(why); null while it runs. */
  result: string | null
  granted_at: number | null
  ended_at: number | null
  duration_ms: number | null
  ttfb_ms: number | null
  tokens_in: number
  tokens_out: number
}

/** What could not be read of a message of the event log; kept for a week. */
export interface DeadLetterEntry {
  id: string
  at: number
  /** What was wrong when it came. */
  reason: string
  /** The beginning of it. */
  text: string
  /** Of all that is kept. */
  length: number
}

export interface Requeued {
  /** Facts that are stored now. */
  facts: number
  /** What is still wrong; null if nothing is, and the letter is gone. */
  reason: string | null
}

export interface Answers {
  analytics: Analytics
  stats: Stats
  leaderboard: Leaderboard
  /** A page may hold fewer entries than asked for, or none, and still have a next one. */
  requests: { data: RequestEntry[]; next: string | null }
  request: RequestEntry | null
  dead_letters: { data: DeadLetterEntry[]; next: string | null }
  /** Null: there is no such letter. */
  requeue: Requeued | null
}

/** On the wire. A refusal's words are public. */
export type Reply<Kind extends QuestionKind> = { answer: Answers[Kind] } | { refused: string }
