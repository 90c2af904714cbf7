// Pure. The times of one provider call, what they say of it, and whether it has taken too long. Monotonic milliseconds.

import type { Provider } from '#contracts/catalog.ts'
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

/** Too long for its first byte, between two reads, or altogether. */
export function overdueBy(
  times: CallTimes,
  limits: Pick<Provider, 'first_byte_ms' | 'stall_ms'>,
  nowMs: number,
): AnswerFailure | undefined {
  const { grantedMs, headMs, lastDataMs, deadlineMs } = times
  const { first_byte_ms, stall_ms } = limits
  if (headMs === undefined && nowMs - grantedMs >= first_byte_ms) return timeout('ttfb', `no answer within ${first_byte_ms} ms`)
  if (headMs !== undefined && nowMs - lastDataMs >= stall_ms) return timeout('stream', `silent for ${stall_ms} ms`)
  if (nowMs >= deadlineMs) return timeout('limit', 'deadline of the request')
  return undefined
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
