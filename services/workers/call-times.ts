// Pure. The times of one provider call, what they say of it, and whether it has taken too long. Monotonic milliseconds.

import type { Offer } from '#contracts/attempt.ts'
import type { Provider } from '#contracts/catalog.ts'
import type { JobKind } from '#contracts/job.ts'
import type { AnswerFailure } from './sink.ts'

export interface CallTimes {
  grantedMs: number
  sentMs: number
  /** When the first meaningful event came. */
  headMs: number | undefined
  lastDataMs: number
  /** Of the whole request. */
  deadlineMs: number
}

export function timesOf(grantedMs: number, ttlMs: number): CallTimes {
  return { grantedMs, sentMs: grantedMs, headMs: undefined, lastDataMs: grantedMs, deadlineMs: grantedMs + ttlMs }
}

type Asked = Pick<Offer, 'kind' | 'stream' | 'model'>

/** Too long for its first byte, between two reads, or altogether. */
export function overdueBy(
  times: CallTimes,
  provider: Pick<Provider, 'first_byte_ms' | 'stall_ms' | 'models'>,
  asked: Asked,
  nowMs: number,
): AnswerFailure | undefined {
  const { grantedMs, headMs, lastDataMs, deadlineMs } = times
  const { first_byte_ms, stall_ms } = provider
  // Who may take longer is only looked up where somebody does.
  if (headMs === undefined && nowMs - grantedMs >= first_byte_ms) {
    const withinMs = firstByteWithinMs(provider, asked)
    if (nowMs - grantedMs >= withinMs) return timeout('ttfb', `no answer within ${withinMs} ms`)
  }
  if (headMs !== undefined && nowMs - lastDataMs >= stall_ms) return timeout('stream', `silent for ${stall_ms} ms`)
  if (nowMs >= deadlineMs) return timeout('limit', 'deadline of the request')
  return undefined
}

/** At least, where a provider makes something that takes its time, and says nothing before it is done. */
const MAKING_MS: Record<JobKind, number> = { chat: 0, embedding: 0, speech: 60_000, transcription: 120_000, image: 120_000 }
/** So many times as long may a model think before it says anything, and write where nothing is said before all is written. */
const MORE_PATIENCE = 3

function firstByteWithinMs({ first_byte_ms, models }: Pick<Provider, 'first_byte_ms' | 'models'>, { kind, stream, model }: Asked): number {
  if (kind !== 'chat') return Math.max(first_byte_ms, MAKING_MS[kind])
  const thinks = models.find(({ id }) => id === model)?.capabilities.includes('reasoning') === true
  return first_byte_ms * (thinks ? MORE_PATIENCE : 1) * (stream ? 1 : MORE_PATIENCE)
}

/** From the grant to the first byte written, and from there to the first meaningful event. */
export function shares({ grantedMs, sentMs, headMs }: CallTimes): { worker_ms: number; upstream_ms: number } {
  return { worker_ms: rounded(sentMs - grantedMs), upstream_ms: rounded((headMs ?? sentMs) - sentMs) }
}

export function timeToFirstToken({ sentMs, headMs }: CallTimes): number | null {
  return headMs === undefined ? null : rounded(headMs - sentMs)
}

export function rounded(ms: number): number {
  return Math.max(0, Math.round(ms * 100) / 100)
}

function timeout(phase: AnswerFailure['phase'], detail: string): AnswerFailure {
  return { phase, status: 504, code: 'timeout', detail }
}
