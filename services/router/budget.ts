// What the limits of a provider mean for one job: whether it may be taken now, and when if not. Counting is in services/quota/.

import type { Submit } from '#contracts/attempt.ts'
import type { Catalog, CatalogProvider, Cost, Model } from '#contracts/catalog.ts'
import { costOf } from '#contracts/catalog-lookup.ts'
import type { AttemptOutcome, Usage } from '#contracts/settlement.ts'
import type { Amounts, Claim, LimitStatus, Quota, Reserved, Room } from '#services/quota/quota.ts'
import type { Usage as UsageToday } from './facts.ts'
import { type PoolLimits, poolsOf, usedOfAll } from './pools.ts'

export type { Room } from '#services/quota/quota.ts'

export interface Budget {
  roomFor(job: Pick<Submit, 'est' | 'kind'>): (provider: CatalogProvider, account: string, model: Model) => Room
  reserve(lease: string, at: Place, job: Pick<Submit, 'est' | 'kind'>, ttlMs: number): Reserved | Promise<Reserved>
  settle(lease: string, usage: Usage, mode: 'actual' | 'estimate'): void
  release(lease: string): void
  /** An attempt that came to nothing; the router that reserved for it may be dead. */
  abandon(lease: string): void
  /** What the provider said of its limits. */
  learn(outcome: AttemptOutcome, catalog: Catalog): void
  /** What it said of any of its limits counts no more, until it says it again. */
  unlearn(provider: CatalogProvider): void
  /** Every limit of an account and of its models, for the provider's status. */
  statusOf(provider: CatalogProvider, account: string): LimitStatus[]
  usageOf(provider: CatalogProvider): UsageToday
}

interface Place {
  provider: CatalogProvider
  account: string
  model: Model
}

/** The pools of one model of one account, and what was seen of them last. */
interface Known {
  pools: PoolLimits[]
  cost: Cost | undefined
  room: Room
  /** For how much: tokens, of which so many of the output, and pictures or seconds of sound. */
  tokens: number
  out: number
  media: number
  atMs: number
  epoch: number
}

/** Room is only weighed, the reservation decides: it may be a little out of date, and more so where there is plenty. */
const ROOM_MS = 20
const PLENTY = 0.9
const PLENTY_MS = 1_000
const OPEN: Room = { headroom: 1 }
const MAX_COSTS = 10_000

