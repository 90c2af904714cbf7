// The ports every service rides on: messages, key-value and the event log.
// Two adapters each (NATS, in-process); one contract suite holds both to the rules below.

import type { Message } from './message.ts'
import type { Pattern, Subject } from './subjects.ts'

export interface BusMessage {
  readonly subject: string
  readonly data: Uint8Array
  /** The message that `data` stands for, if it was sent in this process. */
  readonly said?: Message | undefined
  /** Where the sender wants the answer. */
  readonly reply?: string
  readonly headers?: ReadonlyMap<string, string>
  /** Nobody listens on what was sent with this subject as its reply; `data` is then empty. */
  readonly noResponders: boolean
}

export interface Subscription {
  /** Nothing new comes in. A member of a queue group still gets what was handed to it before. */
  unsubscribe(): void
}

export type BusStatus = 'disconnected' | 'reconnected' | 'lame_duck' | 'closed'

/**
 * Plain messages: at most once, ordered per publisher and subject, always asynchronous.
 * A handler that throws disturbs neither the publisher nor other handlers.
 */
export interface Bus {
  readonly connected: boolean
  readonly topology: 'single' | 'cluster'
  /** Largest `data` in bytes. */
  readonly maxPayload: number
  /**
   * False when not connected: nothing is queued. Throws PayloadTooLarge before anything is sent.
   * If nobody listens on `to`, this handle's own plain subscription that matches `reply`
   * receives a message with `noResponders`. The caller may reuse bytes afterwards.
   */
  publish(to: Subject, data: Uint8Array | Message, options?: { reply?: Subject; headers?: Record<string, string> }): boolean
  /** With `queue`, exactly one member of the group receives each message. */
  subscribe(pattern: Pattern, onMessage: (message: BusMessage) => void, options?: { queue?: string }): Subscription
  /** Rejects with NoResponders, Disconnected, RequestTimeout, or the signal's reason. */
  request(to: Subject, data: Uint8Array | Message, options: { timeoutMs: number; signal?: AbortSignal }): Promise<BusMessage>
  /** Resolves when everything published so far has reached the broker. */
  flush(): Promise<void>
  onStatus(listener: (status: BusStatus) => void): void
}

export interface KeyValueEntry {
  readonly key: string
  /** Undefined when the key was deleted. */
  readonly value: Uint8Array | undefined
  readonly revision: number
}

/** Keys are dot-separated tokens `[A-Za-z0-9_-]{1,40}`; patterns may hold `*` and `>`. */
export interface KeyValue {
  get(key: string): Promise<KeyValueEntry | undefined>
  /** Writes whatever stands there. Returns the new revision. */
  put(key: string, value: Uint8Array): Promise<number>
  /** Writes only over `revision` (0: only if the key is absent or deleted); else throws RevisionConflict. */
  update(key: string, value: Uint8Array, revision: number): Promise<number>
  delete(key: string): Promise<void>
  /** Calls `onEntry` for every present key, then resolves, then for every change, in order of revision. */
  watch(pattern: string, onEntry: (entry: KeyValueEntry) => void): Promise<Subscription>
}

export interface LoggedEvent {
  readonly subject: string
  readonly id: string
  readonly data: Uint8Array
  /** How often this event was handed out, from 1. */
  readonly deliveries: number
  ack(): Promise<void>
  /** Hand it out again, at once or after `delayMs`. */
  nak(delayMs?: number): void
  /** Never hand it out again. */
  term(): void
}

export interface EventConsumerOptions {
  /** Durable name; consumers of the same name share the work. */
  durable: string
  maxBatch: number
  /** How long a batch waits to fill, in ms. */
  maxWaitMs: number
  /** Unacknowledged events are handed out again after this time, in ms. */
  ackWaitMs: number
}

/** An append-only, durable log. An id seen in the last ten minutes is stored once. */
export interface EventLog {
  /** Resolves once the event is stored. Rejects with Disconnected, RequestTimeout or LogFull. */
  append(subject: Subject, id: string, data: Uint8Array): Promise<void>
  consume(options: EventConsumerOptions, onBatch: (events: LoggedEvent[]) => Promise<void>): Promise<Subscription>
}

/** Everything one service process needs of the broker. Closing it closes all three. */
export interface Backbone {
  readonly bus: Bus
  readonly events: EventLog
  /** Where `bucketAgesMs` has an age for the bucket, an entry is gone so long after it was last written; no watcher is told. */
  keyValue(bucket: string): Promise<KeyValue>
  close(): Promise<void>
}

class BusError extends Error {
  override get name() {
    return this.constructor.name
  }
}
/** Nobody listens on the subject. */
export class NoResponders extends BusError {}
/** The connection to the broker is down. */
export class Disconnected extends BusError {}
/** No answer in time. */
export class RequestTimeout extends BusError {}
/** More than `maxPayload` bytes. */
export class PayloadTooLarge extends BusError {}
/** The key was changed by somebody else since `revision`. */
export class RevisionConflict extends BusError {}
/** The event log has no room. */
export class LogFull extends BusError {}
