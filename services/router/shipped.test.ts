import { readdir, readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { provider as providerSchema } from '#contracts/catalog.ts'
import { statedLimit } from '#contracts/catalog-lookup.ts'
import { shippedCatalog } from './shipped.ts'

const folder = new URL('./catalog/', import.meta.url)
const files = (await readdir(folder)).filter((file) => file.endsWith('.json') && file !== 'aliases.json')
const { providers, aliases } = await shippedCatalog()
const models = providers.flatMap((provider) => provider.models.map((model) => ({ provider, model })))
const find = (name: string) => models.find(({ provider, model }) => `${provider.name}/${model.id}` === name)

describe('every shipped provider', () => {
  it.each(files)('%s can be read, is named like its file, and says what it asks of the operator and when that was so', async (file) => {
    const read = providerSchema.parse(JSON.parse(await readFile(new URL(file, folder), 'utf8')))
    expect(`${read.name}.json`).toBe(file)
    expect(read.base_url).toMatch(read.status === 'local' ? /^http:\/\/localhost:.*[^/]$/ : /^https:\/\/.*[^/]$/)
    expect(read.status).toBeDefined()
    expect(read.terms).toMatch(/^[A-Z$\d].*\.$/)
    expect(read.as_of).toMatch(/^202\d-\d\d-\d\d$/)
    expect(read.env.length).toBeGreaterThan(0)
    for (const variable of read.env) expect(variable).toMatch(/^[A-Z][A-Z0-9_]*$/)
  })

  it('is off where it gives nothing away', () => {
    const given = (status: string | undefined) => status === 'active_free'
    expect(providers.filter(({ enabled, status }) => enabled && !given(status)).map(({ name }) => name)).toEqual([])
    expect(providers.filter(({ enabled, status }) => !enabled && given(status)).map(({ name }) => name)).toEqual(['nararouter', 'navy'])
  })

  it('goes by names that no other has', () => {
    const names = providers.flatMap(({ name, aliases }) => [name, ...aliases])
    expect(new Set(names).size).toBe(names.length)
  })

  it('costs money only where that is said', () => {
    const metered = providers.filter(({ metered }) => metered)
    expect(metered.every(({ status }) => status === 'paid_only' || status === 'trial_only')).toBe(true)
    expect(metered.length).toBe(11)
  })

  it('tells its limits in words that can be read', () => {
    const word =
      /^(?:requests|tokens) (?:limit|remaining|reset)(?: (?:minute|day|month))?(?: (?:model|account))?(?: (?:seconds|duration|epoch_s|epoch_ms))?$/
    for (const { limit_headers } of providers) {
      for (const [header, meaning] of Object.entries(limit_headers)) {
        expect(header).toBe(header.toLowerCase())
        expect(meaning).toMatch(word)
      }
    }
  })

  it('counts only by clocks that exist, and over a window whatever is not counted at once', () => {
    const limits = [...providers.flatMap(({ limits }) => limits), ...models.flatMap(({ model }) => model.limits)]
    expect(limits.length).toBeGreaterThan(100)
    for (const { unit, per, clock } of limits) {
      expect(per === undefined).toBe(unit === 'concurrency')
      if (clock) expect(() => new Intl.DateTimeFormat('en', { timeZone: clock })).not.toThrow()
    }
  })
})

describe('the shipped models', () => {
  it('are 271 of 54 providers, 186 of them on', () => {
    expect(providers).toHaveLength(54)
    expect(models).toHaveLength(271)
    expect(models.filter(({ provider, model }) => provider.enabled && model.enabled)).toHaveLength(186)
    expect(models.filter(({ model }) => model.enabled)).toHaveLength(186)
  })

  it('are there once each', () => {
    const names = models.map(({ provider, model }) => `${provider.name}/${model.id}`)
    expect(new Set(names).size).toBe(names.length)
  })

  it('have ids of their own, below those that are made from names', () => {
    const ids = models.map(({ model }) => model.model_id as number)
    expect(new Set(ids).size).toBe(ids.length)
    expect(ids.every((id) => Number.isInteger(id) && id >= 1 && id < 1_000_000)).toBe(true)
  })

  it.each([
    [1, 'groq/llama-3.3-70b-versatile'],
    [2, 'groq/openai/gpt-oss-120b'],
    [80, 'cohere/command-a-reasoning-08-2025'],
    [271, 'ollama/nomic-embed-text'],
  ])('number %i is %s', (id, name) => expect(find(name)?.model.model_id).toBe(id))

  it('keep their ids for ever', async () => {
    const ledger: Record<string, string> = JSON.parse(await readFile(new URL('./model-ids.json', import.meta.url), 'utf8'))
    for (const { provider, model } of models) expect(ledger[model.model_id as number]).toBe(`${provider.name}/${model.id}`)
  })

  it.each<[string, 'requests' | 'tokens', 'minute' | 'day', number | undefined]>([
    ['groq/openai/gpt-oss-120b', 'requests', 'day', 1000],
    ['groq/allam-2-7b', 'requests', 'day', 7000],
    ['groq/groq/compound', 'tokens', 'day', undefined],
    ['gemini/gemini-3.5-flash', 'requests', 'day', 20],
    ['gemini/gemini-3.5-flash-lite', 'requests', 'day', 500],
    ['openrouter/openrouter/free', 'requests', 'day', 50],
    ['modelscope/ZhipuAI/GLM-4.6', 'requests', 'day', 500],
    ['cloudflare/@cf/baai/bge-m3', 'requests', 'minute', 3000],
    ['cloudflare/@cf/qwen/qwq-32b', 'requests', 'minute', 300],
    ['mistral/codestral-latest', 'tokens', 'minute', 500_000],
    ['ovhcloud/Qwen3-32B', 'requests', 'minute', 2],
  ])('%s may have so many %s a %s', (name, unit, per, max) => {
    const found = find(name)
    expect(found && statedLimit(found.provider, found.model, unit, per)).toBe(max)
  })
})

describe('the shipped aliases', () => {
  const names = [...new Set(aliases.map(([name]) => name))]

  it.each([
    ['opc/deepseek-v4-flash-free', 'chat'],
    ['glm/glm-5.1', 'chat'],
    ['rev/claude-sonnet-4.5', 'chat'],
    ['text-basic', 'chat'],
    ['llama-3.3-70b-versatile', 'chat'],
    ['llama-3.1-8b-instant', 'chat'],
    ['qwen/qwen-2.5-coder-32b-instruct:free', 'chat'],
    ['img/gpt-image-2', 'image_edit'],
    ['vhr/flux_dev', 'image_gen'],
    ['vhr/gpt_image_2', 'image_gen'],
    ['vhr/nano_banana_2', 'image_gen'],
    ['vhr/bytedance_seedream_v4', 'image_gen'],
    ['vhr/*', 'image_gen'],
    ['whisper-1', 'stt'],
    ['xai/grok-stt', 'stt'],
    ['xai/grok-tts', 'tts'],
    ['mim/*tts*', 'tts'],
  ])('%s leads to a model that can %s first', (name, capability) => {
    const first = aliases.find(([alias]) => alias === name)?.[1]
    expect(find(first ?? '')?.model.capabilities).toContain(capability)
  })

  it.each(names)('%s leads only to models that are on', (name) => {
    for (const [, target] of aliases.filter(([alias]) => alias === name)) {
      const found = find(target)
      expect(found?.provider.enabled && found.model.enabled, target).toBe(true)
    }
  })

  it('hide no model, and take no name that is a route', () => {
    const taken = new Set([
      ...models.filter(({ model }) => model.enabled).flatMap(({ provider, model }) => [model.id, `${provider.name}/${model.id}`]),
    ])
    expect(names.filter((name) => taken.has(name) || ['full', 'random', 'leaderboard'].includes(name))).toEqual([])
  })
})

it('who takes no more than so many tools is known', () => {
  const most = providers.filter(({ max_tools }) => max_tools !== undefined).map(({ name, max_tools }) => [name, max_tools])
  expect(Object.fromEntries(most)).toEqual({ mistral: 128, groq: 128, deepseek: 128, xai: 200 })
})
