// The spans that a collector has got, and the tree that they make.

import { openOtlpSink, type ToldSpan } from '#services/otlp-sink.ts'

/** Of events only the names. */
export interface SinkSpan extends Omit<ToldSpan, 'events'> {
  events: string[]
}

export interface OtlpSink extends AsyncDisposable {
  readonly url: string
  readonly spans: SinkSpan[]
}

export async function startOtlpSink(): Promise<OtlpSink> {
  const sink = await openOtlpSink()
  return {
    url: sink.url,
    get spans() {
      return sink.spans.map((span) => ({ ...span, events: span.events.map(({ name }) => name) }))
    },
    [Symbol.asyncDispose]: () => sink[Symbol.asyncDispose](),
  }
}

/** One line for each span, indented below its parent, in the order in which they began. */
export function tree(spans: readonly SinkSpan[], parent = '', depth = 0): string[] {
  return spans
    .filter((span) => span.parentSpanId === parent)
    .sort((a, b) => a.startMs - b.startMs)
    .flatMap((span) => [
      `${'  '.repeat(depth)}${span.service} ${span.kind} ${span.name}${span.failed ? ' [ERROR]' : ''}`,
      ...tree(spans, span.spanId, depth + 1),
    ])
}
