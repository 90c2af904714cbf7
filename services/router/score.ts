// Pure. How good a candidate is for a job: the weighted mean of its qualities times its provider's weight, and what outweighs all that.

import type { Submit } from '#contracts/attempt.ts'
import { factsOf, type UsageOf } from './facts.ts'
import { type Health, type Standing, standingIn } from './health.ts'
import { reliabilityOf, speedOf } from './measured.ts'
import { type Column, holds, type Strategy } from './strategy.ts'
import type { Candidate } from './table.ts'

interface Term {
  name: string
  /** Whether it can count at all, for any candidate. */
  matters(job: Scene['job'], strategy: Strategy): boolean
  of(candidate: Candidate, scene: Scene): number
}

/** What is added to the mean: each outweighs all that follow it, and any mean. */
const terms: readonly Term[] = [
  {
    name: 'avoided',
    matters: ({ avoid }) => avoid.length > 0,
    of: ({ keys }, { job }) => job.avoid.reduce((times, name) => times + (keys.includes(name) ? 1 : 0), 0) * -1e9,
  },
  {
    // Only a preference: a model that is not known to follow schemas may follow this one all the same.
    name: 'schemaless',
    matters: ({ need }) => need.json,
    of: ({ can }) => (can.has('json_schema') ? 0 : -1e8),
  },
  {
    // Who has one attempt only shall not be the one to try out what has failed.
    name: 'on_trial',
    matters: ({ fallback }) => !fallback,
    of: ({ keys }, { standing }) => (standing(keys) === 'trial' ? -1e7 : 0),
  },
  {
    name: 'preferred',
    matters: ({ preferred }) => preferred !== undefined,
    of: ({ provider }, { job: { preferred = '' } }) => (provider.name === preferred || provider.aliases.includes(preferred) ? 1e6 : 0),
  },
  {
    // A model that hears among other things is for when those that do nothing else are gone.
    name: 'not_made_for_it',
    matters: ({ kind }) => kind === 'transcription',
    of: ({ can }) => (can.has('stt') ? 0 : -1e5),
  },
  {
    name: 'later_target',
    matters: ({ model }) => model !== undefined,
    of: ({ place }) => (place === 0 ? 0 : place * -1e3),
  },
  {
    name: 'strategy',
    matters: (_, { prefer }) => prefer.length > 0,
    of: (candidate, scene) => {
      const facts = factsOf(candidate, scene)
      return scene.strategy.prefer.reduce((sum, rule) => sum + (holds(rule, facts) ? rule.weight : 0), 0)
    },
  },
]

/** For whom the candidates are weighed, and by what. */
export interface Scene {
  job: Pick<Submit, 'avoid' | 'preferred' | 'need' | 'fallback' | 'model' | 'kind'>
  strategy: Strategy
  /** Those that can count. */
  terms: readonly Term[]
  health: Health
  standing: Standing
  usageOf?: UsageOf
  nowMs: number
  random: () => number
}

type Seen = Pick<Scene, 'health' | 'usageOf' | 'nowMs' | 'random'>

export function sceneOf(job: Scene['job'], strategy: Strategy, { health, usageOf, nowMs, random }: Seen): Scene {
  const counting = terms.filter(({ matters }) => matters(job, strategy))
  return { job, strategy, terms: counting, health, standing: standingIn(health, nowMs), nowMs, random, ...(usageOf && { usageOf }) }
}

export function scoreOf(candidate: Candidate, headroom: number, scene: Scene): number {
  const { shares } = scene.strategy
  const parts = partsOf(candidate, headroom, scene)
  const mean =
    parts.quality * shares.quality +
    parts.speed * shares.speed +
    parts.headroom * shares.headroom +
    parts.reliability * shares.reliability +
    parts.cost * shares.cost +
    parts.context * shares.context +
    parts.spread * shares.spread +
    parts.suits * shares.suits
  let score = mean * candidate.provider.weight
  for (const term of scene.terms) score += term.of(candidate, scene)
  return score
}

/** What the mean is made of, each from 0 to 1. */
function partsOf(candidate: Candidate, headroom: number, { strategy, health, nowMs, random }: Scene): Record<Column, number> {
  const measured = health.get(candidate.keys[2])
  return {
    quality: candidate.quality,
    speed: speedOf(measured, candidate.speed, nowMs),
    headroom,
    reliability: reliabilityOf(measured, nowMs),
    cost: candidate.cost,
    context: candidate.context,
    spread: random(),
    suits: strategy.made !== undefined && candidate.can.has(strategy.made) ? 1 : 0,
  }
}

/** All that has gone into a score, by name: the parts that count, the weight, and what was added. */
export function reckoning(candidate: Candidate, headroom: number, scene: Scene): Record<string, number> {
  const parts = Object.entries(partsOf(candidate, headroom, scene)).filter(([name]) => scene.strategy.shares[name as Column] > 0)
  const added = scene.terms.map((term) => [term.name, term.of(candidate, scene)] as const).filter(([, value]) => value !== 0)
  return {
    ...Object.fromEntries(parts.map(([name, part]) => [name, Math.round(part * 1e3) / 1e3])),
    weight: candidate.provider.weight,
    ...Object.fromEntries(added),
  }
}
