import { describe, expect, it } from 'vitest'
import type { AttemptOutcome } from '#contracts/settlement.ts'
import { outcomeOf } from '#test/support/routing.ts'
import type { Health } from './health.ts'
import { begin, giveBack, learn, reset, restsUntil, stateOf, whyResting } from './health.ts'

const NOW = 1_000
const A = { prov: 'a', account: 'a-1', model: 'm' }
const ok = outcomeOf({ ttfb_ms: 100 })
const down = outcomeOf({ status: 503, phase: 'status' })
const limited = (retry_after_ms: number | null, change: Partial<AttemptOutcome> = {}) =>
  outcomeOf({ status: 429, phase: 'status', retry_after_ms, ...change })
const times = (count: number, one: AttemptOutcome) => Array.from({ length: count }, () => one)
const restOf = (health: Health, target = A, nowMs = NOW) => Math.max(0, restsUntil(health, target, nowMs) - nowMs)

/** How long the model rests after these outcomes, all at the same time. */
function restAfter(...outcomes: AttemptOutcome[]): number {
  const health: Health = new Map()
  for (const one of outcomes) learn(health, one, NOW)
  return restOf(health)
}

describe('a cooldown', () => {
  it.each<[string, AttemptOutcome, number]>([
    ['lasts as long as the provider says', limited(17_000), 17_000],
    ['lasts five seconds if it says nothing', limited(null), 5_000],
    ['lasts a day at most', limited(9e9), 86_400_000],
    ['may come inside an answer', limited(3_000, { phase: 'in_band' }), 3_000],
    [
      'may follow a breakdown that names its end',
      outcomeOf({ status: 503, phase: 'status', code: 'overloaded', retry_after_ms: 8_000 }),
      8_000,
    ],
    ['does not follow from success', ok, 0],
    ['does not follow from one failure', down, 0],
  ])('%s', (_, one, restMs) => expect(restAfter(one)).toBe(restMs))

  it('is not cut short by a later, shorter one', () => expect(restAfter(limited(60_000), limited(1_000))).toBe(60_000))

  it('is no failure in a row', () => expect(restAfter(...times(4, down), limited(1))).toBe(1))

  it('ends by itself: nobody has to go first', () => {
    const health: Health = new Map()
    learn(health, limited(1_000), NOW)
    expect(stateOf(health, A, NOW + 999)).toBe('resting')
    expect(stateOf(health, A, NOW + 1_000)).toBe('ready')
  })
})

describe('who rests', () => {
  const others = {
    'another model of the key': { ...A, model: 'n' },
    'another key': { ...A, account: 'a-2' },
    'another provider': { prov: 'b', account: 'b-1', model: 'm' },
  }
  it.each<[string, AttemptOutcome[], string[]]>([
    ['a limit: the key', [limited(1_000)], ['another model of the key']],
    ['a limit of a model: the model there', [limited(1_000, { code: 'rate_limited', scope: 'model' })], []],
    [
      'a limit of the provider: all of it',
      [limited(1_000, { code: 'rate_limited', scope: 'provider' })],
      ['another model of the key', 'another key'],
    ],
    ['a bad key: the key', [outcomeOf({ status: 401, phase: 'status', key_fault: true })], ['another model of the key']],
    ['an empty purse: the key', [outcomeOf({ status: 402, phase: 'status', code: 'payment' })], ['another model of the key']],
    ['a lost connection: the provider', times(5, outcomeOf({ status: 0, phase: 'connect' })), ['another model of the key', 'another key']],
    ['failures of one model: the model there', times(5, down), []],
    [
      'failures of a second model in the same run: the provider',
      [...times(5, down), { ...down, model: 'n' }],
      ['another model of the key', 'another key'],
    ],
    ['a model that is gone: the model there', [outcomeOf({ status: 404, phase: 'status', code: 'model_not_found' })], []],
    [
      'a region that is barred: the provider',
      [outcomeOf({ status: 403, phase: 'status', code: 'blocked' })],
      ['another model of the key', 'another key'],
    ],
  ])('after %s', (_, outcomes, resting) => {
    const health: Health = new Map()
    for (const one of outcomes) learn(health, one, NOW)
    expect(stateOf(health, A, NOW)).toBe('resting')
    for (const [name, target] of Object.entries(others))
      expect([name, stateOf(health, target, NOW)]).toEqual([name, resting.includes(name) ? 'resting' : 'ready'])
  })

  it('nobody, when only this request was refused', () => {
    for (const code of ['invalid_request', 'context_length', 'too_large', 'content_policy', 'unsupported'] as const) {
      expect(restAfter(...times(50, outcomeOf({ status: 400, phase: 'status', code })))).toBe(0)
    }
    expect(restAfter(limited(60_000, { code: 'rate_limited', scope: 'request' }))).toBe(0)
  })
})

