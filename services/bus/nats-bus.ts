// Plain messages on NATS.

import { Buffer } from 'node:buffer'
import { setImmediate } from 'node:timers'
import { type Msg, type MsgHdrs, type NatsConnection, headers as natsHeaders, type Subscription } from 'nats'
import { type Bus, type BusMessage, type BusStatus, Disconnected, PayloadTooLarge } from '#contracts/bus.ts'
import { Message } from '#contracts/message.ts'
import type { Pattern, Subject } from '#contracts/subjects.ts'
import { callHandler, reportFault } from './handler.ts'
import type { NatsLink } from './nats.ts'
import { openRequests } from './requests.ts'

interface Outgoing {
  to: Subject
  data: Uint8Array
  options: { reply: Subject | undefined; headers: MsgHdrs | undefined }
}

export class NatsBus implements Bus {
  readonly request: Bus['request']
  readonly #link: NatsLink
  readonly #nc: NatsConnection
  #outgoing: Outgoing[] = []

  constructor(link: NatsLink, inboxPrefix: string) {
    this.#link = link
    this.#nc = link.nc
    this.request = openRequests(this, inboxPrefix)
  }

  get connected() {
    return this.#link.connected
  }
  get topology() {
    return this.#link.topology
  }
  get maxPayload() {
    return this.#link.maxPayload
  }

  publish(to: Subject, message: Uint8Array | Message, options?: { reply?: Subject; headers?: Record<string, string> }): boolean {
    // The caller may reuse its bytes; those of a message are made here.
    const data = message instanceof Message ? message.encoded() : Buffer.from(message)
    if (data.length > this.#link.maxPayload)
      throw new PayloadTooLarge(`${data.length} bytes are more than the ${this.#link.maxPayload} that the bus takes`)
    if (!this.#link.connected || this.#nc.isClosed()) return false
    const headers = options?.headers && headersOf(options.headers)
    if (this.#outgoing.push({ to, data, options: { reply: options?.reply, headers } }) === 1) setImmediate(this.#send)
    return true
  }

  /**
   * The library writes to its socket at the end of the current callback. Handing it all that one turn of the event loop
   * has brought makes one write of many: the write is the dearest part of a message.
   */
  readonly #send = (): void => {
    const outgoing = this.#outgoing
    this.#outgoing = []
    if (this.#nc.isClosed()) return
    for (const { to, data, options } of outgoing) this.#nc.publish(to, data, options)
  }

  subscribe(pattern: Pattern, onMessage: (message: BusMessage) => void, options?: { queue?: string }) {
    if (this.#nc.isClosed()) throw new Disconnected('subscribe: the connection to the broker is closed')
    const subscription = this.#nc.subscribe(pattern, {
      queue: options?.queue,
      // An exception in here would end the library's read loop for good.
      callback: (error, message) => (error ? reportFault(error) : callHandler(onMessage, new NatsMessage(message))),
    })
    // What a queue has handed to this member nobody else will get: it is still handled.
    return { unsubscribe: () => (options?.queue ? leaveQueue(subscription) : subscription.unsubscribe()) }
  }

  async flush(): Promise<void> {
    if (!this.#link.connected) throw new Disconnected('flush: the connection to the broker is down')
    try {
      this.#send()
      await this.#nc.flush()
    } catch (cause) {
      throw new Disconnected('flush: the connection to the broker went down', { cause })
    }
  }

  onStatus(listener: (status: BusStatus) => void): void {
    this.#link.onStatus(listener)
  }
}

/** Decodes what is asked for and nothing else: most handlers never look at the subject or the reply. */
class NatsMessage implements BusMessage {
  readonly #message: Msg
  readonly noResponders: boolean

  constructor(message: Msg) {
    this.#message = message
    this.noResponders = message.headers?.code === 503 && message.data.length === 0
  }

  get subject() {
    return this.#message.subject
  }
  get data() {
    return this.#message.data
  }
  get reply() {
    return this.#message.reply || undefined
  }
  get headers() {
    const { headers } = this.#message
    return headers && new Map(headers.keys().map((name) => [name, headers.get(name)]))
  }
}

function leaveQueue(subscription: Subscription): void {
  // It fails only on a connection that is closed, where nothing can come in any more.
  subscription.drain().catch(() => {})
}

function headersOf(record: Record<string, string>) {
  const headers = natsHeaders()
  for (const [name, value] of Object.entries(record)) headers.set(name, value)
  return headers
}
