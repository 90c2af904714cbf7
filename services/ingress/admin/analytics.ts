// The routes that tell what has happened: analytics, statistics, leaderboard, and the log of requests. All of it is asked of telemetry.

import { z } from 'zod'
import type { Bus } from '#contracts/bus.ts'
import type { Catalog } from '#contracts/catalog.ts'
import { FreewayError } from '#contracts/failure.ts'
import { BUCKET_COUNT, PAGE_LIMIT, WINDOW_SECONDS } from '#contracts/question.ts'
import { decoded } from '../path-part.ts'
import { json } from '../respond.ts'
import type { Route } from '../routes.ts'
import { askTelemetry } from './analytics-ask.ts'
import { exportRequests } from './analytics-export.ts'
import { checked } from './json-body.ts'

export interface AnalyticsRoutesOptions {
  bus: Bus
  catalog(): Catalog
}

/** `window_seconds: expected a whole number from 60 to 604800`. */
const between = ({ min, max, default: otherwise }: { min: number; max: number; default: number }) =>
  z
    .string()
    .refine((text) => /^\d{1,9}$/.test(text) && Number(text) >= min && Number(text) <= max, `expected a whole number from ${min} to ${max}`)
    .transform(Number)
    .default(otherwise)
const word = z.string().min(1).max(300).optional()
/** Milliseconds since 1970, or a date as ISO 8601 writes it. */
const time = z
  .string()
  .max(40)
  .transform((text) => (/^\d{1,15}$/.test(text) ? Number(text) : Date.parse(text)))
  .refine((ms) => Number.isFinite(ms), 'expected a time: ISO 8601, or milliseconds since 1970')
  .optional()

const filters = { client: word, provider: word, model: word }
const analyticsQuery = z.object({ window_seconds: between(WINDOW_SECONDS), bucket_count: between(BUCKET_COUNT), ...filters })
const logFilters = { ...filters, outcome: word, since: time, until: time }
const logQuery = z.object({ ...logFilters, cursor: word, limit: between(PAGE_LIMIT) })
const exportQuery = z.object({ ...logFilters, format: z.enum(['csv', 'json'], 'expected csv or json').default('csv') })

export function analyticsRoutes({ bus, catalog }: AnalyticsRoutesOptions): Route[] {
  const ask = askTelemetry(bus)
  const queryOf = <T>(request: Request, schema: z.ZodType<T>) => checked(schema, Object.fromEntries(new URL(request.url).searchParams))

  async function analytics(request: Request): Promise<Response> {
    const answer = await ask({ kind: 'analytics', ...queryOf(request, analyticsQuery) })
    // What was paid for was not avoided.
    const metered = new Set(
      catalog()
        .providers.filter((provider) => provider.metered)
        .map(({ name }) => name),
    )
    const by_provider = answer.by_provider.map((row) => ({
      ...row,
      cost_avoided_usd: metered.has(row.provider ?? '') ? 0 : row.list_cost_usd,
    }))
    const avoided = by_provider.reduce((sum, row) => sum + row.cost_avoided_usd, 0)
    return fresh({ ...answer, cost_avoided_usd: Math.round(avoided * 1e6) / 1e6, by_provider })
  }

  async function stats(): Promise<Response> {
    const { providers } = catalog()
    const active = providers.filter(({ enabled, configured }) => enabled && configured)
    return fresh({ ...(await ask({ kind: 'stats' })), active_providers: active.length })
  }

  async function one(encoded: string): Promise<Response> {
    const found = await ask({ kind: 'request', id: decoded(encoded) })
    if (found) return fresh(found)
    throw new FreewayError('invalid_request_error', 'no such request: it is unknown, or was forgotten after a week', {
      status: 404,
      param: 'id',
    })
  }

  return [
    { method: 'GET', path: '/api/analytics', access: 'admin', handle: analytics },
    { method: 'GET', path: '/api/stats.php', access: 'key', handle: stats },
    {
      method: 'GET',
      path: '/v1/models/leaderboard',
      access: 'stats',
      handle: async () => fresh({ object: 'list', ...(await ask({ kind: 'leaderboard' })) }),
    },
    {
      method: 'GET',
      path: '/api/requests',
      access: 'admin',
      handle: async (request) => fresh({ object: 'list', ...(await ask({ kind: 'requests', ...queryOf(request, logQuery) })) }),
    },
    {
      method: 'GET',
      path: '/api/requests/export',
      access: 'admin',
      handle: (request) => {
        const { format, ...filter } = queryOf(request, exportQuery)
        return exportRequests(ask, filter, format)
      },
    },
    { method: 'GET', path: '/api/requests/*', access: 'admin', handle: (_, id) => one(id) },
  ]
}

function fresh(value: unknown): Response {
  return json(value, { 'cache-control': 'no-store' })
}
