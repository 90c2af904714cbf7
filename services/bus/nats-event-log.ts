// The event log on JetStream: stream FW_EVT, one durable pull consumer for each reader.
// Stream and consumer are used as they are found, and created where they are missing.

import type { AckPolicy, ConsumerConfig, DiscardPolicy, Msg, NatsError, RetentionPolicy, StorageType } from 'nats'
import { type EventConsumerOptions, type EventLog, LogFull, type LoggedEvent, NoResponders, PayloadTooLarge } from '#contracts/bus.ts'
import { eventStream, events as eventSubjects } from '#contracts/subjects.ts'
import { callHandler, reportFault } from './handler.ts'
import type { NatsLink } from './nats.ts'
import { attempt, streamExists, withReplicas } from './nats-key-value.ts'

const DAY_MS = 24 * 60 * 60 * 1000
const DUPLICATE_WINDOW_MS = 10 * 60 * 1000
const MAX_OUTSTANDING = 5000
const PULL_EXPIRES_MS = 5000
const RETRY_MS = 250
/** Out of storage; limits of the stream or the account. */
const FULL_CODES = [10023, 10047, 10077, 10122]

const nanos = (ms: number) => ms * 1_000_000

export function openNatsEventLog(link: NatsLink): EventLog {
  const stream = link.nc.jetstream()

  async function append(subject: string, id: string, data: Uint8Array): Promise<void> {
    try {
      await attempt('event log', link, () => stream.publish(subject, data, { msgID: id }))
    } catch (error) {
      const refusal = (error as NatsError).api_error
      if (FULL_CODES.includes(refusal?.err_code ?? 0)) throw new LogFull(`event log: ${refusal?.description}`, { cause: error })
      throw error
    }
  }

  return {
    async append(subject, id, data) {
      if (data.length > link.maxPayload) throw new PayloadTooLarge(`event log: ${data.length} bytes are more than ${link.maxPayload}`)
      const copy = new Uint8Array(data)
      try {
        await append(subject, id, copy)
      } catch (error) {
        if (!(error instanceof NoResponders)) throw error
        await attempt('event log', link, () => createStream(link))
        await append(subject, id, copy)
      }
    },
    async consume(options, onBatch) {
      await attempt('event log', link, () => createConsumer(link, options))
      const consumer = new Consumer(link, options)
      consumer.run(onBatch).catch(reportFault)
      return { unsubscribe: () => consumer.stop() }
    },
  }
}

async function createStream(link: NatsLink): Promise<void> {
  const manager = await link.nc.jetstreamManager({ checkAPI: false })
  if (await streamExists(manager, eventStream)) return
  await withReplicas(link, (replicas) =>
    manager.streams.add({
      name: eventStream,
      subjects: [eventSubjects],
      retention: 'limits' as RetentionPolicy,
      storage: 'file' as StorageType,
      discard: 'new' as DiscardPolicy,
      num_replicas: replicas,
      max_age: nanos(7 * DAY_MS),
      duplicate_window: nanos(DUPLICATE_WINDOW_MS),
    }),
  )
}

export async function createConsumer(
  link: NatsLink,
  { durable, ackWaitMs }: Pick<EventConsumerOptions, 'durable' | 'ackWaitMs'>,
): Promise<void> {
  const manager = await link.nc.jetstreamManager({ checkAPI: false })
  try {
    await manager.consumers.info(eventStream, durable)
  } catch (error) {
    if ((error as NatsError).api_error?.code !== 404) throw error
    await createStream(link)
    const config: Partial<ConsumerConfig> = {
      durable_name: durable,
      ack_policy: 'explicit' as AckPolicy,
      ack_wait: nanos(ackWaitMs),
      max_ack_pending: MAX_OUTSTANDING,
    }
    await manager.consumers.add(eventStream, config)
  }
}

/** Pulls at most one batch ahead of the one being worked on, which is all the back-pressure there needs to be. */
class Consumer {
  readonly #link: NatsLink
  readonly #options: EventConsumerOptions
  readonly #inbox: string
  readonly #subscription
  readonly #forget: () => void
  #buffer: LoggedEvent[] = []
  /** Events that the server still owes us for the last pull. */
  #owed = 0
  #pulledAt = 0
  #missing = false
  #stopped = false
  #wake: () => void = () => {}

