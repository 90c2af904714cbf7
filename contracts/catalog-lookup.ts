// Pure. What follows from a catalogue entry: the limits that count for a model, and where an alias leads.

import type { Catalog, Cost, Model, Provider } from './catalog.ts'
import type { Limit, Unit, Window } from './limit.ts'

export interface CountedLimit {
  limit: Limit
  /** For whom it is counted; `pool`: for the models of an account that name the same one. */
  scope: 'model' | 'pool' | 'account' | 'address'
}

type LimitedProvider = Pick<Provider, 'limits' | 'limit_scope' | 'rpm_limit' | 'rpd_limit' | 'tpm_limit' | 'tpd_limit'>
type LimitedModel = Pick<Model, 'limits' | 'pool'>

/**
 * Every limit that a call to this model has to keep.
 * The limits of a provider that counts by model (`limit_scope: model`) are those of a model which states none of its own; all other
 * limits of a provider hold beside those of the model. The operator's own numbers stand in place of every limit of their kind.
 */
export function limitsOf(provider: LimitedProvider, model: LimitedModel): CountedLimit[] {
  const byModel = provider.limit_scope === 'model'
  const own = model.limits.length > 0 || !byModel ? model.limits : provider.limits
  const stated: CountedLimit[] = [
    ...own.map((limit) => ({ limit, scope: model.pool === undefined ? ('model' as const) : ('pool' as const) })),
    ...(byModel ? [] : provider.limits.map((limit) => ({ limit, scope: provider.limit_scope }))),
  ]
  const numbers = operatorLimits(provider)
  const kept = stated.filter(({ limit }) => !numbers.some(({ unit, per }) => unit === limit.unit && per === limit.per))
  return [...kept, ...numbers.map((limit) => ({ limit, scope: 'account' as const }))]
}

/** The smallest of a model's limits of one kind, e.g. its requests per minute. Undefined: unknown, or none. */
export function statedLimit(provider: LimitedProvider, model: LimitedModel, unit: Unit, per: Window): number | undefined {
  const found = limitsOf(provider, model).flatMap(({ limit }) => (limit.unit === unit && limit.per === per ? [limit.max] : []))
  return found.length > 0 ? Math.min(...found) : undefined
}

/** What so much use costs, in the unit of `cost`. */
export function costOf(cost: Cost, used: { in: number; out: number; images?: number; audio_seconds?: number }): number {
  const { images = 0, audio_seconds = 0 } = used
  return (used.in * cost.in + used.out * cost.out) / 1e6 + images * cost.image + (audio_seconds / 60) * cost.audio_minute
}

/** The operator's numbers, for a whole account. They reset when those reset that they replace, else a day ends at midnight UTC. */
function operatorLimits({ rpm_limit, rpd_limit, tpm_limit, tpd_limit, limits }: LimitedProvider): Limit[] {
  const numbers = [
    ['requests', 'minute', rpm_limit],
    ['requests', 'day', rpd_limit],
    ['tokens', 'minute', tpm_limit],
    ['tokens', 'day', tpd_limit],
  ] as const
  return numbers.flatMap(([unit, per, max]) => {
    if (max === undefined) return []
    const known = limits.find((limit) => limit.unit === unit && limit.per === per)
    const clock = known ? known.clock : per === 'day' ? 'UTC' : undefined
    return [clock === undefined ? { unit, per, max } : { unit, per, max, clock }]
  })
}

/**
 * Looks up where a name leads: its targets in order of preference, none if it is no alias. A plain name wins over a pattern, an earlier
 * pattern over a later one. What stands in place of a pattern's first `*` takes the place of a `*` in its targets.
 */
export function aliasIndex(aliases: Catalog['aliases']): (name: string) => readonly string[] {
  const exact = new Map<string, string[]>()
  const patterns = new Map<string, { matches: RegExp; targets: string[] }>()
  for (const [alias, target] of aliases) {
    if (alias.includes('*')) {
      const pattern = patterns.get(alias) ?? { matches: patternOf(alias), targets: [] }
      patterns.set(alias, pattern)
      pattern.targets.push(target)
    } else exact.set(alias, [...(exact.get(alias) ?? []), target])
  }
  return (name) => {
    const targets = exact.get(name)
    if (targets) return targets
    for (const pattern of patterns.values()) {
      const match = pattern.matches.exec(name)
      if (match) return pattern.targets.map((target) => target.replace('*', () => match[1] as string))
    }
    return []
  }
}

function patternOf(alias: string): RegExp {
  const pieces = alias.split('*').map((piece) => piece.replaceAll(/[\\^$.|?+()[\]{}]/g, '\\$&'))
  return new RegExp(`^${pieces.join('(.*)')}$`, 's')
}
