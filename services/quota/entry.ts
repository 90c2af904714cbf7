// Pure. What all replicas know of one pool: uses that still count, and what each replica has taken to spend on its own.
// A replica that is gone for good has spent everything, as far as anybody can know: its holds then become uses.

import { countsUntil, type Unit, type Window } from '#contracts/limit.ts'
import type { Cell } from './tally.ts'

/** Clocks of replicas may differ by this much: a hold ends so much later for the others than for its owner. */
export const GRACE_MS = 2_000

/** `held` may be spent by its owner without asking until `untilMs`. */
export interface Hold {
  /** Of the owner's last write: it finds out by it whether a write without an answer has arrived. */
  seq: number
  untilMs: number
  /** Until when open calls, which are among `held` for concurrency, may last. */
  busyUntilMs?: number
  /** By meter. */
  held: Record<string, number>
}

/** What the provider has told of a limit. */
export interface Learned {
  max?: number
  /** Used by somebody else with the same key, as far as our own count cannot explain what the provider says. */
  elsewhere?: Cell
  atMs: number
}

export interface Entry {
  /** For humans: the key is a hash. */
  pool: string
  used: Record<string, Cell[]>
  holds: Record<string, Hold>
  learned: Record<string, Learned>
  /** By reservation: what was taken near the limit a moment ago. Whoever knows that nothing came of it may take it back. */
  fresh?: Record<string, Fresh>
  /** Reservations that were taken back by others than their owner, and when. */
  voided?: Record<string, number>
}

export interface Fresh {
  by: string
  atMs: number
  /** By meter; without a time for what is open. */
  uses: [key: string, until: readonly number[], amount: number][]
}

/** Whether a replica has died, and what it had open with it. */
export type IsGone = (owner: string) => boolean

/** An attempt that found no worker is given up sooner. */
const FRESH_MS = 5_000
/** Its owner may be frozen, and tell the same later. */
const VOIDED_MS = 600_000

export const emptyEntry = (pool: string): Entry => ({ pool, used: {}, holds: {}, learned: {} })

export function parseEntry(pool: string, value: Uint8Array | undefined): Entry {
  return value ? (JSON.parse(new TextDecoder().decode(value)) as Entry) : emptyEntry(pool)
}

/** `requests/day/America~Los_Angeles` and the like: one for each limit of a pool that is counted by itself. */
export function meterKey(unit: Unit, per: Window | undefined, clock: string | undefined): string {
  return `${unit}/${per ?? ''}/${clock ?? ''}`
}

/** Undefined for what is open now and has no window. */
export function windowOf(key: string): { per: Window; clock: string | undefined } | undefined {
  const [, per, ...clock] = key.split('/')
  return per ? { per: per as Window, clock: clock.join('/') || undefined } : undefined
}

/** The same without what no longer counts; holds that ended are counted as used at their end. */
export function current(entry: Entry, me: string, nowMs: number): Entry {
  const used: Entry['used'] = {}
  for (const [key, cells] of Object.entries(entry.used)) {
    const counting = cells.filter(([untilMs]) => untilMs > nowMs)
    if (counting.length > 0) used[key] = counting
  }
  const holds: Entry['holds'] = {}
  for (const [owner, hold] of Object.entries(entry.holds)) {
    if (owner === me || hold.untilMs + GRACE_MS > nowMs) holds[owner] = hold
    else {
      const open = endHold(hold, used, nowMs)
      if (open) holds[owner] = open
    }
  }
  const fresh = Object.fromEntries(Object.entries(entry.fresh ?? {}).filter(([, { atMs }]) => atMs + FRESH_MS > nowMs))
  const voided = Object.fromEntries(Object.entries(entry.voided ?? {}).filter(([, atMs]) => atMs + VOIDED_MS > nowMs))
  return { pool: entry.pool, used, holds, learned: { ...entry.learned }, fresh, voided }
}

/** What is left of a hold that has ended: calls that may still be open. */
function endHold(hold: Hold, used: Entry['used'], nowMs: number): Hold | undefined {
  const open: Hold['held'] = {}
  for (const [key, amount] of Object.entries(hold.held)) {
    const window = windowOf(key)
    if (!window) {
      if ((hold.busyUntilMs ?? 0) + GRACE_MS > nowMs) open[key] = amount
    } else
      for (const untilMs of countsUntil(window.per, window.clock, hold.untilMs)) if (untilMs > nowMs) charge(used, key, untilMs, amount)
  }
  return Object.keys(open).length > 0 ? { ...hold, held: open } : undefined
}

export function charge(used: Entry['used'], key: string, untilMs: number, amount: number): void {
  const cells = used[key] ?? []
  const at = cells.findIndex(([other]) => other === untilMs)
  const after = (cells[at]?.[1] ?? 0) + amount
  if (at < 0) used[key] = [...cells, [untilMs, amount]]
  else used[key] = after === 0 ? cells.toSpliced(at, 1) : cells.with(at, [untilMs, after])
}

/** When the entry has to be looked at anew, because a hold of somebody else ends. */
export function nextEnd(entry: Entry, me: string): number {
  let next = Number.POSITIVE_INFINITY
  for (const [owner, { untilMs, busyUntilMs = 0, held }] of Object.entries(entry.holds)) {
    if (owner === me) continue
    const windowed = Object.keys(held).some((key) => windowOf(key))
    next = Math.min(next, (windowed ? untilMs : Math.max(untilMs, busyUntilMs)) + GRACE_MS)
  }
  return next
}

/** By others than `me`, and when the last of it comes back at the latest. Of what is open, that of a replica that is gone is not. */
export function heldByOthers(entry: Entry, me: string, key: string, isGone: IsGone): { amount: number; untilMs: number } {
  const windowed = windowOf(key) !== undefined
  let amount = 0
  let untilMs = 0
  for (const [owner, hold] of Object.entries(entry.holds)) {
    const held = hold.held[key] ?? 0
    if (owner === me || held === 0 || (!windowed && isGone(owner))) continue
    amount += held
    untilMs = Math.max(untilMs, (windowed ? hold.untilMs : (hold.busyUntilMs ?? hold.untilMs)) + GRACE_MS)
  }
  return { amount, untilMs }
}

export function sameHeld(a: Hold['held'] = {}, b: Hold['held'] = {}): boolean {
  const keys = Object.keys(a)
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key])
}
