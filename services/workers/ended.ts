// Pure. Attempts that are over, and whether they had been granted: a late offer or grant must never start a second call.
// Kept in two generations instead of one by one: a busy worker ends thousands a second, and objects that live for a minute are dear.

export interface Ended {
  add(key: string, granted: boolean, nowMs: number): void
  has(key: string): boolean
  wasGranted(key: string): boolean
}

/** An attempt is remembered this long at least, and twice as long at most. */
const KEPT_MS = 60_000
/** Of a generation. More end in a minute only where each lasts a few milliseconds: their late grants are long denied. */
const MAX_KEPT = 200_000

interface Generation {
  granted: Set<string>
  others: Set<string>
}

export function rememberEnded(nowMs: number): Ended {
  let current = newGeneration()
  let before = newGeneration()
  let sinceMs = nowMs
  return {
    add(key, granted, nowMs) {
      if (nowMs - sinceMs >= KEPT_MS || current.granted.size + current.others.size >= MAX_KEPT) {
        before = current
        current = newGeneration()
        sinceMs = nowMs
      }
      ;(granted ? current.granted : current.others).add(key)
    },
    has: (key) => [current, before].some(({ granted, others }) => granted.has(key) || others.has(key)),
    wasGranted: (key) => current.granted.has(key) || before.granted.has(key),
  }
}

function newGeneration(): Generation {
  return { granted: new Set(), others: new Set() }
}
