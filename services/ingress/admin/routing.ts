// What holds for requests that say nothing themselves: the strategy, and whether a failed one goes on to another provider. And tags.

import { z } from 'zod'
import { FreewayError } from '#contracts/failure.ts'
import { builtInStrategyOf, type RoutingSettings } from '#contracts/strategy.ts'
import { json } from '../respond.ts'
import type { Route } from '../routes.ts'
import { type Administration, changingDocument } from './changing-document.ts'
import { jsonBody } from './json-body.ts'
import { own } from './provider-change.ts'
import { listed } from './strategies.ts'
import { suggestions } from './suggest.ts'

export function routingRoutes(admin: Administration): Route[] {
  const { routing, catalog, written } = admin
  return [
    { method: 'GET', path: '/api/config', access: 'admin', handle: () => json(config()) },
    { method: 'PUT', path: '/api/config/strategy', access: 'admin', handle: setStrategy },
    { method: 'PUT', path: '/api/config/fallback', access: 'admin', handle: setFallback },
    { method: 'GET', path: '/api/tags', access: 'admin', handle: () => json(tags()) },
  ]

  function config() {
    const { default_strategy, enable_fallback } = routing.current
    return {
      default_strategy,
      enable_fallback,
      available_strategies: listed(admin).map(({ name }) => name),
      available_providers: catalog()
        .providers.filter(({ enabled, configured }) => enabled && configured)
        .map(({ name }) => name),
    }
  }

  async function setStrategy(request: Request): Promise<Response> {
    const { default_strategy } = await jsonBody(request, z.object({ default_strategy: z.string().max(64) }))
    return set(request, 'config.strategy', (before) => {
      if (!builtInStrategyOf(default_strategy) && !own(written, default_strategy) && !own(before.strategies, default_strategy)) {
        const [near] = suggestions(
          default_strategy,
          listed(admin).map(({ name }) => name),
        )
        const words = `default_strategy: unknown strategy${near === undefined ? '' : `; did you mean ${near}?`}`
        throw new FreewayError('invalid_request_error', words, { code: 'strategy_not_found', param: 'default_strategy' })
      }
      return { ...before, default_strategy }
    })
  }

  async function setFallback(request: Request): Promise<Response> {
    const { enable_fallback } = await jsonBody(request, z.object({ enable_fallback: z.boolean() }))
    return set(request, 'config.fallback', (before) => ({ ...before, enable_fallback }))
  }

  async function set(request: Request, action: string, apply: (before: RoutingSettings) => RoutingSettings): Promise<Response> {
    await changingDocument(admin, request, action, async () => {
      const { before, after } = await routing.change(apply)
      return { target: 'config', before: defaultsOf(before), after: defaultsOf(after) }
    })
    return json(config())
  }

  function tags() {
    const byTag = new Map<string, string[]>()
    for (const { name, tags } of catalog().providers) for (const tag of tags) byTag.set(tag, [...(byTag.get(tag) ?? []), name])
    return [...byTag].sort(([a], [b]) => (a < b ? -1 : 1)).map(([tag, providers]) => ({ tag, providers }))
  }
}

function defaultsOf({ default_strategy, enable_fallback }: RoutingSettings) {
  return { default_strategy, enable_fallback }
}
