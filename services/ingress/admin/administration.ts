// What admins change of providers and routing while freeway runs: two documents of the bucket, which every process watches,
// and the routes that write them.

import type { Backbone } from '#contracts/bus.ts'
import { catalogOverrides } from '#contracts/catalog-change.ts'
import { routingSettings } from '#contracts/strategy.ts'
import { buckets, catalogOverridesKey, routingKey } from '#contracts/subjects.ts'
import { openDocument } from '#services/document.ts'
import type { Logger } from '#services/logger.ts'
import type { Settings } from '#services/settings.ts'
import type { Route } from '../routes.ts'
import { aliasRoutes } from './aliases.ts'
import { askRouter, askWorker } from './ask.ts'
import type { Administration } from './changing-document.ts'
import { providerRoutes } from './providers.ts'
import { routingRoutes } from './routing.ts'
import { strategyRoutes } from './strategies.ts'

export interface OpenedAdministration {
  readonly routes: Route[]
  /** Whether a request that fails goes to another provider, unless it says otherwise. */
  readonly fallback: boolean
  close(): void
}

export interface AdministrationOptions extends Pick<Administration, 'access' | 'audit' | 'vault' | 'catalog'> {
  backbone: Backbone
  settings: Settings
  logger: Logger
}

export async function openAdministration({ backbone, settings, logger, ...given }: AdministrationOptions): Promise<OpenedAdministration> {
  const { bus } = backbone
  const config = await backbone.keyValue(buckets.config)
  const overrides = await openDocument(config, catalogOverridesKey, catalogOverrides)
  const routing = await openDocument(config, routingKey, routingSettings)
  const strange = Object.entries(overrides.current.keys).filter(([, sealed]) => !sealed.every((one) => given.vault.knows(one)))
  if (strange.length > 0) {
    const remedy =
      'give every process of this gateway the same FREEWAY_SECRET (the former one as FREEWAY_SECRET_OLD), or store these keys again'
    logger.error('stored provider keys were sealed with another FREEWAY_SECRET', { providers: strange.map(([name]) => name), remedy })
  }
  const admin = { ...given, overrides, routing, written: settings.strategies, askRouter: askRouter(bus), askWorker: askWorker(bus) }
  return {
    routes: [...providerRoutes(admin), ...strategyRoutes(admin), ...routingRoutes(admin), ...aliasRoutes(admin)],
    get fallback() {
      return routing.current.enable_fallback
    },
    close() {
      overrides.close()
      routing.close()
    },
  }
}
