// Pure. What an operator says about the catalogue, in freeway.json or through the admin API: changes to its entries, and providers of his own.
// What is not written keeps the catalogue's value; no default ever overrides it.

import { z } from 'zod'
import type { Model, Provider } from './catalog.ts'
import { model, provider, providerName } from './catalog.ts'

export type ModelChange = Partial<Omit<Model, 'id'>>

/**
 * `models` as a list is the whole list, in place of the catalogue's. As an object it is laid over the catalogue's: id → the fields that
 * differ; an id that is not there yet is a new model, and `null` takes one out.
 */
export type ProviderChange = Partial<Omit<Provider, 'name' | 'models'>> & { models?: Model[] | Record<string, ModelChange | null> }

const modelId = model.shape.id
const modelList = z.array(model).min(1)
const modelChanges = z.record(modelId, z.strictObject(withoutDefaults(model.shape, 'id')).nullable())

/** Not a union: of a union only its failure would be told, not the field that is wrong. */
const models = z.unknown().transform((value, context) => {
  const result = (Array.isArray(value) ? modelList : modelChanges).safeParse(value, { reportInput: true })
  if (result.success) return result.data
  for (const issue of result.error.issues) context.issues.push(issue as (typeof context.issues)[number])
  return z.NEVER
})

/** The fields of a ProviderChange, to be extended by those that never reach the catalogue. */
export const providerChangeFields = { ...withoutDefaults(provider.shape, 'name', 'models'), models: models.optional() }

export const providerChange = z.strictObject(providerChangeFields) as unknown as z.ZodType<ProviderChange>

/** A target, or several in order of preference, as `provider/model`. */
const target = z.string().regex(/^[^/\s]+\/\S+$/, 'expected provider/model')
export const aliasTargets = z.union([target, z.array(target).min(1)], 'expected provider/model')
/** `GET /v1/models/full` and its like are no models. */
const routeNames = new Set(['full', 'random', 'leaderboard'])
export const aliasName = z
  .string()
  .min(1)
  .max(200)
  .refine((name) => !routeNames.has(name), 'is the name of a route')

/** A provider that was added while freeway runs; it must be whole. */
export const customProvider = provider.omit({ name: true }).extend({ models: modelList })

/** Of one provider. */
export const MAX_KEYS = 100

/** What was changed while freeway runs; one document, laid over freeway.json. Every router watches it. */
export const catalogOverrides = z.strictObject({
  /** One more with every change. */
  version: z.int().min(0).default(0),
  /** Changes to providers of the catalogue or of freeway.json. */
  providers: z.record(providerName, providerChange).default({}),
  /** Providers that were added; each must be whole. */
  custom: z.record(providerName, customProvider).default({}),
  removed: z.array(providerName).default([]),
  aliases: z.record(aliasName, aliasTargets).default({}),
  /** By provider: its keys, each sealed, in the order of its accounts. They stand in place of those of the settings; none: it has no key. */
  keys: z.record(providerName, z.array(z.string().max(8_192)).max(MAX_KEYS)).default({}),
  /** By provider: how often what was learned about it had to be forgotten. */
  resets: z.record(providerName, z.int().min(0)).default({}),
})
export type CatalogOverrides = z.infer<typeof catalogOverrides>

/** Undefined: none were stored, and those of the settings count. */
export function storedKeys({ keys }: Pick<CatalogOverrides, 'keys'>, provider: string): string[] | undefined {
  return Object.hasOwn(keys, provider) ? keys[provider] : undefined
}

/** `known`: the entry so far, if there is one. The result is to be parsed: what is missing has no default yet. */
export function overlayProvider(known: Provider | undefined, change: ProviderChange, name: string): unknown {
  const { models, ...fields } = change
  // A shipped row for a server of one's own is off only because nothing was known of its models.
  const enabled = fields.enabled ?? (known?.status === 'local' && models !== undefined ? true : known?.enabled)
  const base = known && !known.enabled && enabled ? known.models.map(opening) : known?.models
  const list = models === undefined || Array.isArray(models) ? (models ?? base) : overlayModels(base ?? [], models)
  return { ...known, ...fields, enabled, models: list, name }
}

/** `null` takes a model out, and what is not there yet is new. */
export function overlayModels(known: readonly Model[], changes: Record<string, ModelChange | null>): (ModelChange & { id: string })[] {
  const ids = new Set(known.map(({ id }) => id))
  const changed = known.flatMap((model) => {
    const change = Object.hasOwn(changes, model.id) ? changes[model.id] : {}
    return change === null ? [] : [{ ...model, ...change }]
  })
  const added = Object.entries(changes).flatMap(([id, change]) => (ids.has(id) || change === null ? [] : [{ ...change, id }]))
  return [...changed, ...added]
}

const CLOSED_WITH_THE_PROVIDER = new Set(['paid', 'trial', 'payment_required', 'restricted'])

/** Who switches on a provider that is not free wants what it sells; what is gone or unproven stays off. */
function opening(model: Model): Model {
  return model.status && CLOSED_WITH_THE_PROVIDER.has(model.status) ? { ...model, enabled: true } : model
}

function withoutDefaults(shape: Record<string, z.ZodType>, ...left: string[]): Record<string, z.ZodType> {
  const fields = Object.entries(shape).filter(([name]) => !left.includes(name))
  return Object.fromEntries(
    fields.map(([name, field]) => [
      name,
      (field instanceof z.ZodDefault || field instanceof z.ZodPrefault ? (field.unwrap() as z.ZodType) : field).optional(),
    ]),
  )
}
