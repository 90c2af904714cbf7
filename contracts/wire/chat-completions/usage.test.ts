import { expect, test } from 'vitest'
import { readUsage } from './usage.ts'

test.each([
  [
    { prompt_tokens: 3, completion_tokens: 2, total_tokens: 99 },
    { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 },
  ],
  [
    { prompt_tokens: 3, total_tokens: 5 },
    { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 },
  ],
  [
    { completion_tokens: 2, total_tokens: 5 },
    { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 },
  ],
  [{ total_tokens: 5 }, { prompt_tokens: 5, completion_tokens: 0, total_tokens: 5 }],
  [{ prompt_tokens: 3 }, { prompt_tokens: 3, completion_tokens: 0, total_tokens: 3 }],
  [
    { prompt_tokens: -3, completion_tokens: 2 },
    { prompt_tokens: 0, completion_tokens: 2, total_tokens: 2 },
  ],
  [
    { prompt_tokens: 2.6, completion_tokens: 1 },
    { prompt_tokens: 3, completion_tokens: 1, total_tokens: 4 },
  ],
])('%j', (given, usage) => {
  expect(readUsage(given)).toEqual(usage)
})

test('details never exceed their totals, and are never invented', () => {
  const details = {
    prompt_tokens_details: { cached_tokens: 9, audio_tokens: -1 },
    completion_tokens_details: { reasoning_tokens: 1, x: 'y' },
  }
  expect(readUsage({ prompt_tokens: 3, completion_tokens: 2, ...details, prompt_cache_hit_tokens: 0 })).toEqual({
    prompt_tokens: 3,
    completion_tokens: 2,
    total_tokens: 5,
    prompt_tokens_details: { cached_tokens: 3, audio_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: 1, x: 'y' },
    prompt_cache_hit_tokens: 0,
  })
  expect(readUsage({ prompt_tokens: 3, completion_tokens: 2, prompt_tokens_details: null })).toMatchObject({ prompt_tokens_details: null })
})

const nonsense = [{ prompt_tokens: 1e20 }, { total_tokens: 9_007_199_254_740_991 }, { completion_tokens: Number.POSITIVE_INFINITY }]
test.each([undefined, null, 7, 'many', [], {}, { prompt_tokens: '3' }, { prompt_tokens: -1 }, ...nonsense])('%j is none', (value) => {
  expect(readUsage(value)).toBe(undefined)
})
