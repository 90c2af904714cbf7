// The providers that this worker serves: a place each, with its own connections, taken up and given up as the catalogue changes.

import type { Bus, BusMessage, Subscription } from '#contracts/bus.ts'
import type { Catalog, CatalogProvider } from '#contracts/catalog.ts'
import { controls, work, workQueue } from '#contracts/subjects.ts'
import { registerSecret } from '#services/redact.ts'
import type { Settings } from '#services/settings.ts'
import { type Dialect, dialectOf } from './dialect.ts'
import { createHabits, type Habits } from './habits.ts'
import { type Account, accountsOf } from './keys.ts'
import { createLimitReader, type LimitReader } from './learned-limits.ts'
import type { Upstream } from './upstream.ts'
import { openUpstream } from './upstream.ts'

export interface Place {
  readonly provider: CatalogProvider
  /** By the name of the account. */
  readonly accounts: ReadonlyMap<string, Account>
  readonly habits: Habits
  readonly limits: LimitReader
  /** Undefined: it speaks chat completions. */
  readonly dialect: Dialect | undefined
  readonly upstream: Upstream
  /** Attempts that are offered, or call the provider. */
  calling: number
  /** Those, and such as have ended but are not confirmed yet. */
  inFlight: number
  retired: boolean
  offers: Subscription
  controls: Subscription
}

export interface PlacesOptions {
  bus: Bus
  settings: Pick<Settings, 'keysOf'>
  instance: string
  /** Serve only these; otherwise every provider whose key is here. */
  only: readonly string[]
  onOffer(place: Place, message: BusMessage): void
  onControl(message: BusMessage): void
}

export interface Places {
  readonly names: string[]
  readonly all: Iterable<Place>
  /** Those of `only` that cannot be served, each with the reason. */
  missing(catalog: Catalog): [provider: string, reason: string][]
  /** Brings the places in line with the catalogue. */
  update(catalog: Catalog): void
  /** An attempt has left its place. */
  left(place: Place): void
  /** Takes no further offers. */
  drain(): void
  close(): Promise<void>
}

export function openPlaces({ bus, settings, instance, only, onOffer, onControl }: PlacesOptions): Places {
  const places = new Map<string, Place>()
  let draining = false

  function serve(provider: CatalogProvider): void {
    const keys = settings.keysOf(provider)
    const accounts = accountsOf(provider, keys)
    const wanted = only.length === 0 || only.includes(provider.name)
    if (!wanted || !provider.enabled || accounts.size === 0) return
    // Providers quote a key that they refuse.
    for (const key of keys) for (const part of [key, key.slice(key.indexOf(':') + 1)]) registerSecret(part)
    const place: Place = {
      provider,
      accounts,
      habits: createHabits(provider),
      limits: createLimitReader(provider),
      dialect: dialectOf(provider),
      upstream: openUpstream(provider.base_url, provider.max_concurrency),
      calling: 0,
      inFlight: 0,
      retired: false,
      controls: bus.subscribe(controls(provider.name, instance), onControl),
      offers: bus.subscribe(work(provider.name), (message) => onOffer(places.get(provider.name) ?? place, message), { queue: workQueue }),
    }
    places.set(provider.name, place)
  }

  /** What is in flight ends on the old connections; another place may have taken over already. */
  function retire(place: Place): void {
    const { name } = place.provider
    place.offers.unsubscribe()
    if (places.get(name) === place) places.delete(name)
    else place.controls.unsubscribe()
    place.retired = true
    if (place.inFlight === 0) void discard(place)
  }

  function isSame(now: CatalogProvider, { provider, accounts }: Place): boolean {
    if (JSON.stringify(now) !== JSON.stringify(provider)) return false
    return JSON.stringify([...accountsOf(now, settings.keysOf(now))]) === JSON.stringify([...accounts])
  }

  function discard(place: Place): Promise<void> {
    place.offers.unsubscribe()
    place.controls.unsubscribe()
    return place.upstream.close()
  }

  return {
    get names() {
      return [...places.keys()]
    },
    get all() {
      return places.values()
    },
    missing(catalog) {
      return only
        .filter((name) => !places.has(name))
        .map((name) => {
          const provider = catalog.providers.find((known) => known.name === name)
          if (!provider) return [name, 'unknown']
          return [name, provider.enabled ? `no key: set ${provider.env[0] ?? 'api_key in freeway.json'}` : 'disabled']
        })
    },
    update(catalog) {
      if (draining) return
      for (const place of [...places.values()]) {
        const now = catalog.providers.find((provider) => provider.name === place.provider.name)
        if (now && isSame(now, place)) continue
        // First the new one, then the end of the old one: there is no moment when nobody takes an offer.
        if (now) serve(now)
        retire(place)
      }
      for (const provider of catalog.providers) if (!places.has(provider.name)) serve(provider)
    },
    left(place) {
      place.inFlight--
      if (place.retired && place.inFlight === 0) void discard(place)
    },
    drain() {
      draining = true
      for (const place of places.values()) place.offers.unsubscribe()
    },
    async close() {
      await Promise.all([...places.values()].map(discard))
    },
  }
}
