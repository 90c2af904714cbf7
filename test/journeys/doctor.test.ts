// `freeway doctor` as an operator runs it, over real servers: what is well, what is wrong, and what mends it.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startSimulator } from '#services/simulator/simulator.ts'
import { type GatewayOptions, runFreeway, startGateway } from '#test/support/gateway.ts'
import { startMongoStandIn } from '#test/support/mongo-stand-in.ts'
import { natsBinaries, startTestNats } from '#test/support/nats.ts'

const KEY = 'sk-canary-of-the-doctor-7Zq3Vx9LmB2k'
let stack: AsyncDisposableStack
let dir: string

beforeEach(async () => {
  stack = new AsyncDisposableStack()
  dir = await mkdtemp(join(tmpdir(), 'freeway-doctor-'))
  stack.defer(() => rm(dir, { recursive: true, force: true }))
})
afterEach(() => stack.disposeAsync())

async function doctor(options: GatewayOptions = {}, ...args: string[]): Promise<{ code: number | null; text: string; lines: string[] }> {
  await using run = await runFreeway(['doctor', ...args], { dir, ...options })
  const { code } = await run.exited
  return { code, text: run.stdout + run.stderr, lines: run.stdout.split('\n') }
}

const listening = async (server: Server): Promise<number> => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  stack.defer(() => new Promise<void>((resolve) => void server.close(() => resolve())))
  return (server.address() as AddressInfo).port
}

async function provider(answer: { status: number; body: object }): Promise<string> {
  const server = createServer((_, res) => {
    res.writeHead(answer.status, { 'content-type': 'application/json' }).end(JSON.stringify(answer.body))
  })
  return `http://127.0.0.1:${await listening(server)}/v1`
}

const brokers = natsBinaries()
const models = [{ id: 'm', capabilities: ['chat'] }]

describe('a machine on which nothing is wrong', () => {
  it('is told so, with exit code 0, and nothing is left behind', async () => {
    const { code, lines } = await doctor()
    expect(lines.filter((line) => /^fault/.test(line))).toEqual([])
    expect(lines.at(-2)).toMatch(/^no faults, /)
    expect(code).toBe(0)
    expect(lines.find((line) => line.includes(join(dir, 'data')))).toContain('will be made')
  })

  it('may have a gateway running', async () => {
    await using gateway = await startGateway({ env: { FREEWAY_DEMO: 'on' } })
    const { code, text } = await doctor({ dir: gateway.dir, env: { PORT: String(gateway.port) } })
    expect(text).toContain(`freeway is running at 127.0.0.1:${gateway.port}`)
    expect(text).toMatch(/ok +store +SQLite [\d.]+, about 0 requests/)
    expect(code).toBe(0)
  })
})

describe('settings', () => {
  it('are told all their faults, each with its place', async () => {
    const config = { providers: { groq: { rpm_limit: 'many', speed: 1 } } }
    const { code, text } = await doctor({ config, env: { PORT: '99999' } })
    expect(text).toMatch(/fault +config +environment: PORT: expected a port/)
    expect(text).toContain('freeway.json: providers.groq.rpm_limit: ')
    expect(text).toContain('freeway.json: providers.groq.speed: unknown field')
    expect(code).toBe(1)
  })

  it('that make no whole provider are told', async () => {
    const { code, text } = await doctor({ config: { providers: { mine: { weight: 2 } } } })
    expect(text).toMatch(/fault +config +.*providers\.mine/)
    expect(code).toBe(1)
  })
})

describe('without any provider key', () => {
  it.each([
    ['auto', 'so the demo answers'],
    ['off', 'and the demo is off: nobody answers'],
  ])('it says who answers, with FREEWAY_DEMO=%s', async (FREEWAY_DEMO, words) => {
    expect((await doctor({ env: { FREEWAY_DEMO } }, '--offline')).text).toContain(`there is no provider key, ${words}`)
  })
})

describe('this machine', () => {
  it('has a fault if others can read its secrets', async () => {
    await mkdir(join(dir, 'data'), { mode: 0o700 })
    await writeFile(join(dir, 'data', 'admin-token'), 'a-token-that-is-long-enough\n')
    await chmod(join(dir, 'data', 'admin-token'), 0o644)
    const { code, text } = await doctor()
    expect(text).toMatch(/fault +secret +\S+admin-token can be read by others/)
    expect(text).toContain(`chmod 600 ${join(dir, 'data', 'admin-token')}`)
    expect(text).not.toContain('a-token-that-is-long-enough')
    expect(code).toBe(1)
  })

  it('has a fault if its port is taken, its store is damaged, or its data directory is a file', async () => {
    const port = await listening(createServer((_, res) => res.end('hello')))
    await mkdir(join(dir, 'data'), { mode: 0o700 })
    await writeFile(join(dir, 'data', 'telemetry.db'), 'this is no database, whatever its name says'.repeat(50))
    const { code, text } = await doctor({ env: { PORT: String(port) } })
    expect(text).toMatch(new RegExp(`fault +port +127.0.0.1:${port} is in use by another program`))
    expect(text).toMatch(/fault +store +/)
    expect(code).toBe(1)
    await writeFile(join(dir, 'file'), '')
    expect((await doctor({ env: { FREEWAY_DATA: join(dir, 'file') } })).text).toMatch(/fault +data +\S+ is not a directory/)
  })
})

