import { expect, test } from 'vitest'
import { rememberEnded } from './ended.ts'

test('an attempt that is over is known for a minute at least, and whether it was granted', () => {
  const ended = rememberEnded(0)
  ended.add('a.1', true, 59_999)
  ended.add('b.1', false, 60_000)
  ended.add('c.1', false, 119_999)
  expect(['a.1', 'b.1', 'c.1', 'd.1'].map((key) => [ended.has(key), ended.wasGranted(key)])).toEqual([
    [true, true],
    [true, false],
    [true, false],
    [false, false],
  ])
})

test('after two minutes it is forgotten', () => {
  const ended = rememberEnded(0)
  ended.add('a.1', true, 0)
  ended.add('b.1', true, 60_000)
  ended.add('c.1', true, 120_000)
  expect(['a.1', 'b.1', 'c.1'].map((key) => ended.has(key))).toEqual([false, true, true])
})

test('however many end in a minute, memory is bounded, and the latest are known', () => {
  const ended = rememberEnded(0)
  for (let i = 0; i < 500_000; i++) ended.add(`r${i}.1`, true, 1)
  expect([ended.has('r0.1'), ended.has('r300000.1'), ended.has('r499999.1')]).toEqual([false, true, true])
})