  constructor(link: NatsLink, options: EventConsumerOptions) {
    this.#link = link
    this.#options = options
    this.#inbox = `${link.inboxPrefix}.pull.${options.durable}.${Math.random().toString(36).slice(2)}`
    this.#subscription = link.nc.subscribe(this.#inbox, {
      callback: (error, message) => (error ? reportFault(error) : callHandler(this.#onMessage, message)),
    })
    this.#forget = link.onStatus((status) => {
      if (status === 'reconnected') this.#owed = 0
      this.#wake()
    })
    void link.nc.closed().then(() => this.stop())
  }

  async run(onBatch: (events: LoggedEvent[]) => Promise<void>): Promise<void> {
    let filledSince: number | undefined
    while (!this.#stopped && !this.#link.nc.isClosed()) {
      await this.#pull()
      if (this.#buffer.length > 0) filledSince ??= performance.now()
      const waitMs = filledSince === undefined ? PULL_EXPIRES_MS : filledSince + this.#options.maxWaitMs - performance.now()
      if (this.#buffer.length < this.#options.maxBatch && waitMs > 0) {
        await this.#woken(waitMs)
        continue
      }
      const batch = this.#buffer.splice(0, this.#options.maxBatch)
      filledSince = undefined
      // What a failed batch left unacknowledged comes again after the ack wait.
      if (batch.length > 0) await onBatch(batch).catch(reportFault)
    }
  }

  stop(): void {
    this.#stopped = true
    this.#forget()
    if (!this.#link.nc.isClosed()) {
      this.#subscription.unsubscribe()
      // Nobody has seen them: another reader gets them at once, and not only after the ack wait.
      for (const event of this.#buffer.splice(0)) event.nak()
    }
    this.#wake()
  }

  async #pull(): Promise<void> {
    if (!this.#link.connected) return
    // A pull that the server never ended, for whatever reason, is given up.
    if (this.#owed > 0 && performance.now() - this.#pulledAt < PULL_EXPIRES_MS + 1000) return
    if (this.#missing) {
      this.#missing = false
      await this.#woken(RETRY_MS)
      // Not there yet: the pull below says so again.
      if (!this.#stopped) await attempt('event log', this.#link, () => createConsumer(this.#link, this.#options)).catch(() => {})
    }
    const batch = this.#options.maxBatch - this.#buffer.length
    if (batch <= 0 || this.#stopped || !this.#link.connected) return
    this.#owed = batch
    this.#pulledAt = performance.now()
    const request = JSON.stringify({ batch, expires: nanos(PULL_EXPIRES_MS) })
    this.#link.nc.publish(`$JS.API.CONSUMER.MSG.NEXT.${eventStream}.${this.#options.durable}`, request, { reply: this.#inbox })
  }

  #woken(waitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, waitMs)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  readonly #onMessage = (message: Msg): void => {
    if (message.subject === this.#inbox) {
      // A status: 408 ends a pull as agreed, anything else means that there is nothing to pull from.
      this.#owed = 0
      this.#missing = message.headers?.code !== 408
      this.#wake()
      return
    }
    this.#owed = Math.max(0, this.#owed - 1)
    this.#buffer.push(event(this.#link, message))
    if (this.#buffer.length === 1 || this.#buffer.length >= this.#options.maxBatch) this.#wake()
  }
}

function event(link: NatsLink, message: Msg): LoggedEvent {
  return {
    subject: message.subject,
    id: message.headers?.get('Nats-Msg-Id') ?? '',
    data: message.data,
    deliveries: deliveriesOf(message.reply ?? ''),
    async ack() {
      await attempt('event log', link, () => link.nc.request(message.reply ?? '', '+ACK', { timeout: 5000 }))
    },
    nak(delayMs = 0) {
      message.respond(delayMs > 0 ? `-NAK ${JSON.stringify({ delay: nanos(delayMs) })}` : '-NAK')
    },
    term() {
      message.respond('+TERM')
    },
  }
}

/** `$JS.ACK.<stream>.<consumer>.<deliveries>…`, or with domain and account before the stream. */
function deliveriesOf(ackSubject: string): number {
  const tokens = ackSubject.split('.')
  return Number(tokens.length === 9 ? tokens[4] : tokens[6])
}
