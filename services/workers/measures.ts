// What a worker measures: calls that are under way, by which it is scaled, and what calls came to.

import { counter, gauge } from '#services/metrics.ts'

const calls = counter('freeway.worker.calls', { description: 'Calls to providers that are over, by what they came to.' })

/** `result`: as in events; what stands in its brackets is left out, for it may be one of many. */
export function countCall(provider: string, result: string): void {
  calls.add(1, { provider, result: result.split('(', 1)[0] as string })
}

/** Returns a function that ends it. */
export function measurePlaces(
  places: () => Iterable<{ provider: { name: string; max_concurrency: number }; inFlight: number }>,
): () => void {
  const each = (figure: (place: { provider: { name: string; max_concurrency: number }; inFlight: number }) => number) => () =>
    [...places()].map((place) => ({ value: figure(place), labels: { provider: place.provider.name } }))
  const ends = [
    gauge(
      'freeway.worker.inflight',
      { description: 'Calls that are under way.' },
      each(({ inFlight }) => inFlight),
    ),
    gauge(
      'freeway.worker.capacity',
      { description: 'Calls that this process takes at once.' },
      each(({ provider }) => provider.max_concurrency),
    ),
  ]
  return () => {
    for (const end of ends) end()
  }
}
