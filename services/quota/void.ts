// Pure. Taking back what a replica took near the limit for an attempt that came to nothing: its owner may be dead, so anybody may do it.
// Owner and others may both come to do it; whoever writes first has done it, and the other finds that out from the entry.

import { charge, type Entry, type Fresh } from './entry.ts'

/** What one replica has to say of single reservations with its next write. */
export interface Corrections {
  /** Taken back in place of their owner. */
  voids: Set<string>
  /** Our own, given back by us already. */
  returned: Map<string, Fresh['uses']>
}

export const noCorrections = (): Corrections => ({ voids: new Set(), returned: new Map() })

interface Taken {
  id: string
  meters: readonly { key: string }[]
  amounts: readonly number[]
}

/** A reservation that nobody may take back any more. `cells`: until when it counts, by meter. */
export function setReturned({ returned }: Corrections, { id, meters, amounts }: Taken, cells: readonly (readonly number[])[]): void {
  returned.set(
    id,
    meters.map((meter, i) => [meter.key, cells[i] ?? [], amounts[i] ?? 0]),
  )
}

export function correct(entry: Entry, { voids, returned }: Corrections, me: string, nowMs: number): void {
  const { fresh = {}, voided = {}, used, holds } = entry
  for (const [id, uses] of returned) {
    // It was taken back twice.
    if (voided[id] !== undefined) for (const [key, until, amount] of uses) chargeAll(used, key, until, amount, nowMs)
    delete voided[id]
    delete fresh[id]
  }
  for (const id of voids) {
    const one = fresh[id]
    if (!one || one.by === me) continue
    for (const [key, until, amount] of one.uses) {
      if (until.length > 0) chargeAll(used, key, until, -amount, nowMs)
      else takeFromHold(holds, one.by, key, amount)
    }
    delete fresh[id]
    voided[id] = nowMs
  }
}

function chargeAll(used: Entry['used'], key: string, until: readonly number[], amount: number, nowMs: number): void {
  for (const untilMs of until) if (untilMs > nowMs) charge(used, key, untilMs, amount)
}

function takeFromHold(holds: Entry['holds'], owner: string, key: string, amount: number): void {
  const hold = holds[owner]
  if (hold) holds[owner] = { ...hold, held: { ...hold.held, [key]: Math.max(0, (hold.held[key] ?? 0) - amount) } }
}

/** Forgets what has been told. */
export function corrected(corrections: Corrections, told: Corrections): void {
  for (const id of told.voids) corrections.voids.delete(id)
  for (const id of told.returned.keys()) corrections.returned.delete(id)
}

export const copyOf = ({ voids, returned }: Corrections): Corrections => ({ voids: new Set(voids), returned: new Map(returned) })
