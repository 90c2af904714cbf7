import { describe, expect, it } from 'vitest'
import { createVault, VaultError } from './vault.ts'

const secret = 'n5Tq8RwZ2mK7vX4cB9pLd3Hs'
const other = 'q8Wz3Nf6Yt1Rk5Vb7Jm2Xc9L'
const key = 'sk-canary-A8f3kD92mXqLw7'

describe('a sealed key', () => {
  const vault = createVault(secret)
  const sealed = vault.seal('groq', key)

  it('opens for its provider, in this process and in another', () => {
    expect(vault.open('groq', sealed)).toBe(key)
    expect(createVault(secret).open('groq', sealed)).toBe(key)
  })

  it('shows nothing of the key or the secret, and is another text every time', () => {
    expect(sealed).toMatch(/^fwk1\.[\w-]{8}\.[\w-]+$/)
    for (const text of [sealed, Buffer.from(sealed.split('.')[2] as string, 'base64url').toString('latin1')]) {
      expect(text).not.toContain(key)
      expect(text).not.toContain(secret)
    }
    expect(new Set(Array.from({ length: 50 }, () => vault.seal('groq', key))).size).toBe(50)
  })

  it('is known as one’s own, or not', () => {
    expect([vault, createVault(other, [secret]), createVault(other)].map((one) => one.knows(sealed))).toEqual([true, true, false])
    expect(vault.knows('fwk2.x')).toBe(false)
  })

  it('holds any text', () => {
    for (const text of ['', 'ключ 🔑', 'x'.repeat(4_096)]) expect(vault.open('p', vault.seal('p', text))).toBe(text)
  })

  it('opens with the former secret beside the new one', () => {
    expect(createVault(other, [secret]).open('groq', sealed)).toBe(key)
    expect(createVault(other, [secret]).seal('groq', key).split('.')[1]).toBe(createVault(other).seal('x', 'y').split('.')[1])
  })

  const bytes = (change: (bytes: Buffer) => Buffer) => {
    const [version, id, text = ''] = sealed.split('.')
    return `${version}.${id}.${change(Buffer.from(text, 'base64url')).toString('base64url')}`
  }
  const flipped = (at: number) =>
    bytes((all) => {
      const place = at < 0 ? all.length + at : at
      all[place] = (all[place] as number) ^ 1
      return all
    })

  it.each<[string, () => string, RegExp]>([
    ['with another secret', () => createVault(other).open('groq', sealed), /another FREEWAY_SECRET/],
    ['for another provider', () => vault.open('gemini', sealed), /for another provider/],
    ['with another nonce', () => vault.open('groq', flipped(0)), /damaged/],
    ['with another text', () => vault.open('groq', flipped(14)), /damaged/],
    ['with another tag', () => vault.open('groq', flipped(-1)), /damaged/],
    [
      'with a tag cut short',
      () =>
        vault.open(
          'groq',
          bytes((all) => all.subarray(0, -12)),
        ),
      /damaged/,
    ],
    [
      'with hardly anything',
      () =>
        vault.open(
          'groq',
          bytes((all) => all.subarray(0, 16)),
        ),
      /damaged/,
    ],
    ['of another version', () => vault.open('groq', sealed.replace('fwk1', 'fwk2')), /another version/],
    ['that is plain text', () => vault.open('groq', key), /another version/],
  ])('does not open %s, and says why without quoting it', (_, open, words) => {
    expect(open).toThrow(VaultError)
    expect(open).toThrow(words)
    try {
      open()
    } catch (error) {
      expect(String(error)).not.toContain(key)
    }
  })
})
