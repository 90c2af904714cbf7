// Pure. What an admin may set of a provider, and what it makes of the stored changes. What is not sent stays as it is;
// null takes away what was set here, so that freeway.json or the catalogue counts again.

import { z } from 'zod'
import { type CatalogProvider, provider as providerSchema } from '#contracts/catalog.ts'
import {
  type CatalogOverrides,
  customProvider,
  MAX_KEYS,
  overlayModels,
  overlayProvider,
  type ProviderChange,
  providerChangeFields,
} from '#contracts/catalog-change.ts'
import { FreewayError } from '#contracts/failure.ts'

const MAX_KEY_LENGTH = 4_096
/** It travels in a header. */
const key = z
  .string()
  .trim()
  .max(MAX_KEY_LENGTH)
  .regex(/^[\x21-\x7e]+$/, 'expected a key without blanks or line breaks')
const emptyOrKey = z.union([z.literal(''), key], 'expected a key without blanks or line breaks, or "" to clear it')
const limit = z.int().min(1).max(Number.MAX_SAFE_INTEGER).nullable().optional()

const keys = {
  /** "": it has no key, whatever the settings say. null: that of the settings. */
  api_key: emptyOrKey.nullable().optional(),
  /** Several, each an account of its own; instead of `api_key`. */
  api_keys: z.array(key).max(MAX_KEYS).nullable().optional(),
}

const settable = {
  enabled: z.boolean().nullable().optional(),
  weight: z.number().min(0).max(1_000).nullable().optional(),
  default_model: z.string().min(1).max(200).nullable().optional(),
  rpm_limit: limit,
  rpd_limit: limit,
  tpm_limit: limit,
  tpd_limit: limit,
  tags: z
    .array(z.string().regex(/^[\w.:-]{1,64}$/, 'expected 1 to 64 letters, digits, _ . : or -'))
    .max(32)
    .nullable()
    .optional(),
}

/** Whatever else freeway.json may say of a provider; `models` as an object are the models that differ. */
const overridable = Object.fromEntries(Object.entries(providerChangeFields).map(([name, field]) => [name, field.nullable()]))

export const providerPatch = z.object({ ...overridable, ...keys, ...settable })
export type ProviderPatch = z.infer<z.ZodObject<typeof keys & typeof settable>> & { [field: string]: unknown }
export const patchFields = Object.keys(providerPatch.shape)

export const newProvider = customProvider.extend(keys)

/** Keys to be stored; `null`: those of the settings; undefined: nothing was said of them. Throws FreewayError 400. */
export function wantedKeys(
  { api_key, api_keys }: Pick<ProviderPatch, 'api_key' | 'api_keys'>,
  { auth }: Pick<CatalogProvider, 'auth'>,
): string[] | null | undefined {
  if (api_key !== undefined && api_keys !== undefined) throw atFault('api_keys', 'send either api_key or api_keys')
  const wanted = api_keys === undefined ? (api_key === '' ? [] : typeof api_key === 'string' ? [api_key] : api_key) : api_keys
  if (!wanted) return wanted
  const at = (i: number) => (api_keys === undefined ? 'api_key' : `api_keys[${i}]`)
  for (const [i, one] of wanted.entries()) {
    if (wanted.indexOf(one) !== i) throw atFault(at(i), 'is there twice')
    if (auth.key_format === 'account_id:api_token' && !/^[^:]+:.+$/.test(one)) {
      throw atFault(at(i), 'expected account_id:api_token, for this provider needs both')
    }
  }
  return wanted
}

/** Throws FreewayError 400 if what is changed would make no whole provider, or name a model twice. `base`: as it is in force. */
export function checkWhole(base: CatalogProvider, overrides: CatalogOverrides): void {
  const { configured: _, accounts: __, key_ids: ___, ...known } = base
  const { data, error } = providerSchema.safeParse(overlayProvider(known, own(overrides.providers, base.name) ?? {}, base.name))
  const [issue] = error?.issues ?? []
  if (issue) throw atFault(issue.path.join('.'), issue.message)
  checkModels(data?.models ?? [])
}

