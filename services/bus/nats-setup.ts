// What has to exist on a broker before services with narrow permissions can work there: the event stream, its consumer and the buckets.
// May run any number of times; what is there already is left as it is.

import { eventConsumer } from '#contracts/subjects.ts'
import type { NatsOptions } from './nats.ts'
import { openLink } from './nats.ts'
import { createConsumer } from './nats-event-log.ts'
import { openNatsKeyValue } from './nats-key-value.ts'

const TIMEOUT_MS = 30_000

/** Rejects with Disconnected if the broker lets us not in, and with its own words if it does not let us create something. */
export async function setUpNats(options: NatsOptions, buckets: readonly string[], ackWaitMs: number): Promise<void> {
  const link = await openLink(options, options.instance, performance.now() + (options.timeoutMs ?? TIMEOUT_MS))
  try {
    await createConsumer(link, { durable: eventConsumer, ackWaitMs })
    for (const bucket of buckets) await openNatsKeyValue(link, bucket)
  } finally {
    await link.close()
  }
}
