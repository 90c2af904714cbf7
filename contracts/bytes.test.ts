import { expect, it } from 'vitest'
import { concat, copyOf, utf8 } from './bytes.ts'

it('text becomes UTF-8, and joins again though a character was torn', () => {
  const bytes = utf8('a€模')
  expect(new TextDecoder().decode(concat([bytes.subarray(0, 2), new Uint8Array(), bytes.subarray(2)]))).toBe('a€模')
})

it('a copy is its own', () => {
  const bytes = utf8('abc')
  const copy = copyOf(bytes)
  bytes.fill(0)
  expect([...copy]).toEqual([97, 98, 99])
})

it('nothing joined is nothing', () => expect(concat([])).toHaveLength(0))
