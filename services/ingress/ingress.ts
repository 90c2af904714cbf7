// Door of the ingress: takes requests over HTTP, hands their jobs to the bus and the answers back.

import type { Backbone } from '#contracts/bus.ts'
import { FreewayError } from '#contracts/failure.ts'
import { buckets } from '#contracts/subjects.ts'
import { watchCatalog } from '#services/catalog-watch.ts'
import type { Logger } from '#services/logger.ts'
import type { Outbox } from '#services/outbox.ts'
import type { Settings } from '#services/settings.ts'
import { openSettlements } from '#services/settlements.ts'
import { openAdmission } from './admission.ts'
import { listModels } from './catalog/models.ts'
import { Desk } from './desk.ts'
import { exchange } from './exchange.ts'
import { chatCompletions } from './formats/chat-completions.ts'
import type { Format } from './formats/format.ts'
import { countMessageTokens, messages } from './formats/messages.ts'
import { openFront } from './front.ts'
import { json } from './respond.ts'
import type { Route } from './routes.ts'
import { createApp } from './routes.ts'

const SETTLE_ON_CLOSE_MS = 2_000

export interface Ingress {
  readonly url: string
  readonly inFlight: number
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
  version: string
}

/** Rejects with the system's error if the port is taken. */
export async function startIngress(options: IngressOptions): Promise<Ingress> {
  const { backbone, settings, logger, instance, outbox, version } = options
  const { bus } = backbone
  const catalog = await watchCatalog(await backbone.keyValue(buckets.config))
  const settlements = openSettlements(bus)
  const desk = new Desk({ bus, ingress: instance, catalog, outbox, settlements })
  const admission = await openAdmission({ ...options, catalog: () => catalog.current })
  const { access } = admission
  const serving = { desk, access, requestTimeoutMs: settings.requestTimeoutMs }
  let draining = false

  const routes: Route[] = [
    { method: 'GET', path: '/', access: 'public', handle: () => json({ name: 'freeway', version, api: '/v1' }) },
    { method: 'GET', path: '/health', access: 'public', handle: () => json({ status: 'ok', version }) },
    { method: 'GET', path: '/ready', access: 'public', handle: ready },
    { method: 'GET', path: '/v1/health', access: 'public', handle: publicHealth },
    inference('/v1/chat/completions', chatCompletions),
    inference('/v1/messages', messages),
    { method: 'POST', path: '/v1/messages/count_tokens', access: 'key', handle: countMessageTokens },
    { method: 'GET', path: '/v1/models', access: 'key', handle: () => json({ object: 'list', data: listModels(catalog.current) }) },
    { method: 'GET', path: '/v1/models/*', access: 'key', handle: (_, id) => oneModel(id) },
    ...admission.routes,
  ]

  function inference(path: string, format: Format): Route {
    return { method: 'POST', path, access: 'key', identified: true, handle: (request) => exchange(request, path, format, serving) }
  }

  /** Says what is missing, so that an operator need not guess. */
  function ready(): Response {
    const missing = []
    if (!bus.connected) missing.push('bus')
    if (!desk.routerSeen) missing.push('router')
    if (draining) missing.push('draining')
    return json({ status: missing.length === 0 ? 'ready' : 'not_ready', missing, version }, {}, missing.length === 0 ? 200 : 503)
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

  function oneModel(encoded: string): Response {
    const id = decoded(encoded)
    const model = listModels(catalog.current).find((entry) => entry.id === id)
    if (model) return json(model)
    throw new FreewayError('invalid_request_error', 'the model does not exist', { status: 404, code: 'model_not_found', param: 'model' })
  }

  const app = createApp({
    routes,
    access,
    onFault: (error) => logger.error('request failed in the gateway', { error }),
  })
  const front = await openFront({ host: settings.host, port: settings.port, handle: app })
  logger.info('ready', { url: front.url })

  return {
    url: front.url,
    get inFlight() {
      return desk.inFlight
    },
    drain() {
      draining = true
      front.drain()
    },
    idle: (graceMs) => desk.idle(graceMs),
    async close() {
      desk.close()
      await front.close()
      catalog.close()
      await admission.close()
      await settlements.close(SETTLE_ON_CLOSE_MS)
    },
  }
}

/** Ids hold slashes and colons, plain or percent-encoded. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text // not percent-encoded after all
  }
}
