// The table of paths, and Elysia to match them. Authorisation is decided by the matched route, never by the URL.

import { node } from '@elysiajs/node'
import { Elysia } from 'elysia'
import { FreewayError } from '#contracts/failure.ts'
import { envelopeOf } from '#contracts/wire/envelope.ts'
import type { Access } from './access/access.ts'
import { asFreewayError } from './exchange.ts'
import { requestIdHeaders, withRequestId } from './request-id.ts'
import { errorResponse, preflight } from './respond.ts'

export interface Route {
  method: 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE'
  /** `*` at the end stands for the rest, slashes included. */
  path: string
  /** `catalog` and `stats` are for the operator's web site. */
  access: 'public' | 'key' | 'admin' | 'catalog' | 'stats'
  /** Its answers carry their request id already; all others get it here. */
  identified?: true
  handle(request: Request, rest: string): Response | Promise<Response>
}

export interface RoutesOptions {
  routes: Route[]
  access: Access
  onFault(error: unknown): void
}

export function createApp({ routes, access, onFault }: RoutesOptions): (request: Request) => Response | Promise<Response> {
  // The Node adapter wants an unstable flag on Deno, where Elysia's own does as well.
  const app = new Elysia('Deno' in globalThis ? {} : { adapter: node() })
  for (const route of routes) {
    // `parse: none` leaves the body to the exchange, which bounds it and parses it once.
    app.route(route.method, route.path, ({ request, params }) => serve(route, request, params), { parse: 'none' })
  }
  app.onError({ as: 'global' }, ({ error, code, request }) => {
    if (code === 'NOT_FOUND') return missing(request)
    return refusal(error, request)
  })

  function serve(route: Route, request: Request, params: Record<string, string> | undefined): Response | Promise<Response> {
    try {
      authorize(route, request)
      const answer = route.handle(request, params?.['*'] ?? '')
      const named = (response: Response) => withLimits(route.identified ? response : withRequestId(response, request.headers), request)
      return answer instanceof Promise ? answer.then(named, (error) => refusal(error, request)) : named(answer)
    } catch (error) {
      return refusal(error, request)
    }
  }

  function authorize(route: Route, request: Request): void {
    if (route.access === 'key') access.identify(request)
    else if (route.access === 'admin') access.identifyAdmin(request)
    else if (route.access !== 'public') access.identifySite(request, route.access)
  }

  /** So that clients see their limits before they meet them. */
  function withLimits(response: Response, request: Request): Response {
    for (const [name, value] of Object.entries(access.headers(request))) response.headers.set(name, value)
    return response
  }

  function refusal(error: unknown, request: Request): Response {
    const failure = asFreewayError(error)
    if (failure !== error) onFault(error)
    return errorResponse(failure, envelopeOf(new URL(request.url).pathname), {
      ...requestIdHeaders(request.headers),
      ...access.headers(request),
    })
  }

  function missing(request: Request): Response {
    const path = new URL(request.url).pathname
    const allowed = routes.filter((route) => matches(route.path, path)).map((route) => route.method)
    if (allowed.length === 0) return refusal(new FreewayError('invalid_request_error', 'unknown route', { status: 404 }), request)
    if (request.method === 'OPTIONS') return withRequestId(preflight(), request.headers)
    const headers = { allow: [...new Set([...allowed, ...(allowed.includes('GET') ? ['HEAD'] : []), 'OPTIONS'])].join(', ') }
    return refusal(new FreewayError('invalid_request_error', 'method not allowed on this route', { status: 405, headers }), request)
  }

  return (request) => (request.method === 'OPTIONS' ? missing(request) : app.fetch(asGet(request)))
}

function matches(pattern: string, path: string): boolean {
  return pattern.endsWith('*') ? path.startsWith(pattern.slice(0, -1)) && path.length >= pattern.length : path === pattern
}

/** HEAD is answered like GET; the server leaves the body out. What the server knows of the connection goes along. */
function asGet(request: Request): Request {
  if (request.method !== 'HEAD') return request
  const { runtime, ip } = request as { runtime?: unknown; ip?: string }
  return Object.assign(new Request(request.url, { headers: request.headers }), { runtime, ip })
}
