// Pure. One key used from many addresses at once: a sign that it was passed on. Counted by this process.

/** How long the use from an address counts. */
const WINDOW_MS = 600_000
const MAX_KEYS = 10_000

export interface Overlap {
  /** For how many ms the key is refused, since it is used from more than `most` addresses; 0: it is not. */
  seen(id: string, network: string, most: number, nowMs: number): number
}

export function watchOverlap(): Overlap {
  /** Account → network → last use, the latest last. */
  const uses = new Map<string, Map<string, number>>()
  return {
    seen(id, network, most, nowMs) {
      const networks = uses.get(id) ?? new Map<string, number>()
      uses.delete(id)
      uses.set(id, networks)
      if (uses.size > MAX_KEYS) uses.delete(uses.keys().next().value as string)
      for (const [other, atMs] of networks) if (nowMs - atMs >= WINDOW_MS) networks.delete(other)
      // Those that were let in first stay; a further one is not noted, and waits until one of them is gone.
      if (!networks.has(network) && networks.size >= most) return Math.min(...networks.values()) + WINDOW_MS - nowMs
      networks.delete(network)
      networks.set(network, nowMs)
      return 0
    },
  }
}
