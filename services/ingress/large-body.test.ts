import { expect, it } from 'vitest'
import { roomFor } from './large-body.ts'

const MB = 1024 * 1024

it('room is given for what is large, until much more is promised than comes in', () => {
  const closers: (() => void)[] = []
  const ask = (bytes: number) => roomFor(bytes, (done) => closers.push(done))
  expect(ask(1000)).toBeUndefined()
  expect(ask(MB)?.length).toBe(MB)
  const rooms = Array.from({ length: 20 }, () => ask(32 * MB))
  expect(rooms.filter(Boolean)).toHaveLength(15)
  for (const close of closers) close()
  expect(ask(32 * MB)?.length).toBe(32 * MB)
  closers.at(-1)?.()
})
