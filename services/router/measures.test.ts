import { afterEach, beforeEach, expect, test } from 'vitest'
import { catalog } from '#contracts/catalog.ts'
import type { Operations } from '#services/operations.ts'
import { openOperations } from '#services/operations.ts'
import { countPlaced, countRefused, type Measured, measureRouter } from './measures.ts'

let operations: Operations
beforeEach(async () => {
  operations = await openOperations({ host: '127.0.0.1', port: 0, service: 'router', version: '0', missing: () => [] })
})
afterEach(() => operations.close())

const scrape = async () => (await (await fetch(`${operations.url}/metrics`)).text()).split('\n')
const entry = (name: string, own: object) => ({ name, base_url: 'http://127.0.0.1:1', models: [{ id: 'm' }], configured: true, ...own })
const router: Measured = {
  waiting: 2,
  openLeases: 3,
  catalog: catalog.parse({
    providers: [entry('a', { accounts: ['a-1', 'a-2'] }), entry('off', { enabled: false }), entry('keyless', { configured: false })],
    aliases: [],
  }),
  limitsOf: (_, account) => [
    {
      pool: account,
      limit: { unit: 'requests', max: 10, per: 'minute' },
      used: 4,
      remaining: 6,
      resetsInMs: 1,
      source: 'configured',
    },
  ],
  healthOf: () => ({
    healthy: true,
    last_latency_ms: null,
    latency_ema_ms: null,
    success_rate: null,
    total_failures: 0,
    last_error: null,
    cooldowns: [
      { account: 'a-1', reason: 'rate_limited', ends_in_ms: 1 },
      { account: 'a-2', reason: 'rate_limited', ends_in_ms: 1 },
    ],
  }),
}

test('what waits, what is left of limits and who rests is read at each scrape, of providers that can be called', async () => {
  const end = measureRouter(router)
  const lines = await scrape()
  expect(lines).toContain('freeway_router_waiting 2')
  expect(lines).toContain('freeway_router_leases 3')
  expect(lines).toContain('freeway_quota_remaining{provider="a",pool="a-1",unit="requests",per="minute"} 6')
  expect(lines).toContain('freeway_quota_remaining{provider="a",pool="a-2",unit="requests",per="minute"} 6')
  expect(lines).toContain('freeway_provider_resting{provider="a",reason="rate_limited"} 2')
  expect(lines.filter((line) => line.startsWith('freeway_provider_healthy{'))).toEqual(['freeway_provider_healthy{provider="a"} 1'])
  end()
})

test('offers are counted by provider, and jobs without a place by reason', async () => {
  countPlaced('a')
  countPlaced('a')
  countRefused('no_worker')
  const lines = await scrape()
  expect(lines).toContain('freeway_router_placed_total{provider="a"} 2')
  expect(lines).toContain('freeway_router_refused_total{reason="no_worker"} 1')
})
