import { expect, it } from 'vitest'
import type { AttemptOutcome } from '#contracts/settlement.ts'
import { catalogOf, outcomeOf } from '#test/support/routing.ts'
import type { Health } from './health.ts'
import { begin, learn, stateOf } from './health.ts'
import { healthSnapshot, restore, snapshot, statusOf } from './health-status.ts'

const NOW = 100_000
const A = { prov: 'a', account: 'a-1', model: 'm' }
const [provider] = catalogOf({ a: { accounts: ['a-1', 'a-2'], models: [{ id: 'm' }, { id: 'n' }] } }).providers
const status = (health: Health, nowMs = NOW) => statusOf(health, provider!, nowMs)
const after = (...outcomes: AttemptOutcome[]): Health => {
  const health: Health = new Map()
  for (const one of outcomes) learn(health, one, NOW)
  return health
}

it('a provider that was never called is healthy and unknown', () => {
  expect(status(new Map())).toEqual({
    healthy: true,
    last_latency_ms: null,
    latency_ema_ms: null,
    success_rate: null,
    total_failures: 0,
    last_error: null,
    cooldowns: [],
  })
})

it('times and failures are those of all its models together', () => {
  const health = after(
    outcomeOf({ ttfb_ms: 100 }),
    outcomeOf({ model: 'n', ttfb_ms: 200 }),
    outcomeOf({ model: 'n', status: 503, phase: 'status', code: 'server' }),
  )
  expect(status(health)).toMatchObject({
    last_latency_ms: 200,
    latency_ema_ms: 120,
    success_rate: 0.9,
    total_failures: 1,
    last_error: 'server (503)',
  })
})

it('a limit that is reached is told, and is no failure', () => {
  const limited = outcomeOf({ status: 429, phase: 'status', code: 'rate_limited' })
  expect(status(after(outcomeOf(), limited))).toMatchObject({ success_rate: 1, total_failures: 0, last_error: 'rate_limited (429)' })
})

it('rests are told with their place, reason and end; healthy is who has a model left', () => {
  const limited = (account: string, scope: 'model' | 'key' | 'provider') =>
    outcomeOf({ account, status: 429, phase: 'status', code: 'rate_limited', scope, retry_after_ms: 9_000 })
  expect(status(after(limited('a-1', 'key'), limited('a-2', 'model')))).toMatchObject({
    healthy: true,
    cooldowns: [
      { account: 'a-1', reason: 'rate_limited', ends_in_ms: 9_000 },
      { account: 'a-2', model: 'm', reason: 'rate_limited', ends_in_ms: 9_000 },
    ],
  })
  expect(status(after(limited('a-1', 'key'), limited('a-2', 'key')))).toMatchObject({ healthy: false })
  expect(status(after(limited('a-1', 'provider')))).toMatchObject({
    healthy: false,
    cooldowns: [{ reason: 'rate_limited', ends_in_ms: 9_000 }],
  })
  expect(status(after(limited('a-1', 'provider')), NOW + 9_000)).toMatchObject({ healthy: true, cooldowns: [] })
})

it('a snapshot gives another router, with another clock, the same view', () => {
  const health = after(
    outcomeOf({ ttfb_ms: 100, tokens_per_second: 40 }),
    ...Array.from({ length: 5 }, () => outcomeOf({ model: 'n', status: 503, phase: 'status' })),
    outcomeOf({ account: 'a-2', status: 401, phase: 'status', key_fault: true }),
  )
  const travelled = healthSnapshot.parse(JSON.parse(JSON.stringify(snapshot(health, NOW + 1_000))))
  const there = restore(travelled, 7)
  expect(status(there, 7)).toEqual(status(health, NOW + 1_000))
  expect(stateOf(there, { ...A, model: 'n' }, 7 + 29_000)).toBe('trial')
})

it('what has passed since a snapshot is taken off, and whoever was being tried out is tried anew', () => {
  const health = after(...Array.from({ length: 5 }, () => outcomeOf({ status: 503, phase: 'status' })))
  begin(health, A, NOW + 30_000)
  expect(stateOf(health, A, NOW + 30_000)).toBe('resting')
  expect(stateOf(restore(snapshot(health, NOW), 7, 30_000), A, 7)).toBe('trial')
  expect(stateOf(restore(snapshot(health, NOW), 7, 29_999), A, 7)).toBe('resting')
  expect(stateOf(restore(snapshot(health, NOW + 30_000), 7), A, 7)).toBe('trial')
})
