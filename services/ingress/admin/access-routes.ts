// The admin routes that say who may call, and the one that lets the first client in.

import { timingSafeEqual } from 'node:crypto'
import { z } from 'zod'
import { accountName } from '#contracts/account.ts'
import { utf8 } from '#contracts/bytes.ts'
import type { Catalog } from '#contracts/catalog.ts'
import { FreewayError } from '#contracts/failure.ts'
import { AUDIT_ENTRIES } from '#services/audit.ts'
import { hashOfKey } from '#services/client-key.ts'
import { claimSetup, normalCode, unclaimSetup } from '../access/setup.ts'
import { json } from '../respond.ts'
import type { Route } from '../routes.ts'
import { settingsRoutes, tierRoutes } from './access-settings.ts'
import { banRoutes } from './bans.ts'
import type { AccessAdmin } from './changing.ts'
import { clientRoutes, issue, newClient } from './clients.ts'
import { checked, jsonBody } from './json-body.ts'
import { memberRoutes } from './members.ts'

export interface AccessRoutesOptions extends AccessAdmin {
  catalog(): Catalog
  requireAuth: boolean
  /** Lets the first client in, once; undefined: nobody but the admin does. */
  setupCode: string | undefined
}

export const setup = z.object({ code: z.string().min(1).max(100), name: accountName.default('first') })
const auditQuery = z.object({ limit: z.coerce.number().int().min(1).max(AUDIT_ENTRIES).default(100) })

export function accessRoutes(options: AccessRoutesOptions): Route[] {
  return [
    ...clientRoutes(options),
    ...banRoutes(options),
    ...memberRoutes(options),
    ...tierRoutes(options),
    ...settingsRoutes(options),
    { method: 'GET', path: '/api/audit', access: 'admin', handle: (request) => listAudit(options, request) },
    { method: 'GET', path: '/api/health', access: 'public', handle: () => health(options) },
    { method: 'POST', path: '/api/setup', access: 'public', handle: (request) => firstClient(options, request) },
  ]
}

/** FreeAI's: whether there is anything to ask, and whether a key is needed for it. */
function health({ accounts, catalog, requireAuth }: AccessRoutesOptions): Response {
  const usable = catalog().providers.filter(({ enabled, configured }) => enabled && configured).length
  return json({
    status: usable > 0 ? 'ok' : 'degraded',
    providers_configured: usable,
    clients_configured: accounts.size,
    auth_required: requireAuth || accounts.begun,
  })
}

async function listAudit({ audit }: AccessAdmin, request: Request): Promise<Response> {
  const { limit } = checked(auditQuery, Object.fromEntries(new URL(request.url).searchParams))
  const entries = await audit.list(limit)
  return json(entries.map(({ at_ms, ...entry }) => ({ ...entry, at: new Date(at_ms).toISOString() })))
}

/** Answers as `POST /api/clients` does. The code counts once, and only while there is no client. */
async function firstClient(options: AccessRoutesOptions, request: Request): Promise<Response> {
  const { code, name } = await jsonBody(request, setup)
  const expected = options.setupCode
  if (expected === undefined || options.accounts.begun) throw closed()
  if (!timingSafeEqual(utf8(hashOfKey(normalCode(code))), utf8(hashOfKey(expected)))) {
    options.access.wrongSecret(request, 'setup codes')
    throw new FreewayError('invalid_api_key', 'wrong setup code: it was printed when the gateway was started', { param: 'code' })
  }
  if (!(await claimSetup(options.kv, options.now()))) throw closed()
  try {
    return await issue(options, request, newClient.parse({ name }), 'setup code')
  } catch (error) {
    await unclaimSetup(options.kv)
    throw error
  }
}

function closed(): FreewayError {
  return new FreewayError('invalid_request_error', 'the gateway is set up already: clients are issued by its admin', { status: 409 })
}
