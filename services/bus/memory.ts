// The broker inside the process: the same rules as NATS, without a server. The default of a single process.
// Delivery takes one setImmediate for a burst of messages. Every receiver gets its own copy of bytes; messages are handed on as they are.

import { type Backbone, type Bus, type BusMessage, type BusStatus, Disconnected, PayloadTooLarge } from '#contracts/bus.ts'
import { Message } from '#contracts/message.ts'
import type { Pattern, Subject } from '#contracts/subjects.ts'
import { requestInboxPrefix } from '#contracts/subjects.ts'
import { type Faults, openFaults } from './faults.ts'
import { callHandler } from './handler.ts'
import { openMemoryEventLog } from './memory-event-log.ts'
import { openMemoryBucket } from './memory-key-value.ts'
import { openRequests } from './requests.ts'
import { openStore } from './sqlite.ts'
import { lockFile } from './sqlite-lock.ts'
import { type Arrival, copyOf, NOTHING, type Receiver, type Subscriber, Switchboard, type Task } from './switchboard.ts'

export interface Broker {
  /** One handle for each service. `name` must be a subject token. */
  connect(name: string): Backbone
  /** Test hooks for a handle that `connect` returned. */
  faults(backbone: Backbone): Faults
  close(): Promise<void>
}

export interface MemoryBrokerOptions {
  /** SQLite file for key-value and events; its folder must exist. Without one they last as long as the broker. */
  file?: string
  /** Bytes of event data the log holds before it refuses more. */
  maxLogBytes?: number
}

/** What key-value and event log need to know of the handle they are used through. */
export interface Handle {
  readonly connected: boolean
  readonly maxPayload: number
  /** Runs `task` in a later turn, in order with everything else that comes in on this handle. */
  receive(task: () => void): void
  /** These two return a function that ends it. */
  onReconnect(listener: () => void): () => void
  onClose(listener: () => void): () => void
}

const MAX_PAYLOAD_BYTES = 1024 * 1024
const DEFAULT_LOG_BYTES = 512 * 1024 * 1024

/** Rejects with SettingsError if another process has the file open. */
export async function openMemoryBroker({ file, maxLogBytes = DEFAULT_LOG_BYTES }: MemoryBrokerOptions = {}): Promise<Broker> {
  const lock = file === undefined ? undefined : lockFile(`${file}.lock`)
  const store = openStore(file ?? ':memory:')
  const switchboard = new Switchboard()
  const buckets = new Map<string, ReturnType<typeof openMemoryBucket>>()
  const log = openMemoryEventLog(store, maxLogBytes)
  const open = new Set<MemoryHandle>()
  const handleOf = new WeakMap<Backbone, MemoryHandle>()
  let count = 0

  function connect(name: string): Backbone {
    const handle = new MemoryHandle(switchboard, `${requestInboxPrefix(name)}.${++count}.ask`)
    const backbone: Backbone = {
      bus: handle,
      events: log.through(handle),
      async keyValue(bucket) {
        const opened = buckets.get(bucket) ?? openMemoryBucket(store, bucket)
        buckets.set(bucket, opened)
        return opened.through(handle)
      },
      async close() {
        open.delete(handle)
        handle.close()
      },
    }
    open.add(handle)
    handleOf.set(backbone, handle)
    return backbone
  }

  return {
    connect,
    faults(backbone) {
      const handle = handleOf.get(backbone)
      if (!handle) throw new Error('faults: this backbone was not opened by this broker')
      return openFaults(handle)
    },
    async close() {
      for (const handle of open) handle.close('closed')
      open.clear()
      log.close()
      store.close()
      lock?.release()
    },
  }
}

/** One service's connection. A frozen one still has interest, so that its peers see silence and no signal. */
class MemoryHandle implements Bus, Handle, Receiver {
  connected = true
  readonly topology = 'single'
  readonly maxPayload = MAX_PAYLOAD_BYTES
  readonly request: Bus['request']
  /** Set by tests alone: decides what becomes of a message addressed to this handle. */
  intercept: ((message: BusMessage, deliver: (message: BusMessage) => void) => void) | undefined