describe('a breaker', () => {
  it.each<[string, AttemptOutcome[], number]>([
    ['is still closed after four failures', times(4, down), 0],
    ['opens for half a minute at the fifth in a row', times(5, down), 30_000],
    ['takes those that were under way for the same breakdown', times(100, down), 30_000],
    ['counts from the last success', [...times(4, down), ok, ...times(4, down)], 0],
    [
      'opens when more than half of the last twenty failed',
      [...times(9, ok), ...Array.from({ length: 11 }, (_, i) => [down, ...(i % 4 ? [] : [ok])]).flat()],
      30_000,
    ],
    ['stays closed when half of them did', Array.from({ length: 40 }, (_, i) => (i % 2 ? down : ok)), 0],
    ['counts what broke off', times(5, outcomeOf({ status: 0, phase: 'stream' })), 30_000],
    ['counts what could not be reached', times(5, outcomeOf({ status: 0, phase: 'connect' })), 30_000],
    ['counts a provider that is too slow', times(5, outcomeOf({ status: 408, phase: 'status' })), 30_000],
    ['counts a breakdown inside an answer', times(5, outcomeOf({ status: 502, phase: 'in_band' })), 30_000],
    ['does not count a request that the client got wrong', times(50, outcomeOf({ status: 400, phase: 'status' })), 0],
    ['does not count such a request if the answer says so', times(50, outcomeOf({ status: 400, phase: 'in_band' })), 0],
    ['does not count a model that is gone', times(50, outcomeOf({ status: 404, phase: 'status' })), 0],
    ['does not count the end of the client’s own time', times(50, outcomeOf({ status: 504, phase: 'limit', code: 'timeout' })), 0],
    ['does not count a grant that came too late', times(50, outcomeOf({ status: 0, phase: 'expired' })), 0],
    ['does not count an attempt that the worker had ended', times(50, outcomeOf({ status: 0, phase: 'gone' })), 0],
    ['does not count a body that we could not hand over', times(50, outcomeOf({ status: 0, phase: 'body' })), 0],
  ])('%s', (_, outcomes, restMs) => expect(restAfter(...outcomes)).toBe(restMs))

  it('begins anew after a success', () => {
    const health: Health = new Map()
    for (const one of times(5, down)) learn(health, one, NOW)
    learn(health, ok, NOW + 30_000)
    for (const one of times(4, down)) learn(health, one, NOW + 30_000)
    expect(stateOf(health, A, NOW + 30_000)).toBe('ready')
    learn(health, down, NOW + 30_000)
    expect(restOf(health, A, NOW + 30_000)).toBe(30_000)
  })
})

