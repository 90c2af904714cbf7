import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Operations } from '#services/operations.ts'
import { openOperations } from '#services/operations.ts'
import { type Measured, measure, measureLoad } from './measures.ts'

let operations: Operations
beforeEach(async () => {
  operations = await openOperations({ host: '127.0.0.1', port: 0, service: 'ingress', version: '0', missing: () => [] })
})
afterEach(() => operations.close())

const scrape = async () => (await (await fetch(`${operations.url}/metrics`)).text()).split('\n')
const reading = (lines: string[], start: string) =>
  Number(
    lines
      .find((line) => line.startsWith(start))
      ?.split(' ')
      .at(-1),
  )

const ended = (change: Partial<Measured> = {}): Measured => ({
  kind: 'chat',
  stream: true,
  asked: undefined,
  target: { prov: 'mistral', model: 'small' },
  outcome: 'ok',
  durationMs: 1100,
  firstTokenMs: 100,
  attempts: 2,
  usage: { in: 10, out: 101 },
  ...change,
})
const labels = 'gen_ai_operation_name="chat",gen_ai_provider_name="mistral_ai",gen_ai_request_model="auto",gen_ai_response_model="small"'

test('a streamed answer is measured whole, to its first token, and by the token', async () => {
  measure(ended())
  const lines = await scrape()
  expect(reading(lines, `gen_ai_server_request_duration_seconds_sum{${labels}}`)).toBe(1.1)
  expect(reading(lines, `gen_ai_server_time_to_first_token_seconds_sum{${labels}}`)).toBe(0.1)
  expect(reading(lines, `gen_ai_server_time_per_output_token_seconds_sum{${labels}}`)).toBeCloseTo(0.01)
  expect(reading(lines, `gen_ai_client_token_usage_sum{${labels},gen_ai_token_type="output"}`)).toBe(101)
  expect(reading(lines, 'freeway_requests_total{operation="chat",outcome="ok",provider="mistral"}')).toBe(1)
  expect(reading(lines, 'freeway_attempts_total{provider="mistral"}')).toBe(2)
})

test('a whole answer has no first token, and a failure its type', async () => {
  measure(ended({ stream: false, outcome: 'provider_error' }))
  const lines = await scrape()
  expect(reading(lines, `gen_ai_server_request_duration_seconds_count{${labels},error_type="provider_error"}`)).toBe(1)
  expect(lines.some((line) => line.startsWith('gen_ai_server_time_to_first_token_seconds_count'))).toBe(false)
})

test('a request that reached no provider is counted all the same', async () => {
  measure(ended({ target: undefined, outcome: 'no_route', attempts: 0 }))
  expect(reading(await scrape(), 'freeway_requests_total{operation="chat",outcome="no_route",provider="none"}')).toBe(1)
})

test('what a client calls a model never becomes a label', async () => {
  for (const asked of ['freeai-code', 'some-alias', 'x\ny']) measure(ended({ asked }))
  const text = (await scrape()).join('\n')
  expect(text).toContain('gen_ai_request_model="code"')
  expect(text).not.toMatch(/some-alias|x.?y"/)
})

test('what runs and what is unsent is read at each scrape', async () => {
  const load = { inFlight: 3, unsentBytes: 7, roundTripMs: 2 }
  const end = measureLoad(load)
  load.inFlight = 4
  const lines = await scrape()
  expect([reading(lines, 'freeway_ingress_inflight '), reading(lines, 'freeway_ingress_unsent_bytes ')]).toEqual([4, 7])
  expect(reading(lines, 'freeway_bus_round_trip_seconds ')).toBe(0.002)
  end()
})
