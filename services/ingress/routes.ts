// The table of paths, and Elysia to match them. Authorisation is decided by the matched route, never by the URL.

import { node } from '@elysiajs/node'
import { Elysia } from 'elysia'
import { FreewayError } from '#contracts/failure.ts'
import { asFreewayError } from './exchange.ts'
import { errorResponse, preflight } from './respond.ts'

export interface Route {
  method: 'GET' | 'POST'
  /** `*` at the end stands for the rest, slashes included. */
  path: string
  access: 'public' | 'key'
  handle(request: Request, rest: string): Response | Promise<Response>
}

export interface RoutesOptions {
  routes: Route[]
  /** Throws FreewayError if the caller may not use a `key` route. */
  authorize(request: Request): void
  onFault(error: unknown): void
}

export function createApp({ routes, authorize, onFault }: RoutesOptions): (request: Request) => Response | Promise<Response> {
  // The Node adapter wants an unstable flag on Deno, where Elysia's own does as well.
  const app = new Elysia('Deno' in globalThis ? {} : { adapter: node() })
  for (const route of routes) {
    // `parse: none` leaves the body to the exchange, which bounds it and parses it once.
    app.route(route.method, route.path, ({ request, params }) => serve(route, request, params), { parse: 'none' })
  }
  app.onError({ as: 'global' }, ({ error, code, request }) => {
    if (code === 'NOT_FOUND') return missing(request)
    return refusal(error)
  })

  function serve(route: Route, request: Request, params: Record<string, string> | undefined): Response | Promise<Response> {
    try {
      if (route.access === 'key') authorize(request)
      const answer = route.handle(request, params?.['*'] ?? '')
      return answer instanceof Promise ? answer.catch(refusal) : answer
    } catch (error) {
      return refusal(error)
    }
  }

  function refusal(error: unknown): Response {
    const failure = asFreewayError(error)
    if (failure !== error) onFault(error)
    return errorResponse(failure)
  }

  function missing(request: Request): Response {
    const path = new URL(request.url).pathname
    const allowed = routes.filter((route) => matches(route.path, path)).map((route) => route.method)
    if (allowed.length === 0) return errorResponse(new FreewayError('invalid_request_error', 'unknown route', { status: 404 }))
    if (request.method === 'OPTIONS') return preflight()
    const headers = { allow: [...new Set([...allowed, ...(allowed.includes('GET') ? ['HEAD'] : []), 'OPTIONS'])].join(', ') }
    return errorResponse(new FreewayError('invalid_request_error', 'method not allowed on this route', { status: 405, headers }))
  }

  return (request) => (request.method === 'OPTIONS' ? missing(request) : app.fetch(asGet(request)))
}

function matches(pattern: string, path: string): boolean {
  return pattern.endsWith('*') ? path.startsWith(pattern.slice(0, -1)) && path.length >= pattern.length : path === pattern
}

/** HEAD is answered like GET; the server leaves the body out. */
function asGet(request: Request): Request {
  return request.method === 'HEAD' ? new Request(request.url, { headers: request.headers }) : request
}
