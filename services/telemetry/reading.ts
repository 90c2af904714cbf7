// Pure. A message of the event log: its facts, and what is wrong with it. One bad fact takes no other with it.

import { createHash } from 'node:crypto'
import { type Event, event, isEvent } from '#contracts/event.ts'

export interface ReadMessage {
  events: Event[]
  /** What has to be kept as a dead letter. */
  fault: { id: string; reason: string; text: string } | undefined
}

/** More than any batch of ours holds. */
const MAX_TEXT_BYTES = 512 * 1024

const decoder = new TextDecoder()

/** Never throws. */
export function readMessage(id: string, data: Uint8Array): ReadMessage {
  const { facts, reason } = factsOf(data)
  const events: Event[] = []
  const unreadable: unknown[] = []
  let fault = reason
  for (const fact of facts) {
    if (isEvent(fact)) events.push(fact)
    else {
      unreadable.push(fact)
      fault ??= faultOf(fact)
    }
  }
  if (fault === undefined) return { events, fault: undefined }
  const text =
    unreadable.length > 0
      ? JSON.stringify({ events: unreadable }).slice(0, MAX_TEXT_BYTES)
      : decoder.decode(data.subarray(0, MAX_TEXT_BYTES))
  // Whoever is not one of ours may have given it no id.
  return { events, fault: { id: id || createHash('sha256').update(data).digest('hex'), reason: fault, text } }
}

function faultOf(fact: unknown): string {
  const { issues = [] } = event.safeParse(fact).error ?? {}
  return issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ') || 'not a fact'
}

function factsOf(data: Uint8Array): { facts: unknown[]; reason?: string } {
  try {
    const batch: unknown = JSON.parse(decoder.decode(data))
    const { events } = (batch ?? {}) as { events?: unknown }
    return Array.isArray(events) ? { facts: events } : { facts: [], reason: 'events: expected an array' }
  } catch (error) {
    return { facts: [], reason: (error as Error).message }
  }
}
