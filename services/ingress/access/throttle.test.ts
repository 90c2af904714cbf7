import { expect, it } from 'vitest'
import { createThrottle } from './throttle.ts'

it('answers nine wrong ones of a minute, and makes the tenth wait until the first is a minute old', () => {
  const { wrong } = createThrottle()
  for (let i = 0; i < 9; i++) expect(wrong('a', i * 1_000)).toBe(0)
  expect(wrong('a', 9_000)).toBe(51_000)
})

it('keeps whoever goes on waiting', () => {
  const { wrong } = createThrottle()
  for (let i = 0; i < 100; i++) wrong('a', i * 1_000)
  expect(wrong('a', 100_000)).toBe(51_000)
})

it('answers again after a quiet minute', () => {
  const { wrong } = createThrottle()
  for (let i = 0; i < 50; i++) wrong('a', i)
  expect(wrong('a', 60_100)).toBe(0)
})

it('counts all addresses together, so that many of them help nobody', () => {
  const { wrong } = createThrottle()
  for (let i = 0; i < 9; i++) expect(wrong(`address ${i}`, 0)).toBe(0)
  expect(wrong('address 9', 0)).toBe(60_000)
})

it('holds with more addresses than it remembers', () => {
  const { wrong } = createThrottle()
  for (let i = 0; i < 30_000; i++) wrong(`address ${i}`, i / 1000)
  expect(wrong('another', 30)).toBeGreaterThan(0)
})
