// Traces out of a running Jaeger, by the API that its own page uses.

import type { ToldSpan } from './otlp-sink.ts'
import { SettingsError } from './settings-error.ts'

const TRACE_ID = /^[0-9a-f]{32}$/
const WITHIN_DAYS = 7

/** By the id of a trace, of a request, or of an error. Empty if Jaeger knows none. Throws SettingsError if it cannot be asked. */
export async function spansFromJaeger(base: string, id: string): Promise<ToldSpan[]> {
  if (TRACE_ID.test(id)) return spansOf(await ask(base, `/api/traces/${id}`))
  for (const name of ['freeway.request_id', 'freeway.client_request_id', 'freeway.error_id']) {
    const query = new URLSearchParams({ service: 'freeway-ingress', tags: JSON.stringify({ [name]: id }), limit: '1' })
    const startUs = (Date.now() - WITHIN_DAYS * 86_400_000) * 1000
    query.set('start', String(startUs))
    query.set('end', String(Date.now() * 1000))
    const found = spansOf(await ask(base, `/api/traces?${query}`))
    if (found.length > 0) return found
  }
  return []
}

interface Tag {
  key: string
  value: unknown
}
interface JaegerTrace {
  processes: Record<string, { serviceName: string }>
  spans: {
    traceID: string
    spanID: string
    operationName: string
    references: { refType: string; traceID: string; spanID: string }[]
    /** µs, as all times. */
    startTime: number
    duration: number
    tags: Tag[]
    logs: { timestamp: number; fields: Tag[] }[]
    processID: string
  }[]
}

async function ask(base: string, path: string): Promise<JaegerTrace | undefined> {
  const url = `${base.replace(/\/$/, '')}${path}`
  const response = await fetch(url).catch((cause: unknown) => {
    throw new SettingsError(`no Jaeger answers at ${base}: start one (deploy/compose.yaml has it) or set JAEGER_URL`, { cause })
  })
  if (response.status === 404) return undefined
  if (!response.ok) throw new SettingsError(`Jaeger at ${base} answered ${response.status}`)
  return ((await response.json()) as { data?: JaegerTrace[] | null }).data?.[0]
}

function spansOf(trace: JaegerTrace | undefined): ToldSpan[] {
  if (!trace) return []
  return trace.spans.map((span) => {
    const attributes = record(span.tags)
    const { 'span.kind': kind, error, ...rest } = attributes
    const parent = span.references.find(({ refType, traceID }) => refType === 'CHILD_OF' && traceID === span.traceID)
    return {
      service: trace.processes[span.processID]?.serviceName ?? '',
      name: span.operationName,
      kind: String(kind ?? 'internal').toUpperCase(),
      traceId: span.traceID,
      spanId: span.spanID,
      parentSpanId: parent?.spanID ?? '',
      failed: error === true || error === 'true',
      attributes: rest,
      events: span.logs.map(({ timestamp, fields }) => ({ name: String(record(fields).event ?? ''), atMs: timestamp / 1000 })),
      links: span.references.filter((one) => one !== parent).map(({ traceID }) => traceID),
      startMs: span.startTime / 1000,
      durationMs: span.duration / 1000,
    }
  })
}

function record(tags: Tag[]): Record<string, unknown> {
  return Object.fromEntries(tags.map(({ key, value }) => [key, value]))
}
