// Administration while freeway runs, through real processes: two ingresses, two routers, two workers on one broker. What is changed
// through one ingress holds everywhere within a second and after a restart of everything, and no key is ever seen.

import { createHash } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from 'nats'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { buckets } from '#contracts/subjects.ts'
import { startSimulator } from '#services/simulator/simulator.ts'
import { startGateway } from '#test/support/gateway.ts'
import { type Service, type Stack, startStack } from '#test/support/stack.ts'
import { until } from '#test/support/until.ts'

const token = 'Zk3vQ9xR7mW2pL5tN8bH'
const secret = 'n5Tq8RwZ2mK7vX4cB9pLd3Hs'
const keys = {
  first: 'gq-canary-first-A8f3kD92mXqLw7',
  second: 'gq-canary-second-B7d2jC81nYpKv6',
  wrong: 'gq-canary-wrong-C6e1hB70oZoJu5',
}
/** How the simulator writes down what a provider was shown. */
const shown = (key: string) => `Bearer sha256:${createHash('sha256').update(key).digest('hex').slice(0, 12)}`

const custom = (name: string, more: object = {}) => ({
  name,
  base_url: `${stack.simulator.url}/v1`,
  models: [{ id: `m-${name}`, capabilities: ['chat'], context_window: 1_000_000 }],
  ...more,
})

let stack: Stack
beforeAll(async () => {
  const env = { FREEWAY_ADMIN_TOKEN: token, FREEWAY_SECRET: secret }
  const providers = { alpha: { model: 'm-alpha', tags: ['steady'] }, beta: { model: 'm-beta' } }
  stack = await startStack({ ingress: 2, routers: 2, workers: [[], []], providers, env })
})
afterAll(() => stack?.[Symbol.asyncDispose]())
beforeEach(() => stack.reset())

const living = (services: Service[]) => services.filter(({ running }) => running)

async function admin(method: string, path: string, body?: unknown, i = 0) {
  const { url } = living(stack.ingresses)[i] as Service
  const response = await fetch(`${url}/api${path}`, {
    method,
    headers: { 'x-admin-token': token, 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  for (const key of [...Object.values(keys), secret]) expect(text).not.toContain(key)
  return { status: response.status, body: JSON.parse(text) }
}

async function chat(body: object, headers: Record<string, string> = {}, i = 0) {
  const { url } = living(stack.ingresses)[i] as Service
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ messages: [{ role: 'user', content: 'hello' }], ...body }),
  })
  return { status: response.status, headers: response.headers, body: await response.json() }
}

/** What became of it. */
async function inBackground(body: object, i = 0): Promise<string> {
  const { url } = living(stack.ingresses)[i] as Service
  const ask = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ input: 'hello', ...body }) }
  let { id, status } = await (await fetch(`${url}/v1/responses`, ask)).json()
  await until('it is over', async () => {
    status = (await (await fetch(`${url}/v1/responses/${id}`)).json()).status
    return status !== 'in_progress'
  })
  return status
}

const row = async (name: string, i = 0) => (await admin('GET', `/providers/${name}`, undefined, i)).body
const keysShown = () => stack.simulator.calls.map(({ headers }) => headers['authorization'])

