// Every call that came in, and what became of it: how tests prove that a provider was called once, was cancelled at once, or not at all.

import { createHash } from 'node:crypto'
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'

export interface Call {
  /** 1, 2, ... over the life of the simulator. */
  id: number
  method: string
  path: string
  /** As it was asked, directive included; undefined until the body is read, and where there is none. */
  model: string | undefined
  /** Credentials only as `sha256:` and 12 digits, so that keys can be told apart. */
  headers: Record<string, string>
  /** Headers that name the attempt: `x-freeway-*`, `traceparent`, `x-request-id`, `idempotency-key`. */
  attempt: Record<string, string>
  /** Parsed JSON; of a form the fields, files as `{name, type, size}`. */
  body: unknown
  /** Unix time, ms, as are the other times. */
  receivedAt: number
  status: number | undefined
  firstByteAt: number | undefined
  /** Of the body, before HTTP framing. */
  bytesSent: number
  /** Events of a stream; other bodies count as one, large ones as several. */
  eventsSent: number
  closedAt: number | undefined
  closedBy: 'us' | 'peer' | undefined
  /** The whole intended answer was handed to the kernel. */
  completed: boolean
}

/** Older calls are forgotten, so that a load test does not fill the memory. */
const KEPT = 10_000

export class CallLog {
  calls: Call[] = []
  #count = 0
  readonly #listeners = new Set<(call: Call) => void>()
  readonly #waiting = new Set<(call: Call) => void>()

  get count(): number {
    return this.#count
  }

  begin(request: IncomingMessage): Call {
    const headers = readHeaders(request.headers)
    const call: Call = {
      id: ++this.#count,
      method: request.method ?? 'GET',
      path: request.url ?? '/',
      model: undefined,
      headers,
      attempt: Object.fromEntries(
        Object.entries(headers).filter(([name]) => /^(?:x-freeway-.*|traceparent|x-request-id|idempotency-key)$/.test(name)),
      ),
      body: undefined,
      receivedAt: Date.now(),
      status: undefined,
      firstByteAt: undefined,
      bytesSent: 0,
      eventsSent: 0,
      closedAt: undefined,
      closedBy: undefined,
      completed: false,
    }
    this.calls.push(call)
    if (this.calls.length >= 2 * KEPT) this.calls = this.calls.slice(-KEPT)
    return call
  }

  /** The body has been read: who listens sees the call for the first time. */
  read(call: Call, model: string | undefined, body: unknown): void {
    call.model = model
    call.body = body
    for (const listener of this.#listeners) listener(call)
    this.changed(call)
  }

  end(call: Call, by: 'us' | 'peer', completed: boolean): void {
    if (call.closedAt !== undefined) return
    call.closedAt = Date.now()
    call.closedBy = by
    call.completed = completed
    this.changed(call)
  }

  changed(call: Call): void {
    for (const check of this.#waiting) check(call)
  }

  /** Called once per call, when its body is read. Returns how to stop. */
  onCall(listener: (call: Call) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** The first call, past or to come, of which `predicate` holds at any moment; asked again whenever a call changes. */
  waitFor(predicate: (call: Call) => boolean): Promise<Call> {
    const known = this.calls.find(predicate)
    if (known) return Promise.resolve(known)
    return new Promise((resolve) => {
      const check = (call: Call) => {
        if (!predicate(call)) return
        this.#waiting.delete(check)
        resolve(call)
      }
      this.#waiting.add(check)
    })
  }

  clear(): void {
    this.calls = []
  }
}

const secret = new Set(['authorization', 'x-api-key', 'api-key', 'x-goog-api-key', 'cookie'])

function readHeaders(headers: IncomingHttpHeaders): Record<string, string> {
  const read: Record<string, string> = {}
  for (const [name, value] of Object.entries(headers)) {
    const text = Array.isArray(value) ? value.join(', ') : (value ?? '')
    read[name] = secret.has(name) ? redact(text) : text
  }
  return read
}

function redact(text: string): string {
  const [scheme, key] = text.startsWith('Bearer ') ? ['Bearer ', text.slice(7)] : ['', text]
  return `${scheme}sha256:${createHash('sha256').update(key).digest('hex').slice(0, 12)}`
}
