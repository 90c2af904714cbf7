import { expect, it } from 'vitest'
import { bothAdaptations } from './adaptation.ts'

it('what two refusals want is done together; of two values the later', () => {
  const one = { drop: ['seed'], clamp: { n: 4, max_tokens: 100 } }
  const later = { drop: ['user', 'seed'], clamp: { n: 1 }, null_content: 'empty_string' as const }
  expect(bothAdaptations(one, later)).toEqual({ drop: ['seed', 'user'], clamp: { n: 1, max_tokens: 100 }, null_content: 'empty_string' })
  expect(bothAdaptations({}, one)).toEqual(one)
  expect(one.drop).toEqual(['seed'])
})