describe('after the rest of a breaker', () => {
  const opened = (): Health => {
    const health: Health = new Map()
    for (const one of times(5, down)) learn(health, one, NOW)
    return health
  }
  const LATER = NOW + 30_000

  it('exactly one goes first', () => {
    const health = opened()
    expect(stateOf(health, A, LATER)).toBe('trial')
    begin(health, A, LATER)
    expect(stateOf(health, A, LATER)).toBe('resting')
  })

  it('the others follow when it succeeds', () => {
    const health = opened()
    begin(health, A, LATER)
    learn(health, ok, LATER + 5)
    expect(stateOf(health, A, LATER + 5)).toBe('ready')
  })

  it.each([1, 2, 5, 9, 10, 40])('it rests longer each time it fails, at most five minutes (%i times)', (n) => {
    const health = opened()
    let nowMs = LATER
    let restMs = 30_000
    for (let i = 1; i < n; i++) {
      begin(health, A, nowMs)
      learn(health, down, nowMs)
      restMs = restOf(health, A, nowMs)
      nowMs += restMs
    }
    expect(restMs).toBe(Math.min(n * 30_000, 300_000))
  })

  it('another goes when the first is called off, refused for its own sake, or never heard of again', () => {
    const health = opened()
    begin(health, A, LATER)
    giveBack(health, A)
    expect(stateOf(health, A, LATER)).toBe('trial')
    begin(health, A, LATER)
    learn(health, outcomeOf({ status: 400, phase: 'status', code: 'invalid_request' }), LATER)
    expect(stateOf(health, A, LATER)).toBe('trial')
    begin(health, A, LATER)
    expect(stateOf(health, A, LATER + 59_999)).toBe('resting')
    expect(stateOf(health, A, LATER + 60_000)).toBe('trial')
  })

  it('whoever asks in between is told to come back in a second', () => {
    const health = opened()
    begin(health, A, LATER)
    expect(restOf(health, A, LATER)).toBe(1_000)
  })

  it('what was begun before the rest does not end it', () => {
    const health = opened()
    learn(health, ok, NOW + 10)
    expect(stateOf(health, A, NOW + 10)).toBe('resting')
    expect(stateOf(health, A, LATER)).toBe('trial')
  })
})

it('a bad key is tried again after five minutes, by one, then less and less often, at least once an hour', () => {
  const health: Health = new Map()
  const refused = outcomeOf({ status: 401, phase: 'status', code: 'auth', key_fault: true })
  let nowMs = NOW
  for (let turn = 1; turn <= 14; turn++) {
    begin(health, A, nowMs)
    learn(health, refused, nowMs)
    const restMs = Math.min(turn * 300_000, 3_600_000)
    expect(restOf(health, A, nowMs)).toBe(restMs)
    expect(whyResting(health, A, nowMs)).toBe('auth')
    nowMs += restMs
    expect(stateOf(health, { ...A, model: 'n' }, nowMs)).toBe('trial')
  }
})

it('a reset forgets all of a provider, and nothing of one whose name begins alike', () => {
  const health: Health = new Map()
  for (const prov of ['a', 'ab']) learn(health, limited(60_000, { prov, account: `${prov}-1` }), NOW)
  reset(health, 'a')
  expect(stateOf(health, A, NOW)).toBe('ready')
  expect(stateOf(health, { prov: 'ab', account: 'ab-1', model: 'm' }, NOW)).toBe('resting')
})

it('what is remembered is bounded, whatever models are spoken of', () => {
  const health: Health = new Map()
  for (let i = 0; i < 20_000; i++) learn(health, outcomeOf({ model: `m-${i}` }), NOW)
  expect(health.size).toBeLessThanOrEqual(8_192)
})

it('the time to the first token is an average that follows slowly', () => {
  const health: Health = new Map()
  const average = () => health.get('a/a-1/m')?.ttftMs
  learn(health, outcomeOf({ ttfb_ms: 100 }), NOW)
  expect(average()).toBe(100)
  learn(health, outcomeOf({ ttfb_ms: 200 }), NOW)
  expect(average()).toBe(120)
  learn(health, outcomeOf({ ttfb_ms: null }), NOW)
  expect(average()).toBe(120)
})
