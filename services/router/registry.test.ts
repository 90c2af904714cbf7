import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { KeyValueEntry } from '#contracts/bus.ts'
import type { Provider } from '#contracts/catalog.ts'
import { catalog as catalogSchema, provider } from '#contracts/catalog.ts'
import { buckets, catalogKey } from '#contracts/subjects.ts'
import { type Broker, openMemoryBroker } from '#services/bus/memory.ts'
import { loadSettings } from '#services/settings.ts'
import { SettingsError } from '#services/settings-error.ts'
import { buildCatalog, openRegistry } from './registry.ts'

let folder: string
let broker: Broker
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'freeway-registry-'))
  broker = await openMemoryBroker()
})
afterEach(async () => {
  await broker.close()
  rmSync(folder, { recursive: true })
})

function settings(config: object = {}, env: Record<string, string> = {}) {
  writeFileSync(join(folder, 'freeway.json'), JSON.stringify(config))
  return loadSettings(env, folder)
}

const known = (own: object = {}): Provider =>
  provider.parse({ name: 'groq', base_url: 'https://groq.example/v1', env: ['GROQ_API_KEY'], weight: 3, models: [{ id: 'm' }], ...own })

describe('the catalogue', () => {
  it('is what is known, with what the operator says laid over it', () => {
    const own = { providers: { groq: { weight: 9, rpm_limit: 30 } }, aliases: { fastest: 'groq/m' } }
    const { providers, aliases } = buildCatalog([known()], settings(own))
    expect(providers).toEqual([{ ...known(), weight: 9, rpm_limit: 30, configured: false, accounts: ['groq-1'] }])
    expect(aliases).toEqual([['fastest', 'groq/m']])
  })

  it('takes the operator’s list of models for the whole list', () => {
    const { providers } = buildCatalog([known()], settings({ providers: { groq: { models: [{ id: 'mine' }] } } }))
    expect(providers[0]?.models.map(({ id }) => id)).toEqual(['mine'])
  })

  it('has the operator’s own providers too, with the defaults for what they do not say', () => {
    const own = { base_url: 'http://127.0.0.1:9001/v1', api_key: 'sk-1', models: [{ id: 'm-large' }] }
    const { providers } = buildCatalog([known()], settings({ providers: { alpha: own } }))
    expect(providers.map(({ name }) => name)).toEqual(['groq', 'alpha'])
    expect(providers[1]).toMatchObject({ base_url: own.base_url, needs_key: true, max_concurrency: 64, configured: true })
  })

  it.each([
    ['no key', {}, {}, false],
    ['a key in its variable', {}, { GROQ_API_KEY: 'gsk-1' }, true],
    ['an empty key', {}, { GROQ_API_KEY: ' ' }, false],
    ['a key in freeway.json', { api_key: 'sk-1' }, {}, true],
    ['a key in a variable that freeway.json names', { api_key: 'env:OTHER' }, { OTHER: 'sk-1' }, true],
    ['no need of one', { needs_key: false }, {}, true],
  ])('counts a provider with %s as configured: %j %j', (_, own, env, configured) => {
    expect(buildCatalog([known()], settings({ providers: { groq: own } }, env)).providers[0]?.configured).toBe(configured)
  })

  it('never holds a key', () => {
    const { providers } = buildCatalog(
      [known()],
      settings({ providers: { groq: { api_key: 'sk-secret' } } }, { GROQ_API_KEY: 'gsk-secret' }),
    )
    expect(JSON.stringify(providers)).not.toContain('secret')
  })

  it.each([
    ['an address', { models: [{ id: 'm' }] }, 'providers.alpha: base_url: '],
    ['models', { base_url: 'http://127.0.0.1:9001/v1' }, 'providers.alpha: models: '],
  ])('says which provider of the operator’s lacks %s', (_, own, beginning) => {
    const build = () => buildCatalog([known()], settings({ providers: { alpha: own } }))
    expect(build).toThrow(SettingsError)
    expect(build).toThrow(beginning)
  })
})

describe('every shipped provider', async () => {
  const files = (await readdir(new URL('./catalog/', import.meta.url))).filter((file) => file.endsWith('.json'))
  it.each(files)('%s can be read, is named like its file and reached encrypted', async (file) => {
    const read = provider.parse(JSON.parse(await readFile(new URL(`./catalog/${file}`, import.meta.url), 'utf8')))
    expect(`${read.name}.json`).toBe(file)
    expect(read.base_url).toMatch(/^https:\/\/.*[^/]$/)
    expect(read.env.length).toBeGreaterThan(0)
    const ids = read.models.map(({ id }) => id)
    expect(new Set(ids).size).toBe(ids.length)
  })
})

describe('the registry', () => {
  const demo = async () => known({ name: 'demo', needs_key: false })
  const open = async (config: object = {}, env: Record<string, string> = {}, withDemo = true) =>
    openRegistry({
      config: await broker.connect('router').keyValue(buckets.config),
      settings: settings(config, env),
      demo: withDemo ? demo : undefined,
    })
  const names = async (...args: Parameters<typeof open>) => (await open(...args)).catalog.providers.map(({ name }) => name)

  it.each<[string, Parameters<typeof open>, boolean]>([
    ['nobody has a key', [{}, {}], true],
    ['the only key is for a provider that is switched off', [{ providers: { groq: { enabled: false } } }, { GROQ_API_KEY: 'k' }], true],
    ['there is a key, but it is wanted', [{}, { GROQ_API_KEY: 'k', FREEWAY_DEMO: 'on' }], true],
    ['there is a key', [{}, { GROQ_API_KEY: 'k' }], false],
    ['it is not wanted', [{}, { FREEWAY_DEMO: 'off' }], false],
    ['there is none to be had', [{}, {}, false], false],
  ])('serves the demo or not when %s', async (_, args, served) => {
    expect((await names(...args)).includes('demo')).toBe(served)
  })

  it('does not start a demo that nobody needs', async () => {
    let started = 0
    const config = await broker.connect('router').keyValue(buckets.config)
    const counted = async () => {
      started++
      return demo()
    }
    await openRegistry({ config, settings: settings({}, { GROQ_API_KEY: 'k' }), demo: counted })
    expect(started).toBe(0)
  })

  it('publishes what everybody can read, and writes only what is new', async () => {
    const config = await broker.connect('watcher').keyValue(buckets.config)
    const seen: KeyValueEntry[] = []
    await config.watch(catalogKey, (entry) => void seen.push(entry))
    const { catalog } = await open()
    const first = await config.get(catalogKey)
    expect(catalogSchema.parse(JSON.parse(new TextDecoder().decode(first?.value)))).toEqual(catalog)

    await open()
    expect((await config.get(catalogKey))?.revision).toBe(first?.revision)
    await open({ providers: { groq: { weight: 7 } } })
    expect((await config.get(catalogKey))?.revision).toBeGreaterThan(first?.revision as number)
    expect(seen).toHaveLength(2)
  })
})
