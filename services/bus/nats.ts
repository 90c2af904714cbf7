// The bus on NATS. Two connections for each process: one for messages, one for events and key-value,
// so that events never delay a chunk of an answer.

import { type ConnectionOptions, connect, Events, type NatsConnection, nkeyAuthenticator, type TlsOptions } from 'nats'
import { type Backbone, type BusStatus, Disconnected } from '#contracts/bus.ts'
import { requestInboxPrefix } from '#contracts/subjects.ts'
import { callHandler, reportFault } from './handler.ts'
import { NatsBus } from './nats-bus.ts'
import { openNatsEventLog } from './nats-event-log.ts'
import { openNatsKeyValue } from './nats-key-value.ts'

export interface NatsOptions {
  /** One URL or several with commas between; `nats://user:password@host:4222` and `nats://token@host` are understood. */
  servers: string
  role: string
  /** New at every start of the process; a subject token. */
  instance: string
  /** How long the first connection may take in all. */
  timeoutMs?: number
  /** Seed of this service's nkey user. */
  nkeySeed?: string | undefined
  /** PEM file of the authority that signed the broker's certificate; implies TLS. */
  caFile?: string | undefined
  /** PEM files of our own certificate and its key, for a broker that asks for one. */
  certFile?: string | undefined
  keyFile?: string | undefined
}

const DEFAULT_TIMEOUT_MS = 10_000
const DIAL_TIMEOUT_MS = 5_000
const FIRST_RETRY_MS = 100
const CLOSING_FLUSH_MS = 500
/** A part of a body with what stands before it; nothing that we say is longer. */
const LEAST_PAYLOAD_BYTES = 640 * 1024

/** Rejects with Disconnected, naming the servers without credentials, when none lets us in within `timeoutMs`, or takes messages as long as ours. */
export async function connectNats(options: NatsOptions): Promise<Backbone> {
  const deadline = performance.now() + (options.timeoutMs ?? DEFAULT_TIMEOUT_MS)
  const data = await openLink(options, options.instance, deadline)
  if (data.maxPayload < LEAST_PAYLOAD_BYTES) {
    await data.close()
    throw new Disconnected(
      `NATS at ${parseServers(options.servers).servers.join(', ')} takes ${data.maxPayload} bytes in a message, which is too little: set its max_payload to 1MB`,
    )
  }
  const control = await openLink(options, `${options.instance}-control`, deadline).catch(async (error: unknown) => {
    await data.close()
    throw error
  })
  const bus = new NatsBus(data, `${inboxPrefix(options)}.ask`)
  control.onStatus((status) => status === 'closed' && data.tell(status))
  return {
    bus,
    events: openNatsEventLog(control),
    keyValue: (bucket) => openNatsKeyValue(control, bucket),
    async close() {
      await Promise.all([data.close(), control.close()])
    },
  }
}

/** One connection, with what the client library tells late or not at all. */
export class NatsLink {
  /** False from the moment the loss is noticed until the subscriptions are renewed. */
  connected = true
  maxPayload = 0
  topology: 'single' | 'cluster' = 'single'
  /** Set: what is made here has so many copies, or is not made. Else three where the cluster has room for them. */
  copies: number | undefined
  readonly nc: NatsConnection
  readonly inboxPrefix: string
  readonly #listeners = new Set<(status: BusStatus) => void>()
  #closing = false

  /** `inboxPrefix` is where answers to this process come in. */
  constructor(nc: NatsConnection, inboxPrefix: string) {
    this.nc = nc
    this.inboxPrefix = inboxPrefix
    this.#learn()
    this.#follow().catch(reportFault)
  }

  /** Like `call`, but rejects with Disconnected as soon as the connection is lost: its answer may come never, or late. */
  async whileConnected<T>(what: string, call: () => Promise<T>): Promise<T> {
    if (!this.connected) throw new Disconnected(`${what}: the connection to the broker is down`)
    const lost = Promise.withResolvers<never>()
    const forget = this.onStatus(() => this.connected || lost.reject(new Disconnected(`${what}: the connection to the broker went down`)))
    try {
      return await Promise.race([call(), lost.promise])
    } finally {
      forget()
    }
  }

