// What a router measures: whom it chose, whom it could not place, what waits, what is left of every limit and who rests.

import type { Catalog, CatalogProvider } from '#contracts/catalog.ts'
import { counter, gauge, type Reading } from '#services/metrics.ts'
import type { LimitStatus } from '#services/quota/quota.ts'
import type { HealthStatus } from './health-status.ts'

const placedJobs = counter('freeway.router.placed', { description: 'Offers made to the workers of a provider.' })
const refusedJobs = counter('freeway.router.refused', {
  description: 'Jobs that found no place: no_worker (nobody serves the provider), quota, cooldown, none, unsupported and so on.',
})

export function countPlaced(provider: string): void {
  placedJobs.add(1, { provider })
}

export function countRefused(reason: string): void {
  refusedJobs.add(1, { reason })
}

export interface Measured {
  readonly waiting: number
  readonly openLeases: number
  readonly catalog: Catalog
  limitsOf(provider: CatalogProvider, account: string): LimitStatus[]
  healthOf(provider: CatalogProvider): HealthStatus
}

/** Returns a function that ends it. */
export function measureRouter(router: Measured): () => void {
  const usable = () => router.catalog.providers.filter(({ enabled, configured }) => enabled && configured)
  const ends = [
    gauge('freeway.router.waiting', { description: 'Jobs that wait for a window of quota to open.' }, () => [{ value: router.waiting }]),
    gauge('freeway.router.leases', { description: 'Attempts that are under way, as this router knows.' }, () => [
      { value: router.openLeases },
    ]),
    gauge('freeway.provider.healthy', { description: '1 if any model of the provider may be called now.' }, () =>
      usable().map((provider) => ({ value: Number(router.healthOf(provider).healthy), labels: { provider: provider.name } })),
    ),
    gauge('freeway.provider.resting', { description: 'How many of its models, keys or itself rest, by reason.' }, () =>
      usable().flatMap((provider) => restingOf(provider, router.healthOf(provider))),
    ),
    gauge('freeway.quota.remaining', { description: 'What is left of a limit in its window, over all replicas.' }, () =>
      usable().flatMap((provider) => provider.accounts.flatMap((account) => remainingOf(provider, router.limitsOf(provider, account)))),
    ),
  ]
  return () => {
    for (const end of ends) end()
  }
}

function restingOf({ name: provider }: CatalogProvider, { cooldowns }: HealthStatus): Reading[] {
  const byReason = Map.groupBy(cooldowns, ({ reason }) => reason)
  return [...byReason].map(([reason, places]) => ({ value: places.length, labels: { provider, reason } }))
}

function remainingOf({ name: provider }: CatalogProvider, limits: LimitStatus[]): Reading[] {
  return limits.map(({ pool, limit: { unit, per = 'now' }, remaining }) => ({ value: remaining, labels: { provider, pool, unit, per } }))
}
