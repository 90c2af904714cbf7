// One call to a provider: undici at its lowest level, so that an abort closes the socket at once,
// reading can pause, and it is known whether a byte of the request was written.

// The whole of undici holds a fetch, a cache and a WebSocket that nobody here uses: 10 MB of each worker's memory.
import Pool from 'undici/lib/dispatcher/pool.js'

export interface UpstreamRequest {
  /** POST unless told otherwise. */
  method?: 'GET' | 'POST'
  /** Of an address other than the provider's usual one, e.g. for pictures. */
  origin?: string
  path: string
  headers: Record<string, string>
  /** In parts: they are sent one behind the other, and never put together. */
  body: string | Uint8Array | readonly Uint8Array[]
}

/** Exactly one of `onEnd` and `onError` is called, and nothing after it; neither after `abort`. */
export interface UpstreamEvents {
  /** From here on bytes of the request may be written, unless this throws. */
  onSend(): void
  onHeaders(status: number, headers: Record<string, string | string[] | undefined>): void
  /** The bytes are the receiver's to keep. */
  onData(bytes: Uint8Array): void
  onEnd(): void
  onError(error: Error): void
}

export interface UpstreamCall {
  /** Closes the socket now; a call that is still queued is never sent. */
  abort(): void
  /** Nothing more is wanted. A provider that talks on gets a moment, so that the connection can be used again, and no more. */
  letGo(): void
  pause(): void
  resume(): void
}

export interface Upstream {
  call(request: UpstreamRequest, events: UpstreamEvents): UpstreamCall
  close(): Promise<void>
}

const CONNECT_TIMEOUT_MS = 3_000
const MAX_HEADER_BYTES = 32 * 1024
const TALK_ON_MS = 200

/** Never follows a redirect. Timeouts other than connecting are the caller's. */
export function openUpstream(baseUrl: string, maxConnections: number): Upstream {
  const usual = new URL(baseUrl).origin
  const pools = new Map<string, Pool>()

  function poolOf(origin: string): Pool {
    const present = pools.get(origin)
    if (present) return present
    const pool = new Pool(origin, {
      connections: maxConnections,
      connect: { timeout: CONNECT_TIMEOUT_MS },
      headersTimeout: 0,
      bodyTimeout: 0,
      maxHeaderSize: MAX_HEADER_BYTES,
    })
    pools.set(origin, pool)
    return pool
  }

  return {
    call: (request, events) => dispatch(poolOf(request.origin ?? usual), request, events),
    async close() {
      await Promise.all([...pools.values()].map((pool) => pool.destroy()))
    },
  }
}

type Controller = { abort(reason: Error): void; pause(): void; resume(): void }

function dispatch(pool: Pool, request: UpstreamRequest, events: UpstreamEvents): UpstreamCall {
  const call = new Dispatched(events)
  pool.dispatch(
    {
      method: request.method ?? 'POST',
      path: request.path,
      headers: Array.isArray(request.body) ? { ...request.headers, 'content-length': String(lengthOf(request.body)) } : request.headers,
      // Any iterable will do, which its types do not say.
      body: request.method === 'GET' ? null : (request.body as string | Uint8Array),
    },
    call,
  )
  return call
}

/** What undici tells of a call, and what its caller says to it. */
class Dispatched implements UpstreamCall {
  readonly #events: UpstreamEvents
  #controller: Controller | undefined
  #over = false

  constructor(events: UpstreamEvents) {
    this.#events = events
  }

  onRequestStart(controller: Controller): void {
    this.#controller = controller
    if (this.#over) controller.abort(aborted())
    else this.#events.onSend()
  }

  onResponseStart(_: Controller, status: number, headers: Record<string, string | string[] | undefined>): void {
    if (!this.#over && status >= 200) this.#events.onHeaders(status, headers)
  }

  onResponseData(_: Controller, chunk: Buffer): void {
    if (!this.#over) this.#events.onData(chunk)
  }

  onResponseEnd(): void {
    if (this.#over) return
    this.#over = true
    this.#events.onEnd()
  }

  onResponseError(_: Controller, error: Error): void {
    if (this.#over) return
    this.#over = true
    this.#events.onError(error)
  }

  abort(): void {
    if (this.#over) return
    this.#over = true
    this.#controller?.abort(aborted())
  }

  letGo(): void {
    if (!this.#over) setTimeout(() => this.abort(), TALK_ON_MS)
  }

  pause(): void {
    this.#controller?.pause()
  }

  resume(): void {
    this.#controller?.resume()
  }
}

/** Made only where one is needed: an error takes its stack along, which costs as much as all else here. */
function aborted(): Error {
  return new Error('aborted')
}

function lengthOf(parts: readonly Uint8Array[]): number {
  return parts.reduce((sum, { length }) => sum + length, 0)
}
