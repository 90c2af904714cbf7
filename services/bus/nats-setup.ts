// What has to exist on a broker before services with narrow permissions can work there: the event stream, its consumer and the buckets.
// May run any number of times; what is there already is left as it is, but for copies that are missing.

import type { JetStreamManager, NatsError } from 'nats'
import { eventConsumer, eventStream } from '#contracts/subjects.ts'
import type { NatsLink, NatsOptions } from './nats.ts'
import { openLink } from './nats.ts'
import { createConsumer } from './nats-event-log.ts'
import { attempt, openNatsKeyValue, TOO_FEW_PEERS_CODES, whenServed } from './nats-key-value.ts'

const TIMEOUT_MS = 30_000
const CLUSTER_COPIES = 3

export interface NatsSetup {
  buckets: readonly string[]
  ackWaitMs: number
  /** Of each stream; without it three in a cluster, and one on a single server. */
  copies?: number | undefined
}

/**
 * Rejects with Disconnected if the broker lets us not in, and with its own words if it does not let us create something, or has no room for
 * the copies: with fewer than are wanted, less would survive than the operator believes.
 */
export async function setUpNats(options: NatsOptions, { buckets, ackWaitMs, copies }: NatsSetup): Promise<void> {
  const link = await openLink(options, options.instance, performance.now() + (options.timeoutMs ?? TIMEOUT_MS))
  link.copies = copies ?? (link.topology === 'cluster' ? CLUSTER_COPIES : 1)
  try {
    await whenServed(() => attempt('event log', link, () => createConsumer(link, { durable: eventConsumer, ackWaitMs })))
    for (const bucket of buckets) await openNatsKeyValue(link, bucket)
    const manager = await link.nc.jetstreamManager({ checkAPI: false })
    for (const stream of [eventStream, ...buckets.map((bucket) => `KV_${bucket}`)])
      await whenServed(() => attempt(stream, link, () => addCopies(manager, stream, link.copies as number)))
  } catch (error) {
    throw inWords(error, link)
  } finally {
    await link.close()
  }
}

/** From when the broker had fewer servers. */
async function addCopies(manager: JetStreamManager, stream: string, copies: number): Promise<void> {
  const { config } = await manager.streams.info(stream)
  if (config.num_replicas < copies) await manager.streams.update(stream, { num_replicas: copies })
}

function inWords(error: unknown, { copies }: NatsLink): unknown {
  const { api_error: refusal } = error as NatsError
  if (!TOO_FEW_PEERS_CODES.includes(refusal?.err_code ?? 0)) return error
  return new Error(`${copies} copies are wanted, and the cluster has no room for them (${refusal?.description})`, { cause: error })
}
