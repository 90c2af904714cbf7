import fc from 'fast-check'
import { expect, it, test } from 'vitest'
import { createIdCleaner, ownId, tellId } from './tool-id.ts'

test.each([
  ['call_1', 'toolu_fw_call_1'],
  ['toolu_01ABC', 'toolu_01ABC'],
  ['functions.get:0', 'toolu_fx_66756e6374696f6e732e6765743a30'],
])('%s is told as %s', (id, told) => {
  expect(tellId(id)).toBe(told)
})

it('any id is told in Anthropic’s alphabet, and found again', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'grapheme' }), fc.constantFrom('toolu_fw_x', 'toolu_fx_00', 'toolu_')), (id) => {
      expect(tellId(id)).toMatch(/^toolu_[A-Za-z0-9_-]*$/)
      expect(ownId(tellId(id))).toBe(id)
    }),
  )
})

it('ids of a client that are none of ours stay', () => {
  for (const id of ['call_1', 'toolu_fx_zz', 'toolu_fx_0', 'a.b']) expect(ownId(id)).toBe(id)
})

it('a cleaned id is always the same, and no other’s', () => {
  const clean = createIdCleaner()
  expect(['a.b', 'a:b', 'a_b', 'a.b', ''].map(clean)).toEqual(['a_b', 'a_b_2', 'a_b_3', 'a_b', 'call'])
})
