// How an answer leaves: as a stream while it comes in, or collected and sent at once.
// After a stream has begun, failure is its last event, never a throw.

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
  open(head: Head, headers: Record<string, string>): void
  /** False if it is too much to collect. */
  write(payload: Uint8Array): boolean
  end(headers: Record<string, string>): void
  fail(error: FreewayError, headers: Record<string, string>): void
  /** The client is gone, or has to go: nothing more is sent. */
  drop(): void
  /** Keeps a client on the line while the provider is silent. */
  tick(nowMs: number, headers: () => Record<string, string>): void
}

/** `onLeave` is called when the client closes the stream before its end. */
export function streamed(format: StreamFormat, envelope: Envelope, startedMs: number, onLeave: () => void): Delivery {
  const { promise, resolve } = Promise.withResolvers<Response>()
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined
  let delivered = false
  let over = false
  /** The client has closed the stream: nothing may be written to it. */
  let left = false
  let lastWriteMs = startedMs

  function begin(headers: Record<string, string>, type?: string): ReadableStreamDefaultController<Uint8Array> {
    if (controller) return controller
    const body = new ReadableStream<Uint8Array>(
      {
        start(opened) {
          controller = opened
        },
        cancel() {
          left = true
          if (over) return
          over = true
          onLeave()
        },
      },
      { highWaterMark: MAX_UNSENT_BYTES, size: (chunk) => chunk.byteLength },
    )
    resolve(respond(200, { ...STREAM_HEADERS, ...(type !== undefined && { 'content-type': type }), ...headers }, body))
    return controller as unknown as ReadableStreamDefaultController<Uint8Array>
  }

  const unsentBytes = () => (controller && !over ? MAX_UNSENT_BYTES - (controller.desiredSize ?? 0) : 0)

  return {
    response: promise,
    get delivered() {
      return delivered
    },
    get unsentBytes() {
      return unsentBytes()
    },
    open(head, headers) {
      if (!over) begin(headers, format.type?.(head.type))
    },
    write(payload) {
      if (over) return true
      delivered = true
      const bytes = format.write(payload)
      // A format that keeps something to itself leaves the client in silence, which the ping is for.
      if (bytes === undefined) return true
      lastWriteMs = performance.now()
      controller?.enqueue(bytes)
      return true
    },
    end() {
      if (over) return
      over = true
      const close = (last: Uint8Array) => {
        if (left) return
        controller?.enqueue(last)
        controller?.close()
      }
      const last = format.end()
      if (last instanceof Promise) void last.then(close)
      else close(last)
    },
    fail(error, headers) {
      if (over) return
      over = true
      if (!controller) return resolve(errorResponse(error, envelope, headers))
      const last = format.fail(error, headers['request-id'] ?? '')
      if (!last) return controller.error(error)
      controller.enqueue(last)
      controller.close()
    },
    drop() {
      if (over) return
      over = true
      if (controller) controller.error(new Error('client stalled'))
      else resolve(gone())
    },
    tick(nowMs, headers) {
      // A client that does not even take what is there has to look stalled, and not be given more.
      if (over || !format.ping || unsentBytes() > 0) return
      if (nowMs - lastWriteMs < (controller ? KEEP_ALIVE_MS : HELD_STATUS_MS)) return
      lastWriteMs = nowMs
      begin(headers()).enqueue(format.ping)
    },
  }
}

/** Nothing is delivered until everything is there, so a late failure may still lead to another provider. */
export function collected(format: AnswerFormat, envelope: Envelope): Delivery {
  const { promise, resolve } = Promise.withResolvers<Response>()
  let parts: Uint8Array[] = []
  let bytes = 0
  let type = 'application/json'
  let by: AnsweredBy = { provider: '', model: '', position: 0 }
  return {
    response: promise,
    delivered: false,
    unsentBytes: 0,
    open({ type: sent, provider, model }, headers) {
      parts = []
      bytes = 0
      type = format.type ?? sent
      by = { provider, model, position: Number(headers['x-freeway-attempts']) }
    },
    write(payload) {
      bytes += payload.length
      if (bytes > MAX_COLLECTED_BYTES) return false
      parts.push(payload)
      return true
    },
    end(headers) {
      const say = (body: Uint8Array) => resolve(respond(200, { 'content-type': type, ...headers }, body as Uint8Array<ArrayBuffer>))
      const refuse = (error: unknown) => resolve(errorResponse(error instanceof FreewayError ? error : unsayable(error), envelope, headers))
      try {
        const body = format.whole(concat(parts), by)
        if (body instanceof Promise) void body.then(say, refuse)
        else say(body)
      } catch (error) {
        refuse(error)
      }
    },
    fail(error, headers) {
      resolve(errorResponse(error, envelope, headers))
    },
    drop() {
      resolve(gone())
    },
    tick() {},
  }
}

/** Nobody reads it; it only lets the server close the exchange. */
function gone(): Response {
  return errorResponse(new FreewayError('client_canceled', 'client closed the connection'), openaiEnvelope)
}

function unsayable(cause: unknown): FreewayError {
  return new FreewayError('server_error', 'internal error of the gateway', { cause })
}