describe('a key', () => {
  it('that is stored through one ingress lets a worker call the provider at once, and another one takes its place', async () => {
    expect(await admin('POST', '/providers', custom('gamma'))).toMatchObject({
      status: 201,
      body: { provider: { name: 'gamma', has_key: false, configured: false, key_source: null, custom: true }, model_warning: null },
    })
    for (const key of [keys.first, keys.second]) {
      const { status, body } = await admin('PATCH', '/providers/gamma', { api_key: key })
      expect([status, body.provider]).toMatchObject([200, { has_key: true, configured: true, key_source: 'stored', accounts: ['gamma-1'] }])
      // Through the other ingress: it hears of it by itself.
      await until(
        'the provider is called with it',
        async () => (await chat({ model: 'gamma/m-gamma' }, {}, 1)).status === 200 && keysShown().at(-1) === shown(key),
      )
    }
  })

  it('may be one of several, each an account of its own', async () => {
    await admin('POST', '/providers', custom('several', { api_keys: [keys.first, keys.second], rpm_limit: 1 }))
    expect(await row('several', 1)).toMatchObject({ accounts: ['several-1', 'several-2'], has_key: true })
    // The limit is one for each of them.
    await until('it is served', async () => (await chat({ model: 'several/m-several' })).status === 200)
    expect((await chat({ model: 'several/m-several' }, {}, 1)).status).toBe(200)
    expect(new Set(keysShown())).toEqual(new Set([shown(keys.first), shown(keys.second)]))
    expect((await chat({ model: 'several/m-several' }, {}, 1)).status).toBe(429)
  })

  it('that is cleared is used no more, whatever the settings say; and those of the settings come back', async () => {
    expect((await admin('PATCH', '/providers/beta', { api_key: '' })).body.provider).toMatchObject({ has_key: false, configured: false })
    await until('nobody serves it', async () => (await chat({ model: 'beta/m-beta' }, {}, 1)).status === 503)
    const { provider } = (await admin('PATCH', '/providers/beta', { api_key: null })).body
    expect(provider).toMatchObject({ has_key: true, key_source: 'settings' })
    await until('it is served', async () => (await chat({ model: 'beta/m-beta' }, {}, 1)).status === 200)
  })

  it('is tried by a worker, which tells in our words what the provider says', async () => {
    await admin('POST', '/providers', custom('tried', { api_key: keys.wrong }))
    const quoting = { error: { message: `Incorrect API key provided: ${keys.wrong}` } }
    stack.simulator.setFault({ model: 'm-tried' }, { status: 401, body: quoting })
    expect(await admin('POST', '/providers/tried/test', {}, 1)).toMatchObject({
      status: 200,
      body: { provider: 'tried', ok: false, keys: [{ account: 'tried-1', ok: false, code: 'auth', status: 401 }] },
    })
    stack.simulator.setFault({ model: 'm-tried' }, undefined)
    const good = await admin('POST', '/providers/tried/test')
    expect(good).toMatchObject({
      status: 200,
      body: { ok: true, message: 'the provider takes the key', keys: [{ code: 'ok', status: 200 }] },
    })
    expect(stack.simulator.calls.at(-1)?.body).toMatchObject({ model: 'm-tried', max_tokens: 1 })
  })
})

