// Pure. Why a job goes where it goes: every candidate with what it scored, and what stood in the way of each other one.

import type { Explained } from '#contracts/explained.ts'
import { restsUntil, whyResting } from './health.ts'
import type { Decision } from './route.ts'
import { reckoning, scoreOf } from './score.ts'
import { lackOf, type Obstacle, obstacleOf, obstacles } from './shortlist.ts'
import type { Candidate } from './table.ts'

const MAX_LISTED = 50

/** `strategy`: by the name the client knows it. At most 50 candidates, and 50 others: those first that came nearest. */
export function explain({ ask, strategy, candidates, scene, world }: Decision, strategyName: string): Explained {
  // A decision and its explanation draw different lots; all draw the middle one here.
  const calm = { ...scene, random: () => 0.5 }
  const chosen: Explained['candidates'] = []
  const others: { nearness: number; entry: Explained['passed_over'][number] }[] = []
  for (const candidate of candidates) {
    const { provider, target, model } = candidate
    const obstacle = obstacleOf(candidate, ask, strategy, scene)
    const room = obstacle === undefined ? world.roomOf(provider, target.account, model) : undefined
    if (room && room.headroom > 0) {
      const score = scoreOf(candidate, room.headroom, calm)
      chosen.push({
        provider: target.prov,
        account: target.account,
        model: model.id,
        score: Math.round(score * 1e4) / 1e4,
        parts: reckoning(candidate, room.headroom, calm),
      })
      continue
    }
    const why = obstacle === undefined ? spent(room?.opensInMs) : words(obstacle, candidate, { ask, strategy, candidates, scene, world })
    others.push({
      nearness: obstacle === undefined ? obstacles.length : obstacles.indexOf(obstacle),
      entry:
        obstacle === 'no_key' ? { provider: target.prov, why } : { provider: target.prov, account: target.account, model: model.id, why },
    })
  }
  chosen.sort((a, b) => b.score - a.score)
  others.sort((a, b) => b.nearness - a.nearness)
  return {
    strategy: strategyName,
    ...(world.wish && { intent: world.wish }),
    candidates: chosen.slice(0, MAX_LISTED),
    passed_over: once(others.map(({ entry }) => entry)).slice(0, MAX_LISTED),
  }
}

function words(obstacle: Obstacle, candidate: Candidate, { ask, scene, world }: Decision): string {
  const { model, provider, target } = candidate
  switch (obstacle) {
    case 'tier':
      return `is for ${model.tier} only`
    case 'unsupported':
      return lack(lackOf(candidate, ask), candidate, ask)
    case 'no_key':
      return 'has no key'
    case 'excluded':
      return ask.free && provider.metered ? 'may cost money' : 'was left out: an attempt there has failed'
    case 'strategy':
      return 'is not what the strategy requires'
    case 'resting': {
      const seconds = Math.ceil((restsUntil(world.health, target, scene.nowMs) - scene.nowMs) / 1_000)
      return `rests for ${seconds} s: ${whyResting(world.health, target, scene.nowMs)}`
    }
  }
}

function lack(what: string | undefined, { model, provider }: Candidate, ask: Decision['ask']): string {
  if (what === 'context') return `holds ${model.context_window} tokens, ${ask.context} are needed`
  if (what === 'output') return `answers with ${model.max_output} tokens at most, ${ask.output} are asked for`
  if (what === 'tool_count') return `takes ${provider.max_tools} tools at most, ${ask.tools} are sent`
  if (what === 'size') return 'does not take files of this size'
  return `cannot do ${what}`
}

function spent(opensInMs: number | undefined): string {
  return opensInMs === undefined ? 'quota is spent' : `quota is spent, more in ${Math.ceil(opensInMs / 1_000)} s`
}

function once(entries: Explained['passed_over']): Explained['passed_over'] {
  const seen = new Set<string>()
  return entries.filter((entry) => {
    const key = `${entry.provider} ${entry.account ?? ''} ${entry.model ?? ''}`
    const isNew = !seen.has(key)
    seen.add(key)
    return isNew
  })
}
