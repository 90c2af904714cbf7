import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Operations } from '#services/operations.ts'
import { openOperations } from '#services/operations.ts'
import { countCall, measurePlaces } from './measures.ts'

let operations: Operations
beforeEach(async () => {
  operations = await openOperations({ host: '127.0.0.1', port: 0, service: 'worker', version: '0', missing: () => [] })
})
afterEach(() => operations.close())

const scrape = async () => (await (await fetch(`${operations.url}/metrics`)).text()).split('\n')

test('what is under way is told by provider, beside what this process takes', async () => {
  const place = { provider: { name: 'a', max_concurrency: 20 }, inFlight: 1 }
  const end = measurePlaces(() => [place])
  place.inFlight = 14
  const lines = await scrape()
  expect(lines).toContain('freeway_worker_inflight{provider="a"} 14')
  expect(lines).toContain('freeway_worker_capacity{provider="a"} 20')
  end()
})

test('calls are counted by what they came to, without the one of many statuses', async () => {
  for (const result of ['ok', 'rejected(429)', 'rejected(500)']) countCall('a', result)
  const lines = await scrape()
  expect(lines).toContain('freeway_worker_calls_total{provider="a",result="ok"} 1')
  expect(lines).toContain('freeway_worker_calls_total{provider="a",result="rejected"} 2')
})
