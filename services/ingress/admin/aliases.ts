// Names of the operator's own for models: another name, or several targets in order of preference.

import { z } from 'zod'
import { aliasName, aliasTargets } from '#contracts/catalog-change.ts'
import { FreewayError } from '#contracts/failure.ts'
import { json } from '../respond.ts'
import type { Route } from '../routes.ts'
import { type Administration, changingDocument } from './changing-document.ts'
import { checked, jsonBody } from './json-body.ts'
import { own } from './provider-change.ts'

const MAX_STORED = 1_000

export function aliasRoutes(admin: Administration): Route[] {
  const { overrides, catalog } = admin
  const path = '/api/aliases'
  return [
    { method: 'GET', path, access: 'admin', handle: () => json(list()) },
    { method: 'PUT', path: `${path}/*`, access: 'admin', handle: put },
    { method: 'DELETE', path: `${path}/*`, access: 'admin', handle: remove },
  ]

  function list() {
    const groups = Map.groupBy(catalog().aliases, ([alias]) => alias)
    return [...groups].map(([alias, targets]) => ({
      alias,
      targets: targets.map(([, target]) => target),
      stored: Object.hasOwn(overrides.current.aliases, alias),
    }))
  }

  async function put(request: Request, encoded: string): Promise<Response> {
    const { alias } = checked(z.object({ alias: aliasName }), { alias: decoded(encoded) })
    const { targets } = await jsonBody(request, z.object({ targets: aliasTargets }))
    const wanted = [targets].flat()
    await changingDocument(admin, request, 'alias.set', async () => {
      const { before } = await overrides.change((now) => {
        if (!own(now.aliases, alias) && Object.keys(now.aliases).length >= MAX_STORED) {
          throw new FreewayError('invalid_request_error', `there are ${MAX_STORED} aliases already`, { status: 409 })
        }
        return { ...now, aliases: { ...now.aliases, [alias]: wanted } }
      })
      return { target: alias, before: own(before.aliases, alias), after: wanted }
    })
    const known = new Set(catalog().providers.flatMap(({ name, models }) => models.map(({ id }) => `${name}/${id}`)))
    const warnings = wanted
      .filter((target) => !target.includes('*') && !known.has(target))
      .map((target) => `there is no model ${target} at present`)
    return json({ alias, targets: wanted, stored: true, warnings })
  }

  /** What freeway.json or the catalogue says of the name counts again. */
  async function remove(request: Request, encoded: string): Promise<Response> {
    const alias = decoded(encoded)
    await changingDocument(admin, request, 'alias.remove', async () => {
      const { before } = await overrides.change((now) => {
        if (!own(now.aliases, alias)) {
          throw new FreewayError('invalid_request_error', 'no such alias was set here', { status: 404, param: 'alias' })
        }
        const { [alias]: _, ...aliases } = now.aliases
        return { ...now, aliases }
      })
      return { target: alias.slice(0, 200), before: own(before.aliases, alias) }
    })
    return json({ ok: true })
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw new FreewayError('invalid_request_error', 'alias: is not a well-formed part of an address', { param: 'alias' })
  }
}
