// Pure. Turns facts into changes of records. Changes commute and may be repeated: each fact writes a place that is its own,
// and times only grow. So neither the order nor the number of deliveries matters, and nothing is ever added up while writing.

import type { Event } from '#contracts/event.ts'

export type Fields = Record<string, string | number | boolean | null>

/** The parts that a record of each kind may have; each is written by one fact alone. */
export const partsOf = {
  request: ['start', 'end'],
  attempt: ['granted', 'ingress', 'worker'],
  dropped: ['fact'],
} as const
export type Kind = keyof typeof partsOf
export const kinds = Object.keys(partsOf) as Kind[]

export interface Change {
  kind: Kind
  /** Of the record: the request, `<request>.<n>`, or the id of the fact. */
  key: string
  /** When the record was last heard of, in ms since 1970; only grows. */
  at: number
  /** Written when the record is made; follows from the key. */
  fixed: Fields
  parts: Record<string, Fields>
  /** The facts that are stored once this change is. */
  facts: string[]
}

/** One change for each record that the facts touch. An attempt also touches its request: what is only known by its attempts counts as well. */
export function changesOf(events: readonly Event[]): Change[] {
  const changes = new Map<string, Change>()

  function touch(kind: Kind, key: string, { id, at }: Event, fixed: Fields = {}): Change {
    const place = `${kind} ${key}`
    const change = changes.get(place) ?? { kind, key, at, fixed, parts: {}, facts: [] }
    changes.set(place, change)
    change.at = Math.max(change.at, at)
    change.facts.push(id)
    return change
  }

  for (const event of events) {
    const { name } = event
    if (name === 'drop.count') {
      touch('dropped', event.id, event).parts.fact = { at: event.at, instance: event.instance, dropped: event.dropped }
      continue
    }
    const request = touch('request', event.request, event)
    if (name === 'req.start') request.parts.start = contentOf(event)
    else if (name === 'req.end') request.parts.end = contentOf(event)
    else {
      const attempt = touch('attempt', `${event.request}.${event.n}`, event, { request: event.request, n: event.n })
      attempt.parts[name === 'att.granted' ? 'granted' : tellerOf(event)] = contentOf(event)
    }
  }
  return [...changes.values()]
}

/** Ingress and worker tell the end of an attempt, each for itself. */
function tellerOf({ id }: Event): 'ingress' | 'worker' {
  return id.endsWith('.ingress') ? 'ingress' : 'worker'
}

/** What the key of the record does not say already. */
function contentOf(event: Exclude<Event, { name: 'drop.count' }>): Fields {
  const { id: _id, name: _name, request: _request, ...content } = event
  if (!('n' in content)) return content
  const { n: _n, ...rest } = content
  return rest
}
