// Pure. What ended requests come to, by minute and hour, provider, model, strategy, outcome and client.
// The request's record is the truth; a tally follows from records alone, so a repeat of a fact can never count twice.

import { bucketOf, type Histogram, mergeHistograms } from './histogram.ts'
import type { Parts } from './merge.ts'
import { listCost } from './prices.ts'
import { endOf } from './record.ts'

export const spans = { minute: 60_000, hour: 3_600_000 } as const
export type Span = keyof typeof spans

/** Empty where nobody knows. */
export interface Group {
  provider: string
  model: string
  strategy: string
  outcome: string
  client: string
}

export interface Tally {
  calls: number
  /** Tokens. */
  in: number
  out: number
  /** In micro-dollars, see prices.ts. */
  cost: number
  /** Microseconds of all calls; whole, so that sums do not depend on their order. */
  us: number
  latency: Histogram
  ttft: Histogram
}

/** One group in one minute or hour. */
export interface Cell extends Group, Tally {
  /** In ms since 1970. */
  start: number
}

/** Of one request. Whoever tells more is wrong, and sums of it would soon be more than a database gives back as a number. */
const MOST = 1e9

/** How a request counts: undefined until its end is known. It counts in the minute in which it ended, once. */
export function countedOf(parts: Parts): { at: number; group: Group; tally: Tally } | undefined {
  const end = endOf(parts)
  if (!end) return undefined
  const word = (field: string) => (typeof end[field] === 'string' ? end[field] : '')
  const number = (field: string) => (typeof end[field] === 'number' ? Math.min(Math.max(0, end[field]), MOST) : 0)
  const group = {
    provider: word('provider'),
    model: word('model'),
    strategy: word('strategy'),
    outcome: word('outcome'),
    client: word('client'),
  }
  const tally: Tally = {
    calls: 1,
    in: number('in'),
    out: number('out'),
    cost: listCost(group.model, number('in'), number('out')),
    us: Math.round(number('duration_ms') * 1000),
    latency: [bucketOf(number('duration_ms')), 1],
    ttft: typeof end.ttfb_ms === 'number' ? [bucketOf(number('ttfb_ms')), 1] : [],
  }
  return { at: typeof end.at === 'number' ? end.at : 0, group, tally }
}

export function mergeTallies(one: Tally, other: Tally): Tally {
  return {
    calls: one.calls + other.calls,
    in: one.in + other.in,
    out: one.out + other.out,
    cost: one.cost + other.cost,
    us: one.us + other.us,
    latency: mergeHistograms(one.latency, other.latency),
    ttft: mergeHistograms(one.ttft, other.ttft),
  }
}

/** What takes a tally away again. */
export function negated({ calls, in: tokensIn, out, cost, us, latency, ttft }: Tally): Tally {
  const minus = (histogram: Histogram) => histogram.map((value, i) => (i % 2 === 0 ? value : -value))
  return { calls: -calls, in: -tokensIn, out: -out, cost: -cost, us: -us, latency: minus(latency), ttft: minus(ttft) }
}

export const startOf = (span: Span, at: number): number => Math.floor(at / spans[span]) * spans[span]

/** Cells in the making: tallies of the same group and the same minute or hour become one. */
export interface Cells {
  add(start: number, group: Group, tally: Tally): void
  list(): Cell[]
}

export function openCells(): Cells {
  const cells = new Map<string, Cell>()
  return {
    add(start, group, tally) {
      // No control character stands in a name that came through JSON of ours; if one did, two groups would merge and nothing be lost.
      const { provider, model, strategy, outcome, client } = group
      const key = `${start}\0${provider}\0${model}\0${strategy}\0${outcome}\0${client}`
      const known = cells.get(key)
      if (known) return addTo(known, tally)
      const { calls, in: tokensIn, out, cost, us, latency, ttft } = tally
      const sums = { calls, in: tokensIn, out, cost, us, latency: [...latency], ttft: [...ttft] }
      cells.set(key, { start, provider, model, strategy, outcome, client, ...sums })
    },
    list: () => [...cells.values()],
  }
}

/** The same, by the hour. */
export function hoursOf(minutes: readonly Cell[]): Cell[] {
  const hours = openCells()
  for (const cell of minutes) hours.add(startOf('hour', cell.start), cell, cell)
  return hours.list()
}

function addTo(cell: Cell, tally: Tally): void {
  cell.calls += tally.calls
  cell.in += tally.in
  cell.out += tally.out
  cell.cost += tally.cost
  cell.us += tally.us
  // Sorted out when they are merged for good.
  for (const value of tally.latency) cell.latency.push(value)
  for (const value of tally.ttft) cell.ttft.push(value)
}

/** Histograms in their shortest form, empty cells gone. */
export function settled(cells: readonly Cell[]): Cell[] {
  return cells
    .filter(({ calls }) => calls !== 0)
    .map((cell) => ({ ...cell, latency: mergeHistograms(cell.latency, []), ttft: mergeHistograms(cell.ttft, []) }))
}