export function createBudget(quota: Quota, now: () => number = Date.now): Budget {
  const known = new WeakMap<CatalogProvider, Map<string, Map<Model, Known>>>()
  /** Of leases that are counted in more than calls and tokens. */
  const costs = new Map<string, Cost>()
  let epoch = 0
  quota.onRoom(() => {
    epoch++
  })

  function modelsOf(provider: CatalogProvider, account: string): Map<Model, Known> {
    const ofProvider = known.get(provider) ?? new Map<string, Map<Model, Known>>()
    known.set(provider, ofProvider)
    const models = ofProvider.get(account) ?? new Map<Model, Known>()
    ofProvider.set(account, models)
    return models
  }

  function knownOf(provider: CatalogProvider, account: string, model: Model, models = modelsOf(provider, account)): Known {
    const found = models.get(model)
    if (found) return found
    const cost = model.cost ?? provider.cost
    const seen = { room: OPEN, tokens: 0, out: 0, media: 0, atMs: Number.NEGATIVE_INFINITY, epoch }
    const made = { pools: poolsOf(provider, account, model), cost, ...seen }
    models.set(model, made)
    return made
  }

  /** The eldest has long been settled, or never will be. */
  function remember(lease: string, cost: Cost): void {
    if (costs.size >= MAX_COSTS) costs.delete(costs.keys().next().value as string)
    costs.set(lease, cost)
  }

  /** Every pool of an account, once. */
  function poolsIn(provider: CatalogProvider, account: string): PoolLimits[] {
    const byPool = new Map<string, PoolLimits>()
    for (const model of provider.models.filter(({ enabled }) => enabled))
      for (const one of knownOf(provider, account, model).pools) byPool.set(one.pool, one)
    return [...byPool.values()]
  }

  return {
    roomFor(job) {
      const { out } = job.est
      const tokens = job.est.in + out
      const media = imagesOf(job) + (job.est.audio_seconds ?? 0)
      const nowMs = now()
      // Models of one account are asked for one after the other.
      let last: CatalogProvider | undefined
      let lastAccount = ''
      let models: Map<Model, Known> | undefined
      return (provider, account, model) => {
        if (models === undefined || provider !== last || account !== lastAccount) {
          models = modelsOf(provider, account)
          last = provider
          lastAccount = account
        }
        const one = models.get(model) ?? knownOf(provider, account, model, models)
        if (one.pools.length === 0) return OPEN
        const { opensInMs } = one.room
        const ageMs = nowMs - one.atMs
        // Room may be taken unseen for a moment; that there is none holds until it opens or something comes back.
        const freshMs = one.room.headroom > PLENTY ? PLENTY_MS : ROOM_MS
        if (opensInMs === undefined && tokens <= one.tokens && media <= one.media && ageMs >= 0 && ageMs < freshMs) return one.room
        if (opensInMs !== undefined && one.epoch === epoch && ageMs >= 0 && ageMs < opensInMs) {
          // Where there is no room for less there is none for more; what a model costs depends on which tokens they are.
          const isMore = tokens >= one.tokens && media >= one.media && (one.cost === undefined || out >= one.out)
          if (isMore) return { headroom: 0, opensInMs: opensInMs - ageMs }
        }
        const room = quota.room(claims(one.pools, amountsOf(job, one.cost)))
        const seen = { room: room.opensInMs === undefined ? room : { ...room, headroom: 0 }, tokens, out, media, atMs: nowMs, epoch }
        Object.assign(one, seen)
        return one.room
      }
    },
    reserve(lease, { provider, account, model }, job, ttlMs) {
      const one = knownOf(provider, account, model)
      // Whatever comes of it, what was seen before is out of date.
      one.atMs = Number.NEGATIVE_INFINITY
      if (one.cost) remember(lease, one.cost)
      return quota.reserve(lease, claims(one.pools, amountsOf(job, one.cost)), ttlMs)
    },
    settle(lease, usage, mode) {
      quota.settle(lease, usedOf(usage, costs.get(lease)), mode)
      if (mode === 'actual') costs.delete(lease)
    },
    release(lease) {
      quota.release(lease)
      costs.delete(lease)
    },
    abandon(lease) {
      quota.abandon(lease)
      costs.delete(lease)
    },
    learn({ prov, account, model: id, learned }, catalog) {
      if (!learned || learned.length === 0) return
      const provider = catalog.providers.find(({ name }) => name === prov)
      const model = provider?.models.find((one) => one.id === id)
      if (!provider || !model) return
      for (const { pool, limits, scope: whose } of knownOf(provider, account, model).pools) {
        const scopes = scopesOf(whose)
        quota.learn(
          { pool, limits },
          learned.filter(({ scope }) => scope === undefined || scopes.includes(scope)),
        )
      }
    },
    unlearn(provider) {
      for (const account of provider.accounts) for (const one of poolsIn(provider, account)) quota.unlearn(one)
    },
    statusOf: (provider, account) => quota.status(claims(poolsIn(provider, account), {})),
    usageOf(provider) {
      const statuses = provider.accounts.map((account) =>
        poolsIn(provider, account).flatMap((one) => quota.status(claims([one], {})).map((status) => ({ ...status, scope: one.scope }))),
      )
      const used = (unit: string, per: string) =>
        usedOfAll(statuses.map((ofAccount) => ofAccount.filter(({ limit }) => limit.unit === unit && limit.per === per)))
      return {
        requests_today: used('requests', 'day'),
        requests_this_minute: used('requests', 'minute'),
        tokens_today: used('tokens', 'day'),
      }
    },
  }
}

function imagesOf({ est, kind }: Pick<Submit, 'est' | 'kind'>): number {
  return kind === 'image' ? (est.images ?? 1) : 0
}

function amountsOf(job: Pick<Submit, 'est' | 'kind'>, cost: Cost | undefined): Amounts {
  const { est } = job
  const images = imagesOf(job)
  return {
    requests: 1,
    tokens: est.in + est.out,
    concurrency: 1,
    images,
    audio_seconds: est.audio_seconds ?? 0,
    ...(cost && { [cost.unit]: costOf(cost, { ...est, images }) }),
  }
}

/** What was not counted stays as it was reserved. A provider that says what it cost is believed; else its tokens are priced. */
function usedOf(usage: Usage, cost: Cost | undefined): Amounts {
  const { in: tokensIn, out, audio_seconds, images } = usage
  const counted = tokensIn + out + (audio_seconds ?? 0) + (images ?? 0) > 0
  const told = cost?.unit === 'credits' ? usage.cost : undefined
  return {
    tokens: tokensIn + out,
    ...(audio_seconds !== undefined && { audio_seconds }),
    ...(images !== undefined && { images }),
    ...(cost && (counted || told !== undefined) && { [cost.unit]: told ?? costOf(cost, usage) }),
  }
}

function claims(pools: readonly PoolLimits[], amounts: Amounts): Claim[] {
  return pools.map(({ pool, limits }) => ({ pool, limits, amounts }))
}

/** Whose limits a pool holds, as a provider tells it. */
function scopesOf(scope: PoolLimits['scope']): string[] {
  if (scope === 'address') return ['provider', 'account']
  return scope === 'account' ? ['account', 'provider'] : ['model', 'account']
}
