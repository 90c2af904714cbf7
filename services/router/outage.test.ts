// A provider goes down and comes back, as the router lives through it: every job is routed, begun, and its outcome learned a while later.

import { beforeAll, describe, expect, it } from 'vitest'
import type { Target } from '#contracts/attempt.ts'
import type { AttemptOutcome } from '#contracts/settlement.ts'
import { catalogOf, jobFor } from '#test/support/routing.ts'
import type { Health } from './health.ts'
import { begin, learn } from './health.ts'
import { route } from './route.ts'
import { routingTable } from './table.ts'

const models = Array.from({ length: 3 }, (_, i) => ({ id: `m-${i}`, intelligence_rank: i + 1 }))
const table = routingTable(
  catalogOf({ best: { weight: 3, accounts: ['best-1', 'best-2'], models }, next: { models }, last: { weight: 0.5, models } }),
)
const fine = { status: 200, phase: null, key_fault: false, retry_after_ms: null, ttfb_ms: 200 } as const
const breakdowns = {
  'answers 503': { ...fine, status: 503, phase: 'status', ttfb_ms: null },
  'cannot be reached': { ...fine, status: 0, phase: 'connect', code: 'network', ttfb_ms: null },
  'never answers': { ...fine, status: 0, phase: 'ttfb', code: 'timeout', ttfb_ms: null },
  'breaks off': { ...fine, status: 0, phase: 'stream', code: 'truncated' },
} satisfies Record<string, Omit<AttemptOutcome, keyof Target>>

const BETWEEN_MS = 20
const TAKES_MS = 300
const DOWN_MS = { from: 60_000, to: 660_000 }

/** How many jobs went to whom, minute by minute, at fifty a second. */
function live(breakdown: Omit<AttemptOutcome, keyof Target>, minutes: number) {
  const health: Health = new Map()
  const underWay: { target: Target; endsMs: number }[] = []
  const perMinute = Array.from({ length: minutes }, (): Record<string, number> => ({}))
  let seed = 1
  const random = () => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0
    return seed / 2 ** 32
  }
  for (let nowMs = 0; nowMs < minutes * 60_000; nowMs += BETWEEN_MS) {
    while (underWay[0] && underWay[0].endsMs <= nowMs) {
      const { target } = underWay.shift()!
      const isDown = target.prov === 'best' && nowMs >= DOWN_MS.from && nowMs < DOWN_MS.to
      const { billable, ...called } = target
      learn(health, { ...(isDown ? breakdown : fine), ...called }, nowMs)
    }
    const found = route(jobFor(), table, { health, roomOf: () => ({ headroom: 1 }), wish: 'general', nowMs, random })
    const target = 'order' in found ? found.order[0]?.target : undefined
    if (!target) throw new Error('nobody is left')
    begin(health, target, nowMs)
    underWay.push({ target, endsMs: nowMs + TAKES_MS })
    const minute = Math.floor(nowMs / 60_000)
    const count = perMinute[minute]!
    count[target.prov] = (count[target.prov] ?? 0) + 1
  }
  return perMinute
}

describe.each(Object.entries(breakdowns))('a provider that %s for ten minutes', (_, breakdown) => {
  let perMinute: Record<string, number>[]
  beforeAll(() => {
    perMinute = live(breakdown, 18)
  })
  const to = (prov: string, from: number, until: number) => perMinute.slice(from, until).reduce((sum, count) => sum + (count[prov] ?? 0), 0)
  const all = (from: number, until: number) => ['best', 'next', 'last'].reduce((sum, prov) => sum + to(prov, from, until), 0)

  it('is preferred before', () => expect(to('best', 0, 1)).toBe(all(0, 1)))

  it('gets fewer than one of a thousand jobs while it is down, those included that found it out', () => {
    expect(to('best', 1, 11)).toBeGreaterThan(0)
    expect(to('best', 1, 11) / all(1, 11)).toBeLessThan(0.001)
  })

  it('gets one at a time once it is known to be down', () => {
    for (let minute = 2; minute < 11; minute++) expect(to('best', minute, minute + 1)).toBeLessThanOrEqual(2)
  })

  it('is preferred again within six minutes of its return', () => expect(to('best', 17, 18) / all(17, 18)).toBeGreaterThan(0.9))
})
