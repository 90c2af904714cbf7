// Nothing of the facts that the catalogue was made of is lost on the way: test/fixtures/catalog-facts.json has them as they were collected,
// each row with its date. A row that has a newer date here has been looked at again, and is not compared.

import { expect, it } from 'vitest'
import type { Model, Provider } from '#contracts/catalog.ts'
import { statedLimit } from '#contracts/catalog-lookup.ts'
import type { Unit, Window } from '#contracts/limit.ts'
import collected from '#test/fixtures/catalog-facts.json' with { type: 'json' }
import { shippedCatalog } from './shipped.ts'

interface ProviderFacts {
  as_of: string
  policy: Record<string, unknown>
  validate: object | null
  signal: number[]
  endpoints: string[]
  headers: string[]
  limits: Record<string, number | [number, string]>
  [fact: string]: unknown
}
interface ModelFacts {
  as_of: string
  limits: Record<string, number>
  [fact: string]: unknown
}

const { providers } = await shippedCatalog()
const providerFacts = Object.entries(collected.providers as unknown as Record<string, ProviderFacts>)
const modelFacts = Object.entries(collected.models as unknown as Record<string, ModelFacts>)
const provider = (name: string) => providers.find((one) => one.name === name) as Provider
const asIs = ['aliases', 'status', 'base_url', 'env', 'error_shape', 'tags'] as const

/** How the facts name what we name otherwise. */
const endpointNames: Record<string, string> = {
  audio_speech: 'tts',
  audio_transcription: 'stt',
  image_generation: 'image_gen',
}
const limitNames: Record<string, [Unit, Window | undefined]> = {
  rps: ['requests', 'second'],
  rpm: ['requests', 'minute'],
  rph: ['requests', 'hour'],
  rpd: ['requests', 'day'],
  tpm: ['tokens', 'minute'],
  tpd: ['tokens', 'day'],
  concurrency: ['concurrency', undefined],
  neurons_per_day: ['neurons', 'day'],
  audio_seconds_per_hour: ['audio_seconds', 'hour'],
  audio_seconds_per_day: ['audio_seconds', 'day'],
  ipm: ['images', 'minute'],
  ipd: ['images', 'day'],
}
const monthly: Record<string, Unit> = { tokens: 'tokens', 'USD credit': 'credits', 'calls over all endpoints': 'requests' }

/** Headers that say which limit is meant rather than how much of it is left. */
const noFigure = new Set(['x-ratelimit-type'])
/** Stated for what a model does, so they stand at its models: chats 20, embeddings 2000; chats 300, pictures 720. */
const byModel = new Set(['cohere rpm', 'cloudflare rpm'])

it.each(providerFacts.filter(([name, { as_of }]) => provider(name).as_of === as_of))('%s is as it was found', (name, facts) => {
  const ours = provider(name)
  for (const field of asIs) expect([field, ours[field]]).toEqual([field, facts[field]])
  // Nobody's prompts go to a stranger unasked: who serves without a key is asked without one only if the operator says so.
  if (facts.needs_key === false) expect(!ours.needs_key || ours.auth.optional).toBe(true)
  expect(ours.endpoints.toSorted()).toEqual(facts.endpoints.map((one) => endpointNames[one] ?? one).toSorted())
  expect(ours.limit_signal.status).toEqual(facts.signal)
  expect(ours.validate).toEqual(facts.validate === null ? undefined : expect.objectContaining(facts.validate))
  for (const [field, wanted] of Object.entries(facts.policy)) {
    const present = ours.request_policy[field as keyof Provider['request_policy']]
    expect([field, field === 'headers' ? Object.keys(present as object).toSorted() : present]).toEqual([field, wanted])
  }
  expect(Object.keys(ours.limit_headers).toSorted()).toEqual(facts.headers.filter((header) => !noFigure.has(header)).toSorted())
  for (const [limit, max] of Object.entries(facts.limits).filter(([limit]) => !byModel.has(`${name} ${limit}`))) {
    const [unit, per] = typeof max === 'number' ? (limitNames[limit] as [Unit, Window | undefined]) : [monthly[max[1]], 'month']
    const found = ours.limits.find((one) => one.unit === unit && one.per === per)
    expect([limit, found?.max]).toEqual([limit, typeof max === 'number' ? max : max[0]])
  }
})

it.each(modelFacts)('%s is as it was found', (name, { as_of, limits, ...facts }) => {
  const of = provider(name.slice(0, name.indexOf('/')))
  const model = of.models.find(({ id }) => id === name.slice(name.indexOf('/') + 1)) as Model
  expect(model).toBeDefined()
  if (model.as_of !== as_of) return
  for (const [field, value] of Object.entries(facts)) {
    if (value !== null) expect([field, model[field as keyof Model]]).toEqual([field, value])
  }
  for (const [limit, max] of Object.entries(limits)) {
    const [unit, per] = limitNames[limit] as [Unit, Window]
    expect([limit, statedLimit(of, model, unit, per)]).toEqual([limit, max])
  }
})

it('every provider and model that was found is there, and most are compared', () => {
  expect(providerFacts).toHaveLength(54)
  expect(modelFacts).toHaveLength(271)
  expect(providerFacts.filter(([name, { as_of }]) => provider(name).as_of === as_of).length).toBeGreaterThan(40)
})
