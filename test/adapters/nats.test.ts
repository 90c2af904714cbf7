// What only the NATS adapter and a nats-server of our own have: configuration, first connect, lame duck.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { connect } from 'nats'
import { afterEach, describe, expect, test } from 'vitest'
import type { BusStatus } from '#contracts/bus.ts'
import { Disconnected } from '#contracts/bus.ts'
import { bucketAgesMs, buckets } from '#contracts/subjects.ts'
import { connectNats } from '#services/bus/nats.ts'
import { findNatsServer, natsServers, startNatsServer } from '#services/bus/server.ts'
import { collect } from '#test/support/collect.ts'
import { natsBinaries, startTestNats } from '#test/support/nats.ts'

let stack = new AsyncDisposableStack()
afterEach(async () => {
  await stack.disposeAsync()
  stack = new AsyncDisposableStack()
})

test('without a server the first connect gives up in time and names it without credentials', async () => {
  const started = performance.now()
  const attempt = connectNats({ servers: 'nats://user:hunter2@127.0.0.1:1', role: 'ingress', instance: 'i1', timeoutMs: 300 })
  const error = await attempt.catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(Disconnected)
  expect(String(error)).toContain('127.0.0.1:1')
  expect(String(error)).not.toContain('hunter2')
  expect(performance.now() - started).toBeLessThan(2000)
})

test('NATS_SERVER_BIN alone counts if it is set, and must be there', () => {
  expect(natsServers({ NATS_SERVER_BIN: process.execPath })).toEqual([process.execPath])
  expect(findNatsServer({ NATS_SERVER_BIN: '/nowhere/nats-server' })).toBeUndefined()
})

test.skipIf(natsBinaries().length === 0)('two servers never keep their data in one folder', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'freeway-one-folder-'))
  stack.defer(() => rm(dir, { recursive: true }))
  const first = await startNatsServer({ dir })
  stack.defer(() => first.stop())
  const { port } = new URL(first.url)
  await expect(startNatsServer({ dir })).rejects.toThrow(`the nats-server at port ${port} keeps its data beside it`)
  // One that ends is waited for.
  const second = startNatsServer({ dir })
  await first.stop()
  const { stop } = await second
  stack.defer(stop)
})

describe.each(natsBinaries())('a process of $name', ({ binary, name }) => {
  async function start() {
    const server = await startTestNats(binary)
    stack.defer(async () => {
      // A server in lame duck mode takes its time over anything gentler.
      await server.kill('SIGKILL')
      await server.stop()
    })
    return server
  }

  test('entries of a bucket with an age are dropped by the server itself', async () => {
    const server = await start()
    const client = await connectNats({ servers: server.url, role: 'ingress', instance: 'i1' })
    stack.defer(() => client.close())
    await client.keyValue(buckets.responses)
    await client.keyValue(buckets.config)
    const nc = await connect({ servers: server.url })
    stack.defer(() => nc.close())
    const { streams } = await nc.jetstreamManager()
    const ageMs = async (bucket: string) => (await streams.info(`KV_${bucket}`)).config.max_age / 1e6
    expect(await ageMs(buckets.responses)).toBe(bucketAgesMs[buckets.responses])
    expect(await ageMs(buckets.config)).toBe(0)
  })

  test('comes back on the same address with its store after kill -9, as another process', async () => {
    const server = await start()
    expect(name).toContain(server.version)
    const client = await connectNats({ servers: server.url, role: 'ingress', instance: 'i1' })
    stack.defer(() => client.close())
    const kv = await client.keyValue('b')
    await kv.put('a', new Uint8Array([1]))
    const { url, pid } = server
    await server.kill('SIGKILL')
    await server.restart()
    expect([server.url, server.pid === pid]).toEqual([url, false])
    await expect.poll(() => kv.get('a').then((entry) => entry?.value?.[0], String), { timeout: 5000 }).toBe(1)
  })

  test('a client may wait for a server that comes later', async () => {
    const server = await start()
    await server.kill('SIGKILL')
    const connecting = connectNats({ servers: server.url, role: 'ingress', instance: 'i1' })
    await server.restart()
    const client = await connecting
    expect(client.bus.connected).toBe(true)
    await client.close()
  })

  test('a server that is about to leave says so', async () => {
    const server = await start()
    const client = await connectNats({ servers: server.url, role: 'ingress', instance: 'i1' })
    stack.defer(() => client.close())
    const told = collect<BusStatus>()
    client.bus.onStatus(told.add)
    await client.bus.flush()
    await server.kill('SIGUSR2')
    expect(await told.until(1)).toEqual(['lame_duck'])
  })

  test('closing is no status: only an end that nobody asked for is', async () => {
    const server = await start()
    const client = await connectNats({ servers: server.url, role: 'ingress', instance: 'i1' })
    const told = collect<BusStatus>()
    client.bus.onStatus(told.add)
    await client.close()
    expect(client.bus.connected).toBe(false)
    expect(told.items).toEqual([])
  })
})
