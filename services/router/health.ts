// Pure. What a router has learned about its providers: cooldowns after a refusal, breakers after failures in a row.
// A 429 is a cooldown, not a breaker; a client's cancel never counts; a bad key benches the account, not the provider.

import type { AttemptOutcome } from '#contracts/settlement.ts'

export interface ProviderHealth {
  failuresInRow: number
  /** How often the breaker has opened since the last success. */
  opened: number
  /** Not to be chosen before this time, in ms of the caller's clock. */
  restUntilMs: number
  /** Moving average of the time to first token. */
  ttfbMs: number | undefined
}

export type Health = Map<string, ProviderHealth>

const FAILURES_TO_OPEN = 5
const OPEN_MS = 30_000
const OPEN_AT_MOST_MS = 300_000
const BENCHED_KEY_MS = 300_000
const DEFAULT_COOLDOWN_MS = 5_000
const EMA_WEIGHT = 0.2

export function learn(health: Health, outcome: AttemptOutcome, nowMs: number): void {
  const seen = health.get(outcome.prov) ?? { failuresInRow: 0, opened: 0, restUntilMs: 0, ttfbMs: undefined }
  health.set(outcome.prov, seen)
  if (outcome.ttfb_ms !== null) {
    seen.ttfbMs = seen.ttfbMs === undefined ? outcome.ttfb_ms : seen.ttfbMs + EMA_WEIGHT * (outcome.ttfb_ms - seen.ttfbMs)
  }
  if (outcome.phase === null) {
    seen.failuresInRow = 0
    seen.opened = 0
    return
  }
  if (outcome.status === 429) return rest(seen, nowMs + (outcome.retry_after_ms ?? DEFAULT_COOLDOWN_MS))
  if (outcome.key_fault) return rest(seen, nowMs + BENCHED_KEY_MS)
  if (isOurs(outcome) || isClientsFault(outcome)) return
  seen.failuresInRow++
  if (seen.failuresInRow < FAILURES_TO_OPEN) return
  seen.opened++
  seen.failuresInRow = 0
  rest(seen, nowMs + Math.min(OPEN_MS * seen.opened, OPEN_AT_MOST_MS))
}

export function restsUntil(health: Health, provider: string): number {
  return health.get(provider)?.restUntilMs ?? 0
}

function rest(seen: ProviderHealth, untilMs: number): void {
  seen.restUntilMs = Math.max(seen.restUntilMs, untilMs)
}

/** The provider was not called: a worker was late or had ended, or we could not hand over the body. */
function isOurs({ phase }: AttemptOutcome): boolean {
  return phase === 'expired' || phase === 'gone' || phase === 'body'
}

function isClientsFault({ phase, status }: AttemptOutcome): boolean {
  return (phase === 'status' || phase === 'in_band') && status >= 400 && status < 500 && status !== 408
}
