// Tells the routers what became of quota leases. Nobody trusts a fire-and-forget message:
// each transition is repeated until a router has answered; transitions are keyed by lease, so repeats do nothing.

import type { Bus } from '#contracts/bus.ts'
import { Message } from '#contracts/message.ts'
import type { Settlement } from '#contracts/settlement.ts'
import { lease } from '#contracts/subjects.ts'

/** Long enough for one message to carry what a burst of requests brought. */
const FLUSH_MS = 10
const ANSWER_TIMEOUT_MS = 500
const RETRY_MS = 500
const ROUTERS_BACK_MS = 500
/** Past this a router has settled an estimate on its own. */
const MAX_PENDING = 10_000
/** What one message has room for, however much each has learned: more than the bus takes would never be sent. */
const MAX_TOGETHER = 250

export interface Settlements {
  report(account: string, settlement: Settlement): void
  /** Sends what is pending, for at most `graceMs`. */
  close(graceMs: number): Promise<void>
}

export function openSettlements(bus: Bus): Settlements {
  const pending = new Map<string, Settlement[]>()
  let size = 0
  let timer: ReturnType<typeof setTimeout> | undefined
  let flushing: Promise<boolean> | undefined
  let routersBackMs = Number.NEGATIVE_INFINITY

  // Routers reconnect one after the other. The first to answer ends the telling, so the one that holds the lease must be there.
  bus.onStatus((status) => {
    if (status === 'reconnected') routersBackMs = performance.now() + ROUTERS_BACK_MS
  })

  function schedule(delayMs: number): void {
    timer ??= setTimeout(() => {
      timer = undefined
      const earlyMs = routersBackMs - performance.now()
      if (earlyMs > 0) return schedule(earlyMs)
      void flush().then((done) => {
        if (!done) schedule(RETRY_MS * (0.75 + Math.random() / 2))
        // Reported while others were on their way.
        else if (pending.size > 0) schedule(FLUSH_MS)
      })
    }, delayMs)
  }

  function flush(): Promise<boolean> {
    flushing ??= sendAll().finally(() => {
      flushing = undefined
    })
    return flushing
  }

  async function sendAll(): Promise<boolean> {
    const sent = await Promise.all([...pending].map(([account, items]) => send(account, items)))
    return sent.every(Boolean)
  }

  async function send(account: string, items: Settlement[]): Promise<boolean> {
    const told = items.splice(0, MAX_TOGETHER)
    if (items.length === 0) pending.delete(account)
    try {
      await bus.request(lease(account), new Message({ t: 'settlements', items: told }), { timeoutMs: ANSWER_TIMEOUT_MS })
      size -= told.length
      return true
    } catch {
      // No router, no broker or no answer: the same items are sent again, together with what came since.
      pending.set(account, told.concat(pending.get(account) ?? []))
      return false
    }
  }

  /** A provider has failed: the routers know before they hear of the next request, which may be the same one's next attempt. */
  function tellNow(account: string): void {
    const items = pending.get(account)
    if (!items || performance.now() < routersBackMs) return schedule(FLUSH_MS)
    void send(account, items).then((done) => {
      if (!done) schedule(RETRY_MS)
      else if (pending.size > 0) schedule(FLUSH_MS)
    })
  }

  return {
    report(account, settlement) {
      if (size >= MAX_PENDING) return
      size++
      const items = pending.get(account)
      if (items) items.push(settlement)
      else pending.set(account, [settlement])
      if (settlement.outcome?.phase) tellNow(account)
      else schedule(FLUSH_MS)
    },
    async close(graceMs) {
      const deadline = performance.now() + graceMs
      while (size > 0 && performance.now() < deadline) {
        await flush()
        if (size > 0) await new Promise((resolve) => setTimeout(resolve, 50))
      }
      clearTimeout(timer)
    },
  }
}
