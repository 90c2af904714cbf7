import { expect, it } from 'vitest'
import { createWaitingRoom, MAX_PARKED, MAX_PARKED_BYTES, type Parked } from './waiting.ts'

const parked = (key: string, client = 'a', change: Partial<Parked<string>> = {}): Parked<string> => ({
  key,
  client,
  asked: { what: '', sizes: [] },
  bytes: 10,
  job: key,
  opensAtMs: 1_000,
  untilMs: 9_000,
  trying: false,
  ...change,
})
const keys = (room: { inOrder(): Parked<string>[] }) => room.inOrder().map(({ key }) => key)

it('every client’s first comes before any client’s second', () => {
  const room = createWaitingRoom<string>()
  for (const [key, client] of [
    ['a1', 'a'],
    ['a2', 'a'],
    ['a3', 'a'],
    ['b1', 'b'],
    ['c1', 'c'],
    ['b2', 'b'],
  ] as const)
    room.park(parked(key, client))
  expect(keys(room)).toEqual(['a1', 'b1', 'c1', 'a2', 'b2', 'a3'])
})

it('whoever was served last comes last, and who only left keeps its turn', () => {
  const room = createWaitingRoom<string>()
  for (const [key, client] of [
    ['a1', 'a'],
    ['a2', 'a'],
    ['b1', 'b'],
    ['b2', 'b'],
  ] as const)
    room.park(parked(key, client))
  room.leave('a1', true)
  expect(keys(room)).toEqual(['b1', 'a2', 'b2'])
  room.leave('b1', false)
  expect(keys(room)).toEqual(['b2', 'a2'])
  room.leave('b1', true)
  expect([room.size, keys(room)]).toEqual([2, ['b2', 'a2']])
})

it('a job waits once, not longer than it may, and not where there is no room for it', () => {
  const room = createWaitingRoom<string>()
  expect(room.park(parked('late', 'a', { opensAtMs: 9_001 }))).toBe(false)
  expect([room.park(parked('a1')), room.park(parked('a1'))]).toEqual([true, false])
  expect(room.park(parked('large', 'a', { bytes: MAX_PARKED_BYTES }))).toBe(false)
  for (let i = 0; room.size < MAX_PARKED; i++) room.park(parked(`n${i}`, `c${i}`, { bytes: 0 }))
  expect(room.park(parked('one-more', 'z', { bytes: 0 }))).toBe(false)
  room.leave('a1', true)
  expect(room.park(parked('one-more', 'z', { bytes: MAX_PARKED_BYTES }))).toBe(true)
})

it('the next to be looked at is the first that opens or has waited enough, without those that are asked for', () => {
  const room = createWaitingRoom<string>()
  expect(room.nextMs()).toBe(Number.POSITIVE_INFINITY)
  room.park(parked('a1', 'a', { opensAtMs: 5_000 }))
  room.park(parked('a2', 'a', { opensAtMs: 2_000, trying: true }))
  expect(room.nextMs()).toBe(5_000)
  room.park(parked('a3', 'a', { opensAtMs: 3_000, untilMs: 4_000 }))
  expect(room.nextMs()).toBe(3_000)
})
