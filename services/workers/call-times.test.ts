import { expect, it } from 'vitest'
import type { Offer } from '#contracts/attempt.ts'
import { provider as providerSchema } from '#contracts/catalog.ts'
import type { CallTimes } from './call-times.ts'
import { overdueBy, rounded, shares, timesOf, timeToFirstToken } from './call-times.ts'

const models = [{ id: 'm' }, { id: 'thinks', capabilities: ['chat', 'reasoning'] }]
const provider = providerSchema.parse({ name: 'p', base_url: 'https://a.example', models, first_byte_ms: 20_000, stall_ms: 30_000 })
type Asked = Pick<Offer, 'kind' | 'stream' | 'model'>
const streamed: Asked = { kind: 'chat', stream: true, model: 'm' }
/** Granted at 1000, with a minute to go. */
const times = (change: Partial<CallTimes> = {}): CallTimes => ({ ...timesOf(1_000, 60_000), ...change })

it.each<[string, Partial<CallTimes>, number, string | undefined]>([
  ['waits for its first token', {}, 20_999, undefined],
  ['has waited too long for it', {}, 21_000, 'ttfb'],
  ['gets bytes, but no token', { lastDataMs: 20_500 }, 21_000, 'ttfb'],
  ['goes on', { headMs: 5_000, lastDataMs: 20_000 }, 49_999, undefined],
  ['has fallen silent', { headMs: 5_000, lastDataMs: 20_000 }, 50_000, 'stream'],
  ['has a last millisecond', { headMs: 5_000, lastDataMs: 60_000 }, 60_999, undefined],
  ['has no time left', { headMs: 5_000, lastDataMs: 60_999 }, 61_000, 'limit'],
  ['has no time left, and never had much', { deadlineMs: 2_000 }, 2_000, 'limit'],
])('a call that %s', (_, change, nowMs, phase) => {
  const overdue = overdueBy(times(change), provider, streamed, nowMs)
  expect(overdue?.phase).toBe(phase)
  if (phase) expect(overdue).toMatchObject({ status: 504, code: 'timeout' })
})

it.each<[string, Partial<Asked>, number]>([
  ['that streams', {}, 20_000],
  ['that thinks first', { model: 'thinks' }, 60_000],
  ['that says nothing before all is written', { stream: false }, 60_000],
  ['that thinks first, and says nothing before all is written', { model: 'thinks', stream: false }, 180_000],
  ['whose model the catalogue does not know', { model: 'other' }, 20_000],
  ['that paints', { kind: 'image', stream: false }, 120_000],
  ['that listens', { kind: 'transcription', stream: false }, 120_000],
  ['that speaks', { kind: 'speech' }, 60_000],
  ['that embeds', { kind: 'embedding', stream: false }, 20_000],
])('one %s has so long to begin', (_, change, withinMs) => {
  const overdue = (afterMs: number) => overdueBy(timesOf(0, 600_000), provider, { ...streamed, ...change }, afterMs)?.phase
  expect([overdue(withinMs - 1), overdue(withinMs)]).toEqual([undefined, 'ttfb'])
})

it('who is patient by himself is so with everything', () => {
  const patient = { ...provider, first_byte_ms: 90_000 }
  const overdue = (kind: Asked['kind'], afterMs: number) => overdueBy(timesOf(0, 600_000), patient, { ...streamed, kind }, afterMs)?.phase
  expect([overdue('speech', 89_999), overdue('speech', 90_000)]).toEqual([undefined, 'ttfb'])
  expect([overdue('image', 119_999), overdue('image', 120_000)]).toEqual([undefined, 'ttfb'])
})

it('tells our share of the wait from the provider’s', () => {
  expect(shares(times({ sentMs: 1_002.504, headMs: 1_402.604 }))).toEqual({ worker_ms: 2.5, upstream_ms: 400.1 })
  expect(shares(times({ sentMs: 1_002 }))).toEqual({ worker_ms: 2, upstream_ms: 0 })
})

it('knows the time to the first token only if there was one', () => {
  expect(timeToFirstToken(times({ sentMs: 1_002, headMs: 1_402.126 }))).toBe(400.13)
  expect(timeToFirstToken(times())).toBeNull()
})

it.each([
  [1.234, 1.23],
  [1.235_1, 1.24],
  [-0.5, 0],
])('%d ms is told as %d', (ms, told) => expect(rounded(ms)).toBe(told))
