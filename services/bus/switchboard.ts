// The middle of the in-process broker: who listens to what, and how a message gets there.

import { Buffer } from 'node:buffer'
import { setImmediate } from 'node:timers'
import type { BusMessage } from '#contracts/bus.ts'
import { callHandler } from './handler.ts'
import { SubjectTrie } from './subject-trie.ts'

/** A handle, as far as deliveries to it are concerned. */
export interface Receiver {
  /** Set by tests alone: decides what becomes of a message addressed to this handle. */
  intercept: ((message: BusMessage, deliver: (message: BusMessage) => void) => void) | undefined
  receive(task: () => void): void
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
const NOTHING = new Uint8Array(0)

/** Knows who listens to what, and carries what was published to them. */
export class Switchboard {
  readonly #subscribers = new SubjectTrie<Subscriber>()
  readonly #routes = new Map<string, Route>()
  #queue: (() => void)[] = []
  #scheduled = false

  add(pattern: string, subscriber: Subscriber): void {
    this.#subscribers.add(pattern, subscriber)
    this.#routes.clear()
  }

  remove(pattern: string, subscriber: Subscriber): void {
    this.#subscribers.remove(pattern, subscriber)
    this.#routes.clear()
  }

  send(from: Receiver, to: string, data: Uint8Array, reply: string | undefined, headers: ReadonlyMap<string, string> | undefined): void {
    const { plain, groups } = this.#route(to)
    for (const subscriber of plain) this.#deliver(subscriber, to, data, reply, headers, false)
    for (const group of groups)
      this.#deliver(group.members[group.next++ % group.members.length] as Subscriber, to, data, reply, headers, false)
    if (reply === undefined || plain.length > 0 || groups.length > 0) return
    const own = this.#route(reply).plain.find((subscriber) => subscriber.handle === from)
    if (own) this.#deliver(own, reply, NOTHING, undefined, undefined, true)
  }

  schedule(task: () => void): void {
    this.#queue.push(task)
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(this.#drain)
  }

  #deliver(
    to: Subscriber,
    subject: string,
    data: Uint8Array,
    reply: string | undefined,
    headers: ReadonlyMap<string, string> | undefined,
    noResponders: boolean,
  ): void {
    const message: BusMessage = { subject, data: copyOf(data), reply, headers, noResponders }
    if (to.handle.intercept) to.handle.intercept(message, (passed) => hand(to, passed))
    else hand(to, message)
  }

  readonly #drain = (): void => {
    for (let round = 0; this.#queue.length > 0 && round < MAX_ROUNDS; round++) {
      const tasks = this.#queue
      this.#queue = []
      for (const task of tasks) task()
    }
    this.#scheduled = this.#queue.length > 0
    if (this.#scheduled) setImmediate(this.#drain)
  }

  #route(subject: string): Route {
    const known = this.#routes.get(subject)
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
    // Most subjects live as long as one attempt: forgetting all of them now and then is cheaper than tracking their age.
    if (this.#routes.size >= MAX_CACHED_ROUTES) this.#routes.clear()
    this.#routes.set(subject, route)
    return route
  }
}

/** Small buffers from Node's pool cost a fifth of a typed array of their own. */
export function copyOf(data: Uint8Array): Uint8Array {
  return data.length === 0 ? NOTHING : Buffer.from(data)
}

function hand(to: Subscriber, message: BusMessage): void {
  to.handle.receive(() => {
    if (to.active) callHandler(to.onMessage, message)
  })
}
