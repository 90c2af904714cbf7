// Pure. Who may serve a job at all, before anybody is weighed: the checks in their order, the first that fails is why.

import type { Submit } from '#contracts/attempt.ts'
import type { JobKind } from '#contracts/job.ts'
import { factsOf, type UsageOf } from './facts.ts'
import type { Health, Standing } from './health.ts'
import { holds, type Strategy } from './strategy.ts'
import { type Candidate, serves } from './table.ts'

/** In the order of the checks: who fails a later one came nearer to being chosen. */
export const obstacles = ['tier', 'unsupported', 'no_key', 'excluded', 'strategy', 'resting'] as const
export type Obstacle = (typeof obstacles)[number]

/** A job, made ready to be compared with many candidates. */
export interface Ask {
  kind: JobKind
  /** Capabilities beside the one that its kind asks for. */
  needs: readonly string[]
  /** How many tools it brings. */
  tools: number
  /** The candidates were named, so that even their kind is not certain. */
  named: boolean
  /** Tokens: of the whole, and of what may be requested as output. */
  context: number
  output: number
  roles: ReadonlySet<string> | undefined
  exclude: ReadonlySet<string> | undefined
  free: boolean
  /** Of a body that is too large to travel along; else 0. */
  bytes: number
}

/** What stands before the file in the body of a job. */
const HEAD_BYTES = 4096

/** `named`: the only ones that may serve it. */
export function askOf(job: Submit, strategy: Strategy, named: readonly Candidate[] | undefined): Ask {
  const { need } = job
  const output = job.kind === 'chat' ? job.est.out : 0
  const beyond = named && output > 0 ? Math.max(0, output - mostOutput(named)) : 0
  const needs = new Set(need.also)
  if (need.tools) needs.add('tools')
  if (need.vision) needs.add('vision')
  if (strategy.must && job.kind === 'chat' && named === undefined) needs.add(strategy.must)
  if (job.kind === 'image' && !needs.has('image_edit')) needs.add('image_gen')
  const counted = job.kind === 'chat' || job.kind === 'embedding'
  return {
    kind: job.kind,
    needs: [...needs],
    tools: need.tool_count ?? 0,
    named: named !== undefined,
    context: counted ? need.ctx - beyond : 0,
    output: output - beyond,
    roles: job.roles && new Set(job.roles),
    exclude: job.exclude.length > 0 ? new Set(job.exclude) : undefined,
    free: !job.billable_ok,
    bytes: job.blob?.size ?? 0,
  }
}

/**
 * Coding agents ask for the output of the largest models, whatever model is named. The worker asks for what this one can give, and an
 * answer that ends there says so.
 */
function mostOutput(named: readonly Candidate[]): number {
  let most = 0
  for (const { provider, model } of named) if (provider.configured) most = Math.max(most, model.max_output ?? Number.POSITIVE_INFINITY)
  return most || Number.POSITIVE_INFINITY
}

export interface Seen {
  health: Health
  standing: Standing
  usageOf?: UsageOf
}

/** Undefined if nothing stands in its way. */
export function obstacleOf(candidate: Candidate, ask: Ask, { require }: Strategy, seen: Seen): Obstacle | undefined {
  const { model, provider, keys } = candidate
  if (ask.roles !== undefined && model.tier !== 'public' && !ask.roles.has(model.tier)) return 'tier'
  if (lackOf(candidate, ask) !== undefined) return 'unsupported'
  if (!provider.configured) return 'no_key'
  if (isExcluded(candidate, ask)) return 'excluded'
  if (require.length > 0) {
    const facts = factsOf(candidate, seen)
    for (const rule of require) if (holds(rule, facts) === false) return 'strategy'
  }
  return seen.standing(keys) === 'resting' ? 'resting' : undefined
}

/** What it cannot do: a capability, `context`, `output`, `size` or `tool_count`. */
export function lackOf(candidate: Candidate, ask: Ask): string | undefined {
  const { model, can, provider } = candidate
  if (ask.context > model.context_window) return 'context'
  if (model.max_output !== undefined && ask.output > model.max_output) return 'output'
  if (ask.bytes > mostBytes(provider, ask.kind)) return 'size'
  for (const need of ask.needs) if (!can.has(need)) return need
  if (provider.max_tools !== undefined && ask.tools > provider.max_tools) return 'tool_count'
  return ask.named && !serves(candidate, ask.kind) ? ask.kind : undefined
}

/** Who says nothing takes what we take. */
function mostBytes({ media }: Candidate['provider'], kind: JobKind): number {
  const most = kind === 'chat' ? undefined : media[kind]?.max_bytes
  return most === undefined ? Number.POSITIVE_INFINITY : most + HEAD_BYTES
}

function isExcluded({ keys, provider }: Candidate, { exclude, free }: Ask): boolean {
  if (free && provider.metered) return true
  return exclude !== undefined && (exclude.has(keys[0]) || exclude.has(keys[1]) || exclude.has(keys[2]))
}
