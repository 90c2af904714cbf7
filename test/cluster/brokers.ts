// A NATS cluster of three real servers on loopback, each to be killed, frozen and started again alone.

import { join } from 'node:path'
import process from 'node:process'
import { buckets, eventAckWaitMs } from '#contracts/subjects.ts'
import { setUpNats } from '#services/bus/nats-setup.ts'
import { type NatsServer, startNatsServer } from '#services/bus/server.ts'
import { freePort } from '#test/bench/processes.ts'
import { until } from '#test/support/until.ts'

export const BROKERS = 3
const HEALTHY_WITHIN_MS = 20_000
const PROBE_TIMEOUT_MS = 500

/** Resolves when all three agree that their store can be used. The folder must exist. */
export async function startBrokers(dir: string, stack: AsyncDisposableStack): Promise<NatsServer[]> {
  const listens: string[] = []
  for (let i = 0; i < BROKERS; i++) listens.push(`127.0.0.1:${await freePort()}`)
  const routes = listens.map((listen) => `nats://${listen}`)
  const servers = await Promise.all(
    listens.map(async (listen, i) => {
      const cluster = { name: 'freeway', server: `n${i}`, listen, routes }
      const server = await startNatsServer({ dir: join(dir, `nats-${i}`), monitor: true, cluster })
      stack.defer(() => server.kill('SIGKILL'))
      // It is in a process group of its own, so nothing else ends it with us.
      process.once('exit', () => void server.kill('SIGKILL'))
      return server
    }),
  )
  await Promise.all(servers.map(untilHealthy))
  const options = { servers: servers.map(({ url }) => url).join(','), role: 'setup', instance: 'cluster-proof' }
  // As operators do it: many services that start at once on an empty cluster would wait for each other's buckets.
  await setUpNats(options, { buckets: Object.values(buckets), ackWaitMs: eventAckWaitMs, copies: BROKERS })
  return servers
}

/** It is in the cluster, and its part of the store is as that of the others. */
export function untilHealthy(server: NatsServer): Promise<void> {
  return until(`${server.url} is healthy`, () => isHealthy(server), { timeoutMs: HEALTHY_WITHIN_MS })
}

async function isHealthy({ monitorUrl }: NatsServer): Promise<boolean> {
  try {
    const response = await fetch(`${monitorUrl}/healthz`, { signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) })
    await response.arrayBuffer()
    return response.status === 200
  } catch {
    // It does not listen yet.
    return false
  }
}
