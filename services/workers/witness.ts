// What a worker tells of attempts. Where the owner has confirmed the end, it tells the same: then the worker's fact is held back until
// the owner's is in the log, and told only if the owner dies before that, or does not say. So nearly always nothing is told twice.
// An owner that dies may not have settled its lease either: then the worker does (row 12 of the failure catalogue).

import type { Offer } from '#contracts/attempt.ts'
import { type Bus, NoResponders } from '#contracts/bus.ts'
import type { Event } from '#contracts/event.ts'
import type { Outbox } from '#services/outbox.ts'
import type { Settlements } from '#services/settlements.ts'
import { storedBefore } from '#services/stored-facts.ts'
import type { AttemptReport } from './attempt-world.ts'

const ASK_EVERY_MS = 1_000
/** The owner tells in the moment in which it confirms; between the two processes that moment takes a little. */
const MARGIN_MS = 250
/** An owner that has not kept it by then may not come to it: told twice is harmless. */
const HELD_AT_MOST_MS = 10_000
const MAX_HELD = 10_000

type Ended = Pick<Offer, 'id' | 'n' | 'prov' | 'model' | 'inbox' | 'account' | 'lease'>

export interface Witness {
  ended(offer: Ended, report: AttemptReport): void
  /** Tells everything that is still held. */
  close(): void
}

interface Held {
  offer: Ended
  report: AttemptReport
  fact: Event
  atMs: number
}

export function openWitness(bus: Bus, outbox: Pick<Outbox, 'record'>, settlements: Pick<Settlements, 'report'>): Witness {
  /** By owner, the oldest first. */
  const byIngress = new Map<string, Held[]>()
  const asking = new Set<string>()
  let count = 0
  let timer: ReturnType<typeof setInterval> | undefined

  function hold(ingress: string, offer: Ended, report: AttemptReport): void {
    const fact = factOf(offer, report)
    if (count >= MAX_HELD) return outbox.record(fact)
    const facts = byIngress.get(ingress) ?? []
    if (facts.length === 0) byIngress.set(ingress, facts)
    facts.push({ offer, report, fact, atMs: performance.now() })
    count++
    timer ??= setInterval(askAll, ASK_EVERY_MS)
  }

  function askAll(): void {
    for (const ingress of byIngress.keys()) void ask(ingress)
    if (byIngress.size > 0) return
    clearInterval(timer)
    timer = undefined
  }

  async function ask(ingress: string): Promise<void> {
    if (asking.has(ingress)) return
    asking.add(ingress)
    try {
      const keptMs = await storedBefore(bus, ingress)
      // Nothing but forgets them.
      release(ingress, keptMs - MARGIN_MS, () => {})
    } catch (error) {
      // Otherwise it could not be asked, or was too busy: it is asked again.
      if (error instanceof NoResponders) release(ingress, Number.POSITIVE_INFINITY, inherit)
    } finally {
      asking.delete(ingress)
    }
    release(ingress, performance.now() - HELD_AT_MOST_MS, tell)
  }

  function tell({ fact }: Held): void {
    outbox.record(fact)
  }

  /** Of an owner that is gone. If it has settled after all, this does nothing. */
  function inherit(held: Held): void {
    tell(held)
    const { offer, report } = held
    const { lease, account } = offer
    if (counts(report)) settlements.report(account, { t: 'settle', lease, mode: 'estimate', usage: report.usage })
    else settlements.report(account, { t: 'release', lease })
  }

  function release(ingress: string, beforeMs: number, each: (held: Held) => void): void {
    const facts = byIngress.get(ingress) ?? []
    const end = facts.findIndex(({ atMs }) => atMs >= beforeMs)
    const released = facts.splice(0, end < 0 ? facts.length : end)
    count -= released.length
    if (facts.length === 0) byIngress.delete(ingress)
    for (const held of released) each(held)
  }

  return {
    ended(offer, report) {
      const ingress = offer.inbox.split('.').at(-3)
      if (report.confirmed && ingress) hold(ingress, offer, report)
      else outbox.record(factOf(offer, report))
    },
    close() {
      clearInterval(timer)
      for (const ingress of [...byIngress.keys()]) release(ingress, Number.POSITIVE_INFINITY, tell)
    },
  }
}

/** As the owner would have it: what was never sent, or refused below 500, is no use of the provider. */
function counts({ sent, result }: AttemptReport): boolean {
  return sent && !/^rejected\([1-4]\d\d\)/.test(result)
}

function factOf({ id, n, prov, model }: Ended, { result, sent, usage, ttfbMs, durationMs }: AttemptReport): Event {
  return {
    id: `${id}.${n}.att.end.worker`,
    at: Date.now(),
    name: 'att.end',
    request: id,
    n,
    provider: prov,
    model,
    result,
    sent,
    in: usage.in,
    out: usage.out,
    ttfb_ms: ttfbMs,
    duration_ms: durationMs,
  }
}
