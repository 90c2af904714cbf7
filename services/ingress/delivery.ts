// How an answer leaves: as a stream while it comes in, or collected and sent at once.
// After a stream has begun, failure is its last event, never a throw.

import process from 'node:process'
import type { Head } from '#contracts/attempt.ts'
import { concat } from '#contracts/bytes.ts'
import { FreewayError } from '#contracts/failure.ts'
import { type Envelope, openaiEnvelope } from '#contracts/wire/envelope.ts'
import type { AnsweredBy, AnswerFormat, StreamFormat } from './formats/format.ts'
import { errorResponse, respond } from './respond.ts'

/** Both official SDKs and every proxy on the way are told to leave the stream alone. */
export const STREAM_HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache, no-transform',
  'x-accel-buffering': 'no',
}
/** What a response may hold unsent before the worker is no longer credited. */
export const MAX_UNSENT_BYTES = 1024 * 1024
const MAX_COLLECTED_BYTES = 32 * 1024 * 1024
const HELD_STATUS_MS = 10_000
const KEEP_ALIVE_MS = 10_000

export interface Delivery {
  readonly response: Promise<Response>
  /** Content has reached the client: no failover any more. */
  readonly delivered: boolean
  readonly unsentBytes: number
  /** `attempts`: so many were granted. The headers are made by whoever sends them. */
  open(head: Head, attempts: number, headers: () => Record<string, string>): void
  /** False if it is too much to collect. */
  write(payload: Uint8Array): boolean
  /** The error, if what has come cannot be told: the client gets that instead. Undefined too where it takes its time to find out. */
  end(headers: () => Record<string, string>): FreewayError | undefined
  fail(error: FreewayError, headers: Record<string, string>): void
  /** The client is gone, or has to go: nothing more is sent. */
  drop(): void
  /** Keeps a client on the line while the provider is silent. */
  tick(nowMs: number, headers: () => Record<string, string>): void
}

/** `onLeave` is called when the client closes the stream before its end. */
export function streamed(format: StreamFormat, envelope: Envelope, startedMs: number, onLeave: () => void): Delivery {
  return new Streamed(format, envelope, startedMs, onLeave)
}

/** Nothing is delivered until everything is there, so a late failure may still lead to another provider. */
export function collected(format: AnswerFormat, envelope: Envelope): Delivery {
  return new Collected(format, envelope)
}

class Streamed implements Delivery {
  readonly response: Promise<Response>
  delivered = false
  readonly #format: StreamFormat
  readonly #envelope: Envelope
  readonly #onLeave: () => void
  readonly #resolve: (response: Response) => void
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined
  #over = false
  /** The client has closed the stream: nothing may be written to it. */
  #left = false
  #lastWriteMs: number

  constructor(format: StreamFormat, envelope: Envelope, startedMs: number, onLeave: () => void) {
    const { promise, resolve } = Promise.withResolvers<Response>()
    this.response = promise
    this.#resolve = resolve
    this.#format = format
    this.#envelope = envelope
    this.#onLeave = onLeave
    this.#lastWriteMs = startedMs
  }

  get unsentBytes(): number {
    return this.#controller && !this.#over ? MAX_UNSENT_BYTES - (this.#controller.desiredSize ?? 0) : 0
  }

