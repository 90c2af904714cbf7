// Pure. How good a candidate is for a job: the weighted mean of its qualities times its provider's weight, and what outweighs all that.

import type { Submit } from '#contracts/attempt.ts'
import { factsOf, type UsageOf } from './facts.ts'
import { type Condition, type Health, stateByKeys } from './health.ts'
import { reliabilityOf, speedOf } from './measured.ts'
import { columns, holds, type Strategy } from './strategy.ts'
import type { Candidate } from './table.ts'

type Term = (candidate: Candidate, scene: Scene) => number

/** What is added to the mean: each outweighs all that follow it, and any mean. */
const terms: Record<string, Term> = {
  avoided: ({ keys }, { job }) => {
    let times = 0
    for (const name of job.avoid) if (keys.includes(name)) times++
    return times * -1e9
  },
  // Only a preference: a model that is not known to follow schemas may follow this one all the same.
  schemaless: ({ can }, { job }) => (job.need.json && !can.has('json_schema') ? -1e8 : 0),
  // Who has one attempt only shall not be the one to try out what has failed.
  on_trial: ({ keys }, { job, health, nowMs }) => (!job.fallback && stateByKeys(health, ...keys, nowMs) === 'trial' ? -1e7 : 0),
  preferred: ({ keys }, { job }) => (job.preferred === keys[0] ? 1e6 : 0),
  later_target: ({ place }) => (place === 0 ? 0 : place * -1e3),
  strategy: (candidate, { strategy, ...seen }) => {
    if (strategy.prefer.length === 0) return 0
    const facts = factsOf(candidate, seen)
    let sum = 0
    for (const rule of strategy.prefer) if (holds(rule, facts)) sum += rule.weight
    return sum
  },
}
const added = Object.values(terms)

const [QUALITY, SPEED, HEADROOM, RELIABILITY, COST, CONTEXT, SPREAD, SUITS] = columns.map((_, i) => i) as [
  ...[number, number, number, number],
  ...[number, number, number, number],
]

export interface Scene {
  job: Pick<Submit, 'avoid' | 'preferred' | 'need' | 'fallback'>
  strategy: Strategy
  health: Health
  usageOf?: UsageOf
  nowMs: number
  random: () => number
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
  for (const term of added) score += term(candidate, scene)
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
    ...Object.fromEntries(Object.entries(terms).flatMap(([name, term]) => named(name, term(candidate, scene)))),
  }
}

function named(name: string, value: number): [string, number][] {
  return value === 0 ? [] : [[name, value]]
}
