// Pure. Job, catalogue and health in, a target or a reason out.

import type { Noroute, Submit, Target } from '#contracts/attempt.ts'
import type { Catalog, CatalogProvider, Model } from '#contracts/catalog.ts'
import { virtualModelOf } from '#contracts/catalog.ts'
import type { Explained } from '#contracts/explained.ts'
import type { Need } from '#contracts/job.ts'
import type { Room } from './budget.ts'
import type { Health } from './health.ts'
import { restsUntil } from './health.ts'
import type { Label } from './intent/model.ts'

/** One that may serve the job. */
export interface Ranked {
  target: Target
  provider: CatalogProvider
  model: Model
  score: number
}

/** What the decision sees of the world, beside the job and the catalogue. */
export interface World {
  health: Health
  roomOf(provider: CatalogProvider, account: string, model: Model): Room
  /** The kind of model that suits the prompt, if that is known. */
  wish: Label | undefined
  nowMs: number
  /** From 0 to 1: spreads the load over those that are equally good. */
  random: () => number
}

export type Route =
  /** Best first. */
  | { order: Ranked[]; reason: string; strategy: string; explained?: Explained }
  /** `spent`: able, healthy and allowed, but their window of quota is used up; the job may wait for one of them. Best first. */
  | { noroute: Omit<Noroute, 't'>; spent?: Ranked[] }

interface Candidate {
  provider: CatalogProvider
  model: Model
}

/** The catalogue, looked up by every name that a model goes by. Made once for each catalogue. */
export interface RoutingTable {
  /** What may serve a request that leaves the choice to us. */
  open: readonly Candidate[]
  named: ReadonlyMap<string, readonly Candidate[]>
}

export function routingTable({ providers, aliases }: Catalog): RoutingTable {
  const open: Candidate[] = []
  const named = new Map<string, Candidate[]>()
  const add = (name: string, candidates: Candidate[]) => named.set(name, [...(named.get(name) ?? []), ...candidates])
  for (const provider of providers.filter(({ enabled }) => enabled)) {
    for (const model of provider.models.filter(({ enabled }) => enabled)) {
      const candidate = { provider, model }
      if (model.capabilities.includes('chat')) open.push(candidate)
      for (const name of new Set([model.id, `${provider.name}/${model.id}`])) add(name, [candidate])
    }
  }
  for (const [alias, target] of aliases) if (!named.has(alias)) add(alias, named.get(target) ?? [])
  return { open, named }
}

export function route(job: Submit, table: RoutingTable, { health, nowMs, wish }: World): Route {
  const named = virtual(job.model) ? table.open : table.named.get(job.model ?? '')
  if (!named || (named.length === 0 && !virtual(job.model))) return { noroute: { reason: 'unknown_model' } }
  const able = named.filter(({ model }) => serves(model, job.need))
  if (named.length > 0 && able.length === 0) return { noroute: { reason: 'unsupported' } }

  const open = able.filter(({ provider }) => provider.configured && !isExcluded(provider, job.exclude))
  const rested = open.filter(({ provider }) => restsUntil(health, provider.name) <= nowMs)
  const order = rested.map((one) => ({ ...one, target: targetOf(one), score: rank(one, job, health, wish) }))
  order.sort((a, b) => b.score - a.score)
  if (order.length > 0) return { order, reason: virtual(job.model) ? (wish ?? 'weight') : 'named', strategy: 'auto' }
  if (open.length === 0) return { noroute: { reason: 'none' } }
  const soonest = Math.min(...open.map(({ provider }) => restsUntil(health, provider.name)))
  return { noroute: { reason: 'cooldown', retry_after_ms: soonest - nowMs } }
}

/** The account of a provider's only key. */
export function accountOf(provider: string): string {
  return `${provider}-1`
}

function virtual(model: string | undefined): boolean {
  return model === undefined || virtualModelOf(model) !== undefined
}

function serves(model: Model, need: Need): boolean {
  if (need.tools && !model.capabilities.includes('tools')) return false
  if (need.vision && !model.capabilities.includes('vision')) return false
  return need.ctx <= model.context_window
}

function isExcluded(provider: CatalogProvider, exclude: readonly string[]): boolean {
  return exclude.includes(provider.name) || exclude.includes(`${provider.name}/${accountOf(provider.name)}`)
}

/** Each term outweighs all that follow it: what to avoid, schemas, the client's wish, the operator's weight, the prompt, speed, the model's rank. */
function rank({ provider, model }: Candidate, job: Submit, health: Health, wish: Label | undefined): number {
  const avoided = job.avoid.filter((name) => name === provider.name).length * -1e12
  // Only a preference: a model that is not known to follow schemas may follow this one all the same.
  const schemaless = job.need.json && !model.capabilities.includes('json_schema') ? -1e11 : 0
  const preferred = job.preferred === provider.name ? 1e9 : 0
  const suited = wish !== undefined && wish !== 'general' && model.capabilities.includes(wish) ? 1e5 : 0
  const ttfbMs = Math.min(health.get(provider.name)?.ttfbMs ?? 1_000, 60_000)
  return avoided + schemaless + preferred + provider.weight * 1e6 + suited - ttfbMs - model.intelligence_rank / 1e3
}

function targetOf({ provider, model }: Candidate): Target {
  return { prov: provider.name, account: accountOf(provider.name), model: model.id, billable: provider.metered }
}
