// Pure. The instant of a time that was written without its zone, as by providers who think in their own.

/** `localMs` reads that time as if it were UTC. `zone` is an IANA name. */
export function toInstant(zone: string, localMs: number): number {
  const guess = localMs - offsetMs(zone, localMs)
  // Where the clocks change in between, the offset at the goal counts.
  return localMs - offsetMs(zone, guess)
}

function offsetMs(timeZone: string, atMs: number): number {
  const fields = { year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric', second: 'numeric' } as const
  const parts = new Intl.DateTimeFormat('en-US', { timeZone, hourCycle: 'h23', ...fields }).formatToParts(atMs)
  const at = (type: string) => Number(parts.find((part) => part.type === type)?.value)
  return Date.UTC(at('year'), at('month') - 1, at('day'), at('hour'), at('minute'), at('second')) - Math.floor(atMs / 1000) * 1000
}
