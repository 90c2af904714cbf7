// What is made on a cluster of brokers, and with how many copies. Real servers.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, type NatsError, type StreamInfo } from 'nats'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { buckets, eventAckWaitMs, eventStream } from '#contracts/subjects.ts'
import { connectNats } from '#services/bus/nats.ts'
import { setUpNats } from '#services/bus/nats-setup.ts'
import { type NatsServer, startNatsServer } from '#services/bus/server.ts'
import { freePort } from '#test/bench/processes.ts'
import { natsBinaries } from '#test/support/nats.ts'

const names = [eventStream, `KV_${buckets.config}`, `KV_${buckets.quota}`]
const setup = { buckets: [buckets.config, buckets.quota], ackWaitMs: eventAckWaitMs }

/** Of many ports that were free one may have been taken by the time that a server wants it. */
const retry = 1

describe.skipIf(natsBinaries().length === 0)('a cluster of brokers', { retry }, () => {
  let stack: AsyncDisposableStack
  beforeEach(() => {
    stack = new AsyncDisposableStack()
  })
  afterEach(() => stack.disposeAsync())

  /** Resolves as soon as they listen: they may not have found each other yet. */
  async function startCluster(size: number): Promise<NatsServer[]> {
    const dir = await mkdtemp(join(tmpdir(), 'freeway-setup-'))
    stack.defer(() => rm(dir, { recursive: true, force: true, maxRetries: 3 }))
    const listens = await Promise.all(Array.from({ length: size }, async () => `127.0.0.1:${await freePort()}`))
    const routes = listens.map((listen) => `nats://${listen}`)
    return await Promise.all(
      listens.map(async (listen, i) => {
        const cluster = { name: 'freeway', server: `n${i}`, listen, routes }
        const server = await startNatsServer({ dir: join(dir, `n${i}`), cluster })
        stack.defer(() => server.kill('SIGKILL'))
        return server
      }),
    )
  }

  const urlOf = (servers: NatsServer[]) => servers.map(({ url }) => url).join(',')
  const optionsFor = (servers: NatsServer[]) => ({ servers: urlOf(servers), role: 'setup', instance: 's1' })

  async function copiesOn(servers: NatsServer[]): Promise<object> {
    const nc = await connect({ servers: urlOf(servers).replaceAll('nats://', '').split(',') })
    try {
      const { streams } = await nc.jetstreamManager()
      const found = names.map(async (name) => [name, await copiesOf(streams.info(name))] as const)
      return Object.fromEntries((await Promise.all(found)).filter(([, copies]) => copies !== undefined))
    } finally {
      await nc.close()
    }
  }

  /** Undefined if there is no such stream. */
  const copiesOf = (info: Promise<StreamInfo>) =>
    info.then(
      ({ config }) => config.num_replicas,
      (error: NatsError) => {
        if (error.api_error?.code !== 404) throw error
      },
    )

  it('gets three copies of everything without being asked, also of what had one from before', async () => {
    const servers = await startCluster(3)
    const withCopies = (copies: number) => Object.fromEntries(names.map((name) => [name, copies]))
    await setUpNats(optionsFor(servers), { ...setup, copies: 1 })
    expect(await copiesOn(servers)).toEqual(withCopies(1))
    await setUpNats(optionsFor(servers), setup)
    expect(await copiesOn(servers)).toEqual(withCopies(3))
    await setUpNats(optionsFor(servers), { ...setup, copies: 1 })
    expect(await copiesOn(servers)).toEqual(withCopies(3))
  })

  it('of two is refused: fewer copies than wanted are not made in silence', async () => {
    const servers = await startCluster(2)
    await expect(setUpNats(optionsFor(servers), setup)).rejects.toThrow('3 copies are wanted, and the cluster has no room for them')
    expect(await copiesOn(servers)).toEqual({})
  })

  it('that is only just being formed is waited for by services that start at once and find no bucket', async () => {
    const servers = await startCluster(3)
    const services = await Promise.all(
      Array.from({ length: 6 }, (_, i) => connectNats({ servers: urlOf(servers), role: 'ingress', instance: `i${i}` })),
    )
    for (const service of services) stack.defer(() => service.close())
    const opened = await Promise.all(services.map(({ keyValue }) => keyValue(buckets.config)))
    await opened[0]?.put('a', new Uint8Array([1]))
    expect((await opened[5]?.get('a'))?.value).toEqual(new Uint8Array([1]))
    expect(await copiesOn(servers)).toEqual({ [`KV_${buckets.config}`]: 3 })
  })
})
