// Finds a place for each job: the best candidate whose quota can be reserved gets the offer. If all are spent and the job may wait,
// it is parked until a window opens. What waits is repeated to its owner every second, so that the death of this router is noticed.

import type { Noroute, Offer, Submit, Withdrawal } from '#contracts/attempt.ts'
import { withdrawalKinds } from '#contracts/attempt.ts'
import type { Bus, BusMessage } from '#contracts/bus.ts'
import { decodeKind, Message } from '#contracts/message.ts'
import { attemptOf, offerReturn, offerReturns, type Subject, work } from '#contracts/subjects.ts'
import { createAlarm } from '#services/alarm.ts'
import type { Logger } from '#services/logger.ts'
import type { Reserved } from '#services/quota/quota.ts'
import { askedBy, openSpent } from './asked.ts'
import type { Budget } from './budget.ts'
import { JobTrace } from './job-trace.ts'
import type { Leases } from './leases.ts'
import { countRefused } from './measures.ts'
import type { Ranked, Route } from './route.ts'
import { createWaitingRoom } from './waiting.ts'

/** A reservation outlives its request by this, for its end to be told. */
const SETTLE_MS = 60_000
const TELL_WAITING_MS = 1_000
/** Room that comes back is looked at once for a burst of it. */
const WAKE_MS = 10
const MAX_TIMER_MS = 2 ** 31 - 1
/** Who asks all others takes longer: the owner is told so, else it would submit the job again. */
const ASKING_MS = 60
/** An attempt that replaces another waits this long for what that one had reserved: its release is on its way. */
const RELEASE_MS = 500
/** Reservations asked for at once when a window opens. */
const MAX_TRYING = 64

type Found = Extract<Route, { order: Ranked[] }>

export interface Arrival {
  job: Submit
  body: Uint8Array | undefined
  inbox: Subject
  atMs: number
  trace: JobTrace
}

export interface PlacingOptions {
  bus: Bus
  instance: string
  logger: Logger
  leases: Leases
  budget: Budget
  decide(arrival: Arrival): Route
  onPlaced(ranked: Ranked): void
  /** The lease was never told to anybody. */
  onUnplaced(lease: string, how: string): void
}

export interface Placing {
  place(job: Submit, body: Uint8Array | undefined, inbox: Subject): void
  /** There may be more room than before. */
  onRoom(): void
  readonly waiting: number
  /** What waits is left to other routers: their owners submit it again when they hear no more of it. */
  close(): void
}

