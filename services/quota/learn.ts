// Pure. What a provider says of its limits, laid over what the catalogue says: only ever downward.

import type { LearnedLimit } from '#contracts/limit.ts'
import { countsUntil } from '#contracts/limit.ts'
import type { Learned } from './entry.ts'
import type { Meter } from './meter.ts'

/** What is said now replaces what was said before. Returns whether it says anything of these meters. */
export function learnInto(meters: readonly Meter[], told: readonly LearnedLimit[], nowMs: number): boolean {
  let news = false
  for (const one of told) {
    const meter = meterFor(meters, one)
    if (!meter) continue
    meter.learned = learnedOf(meter, one, nowMs)
    news = true
  }
  return news
}

/** What was said counts no more, until it is said again. Returns whether anything was. */
export function unlearn(meters: readonly Meter[], nowMs: number): boolean {
  let news = false
  for (const meter of meters) {
    const { learned } = meter
    if (!learned || (learned.max === undefined && learned.elsewhere === undefined)) continue
    // Later than what it takes the place of, wherever that is known.
    meter.learned = { atMs: Math.max(nowMs, learned.atMs + 1) }
    news = true
  }
  return news
}

function meterFor(meters: readonly Meter[], { unit, per }: LearnedLimit): Meter | undefined {
  const same = meters.filter(({ limit }) => limit.unit === unit && (per === undefined || limit.per === per))
  return same.length === 1 ? same[0] : undefined
}

function learnedOf(meter: Meter, { max, remaining, reset_ms }: LearnedLimit, nowMs: number): Learned {
  const learned: Learned = { atMs: nowMs }
  const before = meter.learned
  const limitNow = max ?? before?.max
  if (limitNow !== undefined) learned.max = limitNow
  if (remaining === undefined || meter.limit.per === undefined) {
    if (before?.elsewhere) learned.elsewhere = before.elsewhere
    return learned
  }
  const usedThere = (limitNow ?? meter.limit.max) - remaining
  const usedHere = meter.shared.sum(nowMs) + meter.pending.sum(nowMs) + meter.others.amount
  const untilMs = reset_ms === undefined ? countsUntil(meter.limit.per, meter.limit.clock, nowMs)[0] : nowMs + reset_ms
  if (usedThere > usedHere) learned.elsewhere = [untilMs, usedThere - usedHere]
  return learned
}
