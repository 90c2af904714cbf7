// Pure. Job, catalogue, budgets and health in; an order of candidates out, or the reason why there is none.

import type { Noroute, Submit, Target } from '#contracts/attempt.ts'
import type { CatalogProvider, Model, VirtualModel } from '#contracts/catalog.ts'
import { virtualModelOf } from '#contracts/catalog.ts'
import type { Explained } from '#contracts/explained.ts'
import type { Room } from './budget.ts'
import { explain } from './explain.ts'
import type { UsageOf } from './facts.ts'
import { type Health, restsUntil } from './health.ts'
import type { Label } from './intent/model.ts'
import { type Scene, sceneOf, scoreOf } from './score.ts'
import { type Ask, askOf, type Obstacle, obstacleOf, obstacles } from './shortlist.ts'
import { type Strategy, strategyOf, suited } from './strategy.ts'
import { type Candidate, comparable, type RoutingTable, serves } from './table.ts'

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
  /** What was used today: only strategies of the operator's ask for it. */
  usageOf?: UsageOf
  /** The kind of model that suits the prompt, if that is known. */
  wish: Label | undefined
  nowMs: number
  /** From 0 to 1: spreads the load over those that are equally good. */
  random: () => number
}

export type Route =
  /** Best first. `reason`: what the prompt asks for, the strategy, or `named`. */
  | { order: Ranked[]; reason: string; strategy: string; explained?: Explained }
  /** `spent`: able, healthy and allowed, but their window of quota is used up; the job may wait for one of them. Best first. */
  | { noroute: Omit<Noroute, 't'>; spent?: Ranked[] }

/** A decision, half way: what was asked, of whom, and how it is weighed. */
export interface Decision {
  ask: Ask
  strategy: Strategy
  candidates: readonly Candidate[]
  scene: Scene
  world: World
}

export function route(job: Submit, table: RoutingTable, world: World): Route {
  const virtual = job.model === undefined ? undefined : virtualModelOf(job.model)
  const wanted = strategyOf(strategyNameOf(job, virtual, table), table.strategies)
  // A default that is gone must not refuse everybody.
  const asked = wanted ?? (job.strategy === undefined ? strategyOf('auto', table.strategies) : undefined)
  if (asked === undefined) return { noroute: { reason: 'unknown_strategy' } }
  const meant = job.model === undefined || virtual !== undefined ? undefined : (table.named(job.model) ?? [])
  if (meant?.length === 0) return { noroute: { reason: 'unknown_model' } }
  const named = job.kind === 'embedding' ? meant && oneModelOf(meant) : meant

  const strategy = named ? asked : suited(asked, world.wish)
  const scene = sceneOf(job, strategy, world)
  const decision: Decision = {
    ask: askOf(job, strategy, named),
    strategy,
    candidates: named ?? table.open.get(job.kind) ?? [],
    scene,
    world,
  }
  const order = rank(decision, false)
  if (order.length > 0 && !job.explain) return { order, reason: reasonOf(named !== undefined, asked, world), strategy: asked.name }
  // Those without a key as well: they tell apart what nobody can do from what nobody may.
  const whole: Decision = { ...decision, candidates: named ?? table.known.get(job.kind) ?? [] }
  const why = job.explain ? { explained: explain(whole, asked.name) } : {}
  if (order.length === 0) return noroute(whole, why)
  return { order, reason: reasonOf(named !== undefined, asked, world), strategy: asked.name, ...why }
}

/** Of a name that leads to several; those that embed nothing only tell why it is refused. */
function oneModelOf(candidates: readonly Candidate[]): readonly Candidate[] {
  const able = candidates.filter((candidate) => serves(candidate, 'embedding'))
  return able.length > 0 ? comparable(able) : candidates
}

function reasonOf(named: boolean, { name }: Strategy, { wish }: World): string {
  if (named) return 'named'
  return name === 'auto' ? (wish ?? name) : name
}

/**
 * A virtual model names one; `auto` leaves it to the field beside it. Who names nothing gets the operator's default. It is not for
 * those who name a model: what it requires must not keep them from it.
 */
function strategyNameOf({ model, strategy }: Submit, virtual: VirtualModel | undefined, { defaultStrategy }: RoutingTable): string {
  if (virtual !== undefined && virtual !== 'auto') return virtual
  return strategy ?? virtual ?? (model === undefined ? defaultStrategy : 'auto')
}

/** Whoever comes after these is not needed: by then the deadline is over. */
const MAX_ORDER = 32

// For one decision at a time; in this way a decision leaves no garbage but its result.
const bestScores = new Float64Array(MAX_ORDER)
const best: Candidate[] = []

/** The best, either of those that have room or of those that have `spent` it. */
function rank({ ask, strategy, candidates, scene, world }: Decision, spent: boolean): Ranked[] {
  let count = 0
  for (const candidate of candidates) {
    if (obstacleOf(candidate, ask, strategy, scene) !== undefined) continue
    const { headroom } = world.roomOf(candidate.provider, candidate.target.account, candidate.model)
    if (headroom <= 0 !== spent) continue
    const score = scoreOf(candidate, headroom, scene)
    let place = count
    while (place > 0 && (bestScores[place - 1] as number) < score) place--
    if (place === MAX_ORDER) continue
    if (count < MAX_ORDER) count++
    for (let i = count - 1; i > place; i--) {
      bestScores[i] = bestScores[i - 1] as number
      best[i] = best[i - 1] as Candidate
    }
    bestScores[place] = score
    best[place] = candidate
  }
  const order = best.slice(0, count).map(({ target, provider, model }, i) => ({ target, provider, model, score: bestScores[i] as number }))
  best.length = 0
  return order
}

/** The reason is that of those who came nearest to being chosen. */
function noroute(decision: Decision, why: { explained?: Explained }): Route {
  const { ask, strategy, candidates, scene, world } = decision
  const spent = rank(decision, true)
  let nearest = -1
  let soonestMs = Number.POSITIVE_INFINITY
  for (const candidate of candidates) {
    const obstacle = obstacleOf(candidate, ask, strategy, scene)
    nearest = Math.max(nearest, obstacle === undefined ? obstacles.length : obstacles.indexOf(obstacle))
    if (obstacle === 'resting') soonestMs = Math.min(soonestMs, restsUntil(world.health, candidate.target, world.nowMs) - world.nowMs)
    if (obstacle !== undefined) continue
    const { opensInMs } = world.roomOf(candidate.provider, candidate.target.account, candidate.model)
    if (opensInMs !== undefined) soonestMs = Math.min(soonestMs, opensInMs)
  }
  const wait = soonestMs < Number.POSITIVE_INFINITY ? { retry_after_ms: Math.max(0, soonestMs) } : {}
  // Nobody at all: nobody chats yet, or nobody does this kind of job.
  const nobody = ask.kind === 'chat' ? 'no_key' : 'unsupported'
  const reason = nearest === obstacles.length ? 'quota' : reasons[obstacles[nearest] ?? nobody]
  return { noroute: { reason, ...wait, ...why }, ...(spent.length > 0 && { spent }) }
}

const reasons: Record<Obstacle, Noroute['reason']> = {
  tier: 'tier',
  unsupported: 'unsupported',
  no_key: 'none',
  excluded: 'none',
  strategy: 'none',
  resting: 'cooldown',
}
