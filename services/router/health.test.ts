import { describe, expect, it } from 'vitest'
import type { AttemptOutcome } from '#contracts/settlement.ts'
import type { Health } from './health.ts'
import { learn, restsUntil } from './health.ts'

const NOW = 1_000
const outcome = (change: Partial<AttemptOutcome> = {}): AttemptOutcome => ({
  prov: 'a',
  account: 'a-1',
  model: 'm',
  status: 200,
  phase: null,
  key_fault: false,
  retry_after_ms: null,
  ttfb_ms: null,
  ...change,
})
const ok = outcome({ ttfb_ms: 100 })
const down = outcome({ status: 503, phase: 'status' })

/** How long the provider rests after these outcomes, all at the same time. */
function restAfter(...outcomes: AttemptOutcome[]): number {
  const health: Health = new Map()
  for (const one of outcomes) learn(health, one, NOW)
  return Math.max(0, restsUntil(health, 'a') - NOW)
}
const times = (count: number, one: AttemptOutcome) => Array.from({ length: count }, () => one)

describe('a cooldown', () => {
  it.each<[string, AttemptOutcome, number]>([
    ['lasts as long as the provider says', outcome({ status: 429, phase: 'status', retry_after_ms: 17_000 }), 17_000],
    ['lasts five seconds if it says nothing', outcome({ status: 429, phase: 'status' }), 5_000],
    ['may come inside an answer', outcome({ status: 429, phase: 'in_band', retry_after_ms: 3_000 }), 3_000],
    ['is five minutes for a bad key', outcome({ status: 401, phase: 'status', key_fault: true }), 300_000],
    ['does not follow from success', ok, 0],
    ['does not follow from one failure', down, 0],
  ])('%s', (_, one, restMs) => expect(restAfter(one)).toBe(restMs))

  it('is not cut short by a later, shorter one', () => {
    const limited = (retry_after_ms: number) => outcome({ status: 429, phase: 'status', retry_after_ms })
    expect(restAfter(limited(60_000), limited(1_000))).toBe(60_000)
  })

  it('is no failure in a row', () => {
    expect(restAfter(...times(4, down), outcome({ status: 429, phase: 'status', retry_after_ms: 1 }))).toBe(1)
  })
})

describe('a breaker', () => {
  it.each<[string, AttemptOutcome[], number]>([
    ['is still closed after four failures', times(4, down), 0],
    ['opens for half a minute at the fifth in a row', times(5, down), 30_000],
    ['opens twice as long the second time', times(10, down), 60_000],
    ['opens for five minutes at most', times(100, down), 300_000],
    ['counts from the last success', [...times(4, down), ok, ...times(4, down)], 0],
    ['counts what broke off', times(5, outcome({ status: 0, phase: 'stream' })), 30_000],
    ['counts what could not be reached', times(5, outcome({ status: 0, phase: 'connect' })), 30_000],
    ['counts a provider that is too slow', times(5, outcome({ status: 408, phase: 'status' })), 30_000],
    ['does not count a request that the client got wrong', times(50, outcome({ status: 400, phase: 'status' })), 0],
    ['does not count such a request if the answer says so', times(50, outcome({ status: 400, phase: 'in_band' })), 0],
    ['counts a breakdown inside an answer', times(5, outcome({ status: 502, phase: 'in_band' })), 30_000],
    ['does not count a model that is gone', times(50, outcome({ status: 404, phase: 'status' })), 0],
    ['does not count a grant that came too late', times(50, outcome({ status: 0, phase: 'expired' })), 0],
    ['does not count an attempt that the worker had ended', times(50, outcome({ status: 0, phase: 'gone' })), 0],
    ['does not count a body that we could not hand over', times(50, outcome({ status: 0, phase: 'body' })), 0],
  ])('%s', (_, outcomes, restMs) => expect(restAfter(...outcomes)).toBe(restMs))

  it('begins anew after a success', () => {
    expect(restAfter(...times(5, down), ok, ...times(5, down))).toBe(30_000)
  })

  it('is each provider’s own', () => {
    const health: Health = new Map()
    for (const one of times(5, down)) learn(health, one, NOW)
    expect(restsUntil(health, 'b')).toBe(0)
  })
})

it('the time to the first token is an average that follows slowly', () => {
  const health: Health = new Map()
  learn(health, outcome({ ttfb_ms: 100 }), NOW)
  expect(health.get('a')?.ttfbMs).toBe(100)
  learn(health, outcome({ ttfb_ms: 200 }), NOW)
  expect(health.get('a')?.ttfbMs).toBe(120)
  learn(health, outcome({ ttfb_ms: null }), NOW)
  expect(health.get('a')?.ttfbMs).toBe(120)
})
