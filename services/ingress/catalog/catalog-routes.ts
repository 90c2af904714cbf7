// The routes that list models. They answer from the catalogue in memory and call nobody.

import type { Catalog } from '#contracts/catalog.ts'
import { FreewayError } from '#contracts/failure.ts'
import type { View } from '../access/tier.ts'
import { decoded } from '../path-part.ts'
import { json } from '../respond.ts'
import type { Route } from '../routes.ts'
import type { Page } from './anthropic.ts'
import { anthropicList, anthropicModel } from './anthropic.ts'
import { fullList } from './full.ts'
import type { ModelEntry, Row } from './models.ts'
import { findName, listModels, publicName } from './models.ts'
import { phpModels } from './php-models.ts'
import { randomModel } from './random.ts'

export interface CatalogRoutesOptions {
  catalog(): Catalog
  /** The catalogue with the eyes of the caller. */
  viewOf(request: Request): View
  /** Counts a draw of a random model. Throws FreewayError 429 if the caller has had enough. */
  draw(request: Request): void | Promise<void>
  /** Which models can be called with success at the moment. */
  working(): Promise<(row: Row) => boolean>
  /** From 0 to below 1. */
  random?: () => number
}

const RETRY_AFTER_MS = 30_000

export function catalogRoutes({ catalog, viewOf, draw, working, random = Math.random }: CatalogRoutesOptions): Route[] {
  const lists = new WeakMap<Catalog, ModelEntry[]>()

  /** What the caller may use; `/v1/models/full` shows the rest as well. */
  function models(request: Request): ModelEntry[] {
    const current = catalog()
    const list = lists.get(current) ?? listModels(current)
    lists.set(current, list)
    const { mayUse } = viewOf(request)
    return list.filter(({ id, capabilities }) => mayUse(id, capabilities))
  }

  function list(request: Request): Response {
    if (isAnthropic(request)) return json(anthropicList(models(request), pageOf(request)))
    return json({ object: 'list', data: models(request) })
  }

  function one(request: Request, encoded: string): Response {
    const found = findName(catalog(), decoded(encoded))
    if (found) return json(isAnthropic(request) ? anthropicModel(found.entry) : found.entry)
    throw new FreewayError('invalid_request_error', 'the model does not exist', { status: 404, code: 'model_not_found', param: 'model' })
  }

  async function any(request: Request): Promise<Response> {
    await draw(request)
    const worksNow = await working()
    const isOpen = openTo(request)
    const model = randomModel(catalog(), (row) => isOpen(row) && worksNow(row), random())
    if (model) return json(model, { 'cache-control': 'no-store' })
    throw new FreewayError('provider_unavailable', 'no model is available at the moment', { retryAfterMs: RETRY_AFTER_MS })
  }

  function openTo(request: Request): (row: Row) => boolean {
    const { mayUse } = viewOf(request)
    return (row) => mayUse(publicName(row), row.model.capabilities)
  }

  return [
    { method: 'GET', path: '/v1/models', access: 'key', handle: list },
    {
      method: 'GET',
      path: '/v1/models/full',
      access: 'catalog',
      handle: (request) => json({ object: 'list', data: fullList(catalog(), viewOf(request)) }),
    },
    { method: 'GET', path: '/v1/models/random', access: 'key', handle: any },
    { method: 'GET', path: '/v1/models/*', access: 'key', handle: one },
    { method: 'GET', path: '/api/models.php', access: 'key', handle: (request) => json(phpModels(catalog(), openTo(request))) },
  ]
}

/** Their clients always say which version of the interface they speak, others never. */
function isAnthropic({ headers }: Request): boolean {
  return headers.has('anthropic-version')
}

/** What cannot be read counts as absent. */
function pageOf(request: Request): Page {
  const query = new URL(request.url).searchParams
  const limit = Number(query.get('limit'))
  const page: Page = {}
  if (Number.isInteger(limit) && limit > 0) page.limit = limit
  const [afterId, beforeId] = [query.get('after_id'), query.get('before_id')]
  if (afterId) page.afterId = afterId
  if (beforeId) page.beforeId = beforeId
  return page
}
