// Pure. What a question about a window of time reads, and what the roll-ups come to.
// Minutes are the finest grain. A window is counted in whole minutes and never falls short of what was asked for.

import type { Analytics, Figures, QuestionOf, TimeBucket } from '#contracts/question.ts'
import { Distribution } from './histogram.ts'
import { priceAssumption } from './prices.ts'
import { type Cell, type Group, spans } from './tally.ts'

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
  const buckets = plan.buckets.map(openSum)
  const firstEnd = plan.buckets[0]?.end ?? plan.to
  const width = widthOf(plan)
  /** Cells go into their bucket and their group; every breakdown is made of the groups, which are few. */
  const groups = new Map<string, { group: Group; sum: Sum }>()

  function groupOf(cell: Cell): Sum {
    const { provider, model, strategy, outcome, client } = cell
    const key = `${provider}\0${model}\0${strategy}\0${outcome}\0${client}`
    let known = groups.get(key)
    if (!known) {
      known = { group: { provider, model, strategy, outcome, client }, sum: openSum() }
      groups.set(key, known)
    }
    return known.sum
  }

  function bucketOf(start: number): Sum | undefined {
    return buckets[start < firstEnd ? 0 : Math.min(buckets.length - 1, 1 + Math.floor((start - firstEnd) / width))]
  }

  function sumsBy(nameOf: (group: Group) => string, timed: (outcome: string) => boolean = (outcome) => outcome === 'ok'): Map<string, Sum> {
    const sums = new Map<string, Sum>()
    for (const { group, sum } of groups.values()) {
      const name = nameOf(group)
      const target = sums.get(name) ?? openSum()
      sums.set(name, target)
      addSum(target, sum, timed(group.outcome))
    }
    return sums
  }

  return {
    add(cells) {
      for (const cell of cells) {
        if (filter.client !== undefined && filter.client !== cell.client) continue
        if (filter.provider !== undefined && filter.provider !== cell.provider) continue
        if (filter.model !== undefined && filter.model !== cell.model) continue
        addTo(groupOf(cell), cell, true)
        const bucket = bucketOf(cell.start)
        if (bucket) addTo(bucket, cell, cell.outcome === 'ok')
      }
    },
    result({ window_seconds, bucket_count }) {
      const { calls, ...figures } = figuresOf(sumsBy(() => '').get('') ?? openSum())
      return {
        total_calls: calls,
        ...figures,
        window_seconds,
        bucket_count,
        from: plan.from,
        to: plan.to,
        price_assumption: priceAssumption,
        by_provider: rows(
          sumsBy(({ provider }) => provider),
          (provider) => ({ provider: provider || null }),
        ),
        by_model: rows(
          sumsBy(({ model, provider }) => `${provider}\0${model}`),
          (place) => {
            const [provider, model] = place.split('\0')
            return { model: model || null, provider: provider || null }
          },
        ),
        by_strategy: rows(
          sumsBy(({ strategy }) => strategy),
          (strategy) => ({ strategy: strategy || null }),
        ),
        by_outcome: rows(
          sumsBy(
            ({ outcome }) => outcome,
            () => true,
          ),
          (outcome) => ({ outcome }),
        ),
        by_client: rows(
          sumsBy(({ client }) => client),
          (client) => ({ client: client || null }),
        ),
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
  return { calls: 0, ok: 0, in: 0, out: 0, cost: 0, us: 0, timed: 0, latency: new Distribution(), ttft: new Distribution() }
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

function addSum(sum: Sum, { calls, ok, in: tokensIn, out, cost, us, timed: count, latency, ttft }: Sum, timed: boolean): void {
  sum.calls += calls
  sum.ok += ok
  sum.in += tokensIn
  sum.out += out
  sum.cost += cost
  if (!timed) return
  sum.timed += count
  sum.us += us
  latency.addTo(sum.latency)
  ttft.addTo(sum.ttft)
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
