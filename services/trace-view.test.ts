import { expect, it } from 'vitest'
import type { ToldSpan } from './otlp-sink.ts'
import { waterfall } from './trace-view.ts'

const span = (
  spanId: string,
  parentSpanId: string,
  name: string,
  startMs: number,
  durationMs: number,
  more: Partial<ToldSpan> = {},
): ToldSpan => ({
  service: 'freeway-ingress',
  kind: 'INTERNAL',
  traceId: 't',
  failed: false,
  attributes: {},
  events: [],
  links: [],
  ...{ spanId, parentSpanId, name, startMs, durationMs },
  ...more,
})

const spans = [
  span('c', 'b', 'chat m', 1_100, 300, {
    service: 'freeway-worker',
    kind: 'CLIENT',
    failed: true,
    attributes: { 'error.type': 'rate_limited', 'http.response.status_code': 429, 'server.port': 443 },
  }),
  span('d', 'a', 'stream response', 1_500, 500, { attributes: { 'freeway.chunks': 12 }, events: [{ name: 'late', atMs: 1_520 }] }),
  span('a', 'of-the-caller', 'POST /v1', 1_000, 1_000, { kind: 'SERVER', attributes: { 'freeway.excluded': ['x', 'y'] } }),
  span('b', 'a', 'publish fw.v1.job', 1_050, 0.2, { kind: 'PRODUCER' }),
]

it('one line for each span, below its parent, with when and what', () => {
  expect(waterfall(spans, { width: 200, color: false })).toEqual([
    'freeway-ingress SERVER   POST /v1           |==========================================|   1.00s  excluded=[x,y]',
    'freeway-ingress  PRODUCER publish fw.v1.job   |                                            0.2ms',
    'freeway-worker    CLIENT   chat m [ERROR]       |============|                             300ms  http=429 error.type=rate_limited',
    'freeway-ingress  INTERNAL stream response                         |....................|   500ms  chunks=12 late +20ms',
  ])
})

it('what failed is red; what does not fit on the line is left out, but never the bar', () => {
  const [, , failed = ''] = waterfall(spans, { width: 130, color: true })
  expect(failed.startsWith('\u001b[31mfreeway-worker')).toBe(true)
  const narrow = waterfall(spans, { width: 40, color: false })
  expect(narrow[2]).toMatch(/\|=+\|\s+300ms$/)
  expect(waterfall([], { width: 80, color: false })).toEqual([])
})
