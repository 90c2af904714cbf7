// How many events wait to be stored, by the role that tells them: what grows here is missing from analytics, for now or for good.

import { gauge, total } from './metrics.ts'
import type { Outbox } from './outbox.ts'

/** Returns a function that ends it. */
export function measureOutbox(role: string, outbox: Outbox): () => void {
  const labels = { role }
  const ends = [
    gauge('freeway.outbox.events', { description: 'Events in memory that the log has not acknowledged.' }, () => [
      { value: outbox.depth.events, labels },
    ]),
    gauge('freeway.outbox.spool', { description: 'Events in the file that is used when memory is full.', unit: 'By' }, () => [
      { value: outbox.depth.spoolBytes, labels },
    ]),
    total('freeway.outbox.dropped', { description: 'Events that are lost for good, since the start.' }, () => [
      { value: outbox.depth.dropped, labels },
    ]),
  ]
  return () => {
    for (const end of ends) end()
  }
}