describe('a change through one ingress', () => {
  it('is seen by every ingress and every router within a second', async () => {
    const change = { weight: 3.5, rpm_limit: 7, rpd_limit: 70, tpm_limit: 700, tpd_limit: 7_000, tags: ['own'], enabled: true }
    const { status, body } = await admin('PATCH', '/providers/alpha', change)
    expect([status, body.provider]).toMatchObject([200, change])
    const changedMs = performance.now()
    // Each question goes to either router.
    for (let i = 0; i < 8; i++) expect(await row('alpha', i % 2)).toMatchObject(change)
    expect(performance.now() - changedMs).toBeLessThan(1_000)
    expect((await admin('GET', '/tags', undefined, 1)).body).toContainEqual({ tag: 'own', providers: ['alpha'] })
    const back = await admin('PATCH', '/providers/alpha', Object.fromEntries(Object.keys(change).map((name) => [name, null])))
    expect(back.body.provider).toMatchObject({ weight: 1, rpm_limit: null, tags: ['steady'], enabled: true })
  })

  it('disturbs no request that is on its way', async () => {
    const statuses: number[] = []
    let over = false
    const clients = Array.from({ length: 6 }, async (_, i) => {
      while (!over) statuses.push((await chat({ model: 'alpha/m-alpha' }, {}, i % 2)).status)
    })
    for (let weight = 2; weight < 12; weight++) await admin('PATCH', '/providers/alpha', { weight, api_key: `${keys.first}${weight}` })
    await admin('PATCH', '/providers/alpha', { weight: null, api_key: null })
    over = true
    await Promise.all(clients)
    expect(statuses.length).toBeGreaterThan(20)
    expect(statuses.filter((status) => status !== 200)).toEqual([])
  })

  it('forgets at every router what was learned', async () => {
    stack.simulator.setFault({ model: 'm-alpha' }, { status: 401, body: { error: { message: 'invalid api key' } } })
    await chat({ model: 'alpha/m-alpha' })
    const resting = async (i: number) => (await row('alpha', i)).healthy === false
    await until('both routers know', async () => (await Promise.all([0, 1, 0, 1, 0, 1].map(resting))).every(Boolean))
    expect(await row('alpha')).toMatchObject({ last_error: 'auth (401)', cooldowns: [{ account: 'alpha-1', reason: 'auth' }] })
    expect((await admin('POST', '/providers/alpha/reset')).body).toEqual({ ok: true })
    expect((await Promise.all([0, 1, 0, 1, 0, 1].map(resting))).some(Boolean)).toBe(false)
  })

  it('counts what is asked of a provider, also where no limit does', async () => {
    await admin('POST', '/providers', custom('counted', { api_key: keys.first }))
    await until('it is served', async () => (await chat({ model: 'counted/m-counted' })).status === 200)
    await until('both routers have counted', async () =>
      (await Promise.all([0, 1, 0, 1].map((i) => row('counted', i)))).every(
        ({ requests_today, tokens_today, last_latency_ms }) => requests_today >= 1 && tokens_today > 0 && last_latency_ms > 0,
      ),
    )
  })

  it('of a strategy is followed by the next request, and can be looked at before', async () => {
    const definition = { require: [{ field: 'name', op: 'eq', value: 'beta' }] }
    const { body } = await admin('POST', '/strategies/preview', { definition }, 1)
    expect(body.candidates).toMatchObject([{ name: 'beta', healthy: true }])
    expect(body.excluded).toContainEqual({ name: 'alpha', reason: 'requires name eq beta' })
    expect((await admin('POST', '/strategies', { name: 'only_beta', definition })).status).toBe(201)
    await until('both routers know it', async () => {
      const answers = await Promise.all([0, 1, 0, 1].map((i) => chat({ strategy: 'only_beta' }, {}, i)))
      return answers.every(({ status, headers }) => status === 200 && headers.get('x-freeway-provider') === 'beta')
    })
    expect((await admin('PUT', '/config/strategy', { default_strategy: 'only_beta' }, 1)).body).toMatchObject({
      default_strategy: 'only_beta',
    })
    await until('it holds for who names none', async () => {
      const answers = await Promise.all([0, 1, 0, 1].map((i) => chat({}, {}, i)))
      return answers.every(({ headers }) => headers.get('x-freeway-provider') === 'beta')
    })
  })

  it('of the fallback holds for requests that say nothing', async () => {
    const named = { model: 'both', strategy: 'auto' }
    await admin('PUT', '/aliases/both', { targets: ['alpha/m-alpha', 'beta/m-beta'] })
    stack.simulator.setFault({ model: 'm-alpha' }, { status: 500 })
    await until('the alias is known and falls back', async () => (await chat(named, {}, 1)).headers.get('x-freeway-provider') === 'beta')
    await admin('POST', '/providers/alpha/reset')
    await admin('PUT', '/config/fallback', { enable_fallback: false })
    await until('it is one attempt', async () => (await chat(named, {}, 1)).status >= 500)
    await admin('POST', '/providers/alpha/reset')
    await until('so it is in the background', async () => (await inBackground({ ...named, background: true }, 1)) === 'failed')
    expect((await admin('PUT', '/config/fallback', { enable_fallback: true }, 1)).body).toMatchObject({ enable_fallback: true })
    await admin('POST', '/providers/alpha/reset')
  })
})

