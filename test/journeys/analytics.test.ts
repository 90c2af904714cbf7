// What an operator reads of what has happened, in a gateway as one starts it: one process, SQLite, no broker.

import { createHash, randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Answers } from '#contracts/question.ts'
import { type Gateway, startGateway } from '#test/support/gateway.ts'
import { until } from '#test/support/until.ts'

const KEY = 'fw_test_key_of_anna'
const ADMIN = randomBytes(24).toString('base64url')
const CALLS = 3
let gateway: Gateway
beforeAll(async () => {
  const key_hash = `sha256:${createHash('sha256').update(KEY).digest('hex')}`
  gateway = await startGateway({
    config: { clients: [{ name: 'anna', key_hash }] },
    env: { FREEWAY_ADMIN_TOKEN: ADMIN, FREEWAY_DEMO: 'on' },
  })
  for (let i = 0; i < CALLS; i++) {
    const reply = await fetch(`${gateway.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${KEY}` },
      body: JSON.stringify({ messages: [{ role: 'user', content: 'a secret prompt' }] }),
    })
    await reply.text()
    expect(reply.status).toBe(200)
  }
  await until('all is counted', async () => (await analytics()).total_calls === CALLS, { timeoutMs: 10_000 })
})
afterAll(() => gateway?.[Symbol.asyncDispose]())

const asAdmin = (path: string) => fetch(`${gateway.url}${path}`, { headers: { 'x-admin-token': ADMIN } })
const analytics = async (query = '') => (await (await asAdmin(`/api/analytics${query}`)).json()) as Answers['analytics']
type Page = Answers['requests']

it('analytics count each call once, in every breakdown', async () => {
  const said = await analytics('?window_seconds=3600&bucket_count=12')
  expect(said).toMatchObject({ total_calls: CALLS, success_rate: 1, window_seconds: 3600, bucket_count: 12 })
  expect(said.time_buckets).toHaveLength(12)
  expect(said.by_provider).toMatchObject([{ provider: 'demo', calls: CALLS }])
  expect(said.by_outcome).toMatchObject([{ outcome: 'ok', calls: CALLS }])
  expect(said.p95_latency_ms).toBeGreaterThan(0)
  expect(said.tokens_out).toBeGreaterThan(0)
  expect((await analytics('?provider=nobody')).total_calls).toBe(0)
})

it.each(['window_seconds=59', 'window_seconds=604801', 'bucket_count=0', 'bucket_count=169', 'window_seconds=x'])(
  'a question outside the ranges is refused: %s',
  async (query) => {
    const reply = await asAdmin(`/api/analytics?${query}`)
    expect(reply.status).toBe(400)
    expect(await reply.json()).toMatchObject({ error: { type: 'invalid_request_error', param: query.split('=')[0] } })
  },
)

it('statistics are for every client, in the shape of FreeLLMAPI', async () => {
  const reply = await fetch(`${gateway.url}/api/stats.php`, { headers: { authorization: `Bearer ${KEY}` } })
  expect(await reply.json()).toEqual({
    requests_today: CALLS,
    tokens_used: expect.any(Number),
    avg_latency: expect.any(Number),
    success_rate: 1,
    active_providers: 1,
  })
})

it('the leaderboard is for the site and the admin', async () => {
  expect(await (await asAdmin('/v1/models/leaderboard')).json()).toMatchObject({
    object: 'list',
    window: '24h',
    data: [{ rank: 1, id: expect.stringMatching(/^demo\//), requests: CALLS, success_rate: 1 }],
  })
  const refused = await fetch(`${gateway.url}/v1/models/leaderboard`, { headers: { authorization: `Bearer ${KEY}` } })
  expect(refused.status).toBe(401)
  expect(await refused.json()).toMatchObject({ error: { message: expect.stringContaining('invalid site stats key') } })
})

it('the log has each request with its attempts, page by page, and never what was said', async () => {
  const first = await (await asAdmin('/api/requests?limit=2')).text()
  const { data, next } = JSON.parse(first) as Page
  expect(data).toHaveLength(2)
  expect(data[0]).toMatchObject({ outcome: 'ok', provider: 'demo', attempts: [{ n: 1, provider: 'demo', result: 'ok' }] })
  const rest = (await (await asAdmin(`/api/requests?limit=2&cursor=${next}`)).json()) as Page
  expect(rest).toMatchObject({ data: [{ outcome: 'ok' }], next: null })
  expect(new Set([...data, ...rest.data].map(({ id }) => id)).size).toBe(CALLS)
  expect(await (await asAdmin(`/api/requests/${data[0]?.id}`)).json()).toEqual(data[0])
  expect((await asAdmin('/api/requests/nobody')).status).toBe(404)
  expect(first).not.toContain('secret')
})

it('the log can be taken away as CSV and as JSON', async () => {
  const csv = await (await asAdmin('/api/requests/export')).text()
  expect(csv.split('\r\n')).toHaveLength(1 + CALLS + 1)
  expect(csv).toMatch(/^id,started_at,/)
  const reply = await asAdmin('/api/requests/export?format=json&outcome=ok')
  expect(reply.headers.get('content-disposition')).toContain('freeway-requests.json')
  expect(await reply.json()).toHaveLength(CALLS)
  expect(await (await asAdmin('/api/requests/export?format=json&outcome=lost')).json()).toEqual([])
})

it.each(['/api/analytics', '/api/requests', '/api/requests/export', '/api/requests/x'])('%s is for the admin alone', async (path) => {
  expect((await fetch(`${gateway.url}${path}`)).status).toBe(401)
  expect((await fetch(`${gateway.url}${path}`, { headers: { authorization: `Bearer ${KEY}` } })).status).toBe(401)
  expect((await fetch(`${gateway.url}${path}`, { headers: { authorization: `Bearer ${ADMIN}` } })).status).toBe(
    200 + (path.endsWith('/x') ? 204 : 0),
  )
})
