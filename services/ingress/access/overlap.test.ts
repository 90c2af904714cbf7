import { expect, it } from 'vitest'
import { watchOverlap } from './overlap.ts'

const MINUTE_MS = 60_000

it('lets a key in from as many addresses as are allowed, and no further one until the oldest is gone', () => {
  const { seen } = watchOverlap()
  expect(seen('k', 'a', 2, 0)).toBe(0)
  expect(seen('k', 'b', 2, MINUTE_MS)).toBe(0)
  expect(seen('k', 'c', 2, 2 * MINUTE_MS)).toBe(8 * MINUTE_MS)
  expect(seen('k', 'a', 2, 3 * MINUTE_MS)).toBe(0)
  expect(seen('k', 'c', 2, 11 * MINUTE_MS)).toBe(0)
  expect(seen('k', 'b', 2, 11 * MINUTE_MS)).toBeGreaterThan(0)
})

it('knows every key by itself', () => {
  const { seen } = watchOverlap()
  expect(seen('k', 'a', 1, 0)).toBe(0)
  expect(seen('l', 'b', 1, 0)).toBe(0)
})