describe('why a request goes where it goes', () => {
  it('is told to who may ask, in a header', async () => {
    const { headers } = await chat({ strategy: 'fast' }, { 'x-freeway-trace': '1', authorization: `Bearer ${token}` })
    const told = JSON.parse(headers.get('x-freeway-explained') ?? '{}')
    expect(told).toMatchObject({ strategy: 'fast', candidates: expect.arrayContaining([expect.objectContaining({ provider: 'alpha' })]) })
    expect(headers.get('x-freeway-explained')?.length).toBeLessThanOrEqual(4096)
    const silent = await chat({ strategy: 'fast' }, { authorization: `Bearer ${token}` })
    expect(silent.headers.get('x-freeway-explained')).toBeNull()
  })

  it('is told of a refusal as well, and to a key with the role alone', async () => {
    const { api_key: plain } = (await admin('POST', '/clients', { name: 'plain' })).body
    const { api_key: curious } = (await admin('POST', '/clients', { name: 'curious', roles: ['trace'] })).body
    await admin('PATCH', '/providers/beta', { enabled: false })
    const asked = (key: string) => chat({ strategy: 'only_beta' }, { 'x-freeway-trace': '1', authorization: `Bearer ${key}` }, 0)
    await until('nobody is left', async () => (await asked(curious)).status === 503)
    const { headers } = await asked(curious)
    expect(JSON.parse(headers.get('x-freeway-explained') ?? '{}').passed_over).toContainEqual(
      expect.objectContaining({ provider: 'alpha', why: 'is not what the strategy requires' }),
    )
    expect((await asked(plain)).headers.get('x-freeway-explained')).toBeNull()
    await admin('PATCH', '/providers/beta', { enabled: null })
  })
})

describe('after a restart of everything', () => {
  it('all of it still holds, what was counted too, and no key is anywhere', async () => {
    const { requests_today } = await row('counted')
    const before = [...stack.ingresses, ...stack.routers, ...stack.workers]
    for (const service of before) service.kill('SIGTERM')
    await Promise.all(before.map(({ exited }) => exited))
    await stack.nats.kill('SIGKILL')
    await stack.nats.restart()
    for (const role of ['router', 'router', 'worker', 'ingress', 'ingress'] as const) await stack.start(role)
    await Promise.all(living(stack.ingresses).map(({ url }) => until('it is ready', async () => (await fetch(`${url}/ready`)).ok)))

    expect(await row('gamma', 1)).toMatchObject({ has_key: true, key_source: 'stored', custom: true })
    expect((await row('counted')).requests_today).toBe(requests_today)
    expect((await admin('GET', '/config')).body).toMatchObject({ default_strategy: 'only_beta', enable_fallback: true })
    expect((await admin('GET', '/aliases')).body).toContainEqual({ alias: 'both', targets: ['alpha/m-alpha', 'beta/m-beta'], stored: true })
    const asAdmin = { authorization: `Bearer ${token}` }
    await until('it is served', async () => (await chat({ model: 'gamma/m-gamma' }, asAdmin)).status === 200)
    expect(keysShown().at(-1)).toBe(shown(keys.second))

    expect((await admin('GET', '/audit?limit=200')).body.map(({ action }: { action: string }) => action)).toEqual(
      expect.arrayContaining(['provider.add', 'provider.change', 'provider.reset', 'strategy.add', 'config.strategy', 'alias.set']),
    )
    const seen = [...before, ...stack.ingresses, ...stack.routers, ...stack.workers].flatMap(({ lines }) => lines).join('\n')
    const bytes = [seen, JSON.stringify(stack.facts), await everythingStored()].join('\n')
    for (const key of [...Object.values(keys), secret]) {
      for (const spelt of [key, Buffer.from(key).toString('base64').replace(/=+$/, ''), Buffer.from(key).toString('hex')]) {
        expect(bytes.includes(spelt), `${key.slice(0, 16)} is somewhere`).toBe(false)
      }
    }
    expect(await everythingStored()).toContain('fwk1.')
  })

  it('a worker with another secret says clearly what is wrong, and does not call', async () => {
    for (const worker of living(stack.workers)) {
      worker.kill('SIGKILL')
      await worker.exited
    }
    const stranger = await stack.start('worker', [], { FREEWAY_SECRET: 'q8Wz3Nf6Yt1Rk5Vb7Jm2Xc9L' })
    await until('it says so', () => stranger.lines.some((line) => /stored provider key cannot be opened.*gamma.*FREEWAY_SECRET/.test(line)))
    expect((await admin('POST', '/providers/gamma/test')).body).toMatchObject({
      ok: false,
      message: 'the stored key cannot be opened by the worker: it was stored with another FREEWAY_SECRET',
    })
    stranger.kill('SIGKILL')
    // The new secret with the old one beside it opens everything.
    await stack.start('worker', [], { FREEWAY_SECRET: 'q8Wz3Nf6Yt1Rk5Vb7Jm2Xc9L', FREEWAY_SECRET_OLD: secret })
    let last: unknown
    await until(
      'it is served',
      async () => {
        const answer = await chat({ model: 'gamma/m-gamma' }, { authorization: `Bearer ${token}` })
        last = answer.body
        return answer.status === 200
      },
      { state: () => last },
    )
  })
})

