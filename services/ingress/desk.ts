// Where all requests of this ingress meet the bus: one inbox and one clock for all of them.

import { getHeapStatistics } from 'node:v8'
import type { BlobReference, InboxMessage, Whole } from '#contracts/attempt.ts'
import { inboxKinds } from '#contracts/attempt.ts'
import type { Bus, BusMessage } from '#contracts/bus.ts'
import { isFrame, readFrame } from '#contracts/frame.ts'
import { absence, confirmation, RECONNECT_GRACE_MS } from '#contracts/liveness.ts'
import { decodeKind, Message } from '#contracts/message.ts'
import { asControl, asOfferReturn, attemptOf, inboxes, jobs, probeInbox, type Subject } from '#contracts/subjects.ts'
import { blobReference, serveBlobs } from '#services/blob.ts'
import type { CatalogWatch } from '#services/catalog-watch.ts'
import { InFlight } from '#services/in-flight.ts'
import type { Outbox } from '#services/outbox.ts'
import type { Settlements } from '#services/settlements.ts'
import { serveStored } from '#services/stored-facts.ts'
import type { AttemptPatience } from './attempt.ts'
import { Confirmations } from './confirmations.ts'
import { Failover } from './failover.ts'
import { LateTalk } from './late-talk.ts'
import { type LiveFeed, openLiveFeed } from './live/feed.ts'
import type { Order } from './order.ts'
import { createRetryBudget, type RetryBudget, type RetryBudgetOptions } from './retry-budget.ts'
import { openStarts } from './starts.ts'

const TICK_MS = 20
const SILENCE_MS = 2_000
const ACCEPT_MS = 150
const ACCEPT_AT_MOST_MS = 800
/** A worker may take this many times what workers usually take. */
const ACCEPT_PATIENCE = 4
const ACCEPT_WEIGHT = 0.1
const PROBE_EVERY_MS = 2_000
/** A router that has not answered for this long does not count as alive. */
const ROUTER_SEEN_MS = 5_000
const UNSENT_SHARE_OF_HEAP = 0.25
const NOTHING = new Uint8Array(0)

export interface DeskOptions {
  bus: Bus
  ingress: string
  catalog: CatalogWatch
  outbox: Outbox
  settlements: Settlements
  retryBudget: RetryBudgetOptions
}

export class Desk {
  readonly bus: Bus
  readonly ingress: string
  readonly outbox: Outbox
  readonly settlements: Settlements
  readonly patience: AttemptPatience
  readonly retries: RetryBudget
  readonly starts = openStarts()
  readonly live: LiveFeed
  readonly confirmations: Confirmations
  readonly #catalog: CatalogWatch
  readonly #live = new InFlight<Failover>()
  readonly #late: LateTalk
  readonly #blobs = new Map<string, BlobReference>()
  readonly #close: (() => void)[] = []
  readonly #unsentLimitBytes = getHeapStatistics().heap_size_limit * UNSENT_SHARE_OF_HEAP
  #unsentBytes = 0
  #reconnectedMs = Number.NEGATIVE_INFINITY
  #routerSeenMs = Number.NEGATIVE_INFINITY
  #lastProbeMs = Number.NEGATIVE_INFINITY
  #roundTripMs: number | undefined
  #lastTickMs = performance.now()
  #usualAcceptMs = 0
  #idle: (() => void) | undefined

