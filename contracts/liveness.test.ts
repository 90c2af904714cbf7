import { expect, it } from 'vitest'
import { absence, excuse, heard, newLiveness, nobodyThere, weigh } from './liveness.ts'

const patience = { silenceMs: 2_000, goneMs: 60, probeEveryMs: 20 }
const START = 10_000

/** What each step in turn comes to, at times after the start. */
function story(...steps: [number, 'weigh' | 'heard' | 'nobody' | { excuse: number }][]): string[] {
  const state = newLiveness(START)
  const verdicts: string[] = []
  for (const [afterMs, step] of steps) {
    const nowMs = START + afterMs
    if (step === 'heard') heard(state, nowMs)
    else if (step === 'nobody') nobodyThere(state, nowMs)
    else if (step === 'weigh') verdicts.push(weigh(state, patience, nowMs))
    else excuse(state, step.excuse)
  }
  return verdicts
}

it('a peer that was heard is alive until it has been silent for too long', () => {
  expect(story([0, 'weigh'], [1_999, 'weigh'], [2_000, 'weigh'])).toEqual(['alive', 'alive', 'silent'])
  expect(story([1_500, 'heard'], [3_499, 'weigh'], [3_500, 'weigh'])).toEqual(['alive', 'silent'])
})

it('a peer that nobody listens for is asked again and again, and gone only when that holds', () => {
  expect(
    story(
      [0, 'nobody'],
      [1, 'weigh'],
      [2, 'nobody'],
      [10, 'weigh'],
      [21, 'weigh'],
      [22, 'nobody'],
      [59, 'weigh'],
      [60, 'nobody'],
      [61, 'weigh'],
    ),
  ).toEqual(['probe', 'alive', 'probe', 'probe', 'gone'])
})

it('a probe that is not answered by the signal confirms nothing', () => {
  expect(story([0, 'nobody'], [1, 'weigh'], [61, 'weigh'], [81, 'weigh'])).toEqual(['probe', 'probe', 'probe'])
})

it('one word of the peer ends the doubt', () => {
  expect(story([0, 'nobody'], [1, 'weigh'], [2, 'nobody'], [30, 'heard'], [100, 'weigh'])).toEqual(['probe', 'alive'])
})

it('doubt counts from its first sign, not from its last', () => {
  expect(story([0, 'nobody'], [50, 'nobody'], [60, 'weigh'])).toEqual(['gone'])
  expect(story([0, 'nobody'], [30, 'heard'], [40, 'nobody'], [60, 'weigh'], [61, 'nobody'], [100, 'weigh'])).toEqual(['probe', 'gone'])
})

it('silence while we were away ourselves is no silence', () => {
  expect(story([3_000, { excuse: 3_000 }], [3_000, 'weigh'], [4_999, 'weigh'], [5_000, 'weigh'])).toEqual(['alive', 'alive', 'silent'])
})

it.each([
  [20, 0],
  [60, 0],
  [61, 61],
  [5_000, 5_000],
])('a tick of every 20 ms that comes after %d ms means an absence of %d ms', (sinceMs, absentMs) => {
  expect(absence(sinceMs, 20)).toBe(absentMs)
})