  readonly #switchboard: Switchboard
  readonly #subscriptions = new Map<Subscriber, string>()
  readonly #statusListeners = new Set<(status: BusStatus) => void>()
  readonly #closeListeners = new Set<() => void>()
  #held: Task[] | undefined
  #closed = false
  /** Counts connections: what was under way when one broke never arrives. */
  epoch = 0

  constructor(switchboard: Switchboard, inboxPrefix: string) {
    this.#switchboard = switchboard
    this.request = openRequests(this, inboxPrefix)
  }

  publish(to: Subject, data: Uint8Array | Message, options?: { reply?: Subject; headers?: Record<string, string> }): boolean {
    // What stands before a body is small.
    const { length } = data instanceof Message ? (data.body ?? NOTHING) : data
    if (length > MAX_PAYLOAD_BYTES) throw new PayloadTooLarge(`${length} bytes are more than the ${MAX_PAYLOAD_BYTES} that the bus takes`)
    if (!this.connected) return false
    const headers = options?.headers && new Map(Object.entries(options.headers))
    if (this.#held) {
      const copy = data instanceof Message ? data : copyOf(data)
      this.#held.push({ run: () => this.#switchboard.send(this, to, copy, options?.reply, headers) })
    } else this.#switchboard.send(this, to, data, options?.reply, headers)
    return true
  }

  subscribe(pattern: Pattern, onMessage: (message: BusMessage) => void, options?: { queue?: string }) {
    if (this.#closed) throw new Disconnected('subscribe: this handle is closed')
    const subscriber: Subscriber = { handle: this, queue: options?.queue, onMessage, active: true }
    this.#subscriptions.set(subscriber, pattern)
    if (this.connected) this.#switchboard.add(pattern, subscriber)
    return {
      unsubscribe: () => {
        if (!this.#subscriptions.delete(subscriber)) return
        subscriber.active = false
        if (this.connected) this.#switchboard.remove(pattern, subscriber)
      },
    }
  }

  async flush(): Promise<void> {
    if (!this.connected) throw new Disconnected('flush: the connection to the broker is down')
  }

  onStatus(listener: (status: BusStatus) => void): void {
    this.#statusListeners.add(listener)
  }

  onReconnect(listener: () => void): () => void {
    const onStatus = (status: BusStatus) => status === 'reconnected' && listener()
    this.onStatus(onStatus)
    return () => this.#statusListeners.delete(onStatus)
  }

  onClose(listener: () => void): () => void {
    this.#closeListeners.add(listener)
    return () => this.#closeListeners.delete(listener)
  }

  receive(task: () => void): void {
    const { epoch } = this
    this.#switchboard.schedule({
      run: () => {
        if (this.#held) this.#held.push({ run: task })
        else if (epoch === this.epoch) task()
      },
    })
  }

  arrive(arrival: Arrival): void {
    if (this.#held) this.#held.push({ run: () => arrival.deliver() })
    else if (arrival.epoch === this.epoch) arrival.deliver()
  }

  freeze(): void {
    this.#held ??= []
  }

  thaw(): void {
    const held = this.#held ?? []
    this.#held = undefined
    for (const task of held) this.#switchboard.schedule(task)
  }

  disconnect(): void {
    if (!this.connected) return
    this.connected = false
    this.epoch++
    for (const [subscriber, pattern] of this.#subscriptions) this.#switchboard.remove(pattern, subscriber)
    this.#tell('disconnected')
  }

  reconnect(): void {
    if (this.connected || this.#closed) return
    this.connected = true
    for (const [subscriber, pattern] of this.#subscriptions) this.#switchboard.add(pattern, subscriber)
    this.#tell('reconnected')
  }

  close(status?: BusStatus): void {
    if (this.#closed) return
    this.#closed = true
    if (this.connected) for (const [subscriber, pattern] of this.#subscriptions) this.#switchboard.remove(pattern, subscriber)
    for (const subscriber of this.#subscriptions.keys()) subscriber.active = false
    this.#subscriptions.clear()
    this.connected = false
    this.epoch++
    for (const listener of this.#closeListeners) listener()
    if (status) this.#tell(status)
  }

  #tell(status: BusStatus): void {
    this.#switchboard.schedule({
      run: () => {
        for (const listener of this.#statusListeners) callHandler(listener, status)
      },
    })
  }
}
