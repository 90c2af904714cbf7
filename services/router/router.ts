// Door of the router: takes a job, decides who shall serve it, reserves the lease and makes the offer (placing.ts).
// The answer never travels back through here: the offer names the inbox of the job's owner.

import { type JobMessage, jobMessageKinds, type Submit } from '#contracts/attempt.ts'
import type { Backbone, BusMessage } from '#contracts/bus.ts'
import type { Catalog, Provider } from '#contracts/catalog.ts'
import { decodeKind, Message } from '#contracts/message.ts'
import type { Preview, ProviderStatus, RouterQuestion } from '#contracts/router-question.ts'
import type { Settlements } from '#contracts/settlement.ts'
import { settlementKinds } from '#contracts/settlement.ts'
import { routingSettings } from '#contracts/strategy.ts'
import { asAnswerInbox, asInbox, asProbeInbox, buckets, jobQueue, jobs, leases as leaseSubjects, routingKey } from '#contracts/subjects.ts'
import { openDocument } from '#services/document.ts'
import type { Logger } from '#services/logger.ts'
import { type LimitStatus, openQuota } from '#services/quota/quota.ts'
import type { Settings } from '#services/settings.ts'
import { answerQuestions } from './answers.ts'
import { createBudget } from './budget.ts'
import type { Usage } from './facts.ts'
import { begin, giveBack, learn, reset } from './health.ts'
import { statusOf } from './health-status.ts'
import { createLeases } from './leases.ts'
import { countPlaced, measureRouter } from './measures.ts'
import { openMemory } from './memory.ts'
import { createPlacing } from './placing.ts'
import { preview } from './preview.ts'
import { providerStatus } from './provider-status.ts'
import { openRegistry } from './registry.ts'
import { route, type World } from './route.ts'
import { allStrategies } from './strategy.ts'
import { type RoutingTable, routingTable } from './table.ts'
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
  const config = await backbone.keyValue(buckets.config)
  const routing = await openDocument(config, routingKey, routingSettings, () => logger.warn('stored strategies could not be read'))
  const registry = await openRegistry({ config, settings, logger, demo, alone })
  const { overrides } = registry
  let table: RoutingTable
  const rebuild = () => {
    const { strategies, default_strategy } = routing.current
    table = routingTable(registry.catalog, {
      strategies: allStrategies(settings.strategies, strategies),
      defaultStrategy: default_strategy,
    })
  }
  rebuild()
  registry.onChange(rebuild)
  routing.onChange(rebuild)
  const memory = await openMemory({ config, logger, resets: () => overrides.current.resets, keyIds: () => keyIdsIn(registry.catalog) })
  const { health, tally } = memory
  let { resets } = overrides.current
  const leases = createLeases()
  const quota = await openQuota({ keyValue: await backbone.keyValue(buckets.quota), scope: 'provider', instance })
  const budget = createBudget(quota)
  const forgetResets = () => {
    const { resets: now } = overrides.current
    if (now === resets) return
    for (const provider of registry.catalog.providers) {
      if (now[provider.name] === resets[provider.name]) continue
      reset(health, provider.name)
      budget.unlearn(provider)
    }
    resets = now
    memory.news()
  }
  overrides.onChange(forgetResets)
  // Also what was reset while the quotas were being opened.
  forgetResets()
  const usageOf: typeof budget.usageOf = (provider) => larger(budget.usageOf(provider), tally.of(provider.name, Date.now()))
  const worldFor = (job: Pick<Submit, 'est' | 'kind'>, wish: World['wish']): World => {
    const nowMs = performance.now()
    return { health, roomOf: budget.roomFor(job), usageOf, wish, nowMs, random: Math.random }
  }
  const placing = createPlacing({
    bus,
    instance,
    logger,
    leases,
    budget,
    decide: ({ job, body }) => route(job, table, worldFor(job, wishOf(job, body))),
    onPlaced: ({ target }) => {
      countPlaced(target.prov)
      begin(health, target, performance.now())
    },
    onUnplaced: release,
  })
  quota.onRoom(() => placing.onRoom())
  let unreadable = 0

  function onJob(message: BusMessage): void {
    const read = decodeKind<JobMessage>(jobMessageKinds, message)
    if (read?.message.v !== 1) {
      unreadable++
      logger.warn('unreadable job message', { count: unreadable })
      return
    }
    if (read.message.t === 'probe') {
      const inbox = asProbeInbox(message.reply)
      if (inbox) bus.publish(inbox, new Message({ t: 'pong', router: instance }))
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
    const told = decodeKind<Settlements>(settlementKinds, message)?.message
    if (!told) return
    for (const item of told.items) {
      const lease = leases.close(item)
      if (item.t === 'settle') budget.settle(item.lease, item.usage, item.mode)
      else budget.release(item.lease)
      if (item.outcome && leases.isNews(item.lease)) {
        learn(health, item.outcome, performance.now())
        budget.learn(item.outcome, registry.catalog)
      }
      if (item.t === 'settle' || item.outcome) {
        tally.count(item.outcome?.prov ?? providerOf(message), item.lease, item.t === 'settle' ? item.usage : NOTHING, Date.now())
        memory.news()
      }
      if (lease && !item.outcome) giveBack(health, lease)
      if (lease) logger.debug('lease closed', { lease: item.lease, how: item.t })
    }
    const answerTo = asAnswerInbox(message.reply)
    if (answerTo) bus.publish(answerTo, new Message({ ok: true, state: 'settled' }))
  }

  async function answer(asked: RouterQuestion): Promise<ProviderStatus[] | Preview> {
    if (asked.kind === 'preview') return preview(asked.definition, table, worldFor({ kind: 'chat', est: { in: 0, out: 0 } }, undefined))
    await overrides.seen(asked.version)
    const wanted = registry.catalog.providers.filter(({ name }) => asked.name === undefined || name === asked.name)
    return wanted.map((provider) =>
      providerStatus(provider, {
        health,
        limitsOf: (one, account) => budget.statusOf(one, account),
        usageOf,
        keys: registry.keysOf(provider),
        custom: Object.hasOwn(overrides.current.custom, provider.name),
        nowMs: performance.now(),
        wallMs: Date.now(),
      }),
    )
  }

  const asked = answerQuestions({ bus, logger, answer })
  const queued = bus.subscribe(jobs, onJob, { queue: jobQueue })
  // Every router hears every settlement: whichever holds the lease closes it, and all of them learn from the outcome.
  const settled = bus.subscribe(leaseSubjects, onSettlements)
  const stopMeasuring = measureRouter({
    get waiting() {
      return placing.waiting
    },
    get openLeases() {
      return leases.open
    },
    get catalog() {
      return registry.catalog
    },
    limitsOf: (provider, account) => budget.statusOf(provider, account),
    healthOf: (provider) => statusOf(health, provider, performance.now()),
  })
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
      stopMeasuring()
      queued.unsubscribe()
      placing.close()
      settled.unsubscribe()
      asked.unsubscribe()
      routing.close()
      await memory.close()
      await quota.close()
      await registry.close()
      await bus.flush()
    },
  }
}

const NOTHING = { in: 0, out: 0 }

/** By `provider/account`. */
function keyIdsIn({ providers }: Catalog): Record<string, string> {
  return Object.fromEntries(
    providers.flatMap(({ name, accounts, key_ids }) => (key_ids ?? []).map((id, i) => [`${name}/${accounts[i]}`, id] as const)),
  )
}

/** Of a settlement whose attempt told nothing: its subject names the account, `groq-2`. */
function providerOf({ subject }: BusMessage): string {
  return subject.slice(subject.lastIndexOf('.') + 1).replace(/-\d+$/, '')
}

/** Limits know what others have used with the same key, the tally what no limit counts. */
function larger(a: Usage, b: Usage): Usage {
  return {
    requests_today: Math.max(a.requests_today, b.requests_today),
    requests_this_minute: Math.max(a.requests_this_minute, b.requests_this_minute),
    tokens_today: Math.max(a.tokens_today, b.tokens_today),
  }
}
