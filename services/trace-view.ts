// Pure. A trace as lines of text: one for each span, below its parent, with a bar that says when, and with what matters of it.

import type { ToldSpan } from './otlp-sink.ts'

export interface ViewOptions {
  /** Columns of the terminal. */
  width: number
  color: boolean
}

const BAR = 44
const RED = '\u001b[31m'
const DIM = '\u001b[2m'
const PLAIN = '\u001b[0m'

/** What is told beside the bar, in this order, where a span has it; `freeway.` is left out. */
const shown = [
  'http.response.status_code',
  'freeway.outcome',
  'freeway.attempt',
  'freeway.intent',
  'freeway.strategy',
  'freeway.candidates',
  'freeway.excluded',
  'freeway.chosen',
  'freeway.reason',
  'freeway.provider',
  'freeway.queue_ms',
  'freeway.result',
  'error.type',
  'gen_ai.usage.input_tokens',
  'gen_ai.usage.output_tokens',
  'freeway.chunks',
  'freeway.bytes',
  'freeway.client_aborted',
  'freeway.error_id',
  'freeway.request_id',
]

/** Lines, and nothing for no spans. Roots are spans whose parent is not among them. */
export function waterfall(spans: readonly ToldSpan[], { width, color }: ViewOptions): string[] {
  if (spans.length === 0) return []
  const startMs = Math.min(...spans.map((span) => span.startMs))
  const endMs = Math.max(...spans.map((span) => span.startMs + span.durationMs))
  const perColumn = Math.max(endMs - startMs, 0.001) / (BAR - 1)
  const rows = below(spans, undefined, 0)
  const services = Math.max(...rows.map(({ span }) => span.service.length))
  const titles = Math.max(...rows.map(({ title }) => title.length))
  return rows.map(({ span, title }) => {
    const from = Math.round((span.startMs - startMs) / perColumn)
    const to = Math.round((span.startMs + span.durationMs - startMs) / perColumn)
    const head = `${span.service.padEnd(services)} ${title.padEnd(titles)}`
    const rest = `${barOf(span, from, to)} ${duration(span.durationMs).padStart(7)}  ${details(span)}`
    const line = `${head} ${rest}`.slice(0, Math.max(width, head.length + BAR + 10)).trimEnd()
    if (!color) return line
    if (span.failed) return `${RED}${line}${PLAIN}`
    return `${DIM}${line.slice(0, services)}${PLAIN}${line.slice(services)}`
  })
}

interface Row {
  span: ToldSpan
  title: string
}

function below(spans: readonly ToldSpan[], parent: ToldSpan | undefined, depth: number): Row[] {
  const ids = new Set(spans.map(({ spanId }) => spanId))
  return spans
    .filter(({ parentSpanId }) => (parent ? parentSpanId === parent.spanId : !ids.has(parentSpanId)))
    .sort((a, b) => a.startMs - b.startMs)
    .flatMap((span) => {
      const title = `${' '.repeat(depth)}${span.kind.padEnd(8)} ${span.name}${span.failed ? ' [ERROR]' : ''}`
      return [{ span, title }, ...below(spans, span, depth + 1)]
    })
}

/** What takes no time at this scale is one stroke. */
function barOf({ name }: ToldSpan, from: number, to: number): string {
  if (to <= from) return `${' '.repeat(from)}|`.padEnd(BAR)
  return `${' '.repeat(from)}|${(name === 'stream response' ? '.' : '=').repeat(to - from - 1)}|`.padEnd(BAR)
}

function details(span: ToldSpan): string {
  const parts = shown.flatMap((key) => {
    const value = span.attributes[key]
    return value === undefined ? [] : [`${label(key)}=${Array.isArray(value) ? `[${value.join(',')}]` : value}`]
  })
  const events = span.events.map(({ name, atMs }) => `${name} +${duration(atMs - span.startMs)}`)
  return [...parts, ...events].join(' ')
}

function label(key: string): string {
  if (key === 'http.response.status_code') return 'http'
  if (key === 'gen_ai.usage.input_tokens') return 'tokens_in'
  return key === 'gen_ai.usage.output_tokens' ? 'tokens_out' : key.replace(/^freeway\./, '')
}

function duration(ms: number): string {
  if (ms >= 1000) return `${(ms / 1000).toFixed(2)}s`
  return ms >= 10 ? `${ms.toFixed(0)}ms` : `${ms.toFixed(1)}ms`
}
