// Messages of the event log that telemetry could not read, as of a newer version: to be looked at, and to be read again when they can be.

import { z } from 'zod'
import type { Bus } from '#contracts/bus.ts'
import { FreewayError } from '#contracts/failure.ts'
import { PAGE_LIMIT } from '#contracts/question.ts'
import { decoded } from '../path-part.ts'
import { json } from '../respond.ts'
import type { Route } from '../routes.ts'
import { askTelemetry } from './analytics-ask.ts'
import { changing } from './changing.ts'
import { checked } from './json-body.ts'

const query = z.object({
  cursor: z.string().min(1).max(300).optional(),
  limit: z
    .string()
    .refine((text) => /^\d{1,3}$/.test(text) && Number(text) >= PAGE_LIMIT.min && Number(text) <= PAGE_LIMIT.max, {
      message: `expected a whole number from ${PAGE_LIMIT.min} to ${PAGE_LIMIT.max}`,
    })
    .transform(Number)
    .default(PAGE_LIMIT.default),
})
const ACTION = '/requeue'

export function deadLetterRoutes(bus: Bus, admin: Parameters<typeof changing>[0]): Route[] {
  const ask = askTelemetry(bus)

  async function list(request: Request): Promise<Response> {
    const asked = checked(query, Object.fromEntries(new URL(request.url).searchParams))
    return fresh({ object: 'list', ...(await ask({ kind: 'dead_letters', ...asked })) })
  }

  async function requeue(request: Request, rest: string): Promise<Response> {
    if (!rest.endsWith(ACTION)) throw missing('unknown route; POST /api/dead-letters/{id}/requeue')
    const id = decoded(rest.slice(0, -ACTION.length))
    const { after } = await changing(admin, request, 'dead_letter.requeue', async () => {
      const found = await ask({ kind: 'requeue', id })
      if (!found) throw missing('no such dead letter: it is unknown, was read meanwhile, or was forgotten after a week')
      if (found.reason !== null)
        throw new FreewayError('invalid_request_error', `it still cannot be read: ${found.reason}`, { status: 409 })
      return { target: id, after: { facts: found.facts } }
    })
    return fresh(after)
  }

  return [
    { method: 'GET', path: '/api/dead-letters', access: 'admin', handle: list },
    { method: 'POST', path: '/api/dead-letters/*', access: 'admin', handle: requeue },
  ]
}

function missing(message: string): FreewayError {
  return new FreewayError('invalid_request_error', message, { status: 404 })
}

function fresh(value: unknown): Response {
  return json(value, { 'cache-control': 'no-store' })
}
