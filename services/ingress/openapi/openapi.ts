// `GET /openapi.json` and `GET /docs`. What they tell is loaded and made at the first request, for most processes are never asked.

import { respond } from '../respond.ts'
import type { Route } from '../routes.ts'

export interface OpenApiRoutesOptions {
  /** The whole table, these two included. */
  routes(): readonly Route[]
  version: string
}

/** Both change with the version only; a browser asks whether they have. */
const CACHE = { 'cache-control': 'no-cache' }

export function openApiRoutes({ routes, version }: OpenApiRoutesOptions): Route[] {
  let text: string | undefined

  async function document(): Promise<Response> {
    const { createDocument } = await import('./document.ts')
    text ??= JSON.stringify(createDocument({ routes: routes(), version }))
    return respond(200, { 'content-type': 'application/json; charset=utf-8', ...CACHE }, text)
  }

  async function page(): Promise<Response> {
    const { referencePage } = await import('./page.ts')
    const { html, headers } = await referencePage()
    return respond(200, { 'content-type': 'text/html; charset=utf-8', ...CACHE, ...headers }, html)
  }

  return [
    { method: 'GET', path: '/openapi.json', access: 'public', handle: document },
    { method: 'GET', path: '/docs', access: 'public', handle: page },
  ]
}
