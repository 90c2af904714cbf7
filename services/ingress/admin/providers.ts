// Providers, as their operator sees and changes them while freeway runs: keys, limits, weights, models, and providers of his own.

import { z } from 'zod'
import type { CatalogProvider, Model } from '#contracts/catalog.ts'
import { providerName, provider as providerSchema } from '#contracts/catalog.ts'
import type { CatalogOverrides } from '#contracts/catalog-change.ts'
import { FreewayError } from '#contracts/failure.ts'
import type { ProviderStatus } from '#contracts/router-question.ts'
import { registerSecret } from '#services/redact.ts'
import { VaultError } from '#services/vault.ts'
import { json } from '../respond.ts'
import type { Route } from '../routes.ts'
import { type Administration, changingDocument } from './changing-document.ts'
import { checked, jsonBody } from './json-body.ts'
import {
  added,
  checkModels,
  checkWhole,
  described,
  exists,
  forgotten,
  newProvider,
  own,
  patched,
  patchFields,
  providerPatch,
  removed,
  unknownProvider,
  wantedKeys,
} from './provider-change.ts'
import { suggestions } from './suggest.ts'

export function providerRoutes(admin: Administration): Route[] {
  const { overrides, catalog, vault, askRouter, askWorker } = admin
  const path = '/api/providers'
  return [
    { method: 'GET', path, access: 'admin', handle: async () => json(await statuses()) },
    { method: 'POST', path, access: 'admin', handle: add },
    { method: 'GET', path: `${path}/*`, access: 'admin', handle: look },
    { method: 'PATCH', path: `${path}/*`, access: 'admin', handle: patch },
    { method: 'DELETE', path: `${path}/*`, access: 'admin', handle: remove },
    { method: 'POST', path: `${path}/*`, access: 'admin', handle: act },
  ]

  function statuses(name?: string): Promise<ProviderStatus[]> {
    return askRouter({ kind: 'providers', name, version: overrides.current.version })
  }

  async function statusOf(name: string): Promise<ProviderStatus> {
    const [status] = await statuses(name)
    if (!status) throw unknownProvider(name)
    return status
  }

  /** The change is made, whoever is there to tell how the provider stands. */
  async function saved(name: string): Promise<{ provider: Partial<ProviderStatus>; warning?: string }> {
    try {
      return { provider: await statusOf(name) }
    } catch (error) {
      if (!(error instanceof FreewayError)) throw error
      return {
        provider: { name, ...described(overrides.current, name) },
        warning: `saved, but how it stands is not known: ${error.message}`,
      }
    }
  }

  async function look(_: Request, rest: string): Promise<Response> {
    const [name, what, ...more] = rest.split('/') as [string, ...string[]]
    if (what === undefined) return json(await statusOf(existing(name).name))
    if (what !== 'models' || more.length > 0) throw unknownRoute()
    const known = existing(name)
    // As it is in force, with what was changed since it was added.
    const { models } = inForce(name) ?? known
    return json({ provider: name, models: models.map(modelView) })
  }

  async function patch(request: Request, name: string): Promise<Response> {
    const provider = existing(name)
    const sent = await jsonBody(request, z.looseObject({}))
    // Other fields are ignored, but who sends nothing else has mistaken a name.
    const ignored = Object.keys(sent).filter((field) => !patchFields.includes(field))
    if (ignored.length > 0 && ignored.length === Object.keys(sent).length) {
      throw new FreewayError('invalid_request_error', `${shortened(ignored[0])}: unknown field; known are ${patchFields.join(', ')}`, {
        param: shortened(ignored[0]),
      })
    }
    const wanted = checked(providerPatch, sent)
    const sealed = sealedKeys(name, wantedKeys(wanted, provider))
    await change(request, 'provider.change', name, (before) => {
      existing(name, before)
      const after = patched(before, name, wanted, sealed)
      const known = inForce(name)
      if (known) checkWhole(known, after)
      return after
    })
    return json({
      ...(await saved(name)),
      ...modelAdvice(wanted.default_model ?? undefined, [...(inForce(name) ?? provider).models, ...sentModels(sent.models)]),
      ...(ignored.length > 0 && { ignored_fields: ignored.map(shortened) }),
    })
  }

  async function add(request: Request): Promise<Response> {
    const sent = await jsonBody(request, z.looseObject({}))
    const { name, ...rest } = sent
    const parsed = checked(z.object({ name: providerName }), { name })
    if (catalog().providers.some((known) => known.name === parsed.name)) throw exists(parsed.name)
    const { api_key, api_keys, ...fields } = checked(newProvider, rest)
    checkModels(fields.models)
    // What the catalogue would make of it has to be whole.
    const provider = checked(providerSchema, { ...fields, name: parsed.name })
    const sealed = sealedKeys(parsed.name, wantedKeys({ api_key, api_keys }, provider))
    await change(request, 'provider.add', parsed.name, (before) => added(before, parsed.name, fields, sealed))
    return json({ ...(await saved(parsed.name)), ...modelAdvice(fields.default_model, fields.models) }, {}, 201)
  }

  async function remove(request: Request, name: string): Promise<Response> {
    const known = existing(name)
    if (!own(overrides.current.custom, known.name)) {
      const words = `${name} is part of the catalogue or of freeway.json: PATCH {"enabled": false} switches it off`
      throw new FreewayError('invalid_request_error', words, { status: 409, param: 'name' })
    }
    await change(request, 'provider.remove', name, (before) => removed(before, name))
    return json({ ok: true })
  }

  async function act(request: Request, rest: string): Promise<Response> {
    const [name, action, ...more] = rest.split('/') as [string, ...string[]]
    if (more.length > 0 || (action !== 'reset' && action !== 'test')) throw unknownRoute()
    existing(name)
    if (action === 'reset') {
      await change(request, 'provider.reset', name, (before) => forgotten(before, name))
      return json({ ok: true })
    }
    const { keys } = await askWorker({ provider: name, version: overrides.current.version })
    return json({ provider: name, ok: keys.every(({ ok }) => ok), message: keys[0]?.message, keys })
  }

  function change(request: Request, action: string, name: string, apply: (before: CatalogOverrides) => CatalogOverrides): Promise<unknown> {
    return changingDocument(admin, request, action, async () => {
      const { before, after } = await overrides.change(apply)
      return { target: name, before: described(before, name), after: described(after, name) }
    })
  }

  function inForce(name: string): CatalogProvider | undefined {
    return catalog().providers.find((provider) => provider.name === name)
  }

  /** Throws FreewayError 404. What was added a moment ago may not be in the catalogue yet. */
  function existing(name: string, now: CatalogOverrides = overrides.current): Pick<CatalogProvider, 'name' | 'models' | 'auth'> {
    const custom = own(now.custom, name)
    if (custom) return { ...custom, name }
    const known = inForce(name)
    if (!known) throw unknownProvider(name)
    return known
  }

  function sealedKeys(name: string, keys: string[] | null | undefined): string[] | null | undefined {
    if (!keys) return keys
    for (const key of keys) registerSecret(key)
    const present = new Map((own(overrides.current.keys, name) ?? []).flatMap((sealed) => openedPair(name, sealed)))
    // A key that is there already stays as it is sealed: what was counted for it goes by that.
    return keys.map((key) => present.get(key) ?? vault.seal(name, key))
  }

  function openedPair(name: string, sealed: string): [key: string, sealed: string][] {
    try {
      return [[vault.open(name, sealed), sealed]]
    } catch (error) {
      // Sealed with a secret that is not known any more: it cannot be the same.
      if (error instanceof VaultError) return []
      throw error
    }
  }
}

