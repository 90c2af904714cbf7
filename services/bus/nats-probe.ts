// What a broker is and lets us do, asked without changing anything. For whoever looks for a fault.

import { buckets, eventConsumer, eventStream } from '#contracts/subjects.ts'
import { type NatsLink, type NatsOptions, openLink } from './nats.ts'

export interface BrokerProbe {
  /** As the server tells it, e.g. `2.10.22`. */
  version: string
  jetstream: boolean
  rttMs: number
  /** The first of the roles whose calls this user may make. */
  role: string | undefined
  /** Whether the bucket of the catalogue is there; undefined where this user may not ask. */
  configBucket: boolean | undefined
}

const CONNECT_MS = 10_000
const ANSWER_MS = 2_000

/** Rejects with Disconnected, in words without credentials, if nobody lets us in. */
export async function probeNats(options: NatsOptions, roles: readonly string[]): Promise<BrokerProbe> {
  const first = await open(options)
  try {
    const { info } = first.nc
    const rttMs = await first.nc.rtt()
    const answers = await Promise.all(roles.map((role) => asRole({ ...options, role })))
    const found = answers.find(({ allowed }) => allowed)
    return {
      version: info?.version ?? '',
      jetstream: info?.jetstream === true,
      rttMs,
      role: found?.role,
      configBucket: answers.find(({ config }) => config !== undefined)?.config,
    }
  } finally {
    await first.close()
  }
}

/** Each role hears answers in a place of its own, so each has a connection of its own. */
async function asRole(options: NatsOptions): Promise<{ role: string; allowed: boolean; config: boolean | undefined }> {
  const { role } = options
  const link = await open(options)
  try {
    const telemetry = role === 'telemetry'
    const allowed = (await ask(link, telemetry ? `$JS.API.CONSUMER.INFO.${eventStream}.${eventConsumer}` : '$JS.API.INFO')) !== undefined
    const answer = allowed && !telemetry ? await ask(link, `$JS.API.STREAM.INFO.KV_${buckets.config}`) : undefined
    return { role, allowed, config: answer && !('error' in answer) ? true : answer ? false : undefined }
  } finally {
    await link.close()
  }
}

function open(options: NatsOptions): Promise<NatsLink> {
  return openLink(options, options.instance, performance.now() + CONNECT_MS)
}

/** Undefined if it may not be asked, or nobody answers. */
async function ask({ nc }: NatsLink, subject: string): Promise<object | undefined> {
  try {
    return JSON.parse((await nc.request(subject, '', { timeout: ANSWER_MS })).string()) as object
  } catch {
    return undefined // not permitted, no JetStream, or no answer: all the same to who asks
  }
}
