// The middle of the in-process broker: who listens to what, and how a message gets there.

import { Buffer } from 'node:buffer'
import { setImmediate } from 'node:timers'
import type { BusMessage } from '#contracts/bus.ts'
import { Message } from '#contracts/message.ts'
import { callHandler } from './handler.ts'
import { PatternDepths } from './pattern-depths.ts'
import { SubjectTrie } from './subject-trie.ts'

/** A handle, as far as deliveries to it are concerned. */
export interface Receiver {
  /** Counts connections: what was under way when one broke never arrives. */
  readonly epoch: number
  /** Set by tests alone: decides what becomes of a message addressed to this handle. */
  intercept: ((message: BusMessage, deliver: (message: BusMessage) => void) => void) | undefined
  /** The turn of a message has come. */
  arrive(message: Arrival): void
}

/** Something whose turn comes later. */
export interface Task {
  run(): void
}

export interface Subscriber {
  handle: Receiver
  queue: string | undefined
  onMessage(message: BusMessage): void
  active: boolean
}

interface Route {
  plain: Subscriber[]
  groups: Group[]
}

interface Group {
  members: Subscriber[]
  /** Whose turn it is. */
  next: number
}

const MAX_CACHED_ROUTES = 10_000
/** A chain of answers to answers is carried on without going round the event loop, but sockets get their turn after so many. */
const MAX_ROUNDS = 16
export const NOTHING = new Uint8Array(0)

/** Knows who listens to what, and carries what was published to them. */
export class Switchboard {
  readonly #subscribers = new SubjectTrie<Subscriber>()
  readonly #routes = new Map<string, Route>()
  readonly #depths = new PatternDepths()
  #queue: Task[] = []
  #scheduled = false

  add(pattern: string, subscriber: Subscriber): void {
    this.#subscribers.add(pattern, subscriber)
    this.#depths.add(pattern)
    this.#routes.clear()
  }

  remove(pattern: string, subscriber: Subscriber): void {
    this.#subscribers.remove(pattern, subscriber)
    this.#depths.remove(pattern)
    this.#routes.clear()
  }

  send(
    from: Receiver,
    to: string,
    data: Uint8Array | Message,
    reply: string | undefined,
    headers: ReadonlyMap<string, string> | undefined,
  ): void {
    const { plain, groups } = this.#route(to)
    for (const subscriber of plain) this.#deliver(subscriber, to, data, reply, headers, false)
    for (const group of groups)
      this.#deliver(group.members[group.next++ % group.members.length] as Subscriber, to, data, reply, headers, false)
    if (reply === undefined || plain.length > 0 || groups.length > 0) return
    const own = this.#route(reply).plain.find((subscriber) => subscriber.handle === from)
    if (own) this.#deliver(own, reply, NOTHING, undefined, undefined, true)
  }

  schedule(task: Task): void {
    this.#queue.push(task)
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(this.#drain)
  }

  #deliver(
    to: Subscriber,
    subject: string,
    data: Uint8Array | Message,
    reply: string | undefined,
    headers: ReadonlyMap<string, string> | undefined,
    noResponders: boolean,
  ): void {
    const message = new Delivered(subject, data, reply, headers, noResponders)
    if (to.handle.intercept) to.handle.intercept(message, (passed) => this.schedule(new Arrival(to, passed)))
    else this.schedule(new Arrival(to, message))
  }

  readonly #drain = (): void => {
    for (let round = 0; this.#queue.length > 0 && round < MAX_ROUNDS; round++) {
      const tasks = this.#queue
      this.#queue = []
      for (const task of tasks) task.run()
    }
    this.#scheduled = this.#queue.length > 0
    if (this.#scheduled) setImmediate(this.#drain)
  }

  /** Patterns look at the beginning of a subject only, so all subjects of one attempt, and of all others, share a route. */
  #route(subject: string): Route {
    const beginning = this.#depths.beginningOf(subject)
    const known = this.#routes.get(beginning)
    if (known) return known
    const plain: Subscriber[] = []
    const groups = new Map<string, Group>()
    for (const subscriber of this.#subscribers.match(subject)) {
      if (subscriber.queue === undefined) plain.push(subscriber)
      else {
        const group = groups.get(subscriber.queue)
        if (group) group.members.push(subscriber)
        else groups.set(subscriber.queue, { members: [subscriber], next: 0 })
      }
    }
    const route = { plain, groups: [...groups.values()] }
    // Where a pattern looks at all of a subject there may be many: forgetting all now and then is cheaper than tracking their age.
    if (this.#routes.size >= MAX_CACHED_ROUTES) this.#routes.clear()
    this.#routes.set(beginning, route)
    return route
  }
}

/** Bytes are made of a message only where somebody wants them. */
class Delivered implements BusMessage {
  readonly subject: string
  readonly said: Message | undefined
  readonly reply: string | undefined
  readonly headers: ReadonlyMap<string, string> | undefined
  readonly noResponders: boolean
  #data: Uint8Array | undefined

  constructor(
    subject: string,
    data: Uint8Array | Message,
    reply: string | undefined,
    headers: ReadonlyMap<string, string> | undefined,
    noResponders: boolean,
  ) {
    this.subject = subject
    if (data instanceof Message) this.said = data
    else this.#data = copyOf(data)
    this.reply = reply
    this.headers = headers
    this.noResponders = noResponders
  }

  get data(): Uint8Array {
    this.#data ??= this.said?.encoded() ?? NOTHING
    return this.#data
  }
}

/** Small buffers from Node's pool cost a fifth of a typed array of their own. */
export function copyOf(data: Uint8Array): Uint8Array {
  return data.length === 0 ? NOTHING : Buffer.from(data)
}

/** A message on its last step. */
export class Arrival implements Task {
  readonly to: Subscriber
  readonly message: BusMessage
  readonly epoch: number

  constructor(to: Subscriber, message: BusMessage) {
    this.to = to
    this.message = message
    this.epoch = to.handle.epoch
  }

  run(): void {
    this.to.handle.arrive(this)
  }

  deliver(): void {
    // What a queue has handed to a member nobody else will get: it is still handled.
    if (this.to.active || this.to.queue !== undefined) callHandler(this.to.onMessage, this.message)
  }
}
