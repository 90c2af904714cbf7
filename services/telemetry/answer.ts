// Questions about what is stored, as other services ask them over the bus: one queue group, so any replica may answer.

import type { Bus, BusMessage, Subscription } from '#contracts/bus.ts'
import { type Answers, type Question, type QuestionKind, question, type Reply } from '#contracts/question.ts'
import { asAnswerInbox, questionQueue, questions } from '#contracts/subjects.ts'
import type { Logger } from '#services/logger.ts'
import { openSummary, type Plan, planOf } from './analytics.ts'
import { listLetters, requeue } from './letters.ts'
import { entryOf } from './record.ts'
import type { EventStore } from './store/store.ts'
import { spans } from './tally.ts'

/** Questions that are answered at the same time; the store is shared with what comes in. */
const AT_ONCE = 8
/** What one message surely holds. */
const MAX_ANSWER_BYTES = 900_000
const LEADERBOARD = { window_seconds: 86_400, bucket_count: 24 }

export interface AnswersOptions {
  bus: Bus
  store: EventStore
  logger: Logger
}

/** Answers until it is unsubscribed. */
export function answerQuestions({ bus, store, logger }: AnswersOptions): Subscription {
  let open = 0

  async function onQuestion({ data, reply }: BusMessage): Promise<void> {
    const to = asAnswerInbox(reply)
    if (!to) return
    open++
    const said = new TextEncoder().encode(await replyTo(data))
    open--
    const fits = said.length <= MAX_ANSWER_BYTES
    bus.publish(to, fits ? said : new TextEncoder().encode(refusal('the answer is too long for one message; ask for fewer')))
  }

  async function replyTo(data: Uint8Array): Promise<string> {
    if (open > AT_ONCE) return refusal('telemetry is answering too many questions; ask again in a moment')
    try {
      const asked = question.safeParse(JSON.parse(new TextDecoder().decode(data)))
      if (!asked.success) return refusal('telemetry does not know this question; are all services of the same version?')
      return JSON.stringify({ answer: await answerTo(store, asked.data, Date.now()) })
    } catch (error) {
      logger.error('a question could not be answered', { store: store.name, error })
      return refusal('the store of telemetry is down; nothing is lost, ask again later')
    }
  }

  return bus.subscribe(questions, (message) => void onQuestion(message), { queue: questionQueue })
}

function refusal(refused: string): string {
  return JSON.stringify({ refused } satisfies Reply<QuestionKind>)
}

/** Throws what the store throws. `now` in ms since 1970. */
export async function answerTo(store: EventStore, asked: Question, now: number): Promise<Answers[QuestionKind]> {
  if (asked.kind === 'analytics') return analytics(store, asked, now)
  if (asked.kind === 'stats') return stats(store, now)
  if (asked.kind === 'leaderboard') return leaderboard(store, now)
  if (asked.kind === 'request') {
    const record = await store.find(asked.id)
    return record ? entryOf(record) : null
  }
  if (asked.kind === 'dead_letters') return listLetters(store, asked)
  if (asked.kind === 'requeue') return requeue(store, asked.id)
  const { records, next } = await store.page(asked, asked.cursor, asked.limit)
  return { data: records.map(entryOf), next }
}

async function analytics(
  store: EventStore,
  asked: Pick<Extract<Question, { kind: 'analytics' }>, 'window_seconds' | 'bucket_count' | 'client' | 'provider' | 'model'>,
  now: number,
): Promise<Answers['analytics']> {
  const plan = planOf(asked, now)
  return (await summary(store, plan, asked)).result(asked)
}

async function summary(store: EventStore, plan: Plan, filter: Parameters<typeof openSummary>[1]) {
  const summary = openSummary(plan, filter)
  const { minutes, hours } = plan
  if (minutes.from < minutes.to) for await (const cells of store.cells('minute', minutes.from, minutes.to)) summary.add(cells)
  if (hours.from < hours.to) for await (const cells of store.cells('hour', hours.from, hours.to)) summary.add(cells)
  return summary
}

async function stats(store: EventStore, now: number): Promise<Answers['stats']> {
  const midnight = Math.floor(now / (24 * spans.hour)) * 24 * spans.hour
  const to = (Math.floor(now / spans.hour) + 1) * spans.hour
  const plan = { minutes: { from: 0, to: 0 }, hours: { from: midnight, to }, from: midnight, to, buckets: [] }
  const today = (await summary(store, plan, {})).result({ window_seconds: (to - midnight) / 1000, bucket_count: 0 })
  return {
    requests_today: today.total_calls,
    tokens_used: today.tokens_in + today.tokens_out,
    avg_latency: Math.round(today.avg_latency_ms ?? 0),
    success_rate: today.success_rate,
  }
}

async function leaderboard(store: EventStore, now: number): Promise<Answers['leaderboard']> {
  const { by_model } = await analytics(store, LEADERBOARD, now)
  const data = by_model
    .filter(({ model }) => model !== null)
    .map(({ model, provider, calls, success_rate, avg_latency_ms, tokens_in, tokens_out }, i) => ({
      rank: i + 1,
      id: `${provider}/${model}`,
      requests: calls,
      success_rate,
      avg_latency_ms,
      tokens: tokens_in + tokens_out,
    }))
  return { window: '24h', data }
}
