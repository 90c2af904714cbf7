// Pure. What counts when the choice is ours: each strategy is one row of weights.

import type { Capability } from '#contracts/catalog.ts'
import type {
  ConfiguredStrategy,
  NumberField,
  NumberOp,
  Preference,
  Requirement,
  RoutingSettings,
  StrategyDefinition,
} from '#contracts/strategy.ts'
import { builtInStrategyOf, qualities, type StrategyName } from '#contracts/strategy.ts'
import type { Label } from './intent/model.ts'

/** What is weighed. `suits`: whether the model is made for what is wanted. */
export const columns = [...qualities, 'suits'] as const
export type Column = (typeof columns)[number]

interface Row extends Partial<Record<Column, number>> {
  /** Models with this capability suit. */
  made?: Capability
  /** Others than these are not considered. */
  must?: Capability
}

/**
 * A candidate's score is the weighted mean of its qualities, times the operator's weight for its provider.
 * Quality and speed begin with the ranks of the catalogue, and what was measured takes their place. Cost: free is best.
 * Headroom: the share of the quota that is left. Spread: chance, so that equals share the load.
 */
const rows: Record<StrategyName, Row> = {
  auto: { quality: 2, speed: 3, headroom: 2, reliability: 3, cost: 2, spread: 0.5 },
  fast: { quality: 0.5, speed: 8, headroom: 1, reliability: 3, spread: 0.5 },
  quality: { quality: 10, speed: 0.5, headroom: 0.5, reliability: 2, spread: 0.2 },
  code: { quality: 4, speed: 1, headroom: 1, reliability: 2, cost: 1, spread: 0.4, suits: 6, made: 'code' },
  reasoning: { quality: 5, speed: 0.5, headroom: 1, reliability: 2, cost: 1, spread: 0.4, suits: 6, made: 'reasoning' },
  cheap: { quality: 0.5, speed: 0.5, headroom: 8, reliability: 2, cost: 8, spread: 0.5 },
  vision: { quality: 4, speed: 2, headroom: 2, reliability: 3, cost: 1, spread: 0.5, must: 'vision' },
  long: { quality: 2, speed: 1, headroom: 1, reliability: 2, cost: 1, spread: 0.3, context: 8 },
  random: { spread: 1 },
}

export interface Strategy {
  name: string
  /** Of each column; together they are 1. */
  shares: Readonly<Record<Column, number>>
  made: Capability | undefined
  must: Capability | undefined
  require: readonly Requirement[]
  prefer: readonly Preference[]
}

const builtIn = new Map<StrategyName, Strategy>(
  (Object.keys(rows) as StrategyName[]).map((name) => [
    name,
    { name, shares: sharesOf(rows[name]), made: rows[name].made, must: rows[name].must, require: [], prefer: [] },
  ]),
)

export type Strategies = ReadonlyMap<string, Strategy>

/** One of ours or of the operator's, by any of its names; undefined if there is none. */
export function strategyOf(name: string, stored: Strategies): Strategy | undefined {
  const own = builtInStrategyOf(name)
  return own ? builtIn.get(own) : stored.get(name)
}

/** What `auto` comes to once it is known what the prompt asks for. */
export function suited(strategy: Strategy, wish: Label | undefined): Strategy {
  if (strategy.name !== 'auto' || wish === undefined || wish === 'general') return strategy
  return builtIn.get(wish) as Strategy
}

export function defined(name: string, definition: StrategyDefinition): Strategy {
  return { ...(builtIn.get('auto') as Strategy), name, require: definition?.require ?? [], prefer: definition?.prefer ?? [] }
}

/** Those of freeway.json and those that were stored while freeway runs, ready to be looked up. */
export function allStrategies(
  written: Readonly<Record<string, ConfiguredStrategy>>,
  stored: RoutingSettings['strategies'] = {},
): Strategies {
  return new Map([
    ...Object.entries(stored).map(([name, { definition }]) => [name, defined(name, definition)] as const),
    ...Object.entries(written).map(([name, strategy]) => [name, configured(name, strategy)] as const),
  ])
}

/** What a favoured provider or tag adds: more than any two candidates of the same weight differ by. */
const FAVOURED = 1
const SPREAD_SHARE = 0.04

export function configured(name: string, { prefer = [], tags = [], weights = {} }: ConfiguredStrategy): Strategy {
  const sum = qualities.reduce((total, quality) => total + (weights[quality] ?? 0), 0)
  return {
    name,
    shares: sum > 0 ? sharesOf({ spread: sum * SPREAD_SHARE, ...weights }) : sharesOf(rows.auto),
    made: undefined,
    must: undefined,
    require: [],
    prefer: [
      ...prefer.map((value) => ({ field: 'name' as const, op: 'eq' as const, value, weight: FAVOURED })),
      ...tags.map((value) => ({ field: 'tags' as const, op: 'contains' as const, value, weight: FAVOURED })),
    ],
  }
}

function sharesOf(row: Partial<Record<Column, number>>): Record<Column, number> {
  const sum = columns.reduce((total, column) => total + (row[column] ?? 0), 0)
  return Object.fromEntries(columns.map((column) => [column, (row[column] ?? 0) / sum])) as Record<Column, number>
}

/** What a rule can be about. A number that is not known is undefined; Infinity where there is no limit. */
export interface Facts {
  name: string
  tags: readonly string[]
  numberOf(field: NumberField): number | undefined
}

const compare: Record<NumberOp, (a: number, b: number) => boolean> = {
  eq: (a, b) => a === b,
  ne: (a, b) => a !== b,
  lt: (a, b) => a < b,
  lte: (a, b) => a <= b,
  gt: (a, b) => a > b,
  gte: (a, b) => a >= b,
  '==': (a, b) => a === b,
  '!=': (a, b) => a !== b,
  '<': (a, b) => a < b,
  '<=': (a, b) => a <= b,
  '>': (a, b) => a > b,
  '>=': (a, b) => a >= b,
}

/** Undefined if the number is not known: a provider that was never called must not be shut out for ever because of it. */
export function holds(rule: Requirement, facts: Facts): boolean | undefined {
  if (rule.field === 'tags') return facts.tags.includes(rule.value)
  if (rule.field === 'name') return (facts.name === rule.value) === (rule.op === 'eq' || rule.op === '==')
  const value = facts.numberOf(rule.field)
  return value === undefined ? undefined : compare[rule.op](value, rule.value)
}
