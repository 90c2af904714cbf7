import { describe, expect, it } from 'vitest'
import { catalog as catalogSchema, virtualModels } from '#contracts/catalog.ts'
import { findName, listModels } from './models.ts'

const entry = (name: string, models: object[], own: object = {}) => ({
  name,
  base_url: 'http://127.0.0.1:1/v1',
  configured: true,
  models,
  ...own,
})
const read = (providers: object[], aliases: [string, string][] = []) => catalogSchema.parse({ providers, aliases })
const list = (...args: Parameters<typeof read>) => listModels(read(...args))
/** Without the virtual models, which are always there. */
const named = (...args: Parameters<typeof read>) => list(...args).slice(virtualModels.length)
const ids = (...args: Parameters<typeof read>) => named(...args).map(({ id }) => id)

describe('the list of models', () => {
  it('begins with the virtual ones, even if there is nothing else', () => {
    expect(list([]).map(({ id }) => id)).toEqual(virtualModels.map((name) => `freeai-${name}`))
    expect(list([])[0]).toMatchObject({ object: 'model', owned_by: 'freeway', context_window: 8192, capabilities: ['chat'] })
  })

  it('names every model by its provider, once', () => {
    expect(ids([entry('groq', [{ id: 'm' }, { id: 'openai/m' }, { id: 'groq/compound' }])])).toEqual([
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
    expect(ids(providers)).toEqual(['groq/on'])
  })

  it('says what a client needs for choosing', () => {
    const model = { id: 'm', display_name: 'Em', capabilities: ['chat', 'vision'], context_window: 99_000, as_of: '2026-09-06' }
    expect(named([entry('groq', [model])])).toEqual([
      {
        id: 'groq/m',
        object: 'model',
        created: 1_788_652_800,
        owned_by: 'groq',
        context_window: 99_000,
        capabilities: ['chat', 'vision'],
        description: 'Em',
      },
    ])
  })

  it('gives a model without a date the same one at every time', () => {
    expect(named([entry('groq', [{ id: 'm' }])])[0]?.created).toBe(1_767_225_600)
  })

  it.each([
    ['last spring', 1_767_225_600],
    ['2026-09-06T00:00:00.500Z', 1_788_652_800],
  ])('gives every model a whole number of seconds, also where its date is %j', (as_of, created) => {
    expect(named([entry('groq', [{ id: 'm', as_of }])])[0]?.created).toBe(created)
  })

  it('gives a virtual model the widest context there is, and what any model for chat can do', () => {
    const models = [
      { id: 'a', context_window: 50_000, capabilities: ['chat', 'vision'] },
      { id: 'b', context_window: 9, capabilities: ['chat', 'tools'] },
      { id: 'c', context_window: 90_000, capabilities: ['embeddings', 'audio_in'] },
    ]
    expect(list([entry('groq', models)])[0]).toMatchObject({ context_window: 50_000, capabilities: ['chat', 'tools', 'vision'] })
  })

  it('has a plain name for what several providers serve', () => {
    const same = (context_window: number) => ({ id: `x-${context_window}`, canonical: 'gpt-oss-120b', context_window })
    const other = { id: 'y', canonical: 'only-here' }
    const found = named([entry('groq', [same(9), other]), entry('cerebras', [same(10)])])
    expect(found.map(({ id }) => id)).toEqual(['groq/x-9', 'groq/y', 'cerebras/x-10', 'gpt-oss-120b'])
    expect(found.at(-1)?.context_window).toBe(10)
  })

  it('has an alias for what it has itself, by the first target that can be called, and no pattern', () => {
    const aliases: [string, string][] = [
      ['best', 'cohere/gone'],
      ['best', 'groq/m'],
      ['best', 'groq/n'],
      ['lost', 'groq/other'],
      ['vhr/*', 'groq/m'],
      ['demo', 'demo/demo/chat'],
    ]
    const providers = [entry('groq', [{ id: 'm', context_window: 5 }, { id: 'n' }]), entry('demo', [{ id: 'demo/chat' }])]
    expect(named(providers, aliases)).toMatchObject([
      { id: 'groq/m' },
      { id: 'groq/n' },
      { id: 'demo/chat' },
      { id: 'best', owned_by: 'groq', context_window: 5 },
      { id: 'demo', owned_by: 'demo' },
    ])
  })
})

describe('one model', () => {
  const catalog = read(
    [
      entry('huggingface', [{ id: 'Qwen/Qwen3:free', canonical: 'qwen3' }], { aliases: ['hf'] }),
      entry('off', [{ id: 'gone' }], { enabled: false }),
    ],
    [
      ['glm/glm-5.1', 'huggingface/Qwen/Qwen3:free'],
      ['vhr/*', 'huggingface/Qwen/Qwen3:free'],
    ],
  )

  it.each(['huggingface/Qwen/Qwen3:free', 'hf/Qwen/Qwen3:free', 'Qwen/Qwen3:free', 'qwen3', 'glm/glm-5.1', 'vhr/anything'])(
    'is found as %s, and goes by that name',
    (id) => expect(findName(catalog, id)?.entry).toMatchObject({ id, owned_by: 'huggingface' }),
  )

  it.each(['freeai-auto', 'freeway-long', 'auto', 'fast'])('may be virtual: %s', (id) =>
    expect(findName(catalog, id)?.entry).toMatchObject({ id, owned_by: 'freeway' }),
  )

  it.each(['gone', 'off/gone', '', 'constructor', 'huggingface', 'vhr'])('is not %j', (id) => expect(findName(catalog, id)).toBeUndefined())
})
