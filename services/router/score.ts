// Pure. How good a candidate is for a job: the weighted mean of its qualities times its provider's weight, and what outweighs all that.

import type { Submit } from '#contracts/attempt.ts'
import { factsOf, type UsageOf } from './facts.ts'
import { type Condition, type Health, type Standing, standingIn } from './health.ts'
import { reliabilityOf, speedOf } from './measured.ts'
import { columns, holds, type Strategy } from './strategy.ts'
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
    of: ({ keys }, { job }) => (keys[0] === job.preferred ? 1e6 : 0),
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

const [QUALITY, SPEED, HEADROOM, RELIABILITY, COST, CONTEXT, SPREAD, SUITS] = columns.map((_, i) => i) as [
  ...[number, number, number, number],
  ...[number, number, number, number],
]

/** For whom the candidates are weighed, and by what. */
export interface Scene {
  job: Pick<Submit, 'avoid' | 'preferred' | 'need' | 'fallback' | 'model'>
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

/** `parts`, one for each column and from 0 to 1, is filled with what the mean is made of: nothing is allocated for a candidate. */
export function scoreOf(candidate: Candidate, headroom: number, scene: Scene, parts: Float64Array): number {
  const { strategy, health, nowMs } = scene
  const measured: Condition | undefined = health.get(candidate.keys[2])
  parts[QUALITY] = candidate.quality
  parts[SPEED] = speedOf(measured, candidate.speed, nowMs)
  parts[HEADROOM] = headroom
  parts[RELIABILITY] = reliabilityOf(measured, nowMs)
  parts[COST] = candidate.cost
  parts[CONTEXT] = candidate.context
  parts[SPREAD] = scene.random()
  parts[SUITS] = strategy.made !== undefined && candidate.can.has(strategy.made) ? 1 : 0
  let mean = 0
  for (let i = 0; i < parts.length; i++) mean += (parts[i] as number) * (strategy.shares[i] as number)
  let score = mean * candidate.provider.weight
  for (const term of scene.terms) score += term.of(candidate, scene)
  return score
}

/** The parts by name, those that count. */
export function partsOf(candidate: Candidate, scene: Scene, parts: Float64Array): Record<string, number> {
  const counting = columns
    .map((column, i) => [column, parts[i] as number] as const)
    .filter((_, i) => (scene.strategy.shares[i] as number) > 0)
  return {
    ...Object.fromEntries(counting.map(([column, part]) => [column, Math.round(part * 1e3) / 1e3])),
    weight: candidate.provider.weight,
    ...Object.fromEntries(scene.terms.flatMap((term) => named(term.name, term.of(candidate, scene)))),
  }
}

function named(name: string, value: number): [string, number][] {
  return value === 0 ? [] : [[name, value]]
}
