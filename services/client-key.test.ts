import { expect, it } from 'vitest'
import { hashOfKey, isWhole, newClientKey } from './client-key.ts'

it('a key is its prefix, 32 bytes in base62 and a checksum', () => {
  expect(newClientKey('fai_')).toMatch(/^fai_[0-9A-Za-z]{49}$/)
  expect(newClientKey('my-')).toMatch(/^my-[0-9A-Za-z]{49}$/)
})

it('every bit of the secret reaches the key', () => {
  const secret = new Uint8Array(32)
  const keys = new Set([newClientKey('fai_', secret)])
  for (let bit = 0; bit < 256; bit++) {
    const one = new Uint8Array(32)
    one[bit >> 3] = 1 << (bit & 7)
    keys.add(newClientKey('fai_', one).slice(0, 47))
  }
  expect(keys.size).toBe(257)
  expect(newClientKey('fai_', new Uint8Array(32).fill(255)).slice(0, 47)).toHaveLength(47)
})

it('two keys are never the same', () => {
  expect(new Set(Array.from({ length: 1000 }, () => newClientKey('fai_'))).size).toBe(1000)
})

it('a mistyped or shortened key is told apart', () => {
  const key = newClientKey('fai_')
  expect(isWhole(key, 'fai_')).toBe(true)
  expect(isWhole(key.slice(0, -1), 'fai_')).toBe(false)
  expect(isWhole(`${key}0`, 'fai_')).toBe(false)
  expect(isWhole(key.slice(0, 10) + (key[10] === 'a' ? 'b' : 'a') + key.slice(11), 'fai_')).toBe(false)
  expect(isWhole('', 'fai_')).toBe(false)
})

it('what is kept of a key is its SHA-256', () => {
  expect(hashOfKey('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
})
