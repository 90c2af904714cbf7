// What telemetry measures: how far behind it is, what it has stored, and what nobody could read.

import { counter, gauge } from '#services/metrics.ts'

const saved = counter('freeway.events.saved', { description: 'Facts that are durable in the store.' })
const dead = counter('freeway.events.dead', { description: 'Messages of the log that could not be read and are kept as dead letters.' })

export function countSaved(facts: number): void {
  if (facts > 0) saved.add(facts)
}

export function countDead(): void {
  dead.add(1)
}

/** `lagMs`: the age of the oldest fact stored last. Returns a function that ends it. */
export function measureStore(telemetry: { lagMs: number; down: boolean }): () => void {
  const ends = [
    gauge('freeway.event.lag', { description: 'Age of the oldest fact of those stored last.', unit: 's' }, () => [
      { value: telemetry.lagMs / 1000 },
    ]),
    gauge('freeway.store.up', { description: '1 unless the last write to the store failed.' }, () => [{ value: Number(!telemetry.down) }]),
  ]
  return () => {
    for (const end of ends) end()
  }
}