  constructor({ bus, ingress, catalog, outbox, settlements, retryBudget }: DeskOptions) {
    this.retries = createRetryBudget(retryBudget)
    this.bus = bus
    this.ingress = ingress
    this.outbox = outbox
    this.settlements = settlements
    this.live = openLiveFeed(bus)
    this.#late = new LateTalk(bus, ingress)
    this.confirmations = new Confirmations(bus)
    this.#catalog = catalog
    this.patience = { silenceMs: SILENCE_MS, acceptMs: ACCEPT_MS, ...confirmation[bus.topology] }
    const subscription = bus.subscribe(inboxes(ingress), (message) => this.#onInbox(message))
    const blobs = serveBlobs(bus, ingress, (request, n) => this.#live.get(request)?.bodyFor(n))
    const kept = serveStored(bus, ingress, outbox)
    const ticker = setInterval(() => this.#tick(performance.now()), TICK_MS)
    this.#close.push(
      () => subscription.unsubscribe(),
      () => blobs.unsubscribe(),
      () => kept.unsubscribe(),
      () => this.live.close(),
      () => clearInterval(ticker),
    )
    bus.onStatus((status) => {
      if (status !== 'reconnected') return
      const nowMs = performance.now()
      this.#reconnectedMs = nowMs
      for (const request of this.#live.values()) request.onReconnected(nowMs)
    })
  }

  get inFlight(): number {
    return this.#live.size
  }

  get routerSeen(): boolean {
    return performance.now() - this.#routerSeenMs < ROUTER_SEEN_MS
  }

  /** Over the bus to a router and back, when it was last asked. */
  get roundTripMs(): number | undefined {
    return this.#roundTripMs
  }

  get unsentBytes(): number {
    return this.#unsentBytes
  }

  /** All responses together hold more unsent than this process can carry. */
  get overloaded(): boolean {
    return this.#unsentBytes > this.#unsentLimitBytes
  }

  /** Whoever seems to be missing may still be reconnecting. */
  justReconnected(nowMs: number): boolean {
    return nowMs - this.#reconnectedMs < RECONNECT_GRACE_MS
  }

  begin(order: Order): Failover {
    const nowMs = performance.now()
    const request = new Failover(order, this, nowMs)
    this.#live.set(order.id, request)
    request.submit(nowMs)
    return request
  }

  finished(request: Failover): void {
    this.#live.delete(request.id)
    this.#blobs.delete(request.id)
    if (this.#live.size === 0) this.#idle?.()
  }

  /** When everything is slow, a slow accept is no sign of a frozen worker: the more submissions, the slower all would be. */
  accepted(afterMs: number | undefined): void {
    if (afterMs === undefined) return
    // A worker that was frozen for half a minute must not make all others be waited for as long as ever.
    this.#usualAcceptMs += ACCEPT_WEIGHT * (Math.min(afterMs, ACCEPT_AT_MOST_MS) - this.#usualAcceptMs)
    this.patience.acceptMs = Math.min(Math.max(ACCEPT_MS, ACCEPT_PATIENCE * this.#usualAcceptMs), ACCEPT_AT_MOST_MS)
  }

  /** Hashing a large body takes time: once a request, however many attempts. */
  blobOf(request: string, body: Uint8Array): BlobReference {
    const reference = this.#blobs.get(request) ?? blobReference(body)
    this.#blobs.set(request, reference)
    return reference
  }

  accountsOf(provider: string): readonly string[] {
    return this.#catalog.current.providers.find(({ name }) => name === provider)?.accounts ?? []
  }

  contextWindowOf(provider: string, model: string): number {
    const models = this.#catalog.current.providers.find(({ name }) => name === provider)?.models
    return models?.find(({ id }) => id === model)?.context_window ?? 0
  }

  /** Resolves when no request is in flight, at the latest after `graceMs`. */
  async idle(graceMs: number): Promise<void> {
    if (this.#live.size === 0) return
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#idle = resolve
    const timer = setTimeout(resolve, graceMs)
    await promise
    clearTimeout(timer)
  }

  close(): void {
    for (const request of this.#live.values()) request.cancel('shutdown', performance.now())
    this.confirmations.tell()
    for (const close of this.#close) close()
  }

  #onInbox(message: BusMessage): void {
    const at = attemptOf(message.subject)
    if (!at) return
    const nowMs = performance.now()
    if (at.n === 0) {
      if (!message.noResponders) {
        this.#routerSeenMs = nowMs
        this.#roundTripMs = nowMs - this.#lastProbeMs
      }
      return
    }
    const request = this.#live.get(at.request)
    if (message.noResponders) return request?.onNobodyThere(at.n, nowMs)
    if (!message.said && isFrame(message.data)) {
      const frame = readFrame(message.data)
      if (frame && !request?.onFrame(at.n, frame, nowMs)) this.#late.answer('chunk', message.reply, at.request, at.n, nowMs)
      return
    }
    const decoded = decodeKind<InboxMessage>(inboxKinds, message)
    if (!decoded) return
    const { message: read, body } = decoded
    const control = replyOf(read, message.reply, at)
    const taken =
      read.t === 'whole' ? takeWhole(request, at.n, read, body ?? NOTHING, nowMs) : request?.onMessage(at.n, read, control, nowMs)
    // Nobody else gives back what it has named.
    if (!taken && read.t === 'busy') this.settlements.report(read.account, { t: 'release', lease: read.lease })
    if (!taken) this.#late.answer(read.t, message.reply, at.request, at.n, nowMs)
  }

  #tick(nowMs: number): void {
    const { connected } = this.bus
    const grace = this.justReconnected(nowMs)
    const absentMs = absence(nowMs - this.#lastTickMs, TICK_MS)
    this.#lastTickMs = nowMs
    let unsentBytes = 0
    for (const request of this.#live.values()) {
      if (absentMs > 0) request.onAbsence(absentMs)
      request.tick(nowMs, connected, grace)
      unsentBytes += request.unsentBytes
    }
    this.#unsentBytes = unsentBytes
    this.confirmations.tell()
    this.starts.tick(nowMs)
    this.#late.tick(nowMs)
    if (connected && nowMs - this.#lastProbeMs >= PROBE_EVERY_MS) this.#probe(nowMs)
  }

  #probe(nowMs: number): void {
    this.#lastProbeMs = nowMs
    this.bus.publish(jobs, new Message({ v: 1, t: 'probe' }), { reply: probeInbox(this.ingress) })
  }
}

/** As if it had come in three. */
function takeWhole(request: Failover | undefined, n: number, { head, end }: Whole, payload: Uint8Array, nowMs: number): boolean {
  if (!request?.onMessage(n, head, undefined, nowMs)) return false
  return request.onFrame(n, { seq: 0, continues: false, payload }, nowMs) && request.onMessage(n, end, undefined, nowMs)
}

/** Where to answer the sender, if the message is one that is answered and its reply subject is one for this attempt. */
function replyOf(message: InboxMessage, reply: string | undefined, { request, n }: { request: string; n: number }): Subject | undefined {
  if (message.t === 'accept') return asControl(reply, message.prov, request, n)
  return message.t === 'waiting' ? asOfferReturn(reply, request, n) : undefined
}
