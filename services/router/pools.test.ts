import { describe, expect, it } from 'vitest'
import { buildCatalog } from './build-catalog.ts'
import { poolsOf } from './pools.ts'
import { shippedCatalog } from './shipped.ts'

const { providers } = buildCatalog(await shippedCatalog(), { providers: {}, aliases: {}, keysOf: () => [] })

function pools(name: string, id: string): [string, string[]][] {
  const provider = providers.find((one) => one.name === name)
  const model = provider?.models.find((one) => one.id === id)
  if (!provider || !model) throw new Error(`${name}/${id} is not shipped`)
  return poolsOf(provider, `${name}-1`, model).map(({ pool, limits }) => [
    pool,
    limits.map(({ unit, max, per = 'at once', clock }) => [max, unit, per, clock].filter(Boolean).join(' ')),
  ])
}

describe('the pools of a shipped model', () => {
  it.each<[string, string, ReturnType<typeof pools>]>([
    ['openrouter', 'openrouter/free', [['openrouter-1', ['20 requests minute', '50 requests day UTC']]]],
    [
      'cloudflare',
      '@cf/qwen/qwq-32b',
      [
        ['cloudflare-1', ['10000 neurons day UTC']],
        ['cloudflare-1/chat', ['300 requests minute']],
      ],
    ],
    [
      'gemini',
      'gemini-3.5-flash-lite',
      [['gemini-1/gemini-3.5-flash-lite', ['15 requests minute', '500 requests day America/Los_Angeles', '250000 tokens minute']]],
    ],
    ['groq', 'groq/compound', [['groq-1/groq/compound', ['30 requests minute', '250 requests day', '70000 tokens minute']]]],
    [
      'cohere',
      'command-a-03-2025',
      [
        ['cohere-1', ['1000 requests month UTC']],
        ['cohere-1/chat', ['20 requests minute']],
      ],
    ],
    ['kilo', 'kilo-auto/free', [['kilo@address', ['200 requests hour']]]],
    ['zhipu', 'glm-4.7-flash', [['zhipu-1/glm-4.7-flash', ['1 concurrency at once']]]],
    [
      'modelscope',
      'ZhipuAI/GLM-4.6',
      [
        ['modelscope-1', ['2000 requests day']],
        ['modelscope-1/ZhipuAI/GLM-4.6', ['500 requests day']],
      ],
    ],
    ['huggingface', 'zai-org/GLM-5.2', [['huggingface-1', ['0.1 credits month UTC']]]],
  ])('%s/%s are shared as far as the provider counts together', (name, id, expected) => expect(pools(name, id)).toEqual(expected))
})
