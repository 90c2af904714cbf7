// What the limits of a provider mean for one job: whether it may be taken now, and when if not. Counting is in services/quota.ts.

import type { Submit } from '#contracts/attempt.ts'
import type { Catalog, CatalogProvider, Model } from '#contracts/catalog.ts'
import type { AttemptOutcome, Usage } from '#contracts/settlement.ts'
import type { Amounts, Claim, Quota, Reserved } from '#services/quota.ts'
import type { LimitStatus, Room } from '#services/quota-room.ts'
import type { Usage as UsageToday } from './facts.ts'
import { type PoolLimits, poolsOf } from './pools.ts'

export type { Room } from '#services/quota-room.ts'

export interface Budget {
  roomFor(job: Pick<Submit, 'est' | 'kind'>): (provider: CatalogProvider, account: string, model: Model) => Room
  reserve(lease: string, at: Place, job: Pick<Submit, 'est' | 'kind'>, ttlMs: number): Reserved | Promise<Reserved>
  settle(lease: string, usage: Usage, mode: 'actual' | 'estimate'): void
  release(lease: string): void
  /** An attempt that came to nothing; the router that reserved for it may be dead. */
  abandon(lease: string): void
  /** What the provider said of its limits. */
  learn(outcome: AttemptOutcome, catalog: Catalog): void
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
  room: Room
  tokens: number
  atMs: number
  epoch: number
}

/** Room is only weighed, the reservation decides: it may be a little out of date, and more so where there is plenty. */
const ROOM_MS = 20
const PLENTY = 0.9
const PLENTY_MS = 1_000
const OPEN: Room = { headroom: 1 }

export function createBudget(quota: Quota, now: () => number = Date.now): Budget {
  const known = new WeakMap<CatalogProvider, Map<string, Map<Model, Known>>>()
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
    const made = { pools: poolsOf(provider, account, model), room: OPEN, tokens: 0, atMs: Number.NEGATIVE_INFINITY, epoch }
    models.set(model, made)
    return made
  }

  return {
    roomFor(job) {
      const amounts = amountsOf(job)
      const tokens = amounts.tokens ?? 0
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
        if (opensInMs === undefined && tokens <= one.tokens && ageMs >= 0 && ageMs < freshMs) return one.room
        if (opensInMs !== undefined && tokens >= one.tokens && one.epoch === epoch && ageMs >= 0 && ageMs < opensInMs)
          return { headroom: 0, opensInMs: opensInMs - ageMs }
        const room = quota.room(claims(one.pools, amounts))
        Object.assign(one, { room: room.opensInMs === undefined ? room : { ...room, headroom: 0 }, tokens, atMs: nowMs, epoch })
        return one.room
      }
    },
    reserve(lease, { provider, account, model }, job, ttlMs) {
      const one = knownOf(provider, account, model)
      // Whatever comes of it, what was seen before is out of date.
      one.atMs = Number.NEGATIVE_INFINITY
      return quota.reserve(lease, claims(one.pools, amountsOf(job)), ttlMs)
    },
    settle(lease, usage, mode) {
      quota.settle(lease, usedOf(usage), mode)
    },
    release(lease) {
      quota.release(lease)
    },
    abandon: quota.abandon,
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
    statusOf(provider, account) {
      const byPool = new Map<string, PoolLimits>()
      for (const model of provider.models.filter(({ enabled }) => enabled))
        for (const one of knownOf(provider, account, model).pools) byPool.set(one.pool, one)
      return quota.status(claims([...byPool.values()], {}))
    },
    usageOf(provider) {
      const statuses = provider.accounts.flatMap((account) => this.statusOf(provider, account))
      const used = (unit: string, per: string) =>
        statuses.filter(({ limit }) => limit.unit === unit && limit.per === per).reduce((sum, one) => sum + one.used, 0)
      return {
        requests_today: used('requests', 'day'),
        requests_this_minute: used('requests', 'minute'),
        tokens_today: used('tokens', 'day'),
      }
    },
  }
}

function amountsOf({ est, kind }: Pick<Submit, 'est' | 'kind'>): Amounts {
  return {
    requests: 1,
    tokens: est.in + est.out,
    concurrency: 1,
    images: kind === 'image' ? (est.images ?? 1) : 0,
    audio_seconds: est.audio_seconds ?? 0,
  }
}

/** What was not counted stays as it was reserved. */
function usedOf({ in: tokensIn, out, audio_seconds, images }: Usage): Amounts {
  return { tokens: tokensIn + out, ...(audio_seconds !== undefined && { audio_seconds }), ...(images !== undefined && { images }) }
}

function claims(pools: readonly PoolLimits[], amounts: Amounts): Claim[] {
  return pools.map(({ pool, limits }) => ({ pool, limits, amounts }))
}

/** Whose limits a pool holds, as a provider tells it. */
function scopesOf(scope: PoolLimits['scope']): string[] {
  if (scope === 'address') return ['provider', 'account']
  return scope === 'account' ? ['account', 'provider'] : ['model', 'account']
}
