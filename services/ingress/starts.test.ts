import { expect, it } from 'vitest'
import { openStarts } from './starts.ts'

it('a start is told once the request has lasted for a second, once, and never of one that has ended', () => {
  const told: string[] = []
  const starts = openStarts()
  const nowMs = performance.now()
  for (const id of ['a', 'b']) starts.add(id, { tellStart: () => void told.push(id) })
  starts.tick(nowMs + 900)
  expect(told).toEqual([])
  starts.ended('a')
  starts.tick(nowMs + 1_100)
  starts.tick(nowMs + 1_200)
  expect(told).toEqual(['b'])
})
