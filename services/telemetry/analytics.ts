// Pure. What a question about a window of time reads, and what the roll-ups come to.
// Minutes are the finest grain. A window is counted in whole minutes and never falls short of what was asked for.

import type { Analytics, Figures, QuestionOf, TimeBucket } from '#contracts/question.ts'
import { type Distribution, openDistribution } from './histogram.ts'
import { priceAssumption } from './prices.ts'
import { type Cell, spans } from './tally.ts'

export interface Plan {
  /** Cells of minutes, then of hours; each may be empty. In ms since 1970. */
  minutes: { from: number; to: number }
  hours: { from: number; to: number }
  from: number
  to: number
  buckets: { start: number; end: number }[]
}

/** Longer windows are read in hours, for minutes would be too many. */
const MINUTES_UP_TO_MS = 24 * spans.hour
/** Rows of one breakdown. */
const ROWS = 100

type Asked = Pick<QuestionOf<'analytics'>, 'window_seconds' | 'bucket_count'>

/**
 * Buckets end at the next full minute or hour, are equally long, and together hold the whole window:
 * the first one also takes what lies before it, since a window seldom begins at a full hour.
 */
export function planOf({ window_seconds, bucket_count }: Asked, now: number): Plan {
  const windowMs = window_seconds * 1000
  const widthMs = windowMs / bucket_count
  const inHours = windowMs > MINUTES_UP_TO_MS || widthMs % spans.hour === 0
  const grain = inHours ? spans.hour : spans.minute
  // A call of this very millisecond is inside.
  const to = (Math.floor(now / grain) + 1) * grain
  const from = Math.floor((now - windowMs) / spans.minute) * spans.minute
  const firstHour = inHours ? Math.ceil(from / spans.hour) * spans.hour : to
  const buckets = Array.from({ length: bucket_count }, (_, i) => ({
    start: i === 0 ? from : to - windowMs + i * widthMs,
    end: to - windowMs + (i + 1) * widthMs,
  }))
  return { minutes: { from, to: firstHour }, hours: { from: firstHour, to }, from, to, buckets }
}

/** Sums of calls; latencies of those that count for it. */
interface Sum {
  calls: number
  ok: number
  in: number
  out: number
  cost: number
  us: number
  timed: number
  latency: Distribution
  ttft: Distribution
}

type Filter = Partial<Pick<QuestionOf<'analytics'>, 'client' | 'provider' | 'model'>>

export interface Summary {
  add(cells: readonly Cell[]): void
  result(asked: Asked): Analytics
}

export function openSummary(plan: Plan, filter: Filter = {}): Summary {
  const total = openSum()
  const buckets = plan.buckets.map(openSum)
  const by = {
    provider: new Map<string, Sum>(),
    model: new Map<string, Sum>(),
    strategy: new Map<string, Sum>(),
    outcome: new Map<string, Sum>(),
    client: new Map<string, Sum>(),
  }
  const names = new Map<string, { model: string; provider: string }>()
  const firstEnd = plan.buckets[0]?.end ?? plan.to
  const width = widthOf(plan)

  function sumOf(sums: Map<string, Sum>, key: string): Sum {
    let sum = sums.get(key)
    if (!sum) {
      sum = openSum()
      sums.set(key, sum)
    }
    return sum
  }

  function add(cell: Cell): void {
    const { provider, model, strategy, outcome, client, start } = cell
    const timed = outcome === 'ok'
    const bucket = start < firstEnd ? 0 : Math.min(buckets.length - 1, 1 + Math.floor((start - firstEnd) / width))
    const place = `${provider}\0${model}`
    names.set(place, { model, provider })
    addTo(total, cell, timed)
    const inTime = buckets[bucket]
    if (inTime) addTo(inTime, cell, timed)
    addTo(sumOf(by.provider, provider), cell, timed)
    addTo(sumOf(by.model, place), cell, timed)
    addTo(sumOf(by.strategy, strategy), cell, timed)
    addTo(sumOf(by.client, client), cell, timed)
    addTo(sumOf(by.outcome, outcome), cell, true)
  }

  return {
    add(cells) {
      for (const cell of cells) {
        if (filter.client !== undefined && filter.client !== cell.client) continue
        if (filter.provider !== undefined && filter.provider !== cell.provider) continue
        if (filter.model !== undefined && filter.model !== cell.model) continue
        add(cell)
      }
    },
    result({ window_seconds, bucket_count }) {
      const { calls, ...figures } = figuresOf(total)
      return {
        total_calls: calls,
        ...figures,
        window_seconds,
        bucket_count,
        from: plan.from,
        to: plan.to,
        price_assumption: priceAssumption,
        by_provider: rows(by.provider, (provider) => ({ provider: provider || null })),
        by_model: rows(by.model, (place) => {
          const { model = '', provider = '' } = names.get(place) ?? {}
          return { model: model || null, provider: provider || null }
        }),
        by_strategy: rows(by.strategy, (strategy) => ({ strategy: strategy || null })),
        by_outcome: rows(by.outcome, (outcome) => ({ outcome })),
        by_client: rows(by.client, (client) => ({ client: client || null })),
        time_buckets: plan.buckets.map(({ start, end }, i): TimeBucket => {
          const sum = buckets[i] ?? openSum()
          return { start, end, ok: sum.ok, ...figuresOf(sum) }
        }),
      }
    },
  }
}

function widthOf({ buckets: [first, second], to }: Plan): number {
  return second && first ? second.end - first.end : to
}

function rows<Name extends object>(sums: ReadonlyMap<string, Sum>, nameOf: (key: string) => Name): (Name & Figures)[] {
  return [...sums]
    .sort(([a, { calls: x }], [b, { calls: y }]) => y - x || (a < b ? -1 : 1))
    .slice(0, ROWS)
    .map(([key, sum]) => ({ ...nameOf(key), ...figuresOf(sum) }))
}

function openSum(): Sum {
  return { calls: 0, ok: 0, in: 0, out: 0, cost: 0, us: 0, timed: 0, latency: openDistribution(), ttft: openDistribution() }
}

function addTo(sum: Sum, cell: Cell, timed: boolean): void {
  sum.calls += cell.calls
  if (cell.outcome === 'ok') sum.ok += cell.calls
  sum.in += cell.in
  sum.out += cell.out
  sum.cost += cell.cost
  if (!timed) return
  sum.timed += cell.calls
  sum.us += cell.us
  sum.latency.add(cell.latency)
  sum.ttft.add(cell.ttft)
}

function figuresOf({ calls, ok, in: tokensIn, out, cost, us, timed, latency, ttft }: Sum): Figures {
  return {
    calls,
    success_rate: calls === 0 ? 0 : round(ok / calls, 4),
    avg_latency_ms: timed === 0 ? null : round(us / timed / 1000, 2),
    p50_latency_ms: latency.quantile(0.5),
    p95_latency_ms: latency.quantile(0.95),
    p99_latency_ms: latency.quantile(0.99),
    p50_ttft_ms: ttft.quantile(0.5),
    p95_ttft_ms: ttft.quantile(0.95),
    p99_ttft_ms: ttft.quantile(0.99),
    tokens_in: tokensIn,
    tokens_out: out,
    list_cost_usd: round(cost / 1e6, 6),
  }
}

function round(value: number, digits: number): number {
  return Math.round(value * 10 ** digits) / 10 ** digits
}
