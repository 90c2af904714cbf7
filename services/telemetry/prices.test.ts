import { expect, it } from 'vitest'
import { listCost, referencePrice } from './prices.ts'

it.each([
  ['llama-3.1-8b-instant', 0.05],
  ['qwen/qwen-2.5-coder-32b-instruct:free', 0.2],
  ['llama-3.3-70b-versatile', 0.6],
  ['mixtral-8x7b-32768', 0.6],
  ['qwen3-235b-a22b', 1],
  ['gemma-2-2.5b', 0.05],
  ['gemini-2.5-flash', 0.15],
  ['gemini-2.5-pro', 2],
  ['m-large', 2],
  ['command-r', 0.5],
  ['', 0.5],
])('%s is priced by its size or kind', (model, price) => {
  expect(referencePrice(model).in).toBe(price)
})

it('a cost is whole micro-dollars', () => {
  expect(listCost('llama-3.3-70b', 1_000, 500)).toBe(1_000)
  expect(Number.isInteger(listCost('x-8b', 7, 3))).toBe(true)
})
