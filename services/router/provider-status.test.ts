import { expect, it } from 'vitest'
import type { CatalogProvider } from '#contracts/catalog.ts'
import { catalogOf } from '#test/support/routing.ts'
import { type Health, learn } from './health.ts'
import { providerStatus, type Seen } from './provider-status.ts'

const seen: Seen = {
  health: new Map(),
  limitsOf: () => [],
  usageOf: () => ({ requests_today: 3, requests_this_minute: 1, tokens_today: 90 }),
  keys: { count: 1, source: 'settings' },
  custom: false,
  nowMs: 1_000,
  wallMs: Date.UTC(2026, 0, 1),
}
const provider = (own: Record<string, unknown>) => catalogOf({ groq: own }).providers[0] as CatalogProvider

it('is as FreeAI tells it, and more', () => {
  expect(providerStatus(provider({ weight: 1.5, tags: ['fast'], default_model: 'm', rpm_limit: 30, status: 'active_free' }), seen)).toEqual(
    {
      name: 'groq',
      enabled: true,
      has_key: true,
      healthy: true,
      requests_today: 3,
      requests_this_minute: 1,
      rpm_limit: 30,
      rpd_limit: null,
      tpm_limit: null,
      tpd_limit: null,
      tokens_today: 90,
      weight: 1.5,
      last_latency_ms: null,
      latency_ema_ms: null,
      tags: ['fast'],
      default_model: 'm',
      display_name: 'groq',
      status: 'active_free',
      terms: null,
      as_of: null,
      base_url: 'http://127.0.0.1:1/v1',
      configured: true,
      key_source: 'settings',
      custom: false,
      metered: false,
      accounts: [],
      models: 1,
      success_rate: null,
      total_failures: 0,
      cooldowns: [],
      limits: [],
    },
  )
})

it.each<[string, Record<string, unknown>, object]>([
  ['the operator’s', { rpm_limit: 5, limits: [{ unit: 'requests', max: 30, per: 'minute' }] }, { rpm_limit: 5 }],
  ['the provider’s', { limits: [{ unit: 'tokens', max: 500, per: 'day' }] }, { tpd_limit: 500, rpm_limit: null }],
  [
    'its default model’s',
    { default_model: 'b', models: [{ id: 'a' }, { id: 'b', limits: [{ unit: 'tokens', max: 60, per: 'minute' }] }] },
    { tpm_limit: 60 },
  ],
])('its limit is %s number', (_, own, expected) => expect(providerStatus(provider(own), seen)).toMatchObject(expected))

it('tells what rests, why and until when', () => {
  const health: Health = new Map()
  const outcome = { prov: 'groq', account: 'groq-1', model: 'm', key_fault: false, ttfb_ms: null } as const
  learn(health, { ...outcome, status: 429, phase: 'status', code: 'rate_limited', scope: 'key', retry_after_ms: 30_000 }, 1_000)
  expect(providerStatus(provider({}), { ...seen, health })).toMatchObject({
    healthy: false,
    last_error: 'rate_limited (429)',
    cooldowns: [{ account: 'groq-1', reason: 'rate_limited', ends_in_ms: 30_000, ends_at: '2026-01-01T00:00:30.000Z' }],
  })
})

it('tells what is left of each limit of each key, and whose number holds', () => {
  const limit = { unit: 'requests', max: 30, per: 'minute' } as const
  const limitsOf: Seen['limitsOf'] = (_, account) => [
    { pool: account, limit, used: 4, remaining: 6, resetsInMs: 1234.5, source: 'learned', learnedMax: 10 },
  ]
  const { limits } = providerStatus(provider({ accounts: ['groq-1', 'groq-2'] }), { ...seen, limitsOf })
  expect(limits).toHaveLength(2)
  expect(limits[1]).toEqual({
    ...{ pool: 'groq-2', account: 'groq-2', unit: 'requests', per: 'minute', max: 30 },
    ...{ used: 4, remaining: 6, resets_in_ms: 1235, source: 'learned', learned_max: 10 },
  })
})
