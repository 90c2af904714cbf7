import { expect, it } from 'vitest'
import { estimatedUsage, usageOf } from './usage.ts'

const counted = { prompt_tokens: 9, completion_tokens: 4, total_tokens: 13 }

it.each([
  [{}, {}],
  [{ prompt_tokens_details: { cached_tokens: 3 } }, { cached: 3 }],
  [
    { prompt_tokens_details: { cached_tokens: 0 }, completion_tokens_details: { reasoning_tokens: 2 } },
    { cached: 0, reasoning: 2 },
  ],
  [{ prompt_tokens_details: null, completion_tokens_details: 'none' }, {}],
  [{ prompt_tokens_details: { cached_tokens: -1 }, completion_tokens_details: { reasoning_tokens: 1.5 } }, {}],
  [{ prompt_tokens_details: { cached_tokens: '3' } }, {}],
])('what a provider reports in detail is kept if it is a count, and absent otherwise: %j', (details, kept) => {
  expect(usageOf({ ...counted, ...details })).toStrictEqual({ in: 9, out: 4, ...kept })
})

it.each([
  [0, 0],
  [1, 1],
  [200, 1],
  [201, 2],
])('an answer that broke off after %d bytes is charged %d tokens', (bytes, out) => expect(estimatedUsage(7, bytes)).toEqual({ in: 7, out }))

it.each([
  [0.0125, { cost: 0.0125 }],
  [0, { cost: 0 }],
  [-1, {}],
  ['0.01', {}],
  [Number.NaN, {}],
  [undefined, {}],
])('what it has cost, where the provider says so: %j', (cost, told) => {
  expect(usageOf({ prompt_tokens: 3, completion_tokens: 2, total_tokens: 5, cost })).toEqual({ in: 3, out: 2, ...told })
})
