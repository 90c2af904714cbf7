// Everything that decides who may call, opened together: accounts, bans and rules, limits, and the routes of those who change them.

import type { Backbone } from '#contracts/bus.ts'
import type { Catalog } from '#contracts/catalog.ts'
import { buckets } from '#contracts/subjects.ts'
import { openAccounts } from '#services/accounts.ts'
import { type Audit, openAudit } from '#services/audit.ts'
import type { Logger } from '#services/logger.ts'
import { openQuota } from '#services/quota/quota.ts'
import type { Settings } from '#services/settings.ts'
import { type Access, openAccess } from './access/access.ts'
import { isLoopback } from './access/address.ts'
import { clientLimits } from './access/limits.ts'
import { type Policy, watchPolicy } from './access/policy.ts'
import { setupCode } from './access/setup.ts'
import { accessRoutes } from './admin/access-routes.ts'
import { openCommunity } from './members/community.ts'
import type { Route } from './routes.ts'

/** How much longer than its deadline a request may take to be wound up. */
const WIND_UP_MS = 5_000

export interface Admission {
  readonly access: Access
  /** Bans, tiers and rules as they are now. */
  readonly policy: Policy
  readonly audit: Audit
  /** Whether there was no client at the start, so that nobody on this machine needs a key. */
  readonly open: boolean
  readonly routes: Route[]
  close(): Promise<void>
}

export interface AdmissionOptions {
  backbone: Backbone
  settings: Settings
  logger: Logger
  instance: string
  adminToken: string
  catalog(): Catalog
}

export async function openAdmission({ backbone, settings, logger, instance, adminToken, catalog }: AdmissionOptions): Promise<Admission> {
  logger.secret(adminToken)
  const kv = await backbone.keyValue(buckets.access)
  const accounts = await openAccounts(kv, settings.clients)
  const config = await backbone.keyValue(buckets.config)
  const policy = await watchPolicy(kv, config, settings.access)
  const community = await openCommunity({ kv, accounts, policy, settings, adminToken, logger, now: Date.now })
  const counting = { scope: 'client', here: true, leaseMs: settings.slotLeaseMs }
  const quota = await openQuota({ keyValue: await backbone.keyValue(buckets.quota), instance, ...counting })
  const limits = clientLimits(quota, settings.requestTimeoutMs + WIND_UP_MS)
  const access = openAccess({
    accounts,
    policy,
    limits,
    adminToken,
    siteKey: settings.secretOf('SITE_KEY')?.trim() || undefined,
    requireAuth: settings.requireAuth,
    trustedProxies: settings.trustedProxies,
    catalog,
    membershipStale: () => community.stale,
  })
  const audit = openAudit(kv)
  const open = !accounts.begun && !settings.requireAuth
  const code = open ? setupCode(adminToken) : undefined
  if (code !== undefined) announce(logger, settings, code)
  const { keyPrefix, requireAuth } = settings
  const admin = { kv, config, accounts, policy, access, audit, keyPrefix, now: Date.now }
  const routes = [...accessRoutes({ ...admin, catalog, requireAuth, setupCode: code }), ...community.routes(admin)]

  return {
    access,
    policy,
    audit,
    open,
    routes,
    async close() {
      await community.close()
      await quota.close()
      policy.close()
      accounts.close()
    },
  }
}

/** Loud where others can reach this machine. The code is of no use once there is a client. */
function announce(logger: Logger, { host, trustedProxies }: Settings, code: string): void {
  const words = 'there is no client yet: requests from this machine need no key, all others are refused'
  const outside = !isLoopback(host === 'localhost' ? '127.0.0.1' : host) || trustedProxies.length > 0
  if (outside) logger.warn(words, { first_client: 'POST /api/setup {"code":"…","name":"…"}', setup_code: code })
  else logger.info(words)
}
