// What an operator meets: the first start, the mistakes, the keys, and the stop.

import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Simulator } from '#services/simulator/simulator.ts'
import { type Gateway, type GatewayOptions, keyHash, type Run, runFreeway, startGateway } from '#test/support/gateway.ts'
import { until } from '#test/support/until.ts'
import { configWith, startUpstream } from '#test/support/upstream.ts'

let stack: AsyncDisposableStack
beforeEach(() => {
  stack = new AsyncDisposableStack()
})
afterEach(() => stack.disposeAsync())

const start = async (options: GatewayOptions = {}): Promise<Gateway> => stack.use(await startGateway(options))

async function upstreamProvider(): Promise<Simulator> {
  const upstream = await startUpstream()
  stack.defer(() => upstream.close())
  return upstream
}

async function folder(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'freeway-start-'))
  stack.defer(() => rm(dir, { recursive: true }))
  return dir
}

/** A start that does not succeed: what it says on stderr, as one line. */
async function refusal(options: GatewayOptions, args = ['start']): Promise<string> {
  const run = stack.use(await runFreeway(args, options))
  expect(await run.exited).toEqual({ code: 1, signal: null })
  expect(run.stderr.trimEnd().split('\n')).toHaveLength(1)
  expect(run.stderr.startsWith('freeway: ')).toBe(true)
  return run.stderr.trimEnd()
}

const ask = { messages: [{ role: 'user', content: 'Say exactly: alpha beta gamma' }] }

function chat(url: string, body: object = {}, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ ...ask, ...body }),
  })
}

async function modelIds(url: string): Promise<string[]> {
  const { data } = (await (await fetch(`${url}/v1/models`)).json()) as { data: { id: string }[] }
  return data.map(({ id }) => id)
}

