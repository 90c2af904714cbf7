// Pure. What is known of a provider's health, for the operator who looks and for a router that has just started.

import { z } from 'zod'
import type { CatalogProvider } from '#contracts/catalog.ts'
import type { Condition, Health } from './health.ts'
import { newCondition, standingIn } from './health.ts'

export interface HealthStatus {
  /** Whether any of its models may be called now. */
  healthy: boolean
  /** Time to first token. */
  last_latency_ms: number | null
  latency_ema_ms: number | null
  /** Of the calls that this router knows of: 0 to 1, the latest count most. */
  success_rate: number | null
  total_failures: number
  last_error: string | null
  /** What rests now. Without an account: all of the provider; without a model: all of the account. */
  cooldowns: { account?: string; model?: string; reason: string; ends_in_ms: number }[]
}

export function statusOf(health: Health, provider: CatalogProvider, nowMs: number): HealthStatus {
  const { name } = provider
  const accounts = provider.accounts.length > 0 ? provider.accounts : [`${name}-1`]
  const places = [
    { key: name },
    ...accounts.flatMap((account) => [
      { key: `${name}/${account}`, account },
      ...provider.models.map(({ id }) => ({ key: `${name}/${account}/${id}`, account, model: id })),
    ]),
  ]
  const known = health.get(name)
  const standing = standingIn(health, nowMs)
  return {
    healthy: accounts.some((account) =>
      provider.models.some(({ id }) => standing([name, `${name}/${account}`, `${name}/${account}/${id}`]) !== 'resting'),
    ),
    last_latency_ms: known?.lastTtftMs ?? null,
    latency_ema_ms: known?.ttftMs ?? null,
    success_rate: known && known.calls > 0 ? known.success : null,
    total_failures: known?.failures ?? 0,
    last_error: known?.lastError ?? null,
    cooldowns: places.flatMap(({ key, ...place }) => {
      const { restUntilMs = 0, why } = health.get(key) ?? {}
      return restUntilMs > nowMs ? [{ ...place, reason: why ?? 'failing', ends_in_ms: restUntilMs - nowMs }] : []
    }),
  }
}

const count = z.int().min(0)
const ms = z.number()
const taken = z.object({
  /** Left of the rest. */
  rest_ms: ms.min(0),
  why: z.string().optional(),
  unproven: z.boolean(),
  opened: count,
  failures_in_row: count,
  recent: count,
  seen: count,
  calls: count,
  failures: count,
  ttft_ms: ms.optional(),
  tokens_per_second: z.number().min(0).optional(),
  success: z.number().min(0).max(1),
  timed: count,
  last_ttft_ms: ms.optional(),
  last_error: z.string().optional(),
  /** Since the last call. */
  age_ms: ms.min(0),
  blamed: z.string().optional(),
})
/** By provider, `provider/account`, `provider/account/model`. Times are durations: clocks of two processes are not compared. */
export const healthSnapshot = z.record(z.string(), taken)
export type HealthSnapshot = z.infer<typeof healthSnapshot>

export function snapshot(health: Health, nowMs: number): HealthSnapshot {
  return Object.fromEntries(
    [...health].map(([key, c]) => [
      key,
      {
        rest_ms: Math.max(0, c.restUntilMs - nowMs),
        why: c.why,
        unproven: c.unproven,
        opened: c.opened,
        failures_in_row: c.failuresInRow,
        recent: c.recent,
        seen: c.seen,
        calls: c.calls,
        failures: c.failures,
        ttft_ms: c.ttftMs,
        tokens_per_second: c.tokensPerSecond,
        success: c.success,
        timed: c.timed,
        last_ttft_ms: c.lastTtftMs,
        last_error: c.lastError,
        age_ms: Math.max(0, nowMs - c.lastMs),
        blamed: c.blamed,
      },
    ]),
  )
}

/** `ageMs`: how long ago the snapshot was taken, as far as is known. Whoever was being tried out is tried anew. */
export function restore(from: HealthSnapshot, nowMs: number, ageMs = 0): Health {
  return new Map(
    Object.entries(from).map(([key, t]): [string, Condition] => [
      key,
      {
        ...newCondition(),
        restUntilMs: t.rest_ms > ageMs ? nowMs + t.rest_ms - ageMs : 0,
        why: t.why,
        unproven: t.unproven,
        opened: t.opened,
        failuresInRow: t.failures_in_row,
        recent: t.recent,
        seen: t.seen,
        calls: t.calls,
        failures: t.failures,
        ttftMs: t.ttft_ms,
        tokensPerSecond: t.tokens_per_second,
        success: t.success,
        timed: t.timed,
        lastTtftMs: t.last_ttft_ms,
        lastError: t.last_error,
        lastMs: nowMs - t.age_ms - ageMs,
        blamed: t.blamed,
      },
    ]),
  )
}
