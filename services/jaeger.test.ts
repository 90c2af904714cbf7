import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { spansFromJaeger } from './jaeger.ts'

const traceID = '62e588dad69c53e63a7fc48ad810cef7'
/** As Jaeger's API for its own page answers. */
const trace = {
  traceID,
  processes: { p1: { serviceName: 'freeway-ingress', tags: [] }, p2: { serviceName: 'freeway-worker', tags: [] } },
  spans: [
    {
      traceID,
      spanID: 'b7ad6b7169203331',
      operationName: 'POST /v1/chat/completions',
      references: [],
      startTime: 1_760_000_000_000_000,
      duration: 1_500,
      tags: [
        { key: 'span.kind', type: 'string', value: 'server' },
        { key: 'freeway.attempts', type: 'int64', value: 1 },
      ],
      logs: [],
      processID: 'p1',
    },
    {
      traceID,
      spanID: '00f067aa0ba902b7',
      operationName: 'chat m',
      references: [{ refType: 'CHILD_OF', traceID, spanID: 'b7ad6b7169203331' }],
      startTime: 1_760_000_000_000_500,
      duration: 900,
      tags: [
        { key: 'span.kind', type: 'string', value: 'client' },
        { key: 'error', type: 'bool', value: true },
      ],
      logs: [{ timestamp: 1_760_000_000_000_700, fields: [{ key: 'event', type: 'string', value: 'first_chunk' }] }],
      processID: 'p2',
    },
  ],
}

const asked: URL[] = []
const server = createServer((request, response) => {
  const url = new URL(request.url ?? '', 'http://jaeger')
  asked.push(url)
  const tags = JSON.parse(url.searchParams.get('tags') ?? '{}')
  const known = url.pathname === `/api/traces/${traceID}` || tags['freeway.error_id'] === 'groq-3a7fc48ad810'
  if (!known && url.pathname !== '/api/traces') response.statusCode = 404
  response.setHeader('content-type', 'application/json')
  response.end(JSON.stringify({ data: known ? [trace] : [] }))
})
let base = ''
beforeAll(async () => {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(async () => {
  server.closeAllConnections()
  server.close()
  await once(server, 'close')
})

it('reads a trace by its id', async () => {
  expect(await spansFromJaeger(`${base}/`, traceID)).toMatchObject([
    {
      service: 'freeway-ingress',
      kind: 'SERVER',
      name: 'POST /v1/chat/completions',
      parentSpanId: '',
      failed: false,
      attributes: { 'freeway.attempts': 1 },
      startMs: 1_760_000_000_000,
      durationMs: 1.5,
    },
    {
      service: 'freeway-worker',
      kind: 'CLIENT',
      parentSpanId: 'b7ad6b7169203331',
      failed: true,
      events: [{ name: 'first_chunk', atMs: 1_760_000_000_000.7 }],
    },
  ])
})

it('finds a request by its own id and by that of its error', async () => {
  asked.length = 0
  expect(await spansFromJaeger(base, 'groq-3a7fc48ad810')).toHaveLength(2)
  expect(asked.map(({ searchParams }) => Object.keys(JSON.parse(searchParams.get('tags') ?? '{}'))[0])).toEqual([
    'freeway.request_id',
    'freeway.client_request_id',
    'freeway.error_id',
  ])
  expect(asked.every(({ searchParams }) => searchParams.get('service') === 'freeway-ingress')).toBe(true)
})

it('knows nothing of others, and says where nobody answers', async () => {
  expect(await spansFromJaeger(base, '0'.repeat(32))).toEqual([])
  expect(await spansFromJaeger(base, 'unknown')).toEqual([])
  await expect(spansFromJaeger('http://127.0.0.1:9', traceID)).rejects.toThrow('no Jaeger answers at http://127.0.0.1:9')
})
