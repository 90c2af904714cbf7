import { expect, it } from 'vitest'
import { FreewayError } from '#contracts/failure.ts'
import { learnFrom, newSearch, passOver } from './search.ts'

const need = { tools: true, vision: false, json: false, ctx: 100 }
const error = new FreewayError('provider_error', '')
const target = { prov: 'groq', account: 'groq-1', model: 'm', billable: false }

it('begins with nobody left out', () => {
  expect(newSearch(need)).toEqual({ exclude: [], avoid: [], need, widened: false })
})

it('remembers whom not to ask, and how often somebody was avoided', () => {
  const search = newSearch(need)
  learnFrom(search, { again: true, exclude: 'groq', error }, 0)
  learnFrom(search, { again: true, exclude: 'gemini/gemini-1', error }, 0)
  learnFrom(search, { again: true, avoid: 'mistral', error }, 0)
  learnFrom(search, { again: true, avoid: 'mistral', error }, 0)
  expect(search).toEqual({ exclude: ['groq', 'gemini/gemini-1'], avoid: ['mistral', 'mistral'], need, widened: false })
})

it('asks for more room than the model had that was too small, without changing the job', () => {
  const search = newSearch(need)
  learnFrom(search, { again: true, wider: true, error }, 8_192)
  expect(search).toMatchObject({ need: { tools: true, ctx: 8_193 }, widened: true })
  expect(need.ctx).toBe(100)
})

it.each([
  ['refused', { exclude: ['groq'], avoid: [] }],
  ['busy', { exclude: [], avoid: ['groq'] }],
  ['accept_timeout', { exclude: [], avoid: ['groq'] }],
])('who did not take the job is passed over: %s', (why, lists) => {
  const search = newSearch(need)
  passOver(search, target, why)
  expect(search).toMatchObject(lists)
})
