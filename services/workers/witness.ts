// What a worker tells of attempts. Where the owner has confirmed the end, it tells the same: then the worker's fact is held back until
// the owner's is in the log, and told only if the owner dies before that, or does not say. So nearly always nothing is told twice.

import type { Offer } from '#contracts/attempt.ts'
import { type Bus, NoResponders } from '#contracts/bus.ts'
import type { Event } from '#contracts/event.ts'
import type { Outbox } from '#services/outbox.ts'
import { storedBefore } from '#services/stored-facts.ts'
import type { AttemptReport } from './attempt-world.ts'

const ASK_EVERY_MS = 1_000
/** The owner tells in the moment in which it confirms; between the two processes that moment takes a little. */
const MARGIN_MS = 250
/** An owner that has not kept it by then may not come to it: told twice is harmless. */
const HELD_AT_MOST_MS = 10_000
const MAX_HELD = 10_000

type Ended = Pick<Offer, 'id' | 'n' | 'prov' | 'model' | 'inbox'>

export interface Witness {
  ended(offer: Ended, report: AttemptReport): void
  /** Tells everything that is still held. */
  close(): void
}

interface Held {
  fact: Event
  atMs: number
}

export function openWitness(bus: Bus, outbox: Pick<Outbox, 'record'>): Witness {
  /** By owner, the oldest first. */
  const byIngress = new Map<string, Held[]>()
  const asking = new Set<string>()
  let count = 0
  let timer: ReturnType<typeof setInterval> | undefined

  function hold(ingress: string, fact: Event): void {
    if (count >= MAX_HELD) return outbox.record(fact)
    const facts = byIngress.get(ingress) ?? []
    if (facts.length === 0) byIngress.set(ingress, facts)
    facts.push({ fact, atMs: performance.now() })
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
      if (error instanceof NoResponders) release(ingress, Number.POSITIVE_INFINITY, outbox.record)
    } finally {
      asking.delete(ingress)
    }
    release(ingress, performance.now() - HELD_AT_MOST_MS, outbox.record)
  }

  function release(ingress: string, beforeMs: number, each: (fact: Event) => void): void {
    const facts = byIngress.get(ingress) ?? []
    const end = facts.findIndex(({ atMs }) => atMs >= beforeMs)
    const released = facts.splice(0, end < 0 ? facts.length : end)
    count -= released.length
    if (facts.length === 0) byIngress.delete(ingress)
    for (const { fact } of released) each(fact)
  }

  return {
    ended(offer, report) {
      const fact = factOf(offer, report)
      const ingress = offer.inbox.split('.').at(-3)
      if (report.confirmed && ingress) hold(ingress, fact)
      else outbox.record(fact)
    },
    close() {
      clearInterval(timer)
      for (const ingress of [...byIngress.keys()]) release(ingress, Number.POSITIVE_INFINITY, outbox.record)
    },
  }
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
