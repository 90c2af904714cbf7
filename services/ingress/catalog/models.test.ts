import { describe, expect, it } from 'vitest'
import { catalog as catalogSchema, virtualModels } from '#contracts/catalog.ts'
import { listModels } from './models.ts'

const entry = (name: string, models: object[], own: object = {}) => ({
  name,
  base_url: 'http://127.0.0.1:1/v1',
  configured: true,
  models,
  ...own,
})
const list = (providers: object[], aliases: [string, string][] = []) => listModels(catalogSchema.parse({ providers, aliases }))
/** Without the virtual models, which are always there. */
const named = (...args: Parameters<typeof list>) => list(...args).slice(virtualModels.length)

describe('the list of models', () => {
  it('begins with the virtual ones, even if there is nothing else', () => {
    expect(list([]).map(({ id }) => id)).toEqual(virtualModels.map((name) => `freeai-${name}`))
    expect(list([])[0]).toMatchObject({ object: 'model', owned_by: 'freeway', context_window: 8192 })
  })

  it('names every model by its provider, once', () => {
    expect(named([entry('groq', [{ id: 'm' }, { id: 'openai/m' }, { id: 'groq/compound' }])]).map(({ id }) => id)).toEqual([
      'groq/m',
      'groq/openai/m',
      'groq/compound',
    ])
  })

  it('holds only what can be called', () => {
    const providers = [
      entry('off', [{ id: 'm' }], { enabled: false }),
      entry('keyless', [{ id: 'm' }], { configured: false }),
      entry('groq', [{ id: 'on' }, { id: 'off', enabled: false }]),
    ]
    expect(named(providers).map(({ id }) => id)).toEqual(['groq/on'])
  })

  it('says what a client needs for choosing', () => {
    const model = { id: 'm', display_name: 'Em', capabilities: ['chat', 'vision'], context_window: 99_000 }
    expect(named([entry('groq', [model])])).toEqual([
      {
        id: 'groq/m',
        object: 'model',
        created: 1_767_225_600,
        owned_by: 'groq',
        context_window: 99_000,
        capabilities: ['chat', 'vision'],
        description: 'Em',
      },
    ])
  })

  it('gives a virtual model the widest context there is', () => {
    expect(
      list([
        entry('groq', [
          { id: 'a', context_window: 50_000 },
          { id: 'b', context_window: 9 },
        ]),
      ])[0]?.context_window,
    ).toBe(50_000)
  })

  it('has an alias only for what it has itself', () => {
    const aliases: [string, string][] = [
      ['best', 'groq/m'],
      ['lost', 'groq/other'],
    ]
    expect(named([entry('groq', [{ id: 'm' }])], aliases)).toMatchObject([{ id: 'groq/m' }, { id: 'best', owned_by: 'groq' }])
  })
})
