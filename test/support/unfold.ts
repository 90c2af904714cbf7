// A fact that says several things at once, as the facts that say them one by one.

import type { Event } from '#contracts/event.ts'

/** With the ids that the single facts would have had, so that whoever hears something twice knows it. */
export function unfold(fact: Event): Event[] {
  switch (fact.name) {
    case 'req.start': {
      const { granted, ...start } = fact
      return granted ? [start, grantOf(fact.request, granted)] : [start]
    }
    case 'req.end': {
      const { last, ...end } = fact
      if (!last) return [end]
      const { worker, granted_at, ...told } = last
      const { request, at } = fact
      const [provider, model] = [fact.provider ?? '', fact.model ?? '']
      const id = `${request}.${last.n}.att.end.ingress`
      return [
        grantOf(request, { n: last.n, provider, worker, at: granted_at }),
        { id, at, name: 'att.end', request, provider, model, ...told },
        end,
      ]
    }
    default:
      return [fact]
  }
}

function grantOf(request: string, { n, ...granted }: { n: number; provider: string; worker: string; at: number }): Event {
  return { id: `${request}.${n}.att.granted.ingress`, name: 'att.granted', request, n, ...granted }
}

/** When the request of this fact began at the latest. */
export function beganAt(fact: Exclude<Event, { name: 'drop.count' }>): number {
  return fact.name === 'req.end' ? Math.min(fact.at, Math.round(fact.at - fact.duration_ms)) : fact.at
}