/** As they were sent, in a list or by their ids; the catalogue hears of them a moment later. */
function sentModels(models: unknown): Pick<Model, 'id'>[] {
  if (Array.isArray(models)) return models as Pick<Model, 'id'>[]
  return Object.entries(models ?? {}).flatMap(([id, change]) => (change === null ? [] : [{ id }]))
}

/** An unknown model is accepted: the catalogue may not know it yet. */
function modelAdvice(wanted: string | undefined, models: readonly Pick<Model, 'id'>[]) {
  const ids = models.map(({ id }) => id)
  if (wanted === undefined || ids.includes(wanted)) return { model_warning: null, model_suggestions: [] }
  return {
    model_warning: `the catalogue knows no such model of this provider; requests go to it only once it does`,
    model_suggestions: suggestions(wanted, ids),
  }
}

function modelView({ id, context_window, capabilities, note, enabled, tier, display_name, max_output, status }: Model) {
  return {
    id,
    display_name: display_name ?? id,
    context_window,
    max_output: max_output ?? null,
    capabilities,
    enabled,
    tier,
    status: status ?? null,
    note: note ?? null,
  }
}

function shortened(text = ''): string {
  return text.slice(0, 64)
}

function unknownRoute(): FreewayError {
  return new FreewayError('invalid_request_error', 'unknown route', { status: 404 })
}
