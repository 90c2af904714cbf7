// What Prometheus sees of a running gateway: the measurements of a request, and nothing that its own judge finds fault with.

import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Gateway, startGateway } from '#test/support/gateway.ts'
import { hasPromtool, promtool } from '#test/support/promtool.ts'
import { until } from '#test/support/until.ts'

let gateway: Gateway
let operations = ''
const canary = 'canary-model-9xq'

beforeAll(async () => {
  gateway = await startGateway({ env: { METRICS_PORT: '0' } })
  operations = gateway.log.find(({ msg }) => msg === 'operations')?.url as string
  const ask = (body: object) =>
    fetch(`${gateway.url}/v1/chat/completions`, {
      method: 'POST',
      body: JSON.stringify({ messages: [{ role: 'user', content: 'Hello' }], ...body }),
    })
  await (await ask({ stream: true })).text()
  await (await ask({})).text()
  await (await ask({ model: canary })).text()
})
afterAll(() => gateway[Symbol.asyncDispose]())

const scrape = async () => (await fetch(`${operations}/metrics`)).text()

test('a request shows in ingress, router, worker and telemetry', async () => {
  await until('the facts are stored', async () => /^freeway_events_saved_total [1-9]/m.test(await scrape()))
  const page = await scrape()
  for (const line of [
    /^freeway_requests_total\{operation="chat",outcome="ok",provider="demo"\} 2$/m,
    /^freeway_router_placed_total\{provider="demo"\} 2$/m,
    /^freeway_router_refused_total\{reason="unknown_model"\} 1$/m,
    /^freeway_worker_calls_total\{provider="demo",result="ok"\} 2$/m,
    /^gen_ai_server_time_to_first_token_seconds_count\{.*\} 1$/m,
    /^freeway_worker_inflight\{provider="demo"\} 0$/m,
    /^freeway_provider_healthy\{provider="demo"\} 1$/m,
    /^freeway_outbox_events\{role="ingress"\} \d+$/m,
    /^freeway_bus_round_trip_seconds \d/m,
  ])
    expect(page).toMatch(line)
})

test('nothing that a client says becomes a label', async () => {
  expect(await scrape()).not.toContain(canary)
})

test.skipIf(!hasPromtool())('Prometheus finds no fault with the page', async () => {
  expect(promtool(['check', 'metrics'], await scrape())).toEqual({ ok: true, said: '' })
})

test('probes tell a process that works', async () => {
  const ready = await fetch(`${operations}/ready`)
  expect([ready.status, await ready.json()]).toMatchObject([200, { status: 'ok', missing: [] }])
})

test('the address of the clients shows no measurements', async () => {
  expect((await fetch(`${gateway.url}/metrics`)).status).toBe(404)
})
