// Pure. What one address may do only so often a minute. Wrong credentials are counted overall as well: whoever guesses is slowed down,
// whoever knows is never asked to wait.

export interface Throttle {
  /**
   * Notes one more. Returns for how many ms further ones are refused unseen, or 0 while they are still looked at.
   */
  note(network: string, nowMs: number): number
}

export interface ThrottleOptions {
  /** The first within a minute that is refused. */
  fromThe: number
  /** Whether that holds for all addresses together as well. */
  overall: boolean
}

const WINDOW_MS = 60_000
/** An attacker with many addresses must not fill the memory; the overall count holds all the same. */
const MAX_NETWORKS = 10_000

interface Count {
  /** Times of the last ones, oldest first; no more than matter. */
  atMs: number[]
}

export function createThrottle({ fromThe, overall: together }: ThrottleOptions = { fromThe: 10, overall: true }): Throttle {
  const networks = new Map<string, Count>()
  const overall: Count = { atMs: [] }

  return {
    note(network, nowMs) {
      const own = networks.get(network) ?? { atMs: [] }
      // The latest comes last, so that the first are those to forget.
      networks.delete(network)
      networks.set(network, own)
      const waitMs = Math.max(note(own, fromThe, nowMs), together ? note(overall, fromThe, nowMs) : 0)
      forget(networks, nowMs)
      return waitMs
    },
  }
}

function note(count: Count, fromThe: number, nowMs: number): number {
  while (count.atMs.length > 0 && nowMs - (count.atMs[0] as number) >= WINDOW_MS) count.atMs.shift()
  count.atMs.push(nowMs)
  if (count.atMs.length < fromThe) return 0
  // So many are enough to know; when the oldest of them has left the window, the next is answered again.
  if (count.atMs.length > fromThe) count.atMs.shift()
  return (count.atMs[0] as number) + WINDOW_MS - nowMs
}

function forget(networks: Map<string, Count>, nowMs: number): void {
  for (const [network, { atMs }] of networks) {
    const stale = nowMs - (atMs[atMs.length - 1] ?? Number.NEGATIVE_INFINITY) >= WINDOW_MS
    if (!stale && networks.size <= MAX_NETWORKS) return
    networks.delete(network)
  }
}
