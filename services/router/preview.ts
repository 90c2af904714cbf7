// Pure. What a strategy of the operator's would choose now, provider by provider; nobody is called.

import type { Preview } from '#contracts/router-question.ts'
import type { StrategyDefinition } from '#contracts/strategy.ts'
import { factsOf, numberOf } from './facts.ts'
import type { World } from './route.ts'
import { sceneOf, scoreOf } from './score.ts'
import { defined, holds } from './strategy.ts'
import type { Candidate, RoutingTable } from './table.ts'

/** Scores as for a chat that asks for nothing special; chance draws the middle. */
export function preview(definition: StrategyDefinition, table: RoutingTable, world: World): Preview {
  const strategy = defined('preview', definition)
  const job = {
    kind: 'chat' as const,
    avoid: [],
    preferred: undefined,
    fallback: true,
    model: undefined,
    need: { tools: false, vision: false, json: false, ctx: 0 },
  }
  const scene = sceneOf(job, strategy, { ...world, random: () => 0.5 })
  const scoreIn = (candidate: Candidate) => {
    const { headroom } = world.roomOf(candidate.provider, candidate.target.account, candidate.model)
    return scoreOf(candidate, headroom, scene)
  }
  const result: Preview = { candidates: [], excluded: [], warnings: [] }
  for (const [name, models] of Map.groupBy(table.open.get('chat') ?? [], ({ provider }) => provider.name)) {
    const [first] = models as [Candidate]
    const facts = factsOf(first, world)
    const broken = strategy.require.find((rule) => holds(rule, facts) === false)
    if (broken) {
      result.excluded.push({ name, reason: `requires ${broken.field} ${broken.op} ${broken.value}` })
      continue
    }
    result.candidates.push({
      name,
      score: Math.round(Math.max(...models.map(scoreIn)) * 1e4) / 1e4,
      healthy: models.some(({ keys }) => scene.standing(keys) !== 'resting'),
      rpd_remaining: finite(numberOf(first.provider, 'rpd_remaining', world.health, world.usageOf)),
      last_latency_ms: finite(numberOf(first.provider, 'last_latency_ms', world.health, world.usageOf)),
    })
  }
  result.candidates.sort((a, b) => b.score - a.score)
  result.warnings.push(...unknownTags(definition, table))
  if (result.candidates.length === 0) result.warnings.push('no provider matches this definition')
  return result
}

function unknownTags(definition: StrategyDefinition, table: RoutingTable): string[] {
  const tags = new Set([...table.known.values()].flat().flatMap(({ provider }) => provider.tags))
  const asked = [...(definition?.require ?? []), ...(definition?.prefer ?? [])].flatMap((rule) =>
    rule.field === 'tags' ? [rule.value] : [],
  )
  return [...new Set(asked)].filter((tag) => !tags.has(tag)).map((tag) => `no provider has the tag ${tag}`)
}

function finite(value: number | undefined): number | null {
  return value !== undefined && Number.isFinite(value) ? value : null
}
