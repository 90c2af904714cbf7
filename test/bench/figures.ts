// Pure. From raw measurements to the figures that are compared with the targets.
// Every figure is the median of the turns, because single turns drift with the machine.

export const contestants = ['direct', 'proxy', 'embedded', 'cluster'] as const
export type ContestantName = (typeof contestants)[number]

/** One scenario, run once against one contestant. Times in ms; `cpuMs` is user and system time by process. */
export interface Measurement {
  contestant: ContestantName
  scenario: string
  round: number
  requests: number
  errors: number
  lostFrames: number
  /** Calls that reached the upstream: more than `requests` means that something was repeated. */
  upstreamCalls: number
  seconds: number
  latency: Percentiles
  firstToken: Percentiles
  cpuMs: Record<string, number>
}

export interface Percentiles {
  p50: number
  p99: number
}

/** Memory in MB, by process. */
export interface Memory {
  idle: Record<string, number>
  peak: Record<string, number>
}

export interface Summary {
  contestant: ContestantName
  scenario: string
  requests: number
  errors: number
  lostFrames: number
  repeatedCalls: number
  requestsPerSecond: number
  latency: Percentiles
  firstToken: Percentiles
  /** In microseconds, by process and in all. */
  cpuByProcess: Record<string, number>
  cpuPerRequest: number
}

/** Nearest rank; NaN for nothing. `sorted` ascends. */
export function percentile(sorted: ArrayLike<number>, share: number): number {
  if (sorted.length === 0) return Number.NaN
  const rank = Math.max(1, Math.ceil(share * sorted.length))
  return sorted[Math.min(rank, sorted.length) - 1] as number
}

export function percentiles(values: Iterable<number>): Percentiles {
  const sorted = Float64Array.from(values).sort()
  return { p50: percentile(sorted, 0.5), p99: percentile(sorted, 0.99) }
}

export function median(values: number[]): number {
  const sorted = values.filter(Number.isFinite).sort((a, b) => a - b)
  if (sorted.length === 0) return Number.NaN
  const middle = sorted.length >> 1
  return sorted.length % 2 ? (sorted[middle] as number) : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2
}

/** All rounds of each scenario and contestant as one line, in the order of first appearance. */
export function summarize(measurements: Measurement[]): Summary[] {
  const groups = Map.groupBy(measurements, (m) => `${m.scenario}|${m.contestant}`)
  return [...groups.values()].map((rounds) => {
    const first = rounds[0] as Measurement
    const of = (figure: (m: Measurement) => number) => median(rounds.map(figure))
    const sum = (figure: (m: Measurement) => number) => rounds.reduce((total, m) => total + figure(m), 0)
    const cpuByProcess = Object.fromEntries(
      Object.keys(first.cpuMs).map((name) => [name, of((m) => perRequest(m.cpuMs[name] ?? Number.NaN, m))]),
    )
    return {
      contestant: first.contestant,
      scenario: first.scenario,
      requests: sum((m) => m.requests),
      errors: sum((m) => m.errors),
      lostFrames: sum((m) => m.lostFrames),
      repeatedCalls: sum((m) => Math.max(0, m.upstreamCalls - m.requests - m.errors)),
      requestsPerSecond: of((m) => m.requests / m.seconds),
      latency: { p50: of((m) => m.latency.p50), p99: of((m) => m.latency.p99) },
      firstToken: { p50: of((m) => m.firstToken.p50), p99: of((m) => m.firstToken.p99) },
      cpuByProcess,
      cpuPerRequest: of((m) => perRequest(total(m.cpuMs), m)),
    }
  })
}

/** CPU per request of `name` over that of the proxy in the same round. */
export function cpuRatio(measurements: Measurement[], scenario: string, name: ContestantName): number {
  return median(
    rounds(measurements, scenario, name, 'proxy').map(
      ([m, proxy]) => perRequest(total(m.cpuMs), m) / perRequest(total(proxy.cpuMs), proxy),
    ),
  )
}

/** CPU per request of one scenario over that of another, by the same contestant in the same turn. */
export function scenarioRatio(measurements: Measurement[], scenario: string, yardstick: string, name: ContestantName): number {
  const of = (wanted: string) => measurements.filter((m) => m.scenario === wanted && m.contestant === name)
  const turns = new Map(of(yardstick).map((m) => [m.round, perRequest(total(m.cpuMs), m)]))
  return median(of(scenario).map((m) => perRequest(total(m.cpuMs), m) / (turns.get(m.round) ?? Number.NaN)))
}

/** What `name` adds to going straight to the upstream in the same round, in ms. */
export function addedLatency(measurements: Measurement[], scenario: string, name: ContestantName): Percentiles {
  const pairs = rounds(measurements, scenario, name, 'direct')
  return {
    p50: median(pairs.map(([m, direct]) => m.latency.p50 - direct.latency.p50)),
    p99: median(pairs.map(([m, direct]) => m.latency.p99 - direct.latency.p99)),
  }
}

function rounds(all: Measurement[], scenario: string, name: ContestantName, yardstick: ContestantName): [Measurement, Measurement][] {
  const find = (contestant: ContestantName) => all.filter((m) => m.scenario === scenario && m.contestant === contestant)
  const yardsticks = new Map(find(yardstick).map((m) => [m.round, m]))
  return find(name).flatMap((m): [Measurement, Measurement][] => {
    const same = yardsticks.get(m.round)
    return same ? [[m, same]] : []
  })
}

const total = (cpuMs: Record<string, number>) => Object.values(cpuMs).reduce((sum, ms) => sum + ms, 0)
const perRequest = (ms: number, m: Measurement) => (m.requests > 0 ? (ms * 1000) / m.requests : Number.NaN)
