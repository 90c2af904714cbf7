import { expect, it } from 'vitest'
import { createThrottle } from './throttle.ts'

it('answers nine wrong ones of a minute, and makes the tenth wait until the first is a minute old', () => {
  const { note } = createThrottle()
  for (let i = 0; i < 9; i++) expect(note('a', i * 1_000)).toBe(0)
  expect(note('a', 9_000)).toBe(51_000)
})

it('keeps whoever goes on waiting', () => {
  const { note } = createThrottle()
  for (let i = 0; i < 100; i++) note('a', i * 1_000)
  expect(note('a', 100_000)).toBe(51_000)
})

it('answers again after a quiet minute', () => {
  const { note } = createThrottle()
  for (let i = 0; i < 50; i++) note('a', i)
  expect(note('a', 60_100)).toBe(0)
})

it('counts all addresses together, so that many of them help nobody', () => {
  const { note } = createThrottle()
  for (let i = 0; i < 9; i++) expect(note(`address ${i}`, 0)).toBe(0)
  expect(note('address 9', 0)).toBe(60_000)
})

it('holds with more addresses than it remembers', () => {
  const { note } = createThrottle()
  for (let i = 0; i < 30_000; i++) note(`address ${i}`, i / 1000)
  expect(note('another', 30)).toBeGreaterThan(0)
})

it('bounds each address by itself where nobody guesses', () => {
  const { note } = createThrottle({ fromThe: 3, overall: false })
  for (let i = 0; i < 30; i++) expect([note(`address ${i}`, 0), note(`address ${i}`, 1)]).toEqual([0, 0])
  expect(note('address 7', 2)).toBe(59_998)
})
