// Pure. A provider as its operator sees it: what is set, what it has used, how it stands, and what is left.

import type { CatalogProvider } from '#contracts/catalog.ts'
import { statedLimit } from '#contracts/catalog-lookup.ts'
import type { Unit, Window } from '#contracts/limit.ts'
import type { LimitView, ProviderStatus } from '#contracts/router-question.ts'
import type { LimitStatus } from '#services/quota/quota.ts'
import type { Usage } from './facts.ts'
import type { Health } from './health.ts'
import { statusOf } from './health-status.ts'

export interface Seen {
  health: Health
  /** Of an account. */
  limitsOf(provider: CatalogProvider, account: string): LimitStatus[]
  usageOf(provider: CatalogProvider): Usage
  keys: { count: number; source: ProviderStatus['key_source'] }
  custom: boolean
  /** Of the clock of `health`, and since 1970. */
  nowMs: number
  wallMs: number
}

export function providerStatus(provider: CatalogProvider, seen: Seen): ProviderStatus {
  const { name, enabled, weight, tags, accounts, models } = provider
  const { last_error, cooldowns, ...health } = statusOf(seen.health, provider, seen.nowMs)
  return {
    name,
    enabled,
    has_key: seen.keys.count > 0,
    ...health,
    ...seen.usageOf(provider),
    ...numbersOf(provider),
    weight,
    tags,
    default_model: provider.default_model ?? null,
    ...(last_error !== null && { last_error }),
    display_name: provider.display_name ?? name,
    status: provider.status ?? null,
    terms: provider.terms ?? null,
    as_of: provider.as_of ?? null,
    base_url: provider.base_url,
    configured: provider.configured,
    key_source: seen.keys.source,
    custom: seen.custom,
    metered: provider.metered,
    accounts,
    models: models.filter((model) => model.enabled).length,
    cooldowns: cooldowns.map((one) => ({
      ...one,
      ends_in_ms: Math.round(one.ends_in_ms),
      ends_at: new Date(seen.wallMs + one.ends_in_ms).toISOString(),
    })),
    limits: accounts.flatMap((account) => seen.limitsOf(provider, account).map((limit) => viewOf(limit, account))),
  }
}

function numbersOf(provider: CatalogProvider): Pick<ProviderStatus, 'rpm_limit' | 'rpd_limit' | 'tpm_limit' | 'tpd_limit'> {
  const { models, default_model, limits } = provider
  const usual = models.find(({ id }) => id === default_model) ?? models.find(({ enabled }) => enabled)
  const number = (own: number | undefined, unit: Unit, per: Window) => {
    const stated = limits.filter((limit) => limit.unit === unit && limit.per === per).map(({ max }) => max)
    return own ?? (stated.length > 0 ? Math.min(...stated) : usual && statedLimit(provider, usual, unit, per)) ?? null
  }
  return {
    rpm_limit: number(provider.rpm_limit, 'requests', 'minute'),
    rpd_limit: number(provider.rpd_limit, 'requests', 'day'),
    tpm_limit: number(provider.tpm_limit, 'tokens', 'minute'),
    tpd_limit: number(provider.tpd_limit, 'tokens', 'day'),
  }
}

function viewOf({ pool, limit, used, remaining, resetsInMs, source, learnedMax }: LimitStatus, account: string): LimitView {
  return {
    pool,
    account,
    unit: limit.unit,
    per: limit.per ?? null,
    max: limit.max,
    used,
    remaining,
    resets_in_ms: Math.round(resetsInMs),
    source,
    ...(learnedMax !== undefined && { learned_max: learnedMax }),
  }
}
