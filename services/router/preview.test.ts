import { expect, it } from 'vitest'
import { catalogOf } from '#test/support/routing.ts'
import type { Health } from './health.ts'
import { learn } from './health.ts'
import { preview } from './preview.ts'
import type { World } from './route.ts'
import { routingTable } from './table.ts'

const NOW = 50_000
const table = routingTable(
  catalogOf({
    alpha: { tags: ['fast'], rpd_limit: 100, models: [{ id: 'm' }, { id: 'n', intelligence_rank: 1 }] },
    beta: { tags: ['eu'], weight: 3 },
    keyless: { configured: false, tags: ['far'] },
    off: { enabled: false, tags: ['off'] },
    voice: { models: [{ id: 'v', capabilities: ['tts'] }] },
  }),
)
const health: Health = new Map()
const outcome = { status: 200, phase: null, key_fault: false, retry_after_ms: null, ttfb_ms: 420 } as const
learn(health, { ...outcome, prov: 'alpha', account: 'alpha-1', model: 'm' }, NOW)
learn(health, { ...outcome, prov: 'beta', account: 'beta-1', model: 'm', status: 429, phase: 'status', ttfb_ms: null }, NOW)
const world: World = {
  health,
  roomOf: () => ({ headroom: 1 }),
  usageOf: () => ({ requests_today: 30, requests_this_minute: 1, tokens_today: 9 }),
  wish: undefined,
  nowMs: NOW,
  random: () => {
    throw new Error('a preview leaves nothing to chance')
  },
}

it('shows every provider with a key that chats, best first, whether or not it may be called now', () => {
  const { candidates, excluded, warnings } = preview(null, table, world)
  expect(candidates).toEqual([
    { name: 'beta', score: expect.any(Number), healthy: false, rpd_remaining: null, last_latency_ms: null },
    { name: 'alpha', score: expect.any(Number), healthy: true, rpd_remaining: 70, last_latency_ms: 420 },
  ])
  expect(excluded).toEqual([])
  expect(warnings).toEqual([])
})

it('what is left of a day is that of all keys, of which each has the operator’s number', () => {
  const two = routingTable(catalogOf({ alpha: { rpd_limit: 100, accounts: ['alpha-1', 'alpha-2'] } }))
  expect(preview(null, two, world).candidates[0]?.rpd_remaining).toBe(170)
})

it('shows whom a requirement shuts out, and how a preference changes the order', () => {
  const fast = preview({ require: [{ field: 'tags', op: 'contains', value: 'fast' }], prefer: [] }, table, world)
  expect(fast.candidates.map(({ name }) => name)).toEqual(['alpha'])
  expect(fast.excluded).toEqual([{ name: 'beta', reason: 'requires tags contains fast' }])
  const before = preview(null, table, world).candidates.find(({ name }) => name === 'alpha')?.score ?? 0
  const preferred = preview({ require: [], prefer: [{ field: 'name', op: 'eq', value: 'alpha', weight: 5 }] }, table, world).candidates[0]
  expect(preferred?.name).toBe('alpha')
  expect(preferred?.score).toBeCloseTo(before + 5, 3)
})

it.each([
  [
    'a tag that no provider has',
    { require: [], prefer: [{ field: 'tags' as const, op: 'contains' as const, value: 'slow', weight: 1 }] },
    ['no provider has the tag slow'],
  ],
  [
    'a tag of a provider that is switched off',
    { require: [], prefer: [{ field: 'tags' as const, op: 'contains' as const, value: 'off', weight: 1 }] },
    ['no provider has the tag off'],
  ],
  ['not of one without a key', { require: [], prefer: [{ field: 'tags' as const, op: 'contains' as const, value: 'far', weight: 1 }] }, []],
  [
    'a definition that nobody matches',
    { require: [{ field: 'name' as const, op: 'eq' as const, value: 'gamma' }], prefer: [] },
    ['no provider matches this definition'],
  ],
])('warns of %s', (_, definition, warnings) => expect(preview(definition, table, world).warnings).toEqual(warnings))