  /** Returns a function that ends it. */
  onStatus(listener: (status: BusStatus) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  tell(status: BusStatus): void {
    for (const listener of this.#listeners) callHandler(listener, status)
  }

  async close(): Promise<void> {
    this.#closing = true
    const giveUp = Promise.withResolvers<void>()
    const timer = setTimeout(giveUp.resolve, CLOSING_FLUSH_MS)
    // A flush that fails here means that the server is gone, and what was to be flushed with it.
    if (this.connected) await Promise.race([this.nc.flush().catch(() => {}), giveUp.promise])
    clearTimeout(timer)
    await this.nc.close()
    this.connected = false
  }

  async #follow(): Promise<void> {
    for await (const { type } of this.nc.status()) {
      if (type === Events.Disconnect && this.connected) {
        this.connected = false
        this.tell('disconnected')
      } else if (type === Events.Reconnect) {
        this.connected = true
        this.#learn()
        this.tell('reconnected')
      } else if (type === Events.LDM) this.tell('lame_duck')
    }
    this.connected = false
    if (!this.#closing) this.tell('closed')
  }

  #learn(): void {
    this.maxPayload = this.nc.info?.max_payload ?? this.maxPayload
    this.topology = this.nc.info?.cluster ? 'cluster' : 'single'
  }
}

function inboxPrefix({ role, instance }: NatsOptions): string {
  return `${requestInboxPrefix(role)}.${instance}`
}

/** The library's own `waitOnFirstConnect` cannot be given up, so the waiting is done here. */
export async function openLink(options: NatsOptions, name: string, deadline: number): Promise<NatsLink> {
  const { servers, tls, credentials } = parseServers(options.servers)
  const settings: ConnectionOptions = {
    servers,
    name: `freeway-${options.role}-${name}`,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 50,
    reconnectJitter: 50,
    pingInterval: 5000,
    maxPingOut: 2,
    noAsyncTraces: true,
    inboxPrefix: inboxPrefix(options),
    ...((tls || options.caFile || options.certFile) && { tls: filesOf(options) }),
    ...credentials,
    ...(options.nkeySeed && { authenticator: nkeyAuthenticator(new TextEncoder().encode(options.nkeySeed)) }),
  }
  for (;;) {
    const leftMs = deadline - performance.now()
    try {
      return new NatsLink(await connect({ ...settings, timeout: Math.max(1, Math.min(leftMs, DIAL_TIMEOUT_MS)) }), inboxPrefix(options))
    } catch (cause) {
      // A wrong user or a wrong certificate does not come right by waiting.
      const refused = cause instanceof Error && /authorization|authentication|certificate|altname/i.test(cause.message)
      const tooLate = deadline - performance.now() < FIRST_RETRY_MS
      if (refused || tooLate)
        throw new Disconnected(`cannot connect to NATS at ${servers.join(', ')}: ${cause instanceof Error ? cause.message : cause}`, {
          cause,
        })
      await new Promise((resolve) => setTimeout(resolve, FIRST_RETRY_MS))
    }
  }
}

/** Read anew at each connection: they may be renewed meanwhile. */
function filesOf({ caFile, certFile, keyFile }: NatsOptions): TlsOptions {
  return { ...(caFile && { caFile }), ...(certFile && { certFile }), ...(keyFile && { keyFile }) }
}

function parseServers(text: string) {
  const urls = text.split(',').map((part) => new URL(part.includes('://') ? part.trim() : `nats://${part.trim()}`))
  const [first] = urls
  return {
    servers: urls.map((url) => url.host),
    tls: urls.some((url) => url.protocol === 'tls:'),
    credentials: first && credentialsOf(first),
  }
}

function credentialsOf(url: URL): Pick<ConnectionOptions, 'user' | 'pass' | 'token'> {
  const user = decodeURIComponent(url.username)
  const pass = decodeURIComponent(url.password)
  if (pass) return { user, pass }
  return user ? { token: user } : {}
}
