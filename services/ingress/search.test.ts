import { expect, it } from 'vitest'
import { FreewayError } from '#contracts/failure.ts'
import { giveUpAdapted, learnFrom, newSearch, passOver } from './search.ts'

const need = { tools: true, vision: false, json: false, ctx: 100 }
const error = new FreewayError('provider_error', '')
const again = { again: true, spends: false, error } as const
const target = { prov: 'groq', account: 'groq-1', model: 'm', billable: false }

it('begins with nobody left out', () => {
  expect(newSearch(need)).toEqual({ exclude: [], avoid: [], abandoned: [], need, widened: false, adapted: undefined })
})

it('remembers whom not to ask, and how often somebody was avoided', () => {
  const search = newSearch(need)
  learnFrom(search, { ...again, exclude: ['groq'] }, target, 0)
  learnFrom(search, { ...again, exclude: ['gemini/gemini-1', 'gemini/gemini-2/m'] }, target, 0)
  learnFrom(search, { ...again, avoid: 'mistral' }, target, 0)
  learnFrom(search, { ...again, avoid: 'mistral' }, target, 0)
  expect(search).toMatchObject({
    exclude: ['groq', 'gemini/gemini-1', 'gemini/gemini-2/m'],
    avoid: ['mistral', 'mistral'],
    need,
    widened: false,
  })
})

it('asks for more room than the model had that was too small, without changing the job', () => {
  const search = newSearch(need)
  learnFrom(search, { ...again, wider: true }, target, 8_192)
  expect(search).toMatchObject({ need: { tools: true, ctx: 8_193 }, widened: true })
  expect(need.ctx).toBe(100)
})

it('asks the same model once more after a refusal that said what to change, and goes elsewhere if that cannot be had', () => {
  const search = newSearch(need)
  const asked = { ...target, model: 'openai/gpt-oss' }
  learnFrom(search, { ...again, adapt: { drop: ['seed'] } }, asked, 0)
  expect(search).toMatchObject({ adapted: { model: 'groq/openai/gpt-oss', adapt: { drop: ['seed'] } }, exclude: [] })
  expect(giveUpAdapted(search)).toBe(true)
  expect(search).toMatchObject({ adapted: undefined, exclude: ['groq'] })
  expect(giveUpAdapted(search)).toBe(false)
})

it('is as it was before when the changed request has failed too', () => {
  const search = newSearch(need)
  learnFrom(search, { ...again, adapt: { drop: ['seed'] } }, target, 0)
  learnFrom(search, { ...again, exclude: ['groq'] }, target, 0)
  expect(search.adapted).toBeUndefined()
})

it.each([
  ['refused', { exclude: ['groq'], avoid: [] }],
  ['busy', { exclude: [], avoid: ['groq'] }],
  ['accept_timeout', { exclude: [], avoid: ['groq'] }],
])('who did not take the job is passed over: %s', (why, lists) => {
  const search = newSearch(need)
  passOver(search, 1, why, 'groq')
  expect(search).toMatchObject(lists)
})
