// Door of the ingress: takes requests over HTTP, hands their jobs to the bus and the answers back.

import type { Backbone } from '#contracts/bus.ts'
import { FreewayError } from '#contracts/failure.ts'
import { buckets } from '#contracts/subjects.ts'
import { watchCatalog } from '#services/catalog-watch.ts'
import type { Logger } from '#services/logger.ts'
import type { Outbox } from '#services/outbox.ts'
import type { Settings } from '#services/settings.ts'
import { openSettlements } from '#services/settlements.ts'
import type { Vault } from '#services/vault.ts'
import { openAdministration } from './admin/administration.ts'
import { analyticsRoutes } from './admin/analytics.ts'
import { askRouter } from './admin/ask.ts'
import { deadLetterRoutes } from './admin/dead-letters.ts'
import { openAdmission } from './admission.ts'
import { catalogRoutes } from './catalog/catalog-routes.ts'
import { workingBy } from './catalog/working.ts'
import { Desk } from './desk.ts'
import { exchange } from './exchange.ts'
import { chatCompletions } from './formats/chat-completions.ts'
import { chatPhp } from './formats/chat-php.ts'
import { embeddings } from './formats/embeddings.ts'
import type { Format } from './formats/format.ts'
import { imageEdits, imageGenerations } from './formats/images.ts'
import { countMessageTokens, messages } from './formats/messages.ts'
import { speech } from './formats/speech.ts'
import { transcription } from './formats/transcription.ts'
import { openFront } from './front.ts'
import { openLive } from './live/live.ts'
import { measureLoad } from './measures.ts'
import { openApiRoutes } from './openapi/openapi.ts'
import { complete } from './prompts.ts'
import { json } from './respond.ts'
import { openResponses } from './responses/responses.ts'
import type { Route } from './routes.ts'
import { createApp } from './routes.ts'

const SETTLE_ON_CLOSE_MS = 2_000

export interface Ingress {
  readonly url: string
  readonly inFlight: number
  /** Whether there was no client at the start, so that nobody on this machine needs a key. */
  readonly open: boolean
  /** What keeps it from serving, in words: `bus`, `router`, `draining`. */
  readonly missing: string[]
  /** Not ready any more, no new connections; requests in flight go on. */
  drain(): void
  /** Resolves when no request is in flight, at the latest after `graceMs`. */
  idle(graceMs: number): Promise<void>
  close(): Promise<void>
}

export interface IngressOptions {
  backbone: Backbone
  settings: Settings
  logger: Logger
  instance: string
  outbox: Outbox
  adminToken: string
  /** Seals the keys that an admin stores. */
  vault: Vault
  version: string
}

/** Rejects with the system's error if the port is taken. */
export async function startIngress(options: IngressOptions): Promise<Ingress> {
  const { backbone, settings, logger, instance, outbox, version } = options
  const { bus } = backbone
  const catalog = await watchCatalog(await backbone.keyValue(buckets.config))
  const settlements = openSettlements(bus)
  const desk = new Desk({ bus, ingress: instance, catalog, outbox, settlements, retryBudget: settings.retryBudget })
  const admission = await openAdmission({ ...options, catalog: () => catalog.current })
  const { access } = admission
  const administration = await openAdministration({ ...options, access, audit: admission.audit, catalog: () => catalog.current })
  const { requestTimeoutMs, maxWaitMs } = settings
  const serving = { desk, access, requestTimeoutMs, maxWaitMs, fallback: () => administration.fallback }
  const responses = await openResponses({ backbone, instance, logger, access, serving })
  const askProviders = () => askRouter(bus)({ kind: 'providers', version: 0 })
  const live = openLive(desk.live, askProviders)
  let draining = false

  const routes: Route[] = [
    { method: 'GET', path: '/', access: 'public', handle: () => json({ name: 'freeway', version, api: '/v1' }) },
    { method: 'GET', path: '/health', access: 'public', handle: () => json({ status: 'ok', version }) },
    { method: 'GET', path: '/ready', access: 'public', handle: ready },
    { method: 'GET', path: '/v1/health', access: 'public', handle: publicHealth },
    inference('/v1/chat/completions', chatCompletions),
    inference('/v1/messages', messages),
    { method: 'POST', path: '/v1/completions', access: 'key', identified: true, handle: (request) => complete(request, serving) },
    inference('/v1/embeddings', embeddings),
    inference('/v1/images/generations', imageGenerations),
    inference('/v1/images/edits', imageEdits),
    inference('/v1/audio/speech', speech),
    inference('/v1/audio/transcriptions', transcription),
    inference(
      '/api/chat.php',
      chatPhp(() => catalog.current),
    ),
    { method: 'GET', path: '/v1/videos/*', access: 'key', handle: noVideo },
    ...responses.routes,
    { method: 'POST', path: '/v1/messages/count_tokens', access: 'key', handle: countMessageTokens },
    ...catalogRoutes({ catalog: () => catalog.current, viewOf: access.viewOf, draw: access.draw, working }),
    ...admission.routes,
    ...administration.routes,
    ...analyticsRoutes({ bus, catalog: () => catalog.current }),
    ...live.routes,
    ...deadLetterRoutes(bus, admission),
    ...openApiRoutes({ routes: () => routes, version }),
  ]

  function inference(path: string, format: Format): Route {
    return { method: 'POST', path, access: 'key', identified: true, handle: (request) => exchange(request, path, format, serving) }
  }

  /** Nobody makes videos, so no id of one can be known. */
  function noVideo(): never {
    throw new FreewayError('invalid_request_error', 'unknown request id', { status: 404 })
  }

  function missing(): string[] {
    const parts = []
    if (!bus.connected) parts.push('bus')
    if (!desk.routerSeen) parts.push('router')
    if (draining) parts.push('draining')
    return parts
  }

  /** Says what is missing, so that an operator need not guess. */
  function ready(): Response {
    const faults = missing()
    if (faults.length === 0) return json({ status: 'ready', missing: [], version })
    return json({ status: 'not_ready', missing: faults, version }, { 'retry-after': '1' }, 503)
  }

  function publicHealth(): Response {
    const { providers } = catalog.current
    const usable = providers.filter(({ enabled, configured }) => enabled && configured)
    return json({
      status: bus.connected && usable.length > 0 ? 'ok' : 'degraded',
      providers: usable.length,
      models: usable.reduce((sum, { models }) => sum + models.filter(({ enabled }) => enabled).length, 0),
      version,
    })
  }

  async function working(): Promise<ReturnType<typeof workingBy>> {
    const statuses = await askProviders().catch(() => undefined) // no router, or no answer in time: nobody knows better
    return workingBy(statuses)
  }

  const app = createApp({
    routes,
    access,
    onFault: (error) => logger.error('request failed in the gateway', { error }),
  })
  const stopMeasuring = measureLoad(desk)
  const front = await openFront({ host: settings.host, port: settings.port, handle: app })
  logger.info('ready', { url: front.url })

  return {
    url: front.url,
    open: admission.open,
    get inFlight() {
      return desk.inFlight
    },
    get missing() {
      return missing()
    },
    drain() {
      draining = true
      front.drain()
    },
    idle: (graceMs) => desk.idle(graceMs),
    async close() {
      stopMeasuring()
      live.close()
      desk.close()
      await responses.close()
      await front.close()
      catalog.close()
      administration.close()
      await admission.close()
      await settlements.close(SETTLE_ON_CLOSE_MS)
    },
  }
}
