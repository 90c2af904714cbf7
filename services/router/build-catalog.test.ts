import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Provider } from '#contracts/catalog.ts'
import { provider } from '#contracts/catalog.ts'
import { catalogOverrides } from '#contracts/catalog-change.ts'
import { loadSettings } from '#services/settings.ts'
import { SettingsError } from '#services/settings-error.ts'
import type { Alias } from './build-catalog.ts'
import { buildCatalog, offUnasked } from './build-catalog.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'freeway-catalog-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

function settings(config: object = {}, env: Record<string, string> = {}) {
  writeFileSync(join(folder, 'freeway.json'), JSON.stringify(config))
  return loadSettings(env, folder)
}

const known = (own: object = {}): Provider =>
  provider.parse({
    name: 'groq',
    base_url: 'https://groq.example/v1',
    env: ['GROQ_API_KEY'],
    weight: 3,
    models: [{ id: 'm', model_id: 7 }],
    ...own,
  })

function build(entries: Provider[], config: object = {}, env: Record<string, string> = {}, changes?: object, aliases: Alias[] = []) {
  const refused: string[] = []
  const overrides = changes && catalogOverrides.parse(changes)
  return { ...buildCatalog({ providers: entries, aliases }, settings(config, env), overrides, (fault) => refused.push(fault)), refused }
}
const groq = (...args: Parameters<typeof build>) => build(...args).providers[0]
const alpha = { base_url: 'http://127.0.0.1:9001/v1', models: [{ id: 'm-large' }] }

describe('the catalogue', () => {
  it('is what is known, with what the operator says laid over it', () => {
    expect(groq([known()], { providers: { groq: { weight: 9, rpm_limit: 30 } } })).toEqual({
      ...known(),
      weight: 9,
      rpm_limit: 30,
      configured: false,
      accounts: ['groq-1'],
    })
  })

  it('takes the operator’s list of models for the whole list, and models by name as changes of it', () => {
    const ids = (models: object) => groq([known()], { providers: { groq: { models } } })?.models.map(({ id }) => id)
    expect(ids([{ id: 'mine' }])).toEqual(['mine'])
    expect(ids({ mine: {} })).toEqual(['m', 'mine'])
  })

  it('has the operator’s own providers too, with the defaults for what they do not say', () => {
    const { providers } = build([known()], { providers: { alpha: { ...alpha, api_key: 'sk-1' } } })
    expect(providers.map(({ name }) => name)).toEqual(['groq', 'alpha'])
    expect(providers[1]).toMatchObject({ base_url: alpha.base_url, needs_key: true, max_concurrency: 64, configured: true })
  })

  it.each([
    ['no key', {}, {}, false],
    ['a key in its variable', {}, { GROQ_API_KEY: 'gsk-1' }, true],
    ['an empty key', {}, { GROQ_API_KEY: ' ' }, false],
    ['a key in freeway.json', { api_key: 'sk-1' }, {}, true],
    ['a key in a variable that freeway.json names', { api_key: 'env:OTHER' }, { OTHER: 'sk-1' }, true],
    ['no need of one', { needs_key: false }, {}, true],
  ])('counts a provider with %s as configured: %j %j', (_, own, env, configured) => {
    expect(groq([known()], { providers: { groq: own } }, env)?.configured).toBe(configured)
  })

  it('has an account for every key', () => {
    expect(groq([known()], { providers: { groq: { api_key: 'a' } } }, { GROQ_API_KEY: 'b,c' })?.accounts).toEqual([
      'groq-1',
      'groq-2',
      'groq-3',
    ])
  })

  it('never holds a key', () => {
    const { providers } = build([known()], { providers: { groq: { api_key: 'sk-secret' } } }, { GROQ_API_KEY: 'gsk-secret' })
    expect(JSON.stringify(providers)).not.toContain('secret')
  })

  it.each([
    ['lacks an address', { alpha: { models: [{ id: 'm' }] } }, 'providers.alpha: base_url: '],
    ['lacks models', { alpha: { base_url: alpha.base_url } }, 'providers.alpha: models: '],
    [
      'has no model of many changes',
      { alpha: { base_url: alpha.base_url, models: { m: null } } },
      'providers.alpha: models: must not be empty',
    ],
    ['has a model twice', { groq: { models: [{ id: 'm' }, { id: 'm' }] } }, 'providers.groq: models: m is there twice'],
  ])('says which provider of the operator’s %s', (_, providers, beginning) => {
    expect(() => build([known()], { providers })).toThrow(SettingsError)
    expect(() => build([known()], { providers })).toThrow(beginning)
  })
})

