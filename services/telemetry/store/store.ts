// The port to the database of telemetry. Two adapters, SQLite and MongoDB; one contract suite holds both to the rules below.

import type { Event } from '#contracts/event.ts'
import type { Totals } from '../totals.ts'

export type { Totals } from '../totals.ts'

/** A message of the log that could not be read. */
export interface DeadLetter {
  /** Of the message; the same one again is kept once. */
  id: string
  /** In ms since 1970. */
  at: number
  reason: string
  /** The beginning of the message. */
  text: string
}

export interface EventStore {
  /** In words, without credentials. */
  readonly name: string
  /**
   * In any order, any number of times. Resolves with the ids of those that are durably stored now, also if they were before;
   * the others have to come again. Throws when the store is down.
   */
  save(events: readonly Event[]): Promise<{ saved: string[] }>
  /** Resolves once it is durable. */
  bury(letter: DeadLetter): Promise<void>
  /** Of the records that were last heard of from `sinceMs` on and before `untilMs`, in ms since 1970. */
  totals(sinceMs: number, untilMs: number): Promise<Totals>
  close(): Promise<void>
}

/** Records are kept for this long after they were last heard of. */
export const KEPT_MS = 30 * 24 * 60 * 60 * 1000
