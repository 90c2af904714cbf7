import { describe, expect, it } from 'vitest'
import { catalog, provider, virtualModelOf, virtualModels } from './catalog.ts'

describe('a virtual model', () => {
  it.each(virtualModels)('%s goes by both names of the house', (name) => {
    expect(virtualModelOf(`freeai-${name}`)).toBe(name)
    expect(virtualModelOf(`freeway-${name}`)).toBe(name)
  })

  it.each(['auto', 'fast', 'quality'])('%s goes by its bare name too', (name) => expect(virtualModelOf(name)).toBe(name))

  it.each(['code', 'long', 'freeway-', 'freeway-gpt', 'Freeway-auto', ' auto', '', 'constructor', '__proto__'])('is not %j', (name) =>
    expect(virtualModelOf(name)).toBeUndefined(),
  )
})

describe('a provider', () => {
  const least = { name: 'alpha', base_url: 'http://127.0.0.1:9001/v1', models: [{ id: 'm' }] }

  it('needs a name, an address and a model; the rest has defaults', () => {
    expect(provider.parse(least)).toMatchObject({
      needs_key: true,
      enabled: true,
      weight: 1,
      metered: false,
      max_concurrency: 64,
      first_byte_ms: 20_000,
      stall_ms: 30_000,
      models: [{ id: 'm', capabilities: ['chat'], context_window: 8192, enabled: true }],
    })
  })

  it.each([
    ['a name that is no token of a subject', { name: 'a.b' }],
    ['a name in capitals', { name: 'Alpha' }],
    ['a name of 33 characters', { name: 'x'.repeat(33) }],
    ['an address that is no web address', { base_url: 'file:///etc/passwd' }],
    ['no list of models', { models: undefined }],
    ['a field that nobody knows', { rmp_limit: 3 }],
    ['a model field that nobody knows', { models: [{ id: 'm', contextwindow: 1 }] }],
    ['a limit of nothing', { rpm_limit: 0 }],
  ])('is refused with %s', (_, change) => expect(provider.safeParse({ ...least, ...change }).success).toBe(false))

  it('has no place for a key in the published catalogue', () => {
    const entry = { ...least, configured: true }
    expect(catalog.safeParse({ providers: [entry], aliases: [] }).success).toBe(true)
    expect(catalog.safeParse({ providers: [{ ...entry, api_key: 'sk-1' }], aliases: [] }).success).toBe(false)
  })
})
