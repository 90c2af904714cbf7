import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { KeyValue, KeyValueEntry } from '#contracts/bus.ts'
import type { Catalog } from '#contracts/catalog.ts'
import { catalog as catalogSchema, provider } from '#contracts/catalog.ts'
import { buckets, catalogKey, catalogOverridesKey } from '#contracts/subjects.ts'
import { type Broker, openMemoryBroker } from '#services/bus/memory.ts'
import { createLogger } from '#services/logger.ts'
import { loadSettings } from '#services/settings.ts'
import type { Registry } from './registry.ts'
import { openRegistry } from './registry.ts'

let folder: string
let broker: Broker
let config: KeyValue
let lines: string[]
const opened: Registry[] = []

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'freeway-registry-'))
  broker = await openMemoryBroker()
  config = await broker.connect('router').keyValue(buckets.config)
  lines = []
})
afterEach(async () => {
  for (const registry of opened.splice(0)) await registry.close()
  await broker.close()
  rmSync(folder, { recursive: true })
})

const demo = async () =>
  provider.parse({ name: 'demo', base_url: 'http://127.0.0.1:9/v1', needs_key: false, models: [{ id: 'demo/chat' }] })

async function open(own: object = {}, env: Record<string, string> = {}, withDemo = true): Promise<Registry> {
  writeFileSync(join(folder, 'freeway.json'), JSON.stringify(own))
  const registry = await openRegistry({
    config,
    settings: loadSettings({ FREEWAY_LOCAL: 'off', ...env }, folder),
    logger: createLogger({ service: 'router', level: 'warn', write: (line) => lines.push(line) }),
    demo: withDemo ? demo : undefined,
    alone: true,
  })
  opened.push(registry)
  return registry
}

const entry = ({ catalog }: Pick<Registry, 'catalog'>, name: string) => catalog.providers.find((one) => one.name === name)
const change = (overrides: unknown) => config.put(catalogOverridesKey, new TextEncoder().encode(JSON.stringify(overrides)))
const next = (registry: Registry) =>
  new Promise<Catalog>((resolve) => {
    const stop = registry.onChange((catalog) => {
      stop()
      resolve(catalog)
    })
  })
const published = async () => catalogSchema.parse(JSON.parse(new TextDecoder().decode((await config.get(catalogKey))?.value)))

describe('the registry', () => {
  it.each<[string, Parameters<typeof open>, boolean]>([
    ['nobody has a key', [{}, {}], true],
    ['the only key is for a provider that is switched off', [{ providers: { groq: { enabled: false } } }, { GROQ_API_KEY: 'k' }], true],
    ['the only key is for a provider that is not free', [{}, { DEEPSEEK_API_KEY: 'k' }], true],
    ['there is a key, but it is wanted', [{}, { GROQ_API_KEY: 'k', FREEWAY_DEMO: 'on' }], true],
    ['there is a key', [{}, { GROQ_API_KEY: 'k' }], false],
    ['it is not wanted', [{}, { FREEWAY_DEMO: 'off' }], false],
    ['there is none to be had', [{}, {}, false], false],
  ])('serves the demo or not when %s', async (_, args, served) => {
    expect(entry(await open(...args), 'demo') !== undefined).toBe(served)
  })

  it('does not start a demo that nobody needs', async () => {
    let started = 0
    await openRegistry({
      config,
      settings: loadSettings({ GROQ_API_KEY: 'k', FREEWAY_LOCAL: 'off' }, folder),
      logger: createLogger({ service: 'router', level: 'warn', write: () => {} }),
      demo: () => {
        started++
        return demo()
      },
      alone: false,
    }).then((registry) => opened.push(registry))
    expect(started).toBe(0)
  })

  it('lets every alias end at the demo while it is served', async () => {
    const { catalog } = await open()
    expect(catalog.aliases.filter(([name]) => name === 'text-basic').at(-1)).toEqual(['text-basic', 'demo/demo/chat'])
  })

  it('knows of keys that the workers alone have, by their number', async () => {
    const registry = await open({}, { FREEWAY_WORKER_KEYS: 'groq, gemini=2', CEREBRAS_API_KEY: 'k' })
    const accounts = (name: string) => entry(registry, name)?.configured && entry(registry, name)?.accounts
    expect(['groq', 'gemini', 'cerebras', 'mistral'].map(accounts)).toEqual([['groq-1'], ['gemini-1', 'gemini-2'], ['cerebras-1'], false])
    expect(entry(registry, 'demo')).toBeUndefined()
  })

  it('calls no stranger without being told to', async () => {
    const { catalog } = await open()
    expect(catalog.providers.filter(({ enabled, configured }) => enabled && configured).map(({ name }) => name)).toEqual(['demo'])
  })

  it('publishes what everybody can read, in far less than a message may hold, and writes only what is new', async () => {
    const seen: KeyValueEntry[] = []
    await config.watch(catalogKey, (entry) => void seen.push(entry))
    const { catalog } = await open()
    const first = await config.get(catalogKey)
    expect(await published()).toEqual(catalog)
    expect(first?.value?.length).toBeLessThan(500_000)

    await open()
    expect((await config.get(catalogKey))?.revision).toBe(first?.revision)
    await open({ providers: { groq: { weight: 7 } } })
    expect((await config.get(catalogKey))?.revision).toBeGreaterThan(first?.revision as number)
    expect(seen).toHaveLength(2)
  })
})

