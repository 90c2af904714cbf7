// Door of the router: takes a job, decides who shall serve it, reserves the lease and makes the offer (placing.ts).
// The answer never travels back through here: the offer names the inbox of the job's owner.

import { jobMessage } from '#contracts/attempt.ts'
import type { Backbone, BusMessage } from '#contracts/bus.ts'
import type { Catalog, Provider } from '#contracts/catalog.ts'
import { decode, decodeKind, encode } from '#contracts/message.ts'
import type { Settlements } from '#contracts/settlement.ts'
import { settlementKinds } from '#contracts/settlement.ts'
import { asAnswerInbox, asInbox, asProbeInbox, buckets, jobQueue, jobs, leases as leaseSubjects } from '#contracts/subjects.ts'
import type { Logger } from '#services/logger.ts'
import { openQuota } from '#services/quota.ts'
import type { LimitStatus } from '#services/quota-room.ts'
import type { Settings } from '#services/settings.ts'
import { createBudget } from './budget.ts'
import type { Health } from './health.ts'
import { begin, giveBack, learn } from './health.ts'
import { createLeases } from './leases.ts'
import { createPlacing } from './placing.ts'
import { openRegistry } from './registry.ts'
import { route } from './route.ts'
import { configuredStrategies } from './strategy.ts'
import { routingTable } from './table.ts'
import { wishOf } from './wish.ts'

const SWEEP_MS = 10_000

export interface Router {
  readonly openLeases: number
  readonly catalog: Catalog
  /** How the limits of an account stand, of one process like this one or of many. Empty for an unknown provider. */
  limitsOf(provider: string, account: string): LimitStatus[]
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
  const quota = await openQuota({ keyValue: await backbone.keyValue(buckets.quota), scope: 'provider', instance })
  const budget = createBudget(quota)
  const usageOf: typeof budget.usageOf = (provider) => budget.usageOf(provider)
  const placing = createPlacing({
    bus,
    instance,
    logger,
    leases,
    budget,
    decide: ({ job, body }) => {
      const nowMs = performance.now()
      return route(job, table, { health, roomOf: budget.roomFor(job), usageOf, wish: wishOf(job, body), nowMs, random: Math.random })
    },
    onPlaced: ({ target }) => begin(health, target, performance.now()),
    onUnplaced: release,
  })
  quota.onRoom(() => placing.onRoom())
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
    if (inbox) placing.place(read.message, read.body, inbox)
  }

  function release(lease: string, how: string): void {
    budget.release(lease)
    const closed = leases.close({ t: 'release', lease })
    if (closed) giveBack(health, closed)
    logger.debug('lease closed', { lease, how })
  }

  function onSettlements(message: BusMessage): void {
    const told = decodeKind<Settlements>(settlementKinds, message.data)?.message
    if (!told) return
    for (const item of told.items) {
      const lease = leases.close(item)
      if (item.t === 'settle') budget.settle(item.lease, item.usage, item.mode)
      else budget.release(item.lease)
      if (item.outcome && leases.isNews(item.lease)) {
        learn(health, item.outcome, performance.now())
        budget.learn(item.outcome, registry.catalog)
      }
      if (lease && !item.outcome) giveBack(health, lease)
      if (lease) logger.debug('lease closed', { lease: item.lease, how: item.t })
    }
    const answerTo = asAnswerInbox(message.reply)
    if (answerTo) bus.publish(answerTo, encode({ ok: true, state: 'settled' }))
  }

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
    limitsOf(name, account) {
      const provider = registry.catalog.providers.find((one) => one.name === name)
      return provider ? budget.statusOf(provider, account) : []
    },
    drain() {
      queued.unsubscribe()
    },
    async close() {
      clearInterval(sweeper)
      queued.unsubscribe()
      placing.close()
      settled.unsubscribe()
      await quota.close()
      await registry.close()
      await bus.flush()
    },
  }
}
