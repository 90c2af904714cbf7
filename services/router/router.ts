// Door of the router: takes a job, decides who shall serve it, reserves the lease and makes the offer.
// The answer never travels back through here: the offer names the inbox of the job's owner.

import type { Offer, Submit } from '#contracts/attempt.ts'
import { jobMessage } from '#contracts/attempt.ts'
import type { Backbone, BusMessage } from '#contracts/bus.ts'
import type { Catalog, Provider } from '#contracts/catalog.ts'
import { decode, decodeKind, encode } from '#contracts/message.ts'
import type { Settlements } from '#contracts/settlement.ts'
import { settlementKinds } from '#contracts/settlement.ts'
import type { Subject } from '#contracts/subjects.ts'
import {
  asAnswerInbox,
  asInbox,
  asProbeInbox,
  attemptOf,
  buckets,
  jobQueue,
  jobs,
  leases as leaseSubjects,
  offerReturn,
  offerReturns,
  work,
} from '#contracts/subjects.ts'
import type { Logger } from '#services/logger.ts'
import type { Settings } from '#services/settings.ts'
import { startSpan } from '#services/trace.ts'
import type { Health } from './health.ts'
import { begin, giveBack, learn } from './health.ts'
import { createLeases } from './leases.ts'
import { openRegistry } from './registry.ts'
import { route } from './route.ts'
import { configuredStrategies } from './strategy.ts'
import { routingTable } from './table.ts'
import { wishOf } from './wish.ts'

const SWEEP_MS = 10_000

export interface Router {
  readonly openLeases: number
  readonly catalog: Catalog
  /** Takes no further jobs; answers that are on their way still come through. */
  drain(): void
  close(): Promise<void>
}

export interface RouterOptions {
  backbone: Backbone
  settings: Settings
  logger: Logger
  instance: string
  demo: (() => Promise<Provider>) | undefined
  /** Whether all of freeway runs in this process. */
  alone?: boolean
}

export async function startRouter({ backbone, settings, logger, instance, demo, alone = false }: RouterOptions): Promise<Router> {
  const { bus } = backbone
  const strategies = configuredStrategies(settings.strategies)
  const registry = await openRegistry({ config: await backbone.keyValue(buckets.config), settings, logger, demo, alone })
  let table = routingTable(registry.catalog, { strategies })
  registry.onChange((catalog) => {
    table = routingTable(catalog, { strategies })
  })
  const health: Health = new Map()
  const leases = createLeases()
  let unreadable = 0

  function onJob(message: BusMessage): void {
    const read = decode(jobMessage, message.data)
    if (!read) {
      unreadable++
      logger.warn('unreadable job message', { count: unreadable })
      return
    }
    if (read.message.t === 'probe') {
      const inbox = asProbeInbox(message.reply)
      if (inbox) bus.publish(inbox, encode({ t: 'pong', router: instance }))
      return
    }
    const inbox = asInbox(message.reply, read.message.id, read.message.n)
    if (inbox) place(read.message, read.body, inbox)
  }

  function place(job: Submit, body: Uint8Array | undefined, inbox: Subject): void {
    const nowMs = performance.now()
    const span = startSpan(`process ${jobs}`, { kind: 'consumer', parent: job.trace, attributes: { 'freeway.attempt': job.n } })
    const world = { health, roomOf: () => ({ headroom: 1 }), wish: wishOf(job, body), nowMs, random: Math.random }
    const decision = route(job, table, world)
    if ('noroute' in decision) {
      bus.publish(inbox, encode({ t: 'noroute', ...decision.noroute }))
      span.fail(decision.noroute.reason)
      return span.end()
    }
    const target = decision.order[0]!.target
    const key = `${job.id}.${job.n}`
    if (!leases.reserve(key, target, inbox, job.ttl_ms, nowMs)) return span.end()
    begin(health, target, nowMs)
    logger.debug('lease reserved', { lease: key, provider: target.prov })
    const { reason, strategy, explained } = decision
    bus.publish(inbox, encode({ t: 'routed', ...target, lease: key, reason, strategy, explained }))
    const offer: Offer = {
      v: 1,
      t: 'offer',
      id: job.id,
      n: job.n,
      ttl_ms: job.ttl_ms,
      inbox,
      kind: job.kind,
      stream: job.stream,
      include_usage: job.include_usage,
      est: job.est,
      ...target,
      lease: key,
      adapt: job.adapt,
      blob: job.blob,
      trace: span.context ?? job.trace,
    }
    const offered = bus.publish(work(target.prov), encode(offer, body), { reply: offerReturn(instance, job.id, job.n) })
    // The connection is going or coming: nobody has heard of this lease, so nobody else will end it.
    if (!offered) release(key, 'not_offered')
    span.set({ 'freeway.chosen': target.prov, 'freeway.reason': decision.reason })
    span.end()
  }

  function release(lease: string, how: string): void {
    const closed = leases.close({ t: 'release', lease })
    if (closed) giveBack(health, closed)
    logger.debug('lease closed', { lease, how })
  }

  /** The offer came back: nobody serves this provider. */
  function onOfferReturned(message: BusMessage): void {
    if (!message.noResponders) return
    const attempt = attemptOf(message.subject)
    const key = attempt && `${attempt.request}.${attempt.n}`
    const lease = key && leases.get(key)
    if (!lease) return
    release(key, 'no_worker')
    bus.publish(lease.inbox, encode({ t: 'refused', prov: lease.prov, reason: 'no_worker' }))
  }

  function onSettlements(message: BusMessage): void {
    const told = decodeKind<Settlements>(settlementKinds, message.data)?.message
    if (!told) return
    for (const item of told.items) {
      const lease = leases.close(item)
      if (item.outcome && leases.isNews(item.lease)) learn(health, item.outcome, performance.now())
      if (lease && !item.outcome) giveBack(health, lease)
      if (lease) logger.debug('lease closed', { lease: item.lease, how: item.t })
    }
    const answerTo = asAnswerInbox(message.reply)
    if (answerTo) bus.publish(answerTo, encode({ ok: true, state: 'settled' }))
  }

  // One connection publishes the offers and hears that nobody took them: the signal reaches nobody else.
  const returns = bus.subscribe(offerReturns(instance), onOfferReturned)
  const queued = bus.subscribe(jobs, onJob, { queue: jobQueue })
  // Every router hears every settlement: whichever holds the lease closes it, and all of them learn from the outcome.
  const settled = bus.subscribe(leaseSubjects, onSettlements)
  const sweeper = setInterval(() => leases.sweep(performance.now()), SWEEP_MS)
  await bus.flush()
  logger.info('ready', { providers: registry.catalog.providers.filter((p) => p.enabled && p.configured).map((p) => p.name) })

  return {
    get catalog() {
      return registry.catalog
    },
    get openLeases() {
      return leases.open
    },
    drain() {
      queued.unsubscribe()
    },
    async close() {
      clearInterval(sweeper)
      queued.unsubscribe()
      returns.unsubscribe()
      settled.unsubscribe()
      await registry.close()
      await bus.flush()
    },
  }
}
