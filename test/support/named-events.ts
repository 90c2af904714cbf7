// A stream of the formats whose every event has a name on the wire, read whole.

import { expect } from 'vitest'
import { SseReader } from '#contracts/wire/sse.ts'

/** The data of its events, each checked to be named by its own `type`, and the last to be complete. */
export function namedEvents<Event extends { type: string }>(text: string): Event[] {
  const events: Event[] = []
  const reader = new SseReader(({ event, data }) => {
    const read = JSON.parse(data) as Event
    expect(event).toBe(read.type)
    events.push(read)
  })
  reader.push(new TextEncoder().encode(text))
  expect(reader.pending).toBe(false)
  return events
}
