import { afterEach, expect, test } from 'vitest'
import { counter, gauge, histogram } from './metrics.ts'
import type { Operations } from './operations.ts'
import { openOperations } from './operations.ts'

let open: Operations | undefined
let missing: string[] = []
afterEach(async () => {
  await open?.close()
  open = undefined
  missing = []
})

async function start(): Promise<Operations> {
  open = await openOperations({ host: '127.0.0.1', port: 0, service: 'router', version: '1.2.3', missing: () => missing })
  return open
}

async function scrape(): Promise<string[]> {
  const answer = await fetch(`${open?.url}/metrics`)
  expect(answer.headers.get('content-type')).toMatch(/^text\/plain/)
  return (await answer.text()).split('\n')
}

test('instruments count from the start on, those defined before it and those after', async () => {
  const before = counter('test.before', { description: 'Defined before.' })
  before.add(5)
  await start()
  const after = histogram('test.after', { description: 'Defined after.', unit: 's', boundaries: [0.1, 1] })
  before.add(1, { provider: 'alpha' })
  before.add(2, { provider: 'alpha' })
  after.record(0.5)
  const lines = await scrape()
  expect(lines).toContain('test_before_total{provider="alpha"} 3')
  expect(lines).toContain('test_after_seconds_bucket{le="0.1"} 0')
  expect(lines).toContain('test_after_seconds_bucket{le="1"} 1')
})

test('a gauge is read at each scrape, until it ends', async () => {
  await start()
  let value = 1
  let reads = 0
  const end = gauge('test.depth', { description: 'Read.' }, () => {
    reads++
    return [{ value, labels: { pool: 'p' } }]
  })
  expect(await scrape()).toContain('test_depth{pool="p"} 1')
  value = 2
  expect(await scrape()).toContain('test_depth{pool="p"} 2')
  end()
  await scrape()
  expect(reads).toBe(2)
})

test('every process tells what it is, its memory, its CPU and how late its loop is', async () => {
  await start()
  const lines = await scrape()
  expect(lines).toContain('freeway_info{service="router",version="1.2.3"} 1')
  for (const name of [
    'freeway_process_memory_bytes',
    'freeway_process_cpu_seconds_total',
    'freeway_event_loop_lag_seconds{statistic="p99"}',
  ]) {
    const line = lines.find((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
    expect([name, Number(line?.split(' ').at(-1))]).toEqual([name, expect.any(Number)])
    expect(Number(line?.split(' ').at(-1))).toBeGreaterThanOrEqual(0)
  }
})

test('alive is not ready: what is missing is said in words', async () => {
  const { url } = await start()
  missing = ['bus']
  expect((await fetch(`${url}/health`)).status).toBe(200)
  const ready = await fetch(`${url}/ready`)
  expect([ready.status, await ready.json()]).toEqual([503, { status: 'not_ready', missing: ['bus'], service: 'router', version: '1.2.3' }])
  missing = []
  expect((await fetch(`${url}/ready`)).status).toBe(200)
})

test('there is nothing else on this port', async () => {
  const { url } = await start()
  expect((await fetch(`${url}/v1/models`)).status).toBe(404)
  expect((await fetch(`${url}/metrics`, { method: 'POST' })).status).toBe(405)
})