describe('providers', () => {
  it('are called with every key at once, and no key is ever printed', async () => {
    const simulator = await startSimulator()
    stack.defer(() => simulator.close())
    const config = {
      providers: {
        good: { base_url: `${simulator.url}/v1`, api_key: KEY, models },
        wrong: { base_url: await provider({ status: 401, body: { error: { message: `invalid key ${KEY}` } } }), api_key: KEY, models },
        gone: { base_url: 'http://127.0.0.1:1/v1', api_keys: [KEY, `${KEY}2`], models },
      },
    }
    const { code, text } = await doctor({ config })
    expect(text).toMatch(/ok +good-1 +the provider takes the key/)
    expect(text).toMatch(/fault +wrong-1 +the provider refuses the key.*401[\s\S]+make a new key/)
    expect(text).toMatch(/fault +gone-1 +the provider could not be reached/)
    expect(text).toMatch(/fault +gone-2 +/)
    expect(text).not.toContain('canary')
    expect(code).toBe(1)
  })

  it('are left alone with --offline', async () => {
    let calls = 0
    const port = await listening(createServer((_, res) => res.end(String(calls++))))
    const config = { providers: { mine: { base_url: `http://127.0.0.1:${port}/v1`, api_key: KEY, models } } }
    const { code, text } = await doctor({ config }, '--offline')
    expect(text).toMatch(/ok +providers +1 with a key/)
    expect([code, calls]).toEqual([0, 0])
  })

  it('of this machine are found, and missed where they are named', async () => {
    const ollama = createServer((_, res) => res.end(JSON.stringify({ models: [{ name: 'llama3.2:latest' }] })))
    const env = { FREEWAY_LOCAL: 'on', OLLAMA_HOST: `127.0.0.1:${await listening(ollama)}`, VLLM_HOST: '127.0.0.1:1' }
    const { code, text } = await doctor({ env })
    expect(text).toMatch(/ok +ollama +Ollama \(local\) at http:\S+: 1 model$/m)
    expect(text).toMatch(/fault +vllm +/)
    expect(code).toBe(1)
  })
})

describe('a broker and a database that are away', () => {
  it('are faults, told without their passwords', async () => {
    const env = { NATS_URL: 'nats://user:hush@127.0.0.1:1', MONGODB_URL: 'mongodb://user:hush@127.0.0.1:1/freeway' }
    const { code, text } = await doctor({ env })
    expect(text).toMatch(/fault +broker +cannot connect to NATS at 127.0.0.1:1/)
    expect(text).toMatch(/fault +store +MongoDB at 127.0.0.1:1/)
    expect(text).not.toContain('hush')
    expect(code).toBe(1)
  })
})

it('a MongoDB that answers is told with its version', async () => {
  const mongo = await startMongoStandIn()
  stack.defer(() => mongo.stop())
  const { code, text } = await doctor({ env: { MONGODB_URL: mongo.url } })
  expect(text).toMatch(/ok +store +MongoDB \d+\.\d+\S* at 127.0.0.1:\d+\/\w+, about 0 requests/)
  expect(code).toBe(0)
})

describe.each(brokers)('a broker, $name', ({ binary }) => {
  it('is told with its version and whether it has JetStream', async () => {
    const nats = await startTestNats(binary)
    stack.defer(() => nats.stop())
    const { code, text } = await doctor({ env: { NATS_URL: nats.url } })
    expect(text).toMatch(/(ok|warn) +broker +nats-server 2\.\d+/)
    expect(text).toMatch(/ok +broker +JetStream can be used/)
    expect(code).toBe(0)
  })
})

describe.each(brokers)('a broker with a user for each service, $name', ({ binary, name }) => {
  it('is told by what its user may do, and until it was set up, that it was not', async () => {
    const port = await freePort()
    const version = /v(\d+\.\d+\.\d+)/.exec(name)?.[1] as string
    const places = ['--dir', join(dir, 'nats'), '--store', join(dir, 'store'), '--listen', `127.0.0.1:${port}`]
    await finished(['nats-config', ...places, '--server-version', version])
    const server = spawn(binary, ['-c', join(dir, 'nats/nats.conf')], { stdio: 'ignore' })
    stack.defer(async () => {
      server.kill('SIGKILL')
      await once(server, 'exit')
    })
    const as = (user: string) => ({ NATS_URL: `nats://127.0.0.1:${port}`, NATS_NKEY_FILE: join(dir, `nats/seeds/${user}.nk`) })
    // It waits until the broker listens.
    const before = await doctor({ env: as('ingress') })
    expect(before.text).toMatch(/ok +broker +this user may do the work of ingress/)
    expect(before.text).toMatch(/fault +broker +its stream and buckets are not there yet[\s\S]+nats-setup/)
    await finished(['nats-setup'], as('setup'))
    for (const user of ['ingress', 'router', 'worker', 'telemetry']) {
      const { code, text } = await doctor({ env: as(user) })
      expect(text, user).toMatch(new RegExp(`ok +broker +this user may do the work of ${user}`))
      expect(code, text).toBe(0)
    }
    const stranger = await doctor({ env: { NATS_URL: `nats://127.0.0.1:${port}` } })
    expect(stranger.text).toMatch(/fault +broker +cannot connect.*[\s\S]+the broker knows no such user/i)
  })
})

async function finished(args: string[], env?: Record<string, string>): Promise<void> {
  await using run = await runFreeway(args, { dir, ...(env && { env }) })
  const { code } = await run.exited
  expect(code, run.stderr).toBe(0)
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise<void>((resolve) => void server.close(() => resolve()))
  return port
}

it('refuses an option that it does not know', async () => {
  const { code, text } = await doctor({}, '--fast')
  expect(text).toContain('--fast')
  expect(code).toBe(1)
})
