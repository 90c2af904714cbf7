// Pure. Wrong credentials, counted by address and overall: whoever guesses is slowed down, whoever knows is never asked to wait.

export interface Throttle {
  /**
   * Notes a wrong credential. Returns for how many ms further ones are refused unseen, or 0 while guessing is still answered:
   * from the tenth within a minute on, of one address or of all together.
   */
  wrong(network: string, nowMs: number): number
}

const WINDOW_MS = 60_000
const FROM_THE = 10
/** An attacker with many addresses must not fill the memory; the overall count holds all the same. */
const MAX_NETWORKS = 10_000

interface Count {
  /** Times of the last wrong ones, oldest first; no more than matter. */
  atMs: number[]
}

export function createThrottle(): Throttle {
  const networks = new Map<string, Count>()
  const overall: Count = { atMs: [] }

  return {
    wrong(network, nowMs) {
      const own = networks.get(network) ?? { atMs: [] }
      // The latest comes last, so that the first are those to forget.
      networks.delete(network)
      networks.set(network, own)
      const waitMs = Math.max(note(own, nowMs), note(overall, nowMs))
      forget(networks, nowMs)
      return waitMs
    },
  }
}

function note(count: Count, nowMs: number): number {
  while (count.atMs.length > 0 && nowMs - (count.atMs[0] as number) >= WINDOW_MS) count.atMs.shift()
  count.atMs.push(nowMs)
  if (count.atMs.length < FROM_THE) return 0
  // Ten are enough to know; when the oldest of them has left the window, the next is answered again.
  if (count.atMs.length > FROM_THE) count.atMs.shift()
  return (count.atMs[0] as number) + WINDOW_MS - nowMs
}

function forget(networks: Map<string, Count>, nowMs: number): void {
  for (const [network, { atMs }] of networks) {
    const stale = nowMs - (atMs[atMs.length - 1] ?? Number.NEGATIVE_INFINITY) >= WINDOW_MS
    if (!stale && networks.size <= MAX_NETWORKS) return
    networks.delete(network)
  }
}