describe('a provider whose key is optional', () => {
  const open = known({ auth: { optional: true }, with_key: { limits: [{ unit: 'requests', max: 400, per: 'minute' }], metered: true } })

  it.each([
    ['nobody has named it', {}, undefined, { configured: false, needs_key: true }],
    ['freeway.json names it', { providers: { groq: {} } }, undefined, { configured: true, needs_key: false }],
    ['it was switched on at run time', {}, { providers: { groq: { enabled: true } } }, { configured: true, needs_key: false }],
  ])('is called without one or not when %s', (_, config, changes, expected) => {
    expect(groq([open], config, {}, changes)).toMatchObject({ ...expected, metered: false, limits: [] })
  })

  it('has other limits with a key, but never in place of the operator’s', () => {
    const own = { providers: { groq: { limits: [{ unit: 'requests', max: 9, per: 'minute' }] } } }
    expect(groq([open], own, { GROQ_API_KEY: 'k' })).toMatchObject({ metered: true, limits: [{ max: 9 }] })
  })

  it('has other limits with a key', () => {
    expect(groq([open], {}, { GROQ_API_KEY: 'k' })).toMatchObject({ configured: true, metered: true, limits: [{ max: 400 }] })
  })
})

describe('changes at run time', () => {
  it('come after freeway.json', () => {
    const config = { providers: { groq: { weight: 9, rpm_limit: 30 } } }
    expect(groq([known()], config, {}, { providers: { groq: { weight: 5 } } })).toMatchObject({ weight: 5, rpm_limit: 30 })
  })

  it('add and remove providers', () => {
    const { providers } = build([known()], {}, {}, { custom: { alpha }, removed: ['groq'] })
    expect(providers.map(({ name }) => name)).toEqual(['alpha'])
  })

  it('change what they added', () => {
    const { providers } = build([], {}, {}, { custom: { alpha }, providers: { alpha: { weight: 4 } } })
    expect(providers[0]).toMatchObject({ name: 'alpha', weight: 4 })
  })

  it('that cannot be applied are left out and told, all others hold', () => {
    const changes = { providers: { gone: { weight: 1 }, groq: { models: { m: null, n: null } }, beta: { weight: 2 } } }
    const { providers, refused } = build([known(), known({ name: 'beta' })], {}, {}, changes)
    expect(refused).toEqual(['providers.gone: unknown'])
    expect(providers.map(({ name, weight, models }) => [name, weight, models.length])).toEqual([
      ['groq', 3, 0],
      ['beta', 2, 1],
    ])
  })
})

describe('a provider that is off', () => {
  it.each<[string, string, object, Record<string, string>, boolean]>([
    ['there is a key for it', 'paid_only', {}, { GROQ_API_KEY: 'k' }, true],
    ['freeway.json names it', 'trial_only', { groq: { weight: 2 } }, {}, true],
    ['nobody asks for it', 'paid_only', {}, {}, false],
    ['it was switched off', 'paid_only', { groq: { enabled: false } }, { GROQ_API_KEY: 'k' }, false],
    ['it was switched on', 'paid_only', { groq: { enabled: true } }, { GROQ_API_KEY: 'k' }, false],
    ['it is gone for good', 'retired', {}, { GROQ_API_KEY: 'k' }, false],
  ])('is worth a word or not where %s', (_, status, providers, env, told) => {
    const own = settings({ providers }, env)
    const catalog = buildCatalog({ providers: [known({ enabled: false, status })], aliases: [] }, own)
    expect(offUnasked(catalog, own).length === 1).toBe(told)
  })
})

describe('a model’s id', () => {
  const ids = (config: object) => build([known()], config).providers.flatMap(({ models }) => models.map(({ model_id }) => model_id))

  it('is that of the files, else one made from its name, which never changes', () => {
    const [first, second] = ids({ providers: { alpha } })
    expect(first).toBe(7)
    expect(second).toBe(1_661_966_181)
  })

  it('does not depend on what else there is', () => {
    const beta = { ...alpha, models: [{ id: 'x' }, { id: 'y' }] }
    expect(ids({ providers: { beta, alpha } }).at(-1)).toBe(ids({ providers: { alpha } }).at(-1))
  })

  it('of a changed model stays', () => expect(ids({ providers: { groq: { models: { m: { context_window: 9 } } } } })).toEqual([7]))
})

describe('aliases', () => {
  const shipped: Alias[] = [
    ['fast', 'groq/a'],
    ['fast', 'groq/b'],
    ['other', 'groq/c'],
  ]
  const aliases = (own: object, changed: object) => build([known()], { aliases: own }, {}, { aliases: changed }, shipped).aliases

  it('are the shipped ones', () => expect(aliases({}, {})).toEqual(shipped))

  it('belong as a whole to who names them last', () => {
    expect(aliases({ fast: 'x/1', mine: ['x/2', 'x/3'] }, {})).toEqual([
      ['fast', 'x/1'],
      ['mine', 'x/2'],
      ['mine', 'x/3'],
      ['other', 'groq/c'],
    ])
    expect(aliases({ fast: 'x/1' }, { fast: ['y/1'] })).toEqual([
      ['fast', 'y/1'],
      ['other', 'groq/c'],
    ])
  })
})