  open(head: Head, _: number, headers: () => Record<string, string>): void {
    if (!this.#over) this.#begin(headers(), this.#format.type?.(head.type))
  }

  write(payload: Uint8Array): boolean {
    if (this.#over) return true
    this.delivered = true
    const bytes = this.#format.write(payload)
    // A format that keeps something to itself leaves the client in silence, which the ping is for.
    if (bytes === undefined) return true
    this.#lastWriteMs = performance.now()
    this.#controller?.enqueue(bytes)
    return true
  }

  end(): undefined {
    if (this.#over) return
    this.#over = true
    const last = this.#format.end()
    if (last instanceof Promise) void last.then((bytes) => this.#close(bytes))
    else this.#close(last)
  }

  fail(error: FreewayError, headers: Record<string, string>): void {
    if (this.#over) return
    this.#over = true
    if (!this.#controller) return this.#resolve(errorResponse(error, this.#envelope, headers))
    const last = this.#format.fail(error, headers['request-id'] ?? '')
    if (!last) return this.#controller.error(error)
    this.#close(last)
  }

  drop(): void {
    if (this.#over) return
    this.#over = true
    if (this.#controller) this.#controller.error(new Error('client stalled'))
    else this.#resolve(gone())
  }

  tick(nowMs: number, headers: () => Record<string, string>): void {
    // A client that does not even take what is there has to look stalled, and not be given more.
    if (this.#over || !this.#format.ping || this.unsentBytes > 0) return
    if (nowMs - this.#lastWriteMs < (this.#controller ? KEEP_ALIVE_MS : HELD_STATUS_MS)) return
    this.#lastWriteMs = nowMs
    this.#begin(headers()).enqueue(this.#format.ping)
  }

  #begin(headers: Record<string, string>, type?: string): ReadableStreamDefaultController<Uint8Array> {
    if (this.#controller) return this.#controller
    const body = new ReadableStream<Uint8Array>(
      {
        start: (opened) => {
          this.#controller = opened
        },
        cancel: () => {
          this.#left = true
          if (this.#over) return
          this.#over = true
          this.#onLeave()
        },
      },
      { highWaterMark: MAX_UNSENT_BYTES, size: (chunk) => chunk.byteLength },
    )
    this.#resolve(respond(200, { ...STREAM_HEADERS, ...(type !== undefined && { 'content-type': type }), ...headers }, body))
    return this.#controller as unknown as ReadableStreamDefaultController<Uint8Array>
  }

  #close(last: Uint8Array): void {
    if (this.#left) return
    this.#controller?.enqueue(last)
    this.#controller?.close()
  }
}

class Collected implements Delivery {
  readonly response: Promise<Response>
  readonly delivered = false
  readonly unsentBytes = 0
  readonly #format: AnswerFormat
  readonly #envelope: Envelope
  readonly #resolve: (response: Response) => void
  #parts: Uint8Array[] = []
  #bytes = 0
  #type = 'application/json'
  #by: AnsweredBy = { provider: '', model: '', position: 0 }

  constructor(format: AnswerFormat, envelope: Envelope) {
    const { promise, resolve } = Promise.withResolvers<Response>()
    this.response = promise
    this.#resolve = resolve
    this.#format = format
    this.#envelope = envelope
  }

  open({ type, provider, model }: Head, attempts: number): void {
    this.#parts = []
    this.#bytes = 0
    this.#type = this.#format.type ?? type
    this.#by = { provider, model, position: attempts }
  }

  write(payload: Uint8Array): boolean {
    this.#bytes += payload.length
    if (this.#bytes > MAX_COLLECTED_BYTES) return false
    this.#parts.push(payload)
    return true
  }

  end(headers: () => Record<string, string>): FreewayError | undefined {
    try {
      const body = this.#format.whole(concat(this.#parts), this.#by)
      if (body instanceof Promise)
        void body.then(
          (late) => this.#say(late, headers()),
          (error) => this.#refuse(error, headers()),
        )
      else this.#say(body, headers())
    } catch (error) {
      return this.#refuse(error, headers())
    }
    return undefined
  }

  fail(error: FreewayError, headers: Record<string, string>): void {
    this.#resolve(errorResponse(error, this.#envelope, headers))
  }

  drop(): void {
    this.#resolve(gone())
  }

  /** A client that asked for no stream is told nothing before its answer. */
  tick(): void {}

  #say(body: Uint8Array, headers: Record<string, string>): void {
    this.#resolve(respond(200, { 'content-type': this.#type, ...headers }, body as Uint8Array<ArrayBuffer>))
  }

  #refuse(error: unknown, headers: Record<string, string>): FreewayError {
    const refusal = error instanceof FreewayError ? error : unsayable(error)
    this.fail(refusal, headers)
    return refusal
  }
}

/** Nobody reads it; it only lets the server close the exchange. */
function gone(): Response {
  return errorResponse(new FreewayError('client_canceled', 'client closed the connection'), openaiEnvelope)
}

/** A fault of ours, of which the client learns no more. */
function unsayable(cause: unknown): FreewayError {
  process.emitWarning(cause instanceof Error ? cause : new Error(String(cause)))
  return new FreewayError('server_error', 'internal error of the gateway', { cause })
}