/** Throws FreewayError 400. */
export function checkModels(models: readonly { id: string }[]): void {
  const ids = models.map(({ id }) => id)
  const twice = ids.findIndex((id, i) => ids.indexOf(id) !== i)
  if (twice >= 0) throw atFault(`models[${twice}].id`, 'is there twice')
}

/** `sealed`: as `wantedKeys` tells, each sealed. What was learned of the provider is to be forgotten: something has changed. */
export function patched(
  before: CatalogOverrides,
  name: string,
  patch: ProviderPatch,
  sealed: string[] | null | undefined,
): CatalogOverrides {
  const { api_key: _, api_keys: __, models, ...fields } = patch
  const known: ProviderChange = own(before.providers, name) ?? {}
  const after = { ...known, ...withoutUndefined(fields), models: modelsAfter(known.models, models as ProviderChange['models'] | null) }
  const change = Object.fromEntries(Object.entries(after).filter(([, value]) => value !== null && value !== undefined))
  const providers = Object.keys(change).length > 0 ? { ...before.providers, [name]: change } : without(before.providers, name)
  return forgotten({ ...before, providers, keys: keysAfter(before, name, sealed) }, name)
}

/** Model by model, unless the whole list is given. */
function modelsAfter(known: ProviderChange['models'], sent: ProviderChange['models'] | null): ProviderChange['models'] | null {
  if (sent === undefined || sent === null) return sent === null ? null : known
  if (Array.isArray(sent) || known === undefined) return sent
  return Array.isArray(known) ? (overlayModels(known, sent) as typeof known) : { ...known, ...sent }
}

/** Throws FreewayError 409. */
export function added(
  before: CatalogOverrides,
  name: string,
  provider: CatalogOverrides['custom'][string],
  sealed: string[] | null | undefined,
): CatalogOverrides {
  if (own(before.custom, name)) throw exists(name)
  return forgotten({ ...before, custom: { ...before.custom, [name]: provider }, keys: keysAfter(before, name, sealed) }, name)
}

/** Throws FreewayError 404. */
export function removed(before: CatalogOverrides, name: string): CatalogOverrides {
  if (!own(before.custom, name)) throw unknownProvider(name)
  const { custom, providers, keys } = before
  return forgotten({ ...before, custom: without(custom, name), providers: without(providers, name), keys: without(keys, name) }, name)
}

export function forgotten(before: CatalogOverrides, name: string): CatalogOverrides {
  return { ...before, resets: { ...before.resets, [name]: (own(before.resets, name) ?? 0) + 1 } }
}

/** For the records: keys and models are only counted, and of a provider of one's own only what tells it from others. */
export function described(overrides: CatalogOverrides, name: string): object {
  const custom = own(overrides.custom, name)
  const stored = own(overrides.keys, name)
  return {
    ...(custom && { base_url: custom.base_url, models: custom.models.length }),
    ...own(overrides.providers, name),
    ...(stored && { stored_keys: stored.length }),
  }
}

export function exists(name: string): FreewayError {
  return new FreewayError('invalid_request_error', `there is a provider ${name} already: change it with PATCH`, {
    status: 409,
    param: 'name',
  })
}

export function unknownProvider(name: string): FreewayError {
  const shown = /^[a-z0-9_-]{1,32}$/.test(name) ? `unknown provider ${name}` : 'unknown provider'
  return new FreewayError('invalid_request_error', shown, { status: 404, code: 'provider_not_found', param: 'name' })
}

/** A name like `constructor` is in every object. */
export function own<T>(record: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined
}

function keysAfter({ keys }: CatalogOverrides, name: string, sealed: string[] | null | undefined): CatalogOverrides['keys'] {
  if (sealed === undefined) return keys
  return sealed === null ? without(keys, name) : { ...keys, [name]: sealed }
}

function without<T>(record: Record<string, T>, name: string): Record<string, T> {
  return Object.fromEntries(Object.entries(record).filter(([key]) => key !== name))
}

function withoutUndefined(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
}

function atFault(param: string, message: string): FreewayError {
  return new FreewayError('invalid_request_error', `${param}: ${message}`, { param })
}
