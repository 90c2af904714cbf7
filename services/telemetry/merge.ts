// Pure. Turns facts into changes of records. Changes commute and may be repeated: each fact writes places that are its own,
// and the time of a record only goes back. So neither the order nor the number of deliveries matters.

import type { Event } from '#contracts/event.ts'

export type Fields = Record<string, string | number | boolean | null | undefined>

/**
 * By place, each written by one fact alone: `start`, `end`, `reaped` (an end that telemetry found out, see reaper.ts),
 * and of the attempt n `attempts.<n>.granted`, `attempts.<n>.ingress`, `attempts.<n>.worker`. A fact may write several.
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
    change.first = Math.min(change.first, beganAt(event))
    place(change.parts, event)
    change.facts.push(event.id)
  }
  return { requests: [...requests.values()], dropped }
}

type RequestEvent = Exclude<Event, { name: 'drop.count' }>

/** An end says as well when its request began. */
function beganAt(event: RequestEvent): number {
  return event.name === 'req.end' ? Math.min(event.at, Math.round(event.at - event.duration_ms)) : event.at
}

/** The content is what the key and the place do not say already. */
function place(parts: Parts, event: RequestEvent): void {
  switch (event.name) {
    case 'req.start': {
      const { id: _id, name: _name, request: _request, granted, ...start } = event
      parts.start = start
      if (granted) {
        const { n, ...content } = granted
        parts[`attempts.${n}.granted`] = content
      }
      return
    }
    case 'att.granted': {
      const { id: _id, name: _name, request: _request, n, ...content } = event
      parts[`attempts.${n}.granted`] = content
      return
    }
    case 'att.end': {
      const { id, name: _name, request: _request, n, ...content } = event
      // Ingress and worker tell the end of an attempt, each for itself.
      parts[`attempts.${n}.${id.endsWith('.ingress') ? 'ingress' : 'worker'}`] = content
      return
    }
    case 'req.end': {
      const { at, provider, model, last } = event
      // Telemetry itself speaks only where nobody else did.
      parts[event.id.endsWith('.telemetry') ? 'reaped' : 'end'] = endOf(event)
      if (!last) return
      const { n, worker, account, granted_at, result, sent, in: tokensIn, out, ttfb_ms, duration_ms } = last
      const used = { in: tokensIn, out, ttfb_ms, duration_ms }
      parts[`attempts.${n}.ingress`] = { at, provider, model, worker, account, granted_at, result, sent, ...used }
    }
  }
}

/** Field by field: this is on the way of every request, and leaving fields out of a copy takes several times as long. */
function endOf(event: Extract<Event, { name: 'req.end' }>): Fields {
  const { at, outcome, status, provider, model, attempts, in: tokensIn, out, duration_ms, ttfb_ms } = event
  const { client, format, strategy, asked, error, stream, trace } = event
  return {
    at,
    outcome,
    status,
    provider,
    model,
    attempts,
    in: tokensIn,
    out,
    duration_ms,
    ttfb_ms,
    client,
    format,
    strategy,
    asked,
    error,
    stream,
    trace,
  }
}