describe('in one process', () => {
  it('a key is kept with a secret that was made for it, and survives a restart', async () => {
    await using run = new AsyncDisposableStack()
    const dir = await mkdtemp(join(tmpdir(), 'freeway-administration-'))
    run.defer(() => rm(dir, { recursive: true }))
    const simulator = await startSimulator({ apiKey: keys.first })
    run.defer(() => simulator.close())
    const env = { FREEWAY_ADMIN_TOKEN: token, FREEWAY_DEMO: 'off' }
    const asAdmin = { 'x-admin-token': token, 'content-type': 'application/json' }
    const ask = async (url: string, path: string, body: object) =>
      (await fetch(url + path, { method: 'POST', headers: asAdmin, body: JSON.stringify(body) })).status
    const question = { model: 'own/m', messages: [{ role: 'user', content: 'hello' }] }

    const first = await startGateway({ dir, env })
    const own = { name: 'own', base_url: `${simulator.url}/v1`, api_key: keys.first, models: [{ id: 'm', capabilities: ['chat'] }] }
    expect(await ask(first.url, '/api/providers', own)).toBe(201)
    await until('it is served', async () => (await ask(first.url, '/v1/chat/completions', question)) === 200)
    await first[Symbol.asyncDispose]()
    const second = run.use(await startGateway({ dir, env }))
    await until('it is served again', async () => (await ask(second.url, '/v1/chat/completions', question)) === 200)

    expect((await stat(join(dir, 'data/secret'))).mode & 0o777).toBe(0o600)
    const made = (await readFile(join(dir, 'data/secret'), 'utf8')).trim()
    for (const file of await readdir(join(dir, 'data'), { recursive: true, withFileTypes: true })) {
      if (!file.isFile()) continue
      const bytes = await readFile(join(file.parentPath, file.name))
      expect([file.name, bytes.includes(keys.first)]).toEqual([file.name, false])
      expect([file.name, bytes.includes(made)]).toEqual([file.name, file.name === 'secret'])
    }
    expect(first.stdout + first.stderr + second.stdout + second.stderr).not.toMatch(new RegExp(`${keys.first}|${made}`))
  })
})

/** Every byte of the broker's store: buckets and events. */
async function everythingStored(): Promise<string> {
  const nc = await connect({ servers: stack.nats.url })
  try {
    const parts: string[] = []
    const manager = await nc.jetstreamManager()
    for (const stream of [...Object.values(buckets).map((name) => `KV_${name}`), 'FW_EVT']) {
      const { state } = await manager.streams.info(stream)
      for (let seq = state.first_seq; seq <= state.last_seq; seq++) {
        const message = await manager.streams.getMessage(stream, { seq }).catch(() => undefined) // deleted since
        if (message) parts.push(Buffer.from(message.data).toString('latin1'))
      }
    }
    return parts.join('\n')
  } finally {
    await nc.close()
  }
}
