// Measurements of one process, for Prometheus to read. Beside trace.ts the only file that knows OpenTelemetry, which is loaded when it
// is wanted: until then an instrument does nothing. Labels are words of our own and of the catalogue, never keys, ids or text of a client.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Meter, ObservableCounter, ObservableGauge } from '@opentelemetry/api'

export type Labels = Readonly<Record<string, string | number>>

export interface Counter {
  add(value: number, labels?: Labels): void
}

export interface Histogram {
  record(value: number, labels?: Labels): void
}

/** Dots become underscores, and the unit ends the name that Prometheus sees: `a.b` in `s` is `a_b_seconds`. A count has no unit. */
interface Described {
  description: string
  unit?: 's' | 'By'
}

export interface Reading {
  value: number
  labels?: Labels
}

type Create = (meter: Meter) => void

let meter: Meter | undefined
const pending = new Set<Create>()

export function counter(name: string, options: Described): Counter {
  let instrument: Counter | undefined
  define((meter) => {
    instrument = meter.createCounter(named(name, options), options)
  })
  return { add: (value, labels) => instrument?.add(value, labels) }
}

/** `boundaries`: upper ends of the buckets, ascending. */
export function histogram(name: string, { boundaries, ...options }: Described & { boundaries: number[] }): Histogram {
  let instrument: Histogram | undefined
  define((meter) => {
    instrument = meter.createHistogram(named(name, options), { ...options, advice: { explicitBucketBoundaries: boundaries } })
  })
  return { record: (value, labels) => instrument?.record(value, labels) }
}

/** What stands now. `read` is called at each scrape, also of every other gauge of the same name. Returns a function that ends it. */
export function gauge(name: string, options: Described, read: () => Iterable<Reading>): () => void {
  return observed((meter) => meter.createObservableGauge(named(name, options), options), read)
}

/** What has come together since the start, where somebody else counts it; otherwise like `gauge`. */
export function total(name: string, options: Described, read: () => Iterable<Reading>): () => void {
  return observed((meter) => meter.createObservableCounter(named(name, options), options), read)
}

function observed(make: (meter: Meter) => ObservableGauge | ObservableCounter, read: () => Iterable<Reading>): () => void {
  let remove = () => {}
  const create: Create = (meter) => {
    const instrument = make(meter)
    const observe: Parameters<typeof instrument.addCallback>[0] = (result) => {
      for (const { value, labels } of read()) result.observe(value, labels)
    }
    instrument.addCallback(observe)
    remove = () => instrument.removeCallback(observe)
  }
  define(create)
  return () => {
    pending.delete(create)
    remove()
  }
}

const suffixes = { s: '.seconds', By: '.bytes' }

/** The exporter leaves the unit out of the name, where Prometheus' users look for it. */
function named(name: string, { unit }: Described): string {
  return unit === undefined ? name : name + suffixes[unit]
}

function define(create: Create): void {
  pending.add(create)
  if (meter) create(meter)
}

export interface MetricsPage {
  /** Answers with all measurements in Prometheus' text format. */
  handle(request: IncomingMessage, response: ServerResponse): void
  stop(): Promise<void>
}

/** One per process: turns every instrument on, those defined before and those that come. */
export async function startMetrics({ service, version }: { service: string; version: string }): Promise<MetricsPage> {
  const [{ MeterProvider }, { PrometheusExporter }] = await Promise.all([
    import('@opentelemetry/sdk-metrics'),
    import('@opentelemetry/exporter-prometheus'),
  ])
  // The scope is always ours, and what the process is stands in the labels that Prometheus gives its targets.
  const reader = new PrometheusExporter({ preventServerStart: true, withoutScopeInfo: true, withoutTargetInfo: true })
  const provider = new MeterProvider({ readers: [reader] })
  meter = provider.getMeter(service, version)
  for (const create of pending) create(meter)
  return {
    handle: (request, response) => reader.getMetricsRequestHandler(request, response),
    async stop() {
      meter = undefined
      await provider.shutdown()
    },
  }
}
