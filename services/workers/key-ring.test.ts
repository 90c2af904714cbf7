import { expect, it } from 'vitest'
import { type CatalogOverrides, catalogOverrides } from '#contracts/catalog-change.ts'
import { createLogger } from '#services/logger.ts'
import { redactText } from '#services/redact.ts'
import { createVault } from '#services/vault.ts'
import { openKeyRing } from './key-ring.ts'

const vault = createVault('n5Tq8RwZ2mK7vX4cB9pLd3Hs')
const groq = { name: 'groq', env: [] }

function ringWith(keys: CatalogOverrides['keys']) {
  let overrides = catalogOverrides.parse({ keys })
  const lines: string[] = []
  const ring = openKeyRing({
    settings: { keysOf: () => ['of-the-settings'] },
    vault,
    logger: createLogger({ service: 'worker', write: (line) => lines.push(line) }),
    overrides: () => overrides,
  })
  return { ring, lines, store: (next: CatalogOverrides['keys']) => (overrides = catalogOverrides.parse({ keys: next })) }
}

it('stored keys stand in place of those of the settings, in their order', () => {
  const { ring } = ringWith({ groq: [vault.seal('groq', 'stored-1'), vault.seal('groq', 'stored-2')] })
  expect(ring.keysOf(groq)).toEqual(['stored-1', 'stored-2'])
  expect(ring.keysOf({ name: 'gemini', env: [] })).toEqual(['of-the-settings'])
})

it('none that are stored are none', () => expect(ringWith({ groq: [] }).ring.keysOf(groq)).toEqual([]))

it('new ones are taken up, and those that were taken away are no more', () => {
  const { ring, store } = ringWith({})
  expect(ring.keysOf(groq)).toEqual(['of-the-settings'])
  store({ groq: [vault.seal('groq', 'a')] })
  expect(ring.keysOf(groq)).toEqual(['a'])
  store({ groq: [vault.seal('groq', 'b')] })
  expect(ring.keysOf(groq)).toEqual(['b'])
})

it('a key that cannot be opened leaves none, and is told once with its remedy', () => {
  const strange = createVault('q8Wz3Nf6Yt1Rk5Vb7Jm2Xc9L').seal('groq', 'x')
  const { ring, lines } = ringWith({ groq: [vault.seal('groq', 'mine'), strange] })
  for (let i = 0; i < 3; i++) expect(ring.keysOf(groq)).toEqual([])
  expect(ring.faultOf('groq')).toBe('it was stored with another FREEWAY_SECRET')
  expect(ring.faultOf('gemini')).toBeUndefined()
  expect(lines).toHaveLength(1)
  expect(lines[0]).toContain('give every process of this gateway the same FREEWAY_SECRET')
})

it('an opened key appears in no log', () => {
  const { ring } = ringWith({ groq: [vault.seal('groq', 'unusual-canary-61b0')] })
  ring.keysOf(groq)
  expect(redactText('the provider said unusual-canary-61b0')).not.toContain('unusual-canary')
})
