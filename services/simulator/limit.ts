// Pure. The limit of a provider that means it: so many calls within any minute, whatever the minute, and 429 for the next.

import { FreewayError } from '#contracts/failure.ts'

const MINUTE_MS = 60_000

export class CallLimit {
  /** By model, the times of the calls that were let in. */
  readonly #times = new Map<string, number[]>()

  /** Throws FreewayError 429 with the exact wait if `rpm` calls were let in within the last 60 seconds. A refused call counts for nothing. */
  admit(model: string, rpm: number, nowMs: number): void {
    const times = (this.#times.get(model) ?? []).filter((at) => at > nowMs - MINUTE_MS)
    this.#times.set(model, times)
    if (times.length >= rpm) {
      const opensAtMs = rpm === 0 ? nowMs + MINUTE_MS : (times[times.length - rpm] as number) + MINUTE_MS
      throw new FreewayError('rate_limit_error', `Rate limit of ${rpm} requests per minute reached for ${model}.`, {
        code: 'rate_limit_exceeded',
        retryAfterMs: opensAtMs - nowMs,
      })
    }
    times.push(nowMs)
  }

  clear(): void {
    this.#times.clear()
  }
}