describe('a server of this machine', () => {
  const nowhere = { LLAMACPP_HOST: '127.0.0.1:1', LMSTUDIO_HOST: '127.0.0.1:1', VLLM_HOST: '127.0.0.1:1' }

  it('becomes a provider beside the others, in place of the shipped row, without delaying the start', async () => {
    const tags = JSON.stringify({ models: [{ name: 'mine:7b' }] })
    const server = createServer((_, response) => void response.setHeader('connection', 'close').end(tags)).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const registry = await open({}, { FREEWAY_LOCAL: 'auto', OLLAMA_HOST: `127.0.0.1:${port}`, ...nowhere })
    expect(entry(registry, 'ollama')).toMatchObject({ enabled: false })
    const catalog = await next(registry)
    expect(entry({ catalog }, 'ollama')).toMatchObject({ enabled: true, configured: true, models: [{ id: 'mine:7b' }] })
    expect(catalog.providers.filter(({ name }) => name === 'ollama')).toHaveLength(1)
    expect(entry({ catalog }, 'demo')).toBeUndefined()
    server.close()
    await once(server, 'close')
  })
})

describe('a change at run time', () => {
  it('is in force at once in every router, and published', async () => {
    const [one, other] = [await open(), await open()]
    const both = Promise.all([next(one), next(other)])
    await change({ providers: { groq: { weight: 9 } } })
    for (const catalog of await both) expect(entry({ catalog }, 'groq')?.weight).toBe(9)
    await one.close()
    expect(entry({ catalog: await published() }, 'groq')?.weight).toBe(9)
  })

  it('that could not be published is published as soon as that is possible again', async () => {
    const kv = config
    let refused = 0
    const put: KeyValue['put'] = (key, value) =>
      key === catalogKey && ++refused === 1 ? Promise.reject(new Error('the broker is away')) : kv.put(key, value)
    await open({ providers: { groq: { weight: 1 } } })
    config = { ...kv, put }
    const registry = await open({ providers: { groq: { weight: 1 } } })
    const changed = next(registry)
    await opened.shift()?.close()
    await kv.put(catalogOverridesKey, new TextEncoder().encode(JSON.stringify({ providers: { groq: { weight: 9 } } })))
    await changed
    await expect.poll(async () => entry({ catalog: await published() }, 'groq')?.weight, { timeout: 4_500 }).toBe(9)
    expect(lines.filter((line) => line.includes('could not be published'))).toHaveLength(1)
  })

  it('outlives a restart', async () => {
    await change({ providers: { groq: { enabled: false } }, removed: ['cohere'] })
    const registry = await open()
    expect(entry(registry, 'groq')?.enabled).toBe(false)
    expect(entry(registry, 'cohere')).toBeUndefined()
  })

  it('ends the demo with the first provider that can be called, and begins it again after the last', async () => {
    const registry = await open()
    const custom = { alpha: { base_url: 'http://127.0.0.1:1/v1', needs_key: false, models: [{ id: 'm' }] } }
    let changed = next(registry)
    await change({ custom })
    expect(entry({ catalog: await changed }, 'demo')).toBeUndefined()
    changed = next(registry)
    await change({ custom, removed: ['alpha'] })
    expect(entry({ catalog: await changed }, 'demo')).toBeDefined()
  })

  it('is gone when it is taken back', async () => {
    await change({ providers: { groq: { weight: 9 } } })
    const registry = await open()
    const changed = next(registry)
    await config.delete(catalogOverridesKey)
    expect(entry({ catalog: await changed }, 'groq')?.weight).toBe(1)
  })

  it('that cannot be read leaves what is in force, and is told', async () => {
    const registry = await open()
    const changed = next(registry)
    await config.put(catalogOverridesKey, new TextEncoder().encode('{"providers":{"groq":{"weight":"heavy"}}}'))
    await change({ providers: { groq: { weight: 2 } } })
    expect(entry({ catalog: await changed }, 'groq')?.weight).toBe(2)
    expect(lines.join()).toContain('changes of the catalogue could not be read')
  })

  it('that does not fit is left out, and told', async () => {
    await change({ providers: { gone: { weight: 2 }, groq: { weight: 2 } } })
    expect(entry(await open(), 'groq')?.weight).toBe(2)
    expect(lines.join()).toContain('providers.gone: unknown')
  })

  it('is told to nobody when it changes nothing', async () => {
    const registry = await open()
    let told = 0
    registry.onChange(() => told++)
    await change({ providers: { groq: {} } })
    const changed = next(registry)
    await change({ providers: { groq: { weight: 2 } } })
    await changed
    expect(told).toBe(1)
  })
})
