// The port to the database of telemetry. Two adapters, SQLite and MongoDB; one contract suite holds both to the rules below.

import type { Event } from '#contracts/event.ts'
import type { RequestRecord } from '../record.ts'
import type { Cell, Span } from '../tally.ts'

/** What could not be read of a message of the log. */
export interface DeadLetter {
  /** Of the message; the same one again is kept once. */
  id: string
  /** In ms since 1970. */
  at: number
  reason: string
  /** As a message of its own: its facts that could not be read, or the beginning of what is no message at all. */
  text: string
}

export interface RecordFilter {
  client?: string | undefined
  provider?: string | undefined
  model?: string | undefined
  /** `open`: not ended. */
  outcome?: string | undefined
  /** First heard of from `since` on and before `until`, in ms since 1970. */
  since?: number | undefined
  until?: number | undefined
}

export interface RecordPage {
  /** Newest first, by when they were first heard of. */
  records: RequestRecord[]
  /** Where the next page begins; null when there is none. A page that looked at many records and found few ends early. */
  next: string | null
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
  /** The latest first. A cursor that is not ours begins there. */
  letters(cursor: string | undefined, limit: number): Promise<{ letters: DeadLetter[]; next: string | null }>
  letter(id: string): Promise<DeadLetter | undefined>
  /** It may be gone already. */
  forget(id: string): Promise<void>
  /**
   * Brings the roll-ups up to what is saved, as far as it is due; `all`: at once and altogether. Where they are written with
   * the records there is nothing to do. Any number of replicas may do it at the same time.
   */
  rollUp(all?: boolean): Promise<void>
  /** Roll-ups whose minute or hour begins from `from` on and before `to`. Hours cost less; both say the same. */
  cells(span: Span, from: number, to: number): AsyncIterable<Cell[]>
  /** `limit` records or fewer. A cursor that is not ours begins at the newest. */
  page(filter: RecordFilter, cursor: string | undefined, limit: number): Promise<RecordPage>
  find(id: string): Promise<RequestRecord | undefined>
  /** Every record that was first heard of from `from` on and before `to`. */
  records(from: number, to: number): AsyncIterable<RequestRecord[]>
  /** Requests without any end that were first heard of before `before`, the oldest first. */
  unended(before: number, limit: number): Promise<RequestRecord[]>
  close(): Promise<void>
}

const DAY_MS = 24 * 60 * 60 * 1000
export interface Retention {
  requestsMs: number
  minutesMs: number
  hoursMs: number
}
/** Minutes have to outlive the longest window that can be asked for. */
export const retention: Retention = { requestsMs: 7 * DAY_MS, minutesMs: 8 * DAY_MS, hoursMs: 400 * DAY_MS }

/** `<first>.<id>`: where a page ended. */
export function cursorOf({ first, id }: { first: number; id: string }): string {
  return `${first}.${id}`
}

export function readCursor(cursor: string | undefined): { first: number; id: string } {
  const [, first, id = ''] = /^(\d{1,16})\.(.*)$/.exec(cursor ?? '') ?? []
  return first === undefined ? { first: Number.MAX_SAFE_INTEGER, id: '' } : { first: Number(first), id }
}
