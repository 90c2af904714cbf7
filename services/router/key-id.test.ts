import { expect, it } from 'vitest'
import { keyIdsOf } from './key-id.ts'

it('a key has the same id wherever it stands, another one a different id, and none tells the key', () => {
  const [a, b] = keyIdsOf('groq', ['gsk_secret_a', 'gsk_secret_b']) ?? []
  expect(keyIdsOf('groq', ['gsk_secret_b'])).toEqual([b])
  expect(a).not.toBe(b)
  expect(a).toMatch(/^[\w-]{8}$/)
  expect(keyIdsOf('gemini', ['gsk_secret_a'])).not.toEqual([a])
})

it('of keys that only workers have nothing is known', () => {
  expect(keyIdsOf('groq', ['', ''])).toBeUndefined()
  expect(keyIdsOf('groq', [])).toBeUndefined()
})
