// One durable consumer of the in-process event log: hands each event to one of its members, and again until it is acknowledged.

import { Disconnected, type EventConsumerOptions, type LoggedEvent, type Subscription } from '#contracts/bus.ts'
import { reportFault } from './handler.ts'
import type { Handle } from './memory.ts'
import type { LogRow, Store } from './sqlite.ts'

interface Member {
  handle: Handle
  options: EventConsumerOptions
  onBatch(events: LoggedEvent[]): Promise<void>
  busy: boolean
  filling: ReturnType<typeof setTimeout> | undefined
}

interface Outstanding {
  deliveries: number
  /** Monotonic; from then on the event is handed out again. */
  dueAt: number
}

const MAX_OUTSTANDING = 5000

export function openMemoryConsumer(store: Store, durable: string) {
  const members = new Set<Member>()
  /** In order of sequence number, because entries are changed in place. */
  const outstanding = new Map<number, Outstanding>()
  let cursor = store.floor(durable)
  let saving: Promise<void> | undefined
  let redelivery: ReturnType<typeof setTimeout> | undefined

  /** Everything up to here needs no member any more. A restart begins after it, so a few events may come twice. */
  function floor(): number {
    for (const first of outstanding.keys()) return first - 1
    return cursor
  }

  function done(seq: number): Promise<void> {
    outstanding.delete(seq)
    saving ??= store.saveFloor(durable, floor).finally(() => {
      saving = undefined
    })
    return saving
  }

  function take(limit: number, ackWaitMs: number): { row: LogRow; deliveries: number }[] {
    const now = performance.now()
    const taken: { row: LogRow; deliveries: number }[] = []
    for (const [seq, entry] of outstanding) {
      if (taken.length === limit) return taken
      if (entry.dueAt > now) continue
      const row = store.row(seq)
      if (!row) outstanding.delete(seq)
      else taken.push({ row, deliveries: ++entry.deliveries })
      entry.dueAt = now + ackWaitMs
    }
    for (const row of store.rows(cursor, Math.min(limit - taken.length, MAX_OUTSTANDING - outstanding.size))) {
      cursor = row.seq
      outstanding.set(row.seq, { deliveries: 1, dueAt: now + ackWaitMs })
      taken.push({ row, deliveries: 1 })
    }
    return taken
  }

  function available(limit: number): number {
    const now = performance.now()
    let count = store.countRows(cursor, Math.min(limit, MAX_OUTSTANDING - outstanding.size))
    for (const { dueAt } of outstanding.values()) if (dueAt <= now) count++
    return count
  }

  /** Gives work to whoever is idle: a full batch at once, a smaller one after its waiting time. */
  function wake(): void {
    for (const member of members) {
      if (member.busy || !member.handle.connected) continue
      const count = available(member.options.maxBatch)
      if (count >= member.options.maxBatch) start(member)
      else if (count > 0) member.filling ??= setTimeout(start, member.options.maxWaitMs, member)
    }
    armRedelivery()
  }

  function armRedelivery(): void {
    clearTimeout(redelivery)
    redelivery = undefined
    if (members.size === 0) return
    const now = performance.now()
    let earliest = Number.POSITIVE_INFINITY
    for (const { dueAt } of outstanding.values()) if (dueAt > now && dueAt < earliest) earliest = dueAt
    if (earliest !== Number.POSITIVE_INFINITY) redelivery = setTimeout(wake, Math.ceil(earliest - now) + 1)
  }

  function start(member: Member): void {
    clearTimeout(member.filling)
    member.filling = undefined
    if (member.busy || !member.handle.connected) return
    const taken = take(member.options.maxBatch, member.options.ackWaitMs)
    if (taken.length === 0) return
    member.busy = true
    const events = taken.map(({ row, deliveries }) => event(member.handle, row, deliveries))
    member.handle.receive(() => {
      run(member, events).catch(reportFault)
    })
    armRedelivery()
  }

  async function run(member: Member, events: LoggedEvent[]): Promise<void> {
    try {
      if (members.has(member)) await member.onBatch(events)
    } finally {
      member.busy = false
      wake()
    }
  }

  function event(handle: Handle, { seq, subject, id, data }: LogRow, deliveries: number): LoggedEvent {
    return {
      subject,
      id,
      data,
      deliveries,
      async ack() {
        if (!handle.connected) throw new Disconnected('event log: the connection to the broker is down')
        await done(seq)
      },
      nak(delayMs = 0) {
        const entry = outstanding.get(seq)
        if (!entry) return
        entry.dueAt = performance.now() + delayMs
        wake()
      },
      term() {
        done(seq).catch(reportFault)
      },
    }
  }

  function leave(member: Member): void {
    clearTimeout(member.filling)
    members.delete(member)
    if (members.size === 0) clearTimeout(redelivery)
  }

  return {
    wake,
    join(handle: Handle, options: EventConsumerOptions, onBatch: Member['onBatch']): Subscription {
      const member: Member = { handle, options, onBatch, busy: false, filling: undefined }
      members.add(member)
      const stop = () => {
        leave(member)
        forgetClose()
        forgetReconnect()
      }
      const forgetClose = handle.onClose(stop)
      const forgetReconnect = handle.onReconnect(() => {
        // A batch that was on its way when the connection broke never arrived: it comes again after the ack wait.
        member.busy = false
        wake()
      })
      wake()
      return { unsubscribe: stop }
    },
    close() {
      for (const member of members) leave(member)
    },
  }
}
