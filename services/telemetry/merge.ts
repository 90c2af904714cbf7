// Pure. Turns facts into changes of records. Changes commute and may be repeated: each fact writes a place that is its own,
// and the time of a record only goes back. So neither the order nor the number of deliveries matters.

import type { Event } from '#contracts/event.ts'

export type Fields = Record<string, string | number | boolean | null | undefined>

/**
 * By place, each written by one fact alone: `start`, `end`, `reaped` (an end that telemetry found out, see reaper.ts),
 * and of the attempt n `attempts.<n>.granted`, `attempts.<n>.ingress`, `attempts.<n>.worker`.
 */
export type Parts = Record<string, Fields>

/** What is to be written of one request. */
export interface Change {
  /** Of the request. */
  key: string
  /** When the request was first heard of, in ms since 1970; only goes back. */
  first: number
  parts: Parts
  /** The facts that are stored once this change is. */
  facts: string[]
}

/** Facts that the outbox of a process could not keep. */
export interface Dropped {
  key: string
  at: number
  instance: string
  dropped: number
}

export interface Changes {
  /** One for each request that the facts touch. */
  requests: Change[]
  dropped: Dropped[]
}

export function changesOf(events: readonly Event[]): Changes {
  const requests = new Map<string, Change>()
  const dropped: Dropped[] = []
  for (const event of events) {
    if (event.name === 'drop.count') {
      dropped.push({ key: event.id, at: event.at, instance: event.instance, dropped: event.dropped })
      continue
    }
    let change = requests.get(event.request)
    if (!change) {
      change = { key: event.request, first: event.at, parts: {}, facts: [] }
      requests.set(event.request, change)
    }
    if (event.at < change.first) change.first = event.at
    change.parts[placeOf(event)] = contentOf(event)
    change.facts.push(event.id)
  }
  return { requests: [...requests.values()], dropped }
}

type RequestEvent = Exclude<Event, { name: 'drop.count' }>

function placeOf(event: RequestEvent): string {
  if (event.name === 'req.start') return 'start'
  // Telemetry itself speaks only where nobody else did.
  if (event.name === 'req.end') return event.id.endsWith('.telemetry') ? 'reaped' : 'end'
  if (event.name === 'att.granted') return `attempts.${event.n}.granted`
  // Ingress and worker tell the end of an attempt, each for itself.
  return `attempts.${event.n}.${event.id.endsWith('.ingress') ? 'ingress' : 'worker'}`
}

/** What the key and the place do not say already. */
function contentOf(event: RequestEvent): Fields {
  const { id: _id, name: _name, request: _request, ...content } = event
  if ('n' in content) {
    const { n: _n, ...rest } = content
    return rest
  }
  return content
}
