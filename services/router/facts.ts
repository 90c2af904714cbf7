// Pure. What a strategy of the operator's can ask about a provider.

import type { CatalogProvider } from '#contracts/catalog.ts'
import type { NumberField } from '#contracts/strategy.ts'
import type { Health } from './health.ts'
import type { Facts } from './strategy.ts'

/** What has been used of a provider, all its accounts together. */
export interface Usage {
  requests_today: number
  requests_this_minute: number
  tokens_today: number
}
export type UsageOf = (provider: CatalogProvider) => Usage

interface Seen {
  health: Health
  /** Absent: not known here. */
  usageOf?: UsageOf
}

export function factsOf({ provider }: { provider: CatalogProvider }, { health, usageOf }: Seen): Facts {
  return { name: provider.name, tags: provider.tags, numberOf: (field) => numberOf(provider, field, health, usageOf) }
}

/** A limit that nobody has set is Infinity; a time that nobody has measured is undefined. */
export function numberOf(provider: CatalogProvider, field: NumberField, health: Health, usageOf: UsageOf | undefined): number | undefined {
  const condition = health.get(provider.name)
  switch (field) {
    case 'weight':
      return provider.weight
    case 'rpm_limit':
      return provider.rpm_limit ?? limitOf(provider, 'minute')
    case 'rpd_limit':
      return provider.rpd_limit ?? limitOf(provider, 'day')
    case 'rpd_remaining': {
      // The operator's number is for each key, and what was used is of all of them.
      const most = provider.rpd_limit === undefined ? limitOf(provider, 'day') : provider.rpd_limit * keysOf(provider)
      const used = usageOf?.(provider).requests_today
      return used === undefined || most === Number.POSITIVE_INFINITY ? most : Math.max(0, most - used)
    }
    case 'last_latency_ms':
      return condition?.lastTtftMs
    case 'latency_ema_ms':
      return condition?.ttftMs
    case 'total_failures':
      return condition?.failures ?? 0
    default:
      return usageOf?.(provider)[field]
  }
}

function limitOf({ limits, accounts }: CatalogProvider, window: 'minute' | 'day'): number {
  const found = limits.filter(({ unit, per }) => unit === 'requests' && per === window).map(({ max }) => max)
  return found.length > 0 ? Math.min(...found) * keysOf({ accounts }) : Number.POSITIVE_INFINITY
}

const keysOf = ({ accounts }: Pick<CatalogProvider, 'accounts'>) => Math.max(1, accounts.length)