export function createPlacing({ bus, instance, logger, leases, budget, decide, onPlaced, onUnplaced }: PlacingOptions): Placing {
  const room = createWaitingRoom<Arrival>()
  const underway = new Set<string>()
  const alarm = createAlarm(wake)
  let closed = false

  function place(job: Submit, body: Uint8Array | undefined, inbox: Subject): void {
    const key = `${job.id}.${job.n}`
    if (leases.get(key) || room.get(key) || underway.has(key)) return
    attempt({ job, body, inbox, atMs: performance.now(), trace: new JobTrace(job) })
    for (const n of job.abandoned ?? []) budget.abandon(`${job.id}.${n}`)
  }

  /** `true` if it found no room, at once. */
  function attempt(arrival: Arrival): boolean {
    const decision = decide(arrival)
    if ('noroute' in decision) {
      refuse(arrival, decision.noroute)
      return true
    }
    return reserve(arrival, decision, 0, Number.POSITIVE_INFINITY)
  }

  function reserve(arrival: Arrival, decision: Found, from: number, soonestMs: number): boolean {
    const { job } = arrival
    const key = `${job.id}.${job.n}`
    const ttlMs = remainingMs(arrival) + SETTLE_MS
    let soonest = soonestMs
    for (let i = from; i < decision.order.length; i++) {
      const ranked = decision.order[i] as Ranked
      const { provider, model, target } = ranked
      const answer = budget.reserve(key, { provider, account: target.account, model }, job, ttlMs)
      if (answer instanceof Promise) {
        underway.add(key)
        const asking = setTimeout(() => tell(arrival, 0, 1), ASKING_MS)
        const placed = answer.finally(() => clearTimeout(asking)).then((late) => afterAsking(arrival, decision, i, soonest, late))
        placed.catch(fault)
        return false
      }
      if (answer.ok) {
        offer(arrival, decision, ranked)
        return false
      }
      soonest = Math.min(soonest, answer.opensInMs)
    }
    const wait = soonest < Number.POSITIVE_INFINITY && { retry_after_ms: soonest }
    refuse(arrival, { reason: 'quota', explained: decision.explained, ...wait })
    return true
  }

  function afterAsking(arrival: Arrival, decision: Found, i: number, soonestMs: number, late: Reserved) {
    const key = `${arrival.job.id}.${arrival.job.n}`
    if (!underway.delete(key) || closed) {
      // Withdrawn meanwhile.
      if (late.ok) budget.release(key)
      return arrival.trace.left()
    }
    if (late.ok) return offer(arrival, decision, decision.order[i] as Ranked)
    reserve(arrival, decision, i + 1, Math.min(soonestMs, late.opensInMs))
  }

  function fault(error: unknown): void {
    logger.error('a reservation failed', { error })
  }

  function offer({ job, body, inbox, atMs, trace: told }: Arrival, decision: Found, ranked: Ranked) {
    const { reason, strategy, explained } = decision
    const { target } = ranked
    const key = `${job.id}.${job.n}`
    const ttl_ms = remainingMs({ job, atMs })
    const trace = told.offered(decision, target.prov)
    room.leave(key, true)
    leases.reserve(key, target, inbox, ttl_ms, performance.now())
    onPlaced(ranked)
    logger.debug('lease reserved', { lease: key, provider: target.prov })
    bus.publish(inbox, new Message({ t: 'routed', ...target, lease: key, reason, strategy, explained }))
    const { id, n, kind, stream, include_usage, est, adapt, blob } = job
    const common = { id, n, ttl_ms, inbox, kind, stream, include_usage, est, adapt, blob, trace }
    const message: Offer = { v: 1, t: 'offer', ...common, ...target, lease: key }
    const offered = bus.publish(work(target.prov), new Message(message, body), { reply: offerReturn(instance, id, n) })
    // The connection is going or coming: nobody has heard of this lease, so nobody else will end it.
    if (!offered) onUnplaced(key, 'not_offered')
  }

  function refuse(arrival: Arrival, noroute: Omit<Noroute, 't'>): void {
    if (noroute.retry_after_ms !== undefined && park(arrival, noroute)) return arrival.trace.waits(noroute.reason, noroute.retry_after_ms)
    room.leave(`${arrival.job.id}.${arrival.job.n}`, false)
    countRefused(noroute.reason)
    bus.publish(arrival.inbox, new Message({ t: 'noroute', ...noroute }))
    arrival.trace.refused(noroute.reason)
  }

  function park(arrival: Arrival, { reason, retry_after_ms = 0 }: Omit<Noroute, 't'>): boolean {
    const { job, body, atMs } = arrival
    const nowMs = performance.now()
    const untilMs = atMs + Math.min(Math.max(job.max_wait_ms ?? 0, job.n > 1 ? RELEASE_MS : 0), job.ttl_ms)
    if (closed || untilMs <= nowMs || (reason !== 'quota' && reason !== 'cooldown')) return false
    const key = `${job.id}.${job.n}`
    const mayComeBack = job.n > 1 && nowMs < atMs + RELEASE_MS
    const opensAtMs = mayComeBack ? Math.min(nowMs + retry_after_ms, untilMs) : nowMs + retry_after_ms
    const known = room.get(key)
    if (opensAtMs > untilMs) return false
    if (known) Object.assign(known, { trying: false, opensAtMs })
    else {
      const client = job.key_id ?? ''
      const parked = { key, client, asked: askedBy(job), bytes: body?.length ?? 0, job: arrival, opensAtMs, untilMs, trying: false }
      if (!room.park(parked)) return false
      tell(arrival, retry_after_ms, room.inOrder().indexOf(parked) + 1)
    }
    wakeIn(opensAtMs - nowMs)
    return true
  }

  function tell({ job, inbox }: Arrival, wait_ms: number, position: number): void {
    // If nobody hears it, its owner is gone, and the signal of that comes in where returned offers do.
    bus.publish(inbox, new Message({ t: 'waiting', wait_ms, position }), { reply: offerReturn(instance, job.id, job.n) })
  }

  function wakeIn(delayMs: number): void {
    if (!closed) alarm.in(Math.min(Math.ceil(Math.max(delayMs, 1)), MAX_TIMER_MS))
  }

  function wake(): void {
    const spent = openSpent()
    const nowMs = performance.now()
    let trying = 0
    for (const parked of room.inOrder()) {
      const { key, asked, job, untilMs } = parked
      const opensAtMs = spent.opensAtMs(asked)
      if (parked.trying) trying++
      // Whoever it is too late for looks all the same, to be refused.
      else if (opensAtMs !== undefined && opensAtMs <= untilMs && nowMs < untilMs) parked.opensAtMs = Math.max(parked.opensAtMs, opensAtMs)
      else if (opensAtMs !== undefined || trying < MAX_TRYING) {
        parked.trying = true
        if (attempt(job)) spent.add(asked, room.get(key)?.opensAtMs ?? 0)
        else if (room.get(key)) trying++
      }
    }
    const nextMs = room.nextMs()
    if (nextMs < Number.POSITIVE_INFINITY) wakeIn(Math.max(nextMs - performance.now(), WAKE_MS))
  }

  /** The offer came back, the owner of what waits is gone, or it wants it no more. */
  function onReturned(message: BusMessage): void {
    const at = attemptOf(message.subject)
    if (!at) return
    const key = `${at.request}.${at.n}`
    if (message.noResponders || decodeKind<Withdrawal>(withdrawalKinds, message)) {
      underway.delete(key)
      room.get(key)?.job.trace.left()
      room.leave(key, false)
    }
    const lease = leases.get(key)
    if (!message.noResponders || !lease) return
    countRefused('no_worker')
    onUnplaced(key, 'no_worker')
    bus.publish(lease.inbox, new Message({ t: 'refused', prov: lease.prov, reason: 'no_worker' }))
  }

  // One connection publishes the offers and hears that nobody took them: the signal reaches nobody else.
  const returns = bus.subscribe(offerReturns(instance), onReturned)
  const teller = setInterval(() => {
    const nowMs = performance.now()
    for (const [index, { job, opensAtMs }] of room.inOrder().entries()) tell(job, Math.max(0, opensAtMs - nowMs), index + 1)
  }, TELL_WAITING_MS)

  return {
    place,
    onRoom() {
      if (room.size > 0) wakeIn(WAKE_MS)
    },
    get waiting() {
      return room.size
    },
    close() {
      closed = true
      for (const { job } of room.inOrder()) job.trace.left()
      clearInterval(teller)
      alarm.clear()
      returns.unsubscribe()
    },
  }
}

function remainingMs({ job, atMs }: Pick<Arrival, 'job' | 'atMs'>): number {
  return Math.max(0, job.ttl_ms - (performance.now() - atMs))
}
