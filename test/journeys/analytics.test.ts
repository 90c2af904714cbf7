// What an operator reads of what has happened, in a gateway as one starts it: one process, SQLite, no broker.

import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Answers } from '#contracts/question.ts'
import { type Gateway, keyHash, startGateway } from '#test/support/gateway.ts'
import { until } from '#test/support/until.ts'

const KEY = 'fw_test_key_of_anna'
const ADMIN = randomBytes(24).toString('base64url')
const CALLS = 3
let gateway: Gateway
beforeAll(async () => {
  const key_hash = keyHash(KEY)
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

it('what was told of a request is found wherever an operator looks', async () => {
  const [entry] = ((await (await asAdmin('/api/requests?limit=1')).json()) as Page).data
  expect(entry).toMatchObject({ format: 'chat/completions', client: expect.any(String), strategy: expect.any(String), asked_model: null })
  expect(entry?.ttfb_ms).toBeGreaterThan(0)
  expect(entry?.duration_ms).toBeGreaterThanOrEqual(entry?.ttfb_ms ?? 0)
  expect(entry?.attempts[0]).toMatchObject({
    worker: expect.stringMatching(/./),
    granted_at: expect.any(Number),
    ended_at: expect.any(Number),
  })
  const said = await analytics()
  expect(said.by_client).toMatchObject([{ client: entry?.client, calls: CALLS }])
  expect(said.by_strategy).toMatchObject([{ strategy: entry?.strategy, calls: CALLS }])
})

it('a request that is refused by every provider is told with its error', async () => {
  const reply = await fetch(`${gateway.url}/v1/messages`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-api-key': KEY },
    body: JSON.stringify({ model: 'no-such-model', max_tokens: 5, messages: [{ role: 'user', content: 'x' }] }),
  })
  const { error } = (await reply.json()) as { error: { type: string } }
  expect(reply.status).toBeGreaterThanOrEqual(400)
  expect(error.type).toMatch(/./)
  const failed = async () =>
    ((await (await asAdmin('/api/requests?limit=100')).json()) as Page).data.find(({ outcome }) => outcome !== 'ok')
  await until('it is told', async () => (await failed()) !== undefined, { timeoutMs: 10_000 })
  expect(await failed()).toMatchObject({
    format: 'messages',
    asked_model: 'no-such-model',
    status: expect.any(Number),
    error: expect.any(String),
    provider: null,
    attempts: [],
  })
})

it('what telemetry cannot read is listed, and read again when it can be', async () => {
  const fact = { id: 'again.0.req.start.ingress', at: Date.now(), name: 'req.start', request: 'again', model: null, stream: false }
  using db = new DatabaseSync(join(gateway.dir, 'data/telemetry.db'))
  db.prepare('insert into dead_letter values (?, ?, ?, ?)').run('a/1', Date.now(), 'name: unknown', JSON.stringify({ events: [fact] }))
  db.prepare('insert into dead_letter values (?, ?, ?, ?)').run('b', Date.now() - 5_000, 'no JSON', 'hello')
  const listed = (await (await asAdmin('/api/dead-letters')).json()) as Answers['dead_letters']
  expect(listed).toMatchObject({
    data: [
      { id: 'a/1', reason: 'name: unknown' },
      { id: 'b', text: 'hello', length: 5 },
    ],
    next: null,
  })
  const requeue = (id: string) =>
    fetch(`${gateway.url}/api/dead-letters/${encodeURIComponent(id)}/requeue`, { method: 'POST', headers: { 'x-admin-token': ADMIN } })
  expect([(await requeue('b')).status, (await requeue('nobody')).status]).toEqual([409, 404])
  expect(await (await requeue('a/1')).json()).toEqual({ facts: 1 })
  const changes = (await (await asAdmin('/api/audit')).json()) as { action: string }[]
  expect(changes.filter(({ action }) => action === 'dead_letter.requeue')).toMatchObject([
    { actor: 'admin', target: 'a/1', after: { facts: 1 } },
  ])
  expect(await (await asAdmin('/api/requests/again')).json()).toMatchObject({ id: 'again', outcome: 'open' })
  expect((await (await asAdmin('/api/dead-letters')).json()) as Answers['dead_letters']).toMatchObject({ data: [{ id: 'b' }] })
  expect((await fetch(`${gateway.url}/api/dead-letters`)).status).toBe(401)
})

it.each(['/api/analytics', '/api/requests', '/api/requests/export', '/api/requests/x'])('%s is for the admin alone', async (path) => {
  expect((await fetch(`${gateway.url}${path}`)).status).toBe(401)
  expect((await fetch(`${gateway.url}${path}`, { headers: { authorization: `Bearer ${KEY}` } })).status).toBe(401)
  expect((await fetch(`${gateway.url}${path}`, { headers: { authorization: `Bearer ${ADMIN}` } })).status).toBe(
    200 + (path.endsWith('/x') ? 204 : 0),
  )
})
