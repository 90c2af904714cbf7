import { describe, expect, it } from 'vitest'
import { provider } from './catalog.ts'
import { catalogOverrides, overlayProvider, providerChange } from './catalog-change.ts'

const known = provider.parse({
  name: 'groq',
  base_url: 'https://groq.example/v1',
  weight: 3,
  models: [
    { id: 'a', context_window: 1000 },
    { id: 'b', enabled: false, status: 'retired' },
  ],
})
const changed = (change: object, entry = known) => provider.parse(overlayProvider(entry, providerChange.parse(change), entry.name))
const ids = (change: object) => changed(change).models.map(({ id }) => id)

describe('a change', () => {
  it('keeps what it does not name', () => {
    expect(providerChange.parse({ weight: 9 })).toEqual({ weight: 9 })
    expect(changed({ weight: 9 })).toEqual({ ...known, weight: 9 })
    expect(changed({})).toEqual(known)
  })

  it('with a list of models replaces the list', () => expect(ids({ models: [{ id: 'mine' }] })).toEqual(['mine']))

  it('with models by name lays them over the list: changed, added, taken out', () => {
    const { models } = changed({ models: { a: { enabled: false }, new: { context_window: 9 }, b: null } })
    expect(models).toMatchObject([
      { id: 'a', enabled: false, context_window: 1000 },
      { id: 'new', context_window: 9, capabilities: ['chat'], enabled: true },
    ])
  })

  it('is not misled by names that every object has', () => {
    expect(ids({ models: { constructor: { context_window: 9 } } })).toEqual(['a', 'b', 'constructor'])
  })

  it.each([
    [{ models: [] }, ['models']],
    [{ models: [{ id: 'a' }, { id: 'b', ctx: 1 }] }, ['models', 1]],
    [{ models: { a: { ctx: 1 } } }, ['models', 'a']],
    [{ models: { a: { id: 'b' } } }, ['models', 'a']],
    [{ models: 'a' }, ['models']],
    [{ name: 'other' }, []],
    [{ rpm_limit: 0 }, ['rpm_limit']],
  ])('is refused where it is wrong: %j', (change, path) => {
    const result = providerChange.safeParse(change)
    expect(result.error?.issues.map((issue) => issue.path)).toEqual([path])
  })
})

describe('switching on a provider that is off', () => {
  const paid = provider.parse({
    name: 'deepseek',
    base_url: 'https://deepseek.example/v1',
    enabled: false,
    models: ['paid', 'trial', 'payment_required', 'restricted', 'retired', 'unverified'].map((status) => ({
      id: status,
      status,
      enabled: false,
    })),
  })

  it('switches on what it sells, but nothing that is gone or unproven', () => {
    const on = changed({ enabled: true }, paid).models.filter(({ enabled }) => enabled)
    expect(on.map(({ id }) => id)).toEqual(['paid', 'trial', 'payment_required', 'restricted'])
  })

  it('leaves off what the same change switches off', () => {
    const on = changed({ enabled: true, models: { trial: { enabled: false } } }, paid).models.filter(({ enabled }) => enabled)
    expect(on.map(({ id }) => id)).toEqual(['paid', 'payment_required', 'restricted'])
  })

  it('is needed: another change leaves all of it off', () => {
    expect(changed({ weight: 2 }, paid).models.some(({ enabled }) => enabled)).toBe(false)
  })
})

describe('a row for a server of one’s own', () => {
  const local = provider.parse({ name: 'ollama', status: 'local', base_url: 'http://localhost:1/v1', enabled: false, models: [] })

  it.each([
    [{ models: [{ id: 'm' }] }, true],
    [{ models: { m: {} } }, true],
    [{ weight: 2 }, false],
    [{ models: [{ id: 'm' }], enabled: false }, false],
  ])('is on once its models are named: %j', (change, enabled) => expect(changed(change, local).enabled).toBe(enabled))
})

describe('the changes made at run time', () => {
  it('are none at first', () =>
    expect(catalogOverrides.parse({})).toEqual({ version: 0, providers: {}, custom: {}, removed: [], aliases: {}, keys: {}, resets: {} }))

  it.each<[object, string]>([
    [{ custom: { alpha: { base_url: 'http://127.0.0.1:1/v1' } } }, 'a provider without models'],
    [{ custom: { alpha: { models: [{ id: 'm' }] } } }, 'a provider without an address'],
    [{ custom: { 'a.b': { base_url: 'http://127.0.0.1:1/v1', models: [{ id: 'm' }] } } }, 'a name that is no token'],
    [{ providers: { groq: { api_key: 'sk' } } }, 'a key'],
    [{ aliases: { a: 'b' } }, 'an alias to nowhere'],
    [{ aliases: { random: 'groq/a' } }, 'an alias that is a route'],
    [{ added: {} }, 'a field that nobody knows'],
  ])('are refused with %j, %s', (overrides) => expect(catalogOverrides.safeParse(overrides).success).toBe(false))
})
