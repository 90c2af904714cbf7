// Pure. Whether the bucket is away, and for how long after its return it still counts as away: everybody first tells what was spent
// meanwhile, by an equal part each; only then is the rest taken.

export const RETRY_MS = 250
const CAUTIOUS_MS = 3 * RETRY_MS

export interface Outage {
  away: boolean
  cautiousUntilMs: number
}

export function answered(outage: Outage, nowMs: number): void {
  if (outage.away) outage.cautiousUntilMs = nowMs + CAUTIOUS_MS
  outage.away = false
}

export function isAlone({ away, cautiousUntilMs }: Outage, nowMs: number): boolean {
  return away || nowMs < cautiousUntilMs
}