describe('a first start without any key', () => {
  it('serves the demo, says so, and marks every answer with its model', async () => {
    const gateway = await start()
    await gateway.printed(/Answers come from the built-in demo/)
    const response = await chat(gateway.url)
    expect(response.headers.get('x-freeway-provider')).toBe('demo')
    expect(response.headers.get('x-freeway-model')).toMatch(/^demo\//)
    expect(await response.json()).toMatchObject({ model: expect.stringMatching(/^demo\//) })
    expect(await modelIds(gateway.url)).toEqual(expect.arrayContaining(['demo/chat', 'demo/reasoner', 'freeai-auto']))
  })

  it('prints a command that really works', async () => {
    const gateway = await start()
    const [command] = await gateway.printed(/curl (?:.*\\\n)*.*/)
    const { stdout } = await promisify(execFile)('bash', ['-c', command])
    expect(stdout).toMatch(/^data: \{/)
    expect(stdout.endsWith('data: [DONE]\n\n')).toBe(true)
    const said = [...stdout.matchAll(/^data: (\{.*)$/gm)].map(([, chunk = '']) => JSON.parse(chunk).choices[0]?.delta.content ?? '')
    expect(said.join('')).toContain("freeway's built-in demo model")
  })

  it('makes an admin token for its owner alone and shows it once', async () => {
    const dir = await folder()
    const first = await start({ dir })
    const [, token = ''] = await first.printed(/admin {6}token (\S+) {2}\(kept in/)
    const path = join(dir, 'data', 'admin-token')
    expect((await readFile(path, 'utf8')).trim()).toBe(token)
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    expect((await stat(join(dir, 'data'))).mode & 0o777).toBe(0o700)
    first.kill('SIGTERM')
    await first.exited
    const second = await start({ dir })
    await second.printed(/admin {6}token in /)
    expect(second.stdout + second.stderr).not.toContain(token)
  })
})

describe('the demo', () => {
  it.each([
    ['a key in the environment', { env: { GROQ_API_KEY: 'gsk_test_1234567890abcdef' } }, 'groq'],
    ['a key in freeway.json', { config: { providers: { mistral: { api_key: 'test-1234567890' } } } }, 'mistral'],
    [
      'a key that freeway.json takes from the environment',
      { config: { providers: { cohere: { api_key: 'env:MY_KEY' } } }, env: { MY_KEY: 'k-123456' } },
      'cohere',
    ],
  ])('is off with %s', async (_, options, provider) => {
    const gateway = await start(options)
    await gateway.printed(new RegExp(`providers {2}${provider}\n`))
    const ids = await modelIds(gateway.url)
    expect(ids.filter((id) => id.startsWith('demo/'))).toEqual([])
    expect(ids.some((id) => id.startsWith(`${provider}/`))).toBe(true)
    expect(gateway.stdout).not.toContain('built-in demo')
    expect(gateway.stdout).not.toMatch(/gsk_test|test-1234567890|k-123456/)
  })

  it('is off with FREEWAY_DEMO=off, and requests are told that there is no provider', async () => {
    const gateway = await start({ env: { FREEWAY_DEMO: 'off' } })
    await gateway.printed(/providers {2}none/)
    const response = await chat(gateway.url)
    expect(response.status).toBe(503)
    expect(response.headers.get('retry-after')).toBeTruthy()
    expect(await response.json()).toMatchObject({ error: { type: 'provider_unavailable' } })
    expect(await (await fetch(`${gateway.url}/v1/health`)).json()).toMatchObject({ status: 'degraded', providers: 0 })
  })

  it('is there beside other providers with FREEWAY_DEMO=on', async () => {
    const upstream = await upstreamProvider()
    const gateway = await start({ config: configWith(upstream), env: { FREEWAY_DEMO: 'on' } })
    expect(await modelIds(gateway.url)).toEqual(expect.arrayContaining(['alpha/m-large', 'demo/chat']))
  })
})

describe('the simulator as a service of its own', () => {
  it('listens where HOST says, as other containers have to reach it', async () => {
    const run = stack.use(await runFreeway(['simulate', '--port', '0'], { env: { HOST: 'localhost' } }))
    const [, url = ''] = await run.printed(/"msg":"ready","url":"([^"]+)"/)
    expect(url).toMatch(/^http:\/\/localhost:\d+$/)
    expect((await fetch(`${url}/v1/models`)).status).toBe(200)
  })
})

describe('a mistake', () => {
  it('in the choice of the port is told in one line', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    stack.defer(() => new Promise<void>((closed) => server.close(() => closed())))
    await new Promise((listening) => server.once('listening', listening))
    const { port } = server.address() as { port: number }
    expect(await refusal({ env: { PORT: String(port) } })).toBe(
      `freeway: port ${port} on 127.0.0.1 is in use: stop the other program or set PORT to a free one`,
    )
  })

  it('in the choice of another port is told with its own variable', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    stack.defer(() => new Promise<void>((closed) => server.close(() => closed())))
    await once(server, 'listening')
    const { port } = server.address() as { port: number }
    expect(await refusal({ env: { METRICS_PORT: String(port) } })).toContain('set METRICS_PORT to a free one')
    expect(await refusal({}, ['simulate', '--port', String(port)])).toContain('set --port to a free one')
  })

  it.each([
    ['an address of another machine', { HOST: '192.0.2.1' }, 'freeway: HOST: 192.0.2.1 is no address of this machine (EADDRNOTAVAIL)'],
    [
      'a data directory below a file',
      { FREEWAY_DATA: `${import.meta.filename}/data` },
      `freeway: ${import.meta.filename}/data cannot be used`,
    ],
  ])('in the environment is told without a stack: %s', async (_, env, words) => {
    expect(await refusal({ env })).toContain(words)
  })

  it('in .env is told as well where somebody else reads it', async () => {
    const dir = await folder()
    await writeFile(join(dir, '.env'), 'OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1\nOTEL_TRACES_SAMPLER=sometimes\n')
    expect(await refusal({ dir })).toContain('OTEL_TRACES_SAMPLER: expected one of')
  })

  it('with the data is told without a stack', async () => {
    const dir = await folder()
    await mkdir(join(dir, 'data'))
    await writeFile(join(dir, 'data', 'freeway.db'), 'no database, whatever its name says'.repeat(50))
    expect(await refusal({ dir })).toMatch(/a database in the data directory cannot be used \(file is not a database\)/)
  })

  it.each([
    ['a field of the wrong type', { providers: { groq: { weight: 'heavy' } } }, 'freeway.json: providers.groq.weight'],
    ['an unknown field', { providers: { groq: { rpm_limt: 3 } } }, 'freeway.json: providers.groq'],
    ['a provider of one’s own without models', { providers: { mine: { base_url: 'http://127.0.0.1:1/v1' } } }, 'providers.mine: models'],
    ['a key in place of its hash', { clients: [{ name: 'a', key_hash: 'fw-secret-key' }] }, 'freeway.json: clients[0].key_hash'],
    ['an alias to nowhere', { aliases: { a: 'b' } }, 'freeway.json: aliases.a'],
  ])('in freeway.json is told with its path: %s', async (_, config, path) => {
    const line = await refusal({ config })
    expect(line).toContain(path)
    expect(line).not.toContain('fw-secret-key')
  })

  it('in the spelling of freeway.json is told with its place', async () => {
    const dir = await folder()
    await writeFile(join(dir, 'freeway.json'), '{\n  "providers": {,}\n}')
    expect(await refusal({ dir })).toMatch(/^freeway: freeway\.json: is not valid JSON/)
  })

  it.each([
    ['PORT', 'eighty'],
    ['PORT', '70000'],
    ['FREEWAY_DEMO', 'maybe'],
    ['FREEWAY_ADMIN_TOKEN', 'changeme-changeme-1'],
    ['FREEWAY_CONFIG', 'nowhere.json'],
  ])('in the environment is told with the variable: %s=%s', async (name, value) => {
    expect(await refusal({ env: { [name]: value } })).toContain(name)
  })

  it.each([
    [['start', '--port', '4000'], 'start: takes nothing behind it, but got "--port"'],
    [['worker', 'groq', '--concurrency'], 'worker: "--concurrency" is no name of a provider'],
    [['cluster', '--worker', '3'], "cluster: Unknown option '--worker'"],
  ])('behind a command is told in one line: %j', async (args, line) => {
    expect(await refusal({}, args)).toContain(line)
  })

  it.each([[['start', '--help']], [['-h']]])('is not made by who asks for help: %j', async (args) => {
    const run = stack.use(await runFreeway(args))
    expect(await run.exited).toEqual({ code: 0, signal: null })
    expect(run.stdout).toContain('Usage: freeway <command>')
  })

  it('in the command shows what there is', async () => {
    const run = stack.use(await runFreeway(['strat']))
    expect(await run.exited).toEqual({ code: 2, signal: null })
    expect(run.stderr).toContain('unknown command "strat"')
    expect(run.stderr).toContain('Usage: freeway <command>')
  })
})

describe('a second start in the same data directory', () => {
  it('is refused with the process that holds it, and does not disturb it', async () => {
    const dir = await folder()
    const first = await start({ dir })
    expect(await refusal({ dir })).toBe(
      `freeway: ${join(dir, 'data', 'freeway.db.lock')}: the data directory is in use by another freeway (process ${first.pid}): stop it, or set FREEWAY_DATA to another directory`,
    )
    expect((await chat(first.url)).status).toBe(200)
  })

  it('succeeds after the first was killed', async () => {
    const dir = await folder()
    const first = await start({ dir })
    first.kill('SIGKILL')
    await first.exited
    const second = await start({ dir })
    expect((await chat(second.url)).status).toBe(200)
  })
})

describe('a running gateway', () => {
  it('says how it is, without a key', async () => {
    const gateway = await start()
    expect(await (await fetch(`${gateway.url}/health`)).json()).toEqual({ status: 'ok', version: expect.any(String) })
    expect(await (await fetch(`${gateway.url}/v1/health`)).json()).toMatchObject({ status: 'ok', providers: 1, models: 6 })
    expect(await ready(gateway.url)).toMatchObject({ status: 'ready', missing: [] })
  })

  it('knows its models one by one', async () => {
    const gateway = await start()
    for (const id of await modelIds(gateway.url)) {
      expect(await (await fetch(`${gateway.url}/v1/models/${id}`)).json()).toMatchObject({ id, object: 'model' })
      expect(await (await fetch(`${gateway.url}/v1/models/${encodeURIComponent(id)}`)).json()).toMatchObject({ id })
    }
    const missing = await fetch(`${gateway.url}/v1/models/nobody/none`)
    expect(missing.status).toBe(404)
    expect(await missing.json()).toMatchObject({ error: { code: 'model_not_found' } })
  })

  it('is found by a name that stands for all addresses as well', async () => {
    const gateway = await start({ env: { HOST: '0.0.0.0' } })
    const [, url = ''] = await gateway.printed(/API {8}(http:\S+)\/v1/)
    expect((await fetch(`${url}/health`)).status).toBe(200)
  })
})

/** The first probe of the routers may still be under way. */
async function ready(url: string): Promise<unknown> {
  for (let tries = 0; ; tries++) {
    const response = await fetch(`${url}/ready`)
    const body = await response.json()
    if (response.status === 200 || tries > 50) return body
    await new Promise((later) => setTimeout(later, 50))
  }
}

describe('keys', () => {
  const key = 'fw-app-key-3Kd'
  const clients = [{ name: 'my-app', key_hash: keyHash(key) }]
  const token = 'Jd83-xkQ2_admin-of-journeys'

  it('of clients in freeway.json open the gateway, and nothing else does', async () => {
    const gateway = await start({ config: { clients }, env: { FREEWAY_ADMIN_TOKEN: token } })
    await gateway.printed(/access {5}with the key of a client(?:.*\n)*.*authorization: Bearer YOUR_KEY/)
    expect((await chat(gateway.url, {}, { authorization: `Bearer ${key}` })).status).toBe(200)
    expect((await chat(gateway.url, {}, { 'x-api-key': key })).status).toBe(200)
    expect((await chat(gateway.url)).status).toBe(401)
    expect((await chat(gateway.url, {}, { authorization: 'Bearer fw-app-key-3Ke' })).status).toBe(401)
    expect((await fetch(`${gateway.url}/v1/models`)).status).toBe(401)
    for (const headers of [{ authorization: `Bearer ${token}` }, { 'x-admin-token': token }] as Record<string, string>[]) {
      expect((await chat(gateway.url, {}, headers)).status).toBe(200)
    }
    expect(gateway.stdout + gateway.stderr).not.toContain(token)
    expect(gateway.stdout + gateway.stderr).not.toContain(key)
  })

  it('are not needed on loopback while there is no client', async () => {
    const gateway = await start()
    await gateway.printed(/access {5}without a key from this machine/)
    expect((await chat(gateway.url)).status).toBe(200)
    expect((await chat(gateway.url, {}, { authorization: 'Bearer whatever-the-sdk-wants' })).status).toBe(200)
    expect((await fetch(`${gateway.url}/v1/models`, { method: 'HEAD' })).status).toBe(200)
  })
})

describe('a stop', () => {
  async function streaming(events: number): Promise<{ gateway: Gateway; reader: ReadableStreamDefaultReader<Uint8Array> }> {
    const upstream = await upstreamProvider()
    upstream.setFault({}, { tps: 40, chunks: events, size: 10 })
    const gateway = await start({ config: configWith(upstream) })
    const response = await chat(gateway.url, { stream: true })
    const reader = (response.body as ReadableStream<Uint8Array>).getReader()
    await reader.read()
    return { gateway, reader }
  }

  it.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)('by %s lets a stream finish, takes nobody new, and exits with 0', async (signal) => {
    const { gateway, reader } = await streaming(30)
    gateway.kill(signal)
    await gateway.printed(/"msg":"stopping"/)
    await expect(fetch(`${gateway.url}/health`)).rejects.toThrow()
    let text = ''
    for (let read = await reader.read(); !read.done; read = await reader.read()) text += new TextDecoder().decode(read.value)
    expect(text.endsWith('data: [DONE]\n\n')).toBe(true)
    expect(text).not.toContain('"error"')
    expect(await gateway.exited).toEqual({ code: 0, signal: null })
    expectQuiet(gateway)
  })

  it('that has waited long enough ends the stream with an error, not in silence', async () => {
    const upstream = await upstreamProvider()
    upstream.setFault({}, { tps: 40, chunks: 100_000, size: 10 })
    const gateway = await start({ config: configWith(upstream), env: { FREEWAY_DRAIN_MS: '200' } })
    const response = await chat(gateway.url, { stream: true })
    gateway.kill('SIGTERM')
    const text = await response.text()
    expect(text).toMatch(/data: \{"error":\{"message":"[^"]+","type":"server_error".*\}\}\n\ndata: \[DONE\]\n\n$/)
    expect(await gateway.exited).toEqual({ code: 0, signal: null })
    expect((await upstream.waitFor(({ closedAt }) => closedAt !== undefined)).closedBy).toBe('peer')
  })

  it('asked for again happens at once; a signal that comes twice is one', async () => {
    const { gateway, reader } = await streaming(100_000)
    gateway.kill('SIGINT')
    gateway.kill('SIGINT')
    await gateway.printed(/"msg":"stopping"/)
    const askedAt = Date.now()
    let ended = false
    void gateway.exited.then(() => {
      ended = true
    })
    await until('the process ends, asked again and again', () => {
      gateway.kill('SIGINT')
      return ended
    })
    expect(await gateway.exited).toEqual({ code: 1, signal: null })
    const afterMs = Date.now() - askedAt
    expect(afterMs).toBeGreaterThan(250)
    expect(afterMs).toBeLessThan(2_000)
    // Cut in the midst, as asked.
    await reader.cancel().catch(() => {})
  })

  it('with nothing to do is quick, idle connections or not', async () => {
    const gateway = await start()
    await (await fetch(`${gateway.url}/health`)).text()
    const askedAt = Date.now()
    gateway.kill('SIGTERM')
    expect(await gateway.exited).toEqual({ code: 0, signal: null })
    expect(Date.now() - askedAt).toBeLessThan(2_000)
    expectQuiet(gateway)
  })

  function expectQuiet(run: Run): void {
    expect(run.log.filter(({ level }) => level !== 'info')).toEqual([])
    expect(run.stderr).toBe('')
  }
})
