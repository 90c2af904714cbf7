// Sockets, on Node and on Deno. Everything that must hold before a route is chosen:
// a plain target, a plain host that takes no part in routing, bounds on headers, body and time.

import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { serve } from 'srvx'
import { concat, utf8 } from '#contracts/bytes.ts'
import { errorBody, FreewayError } from '#contracts/failure.ts'
import { envelopeOf } from '#contracts/wire/envelope.ts'
import { roomFor } from './large-body.ts'
import { newRequestId, requestIdHeaders } from './request-id.ts'
import { errorResponse } from './respond.ts'

export const MAX_BODY_BYTES = 32 * 1024 * 1024
const MAX_HEADER_BYTES = 16 * 1024
const HEADER_TIMEOUT_MS = 10_000
const BODY_TIMEOUT_MS = 30_000
const LINGER_MS = 1_000
const LAST_BYTES_MS = 1_000
const LAST_BYTES_POLL_MS = 10
/** The path is taken from the URL, which must not hold what the client says in `Host`. */
const AUTHORITY = 'gateway.invalid'

export interface Front {
  readonly url: string
  /** Accepts no further connections and asks clients to close theirs; what runs goes on. */
  drain(): void
  close(): Promise<void>
}

interface NodePair {
  req: IncomingMessage
  res: ServerResponse
}

export interface FrontOptions {
  host: string
  port: number
  handle(request: Request): Response | Promise<Response>
}

/** Rejects with the system's error, e.g. EADDRINUSE. */
export async function openFront({ host, port, handle }: FrontOptions): Promise<Front> {
  let draining = false
  const server = serve({
    hostname: host,
    port,
    silent: true,
    gracefulShutdown: false,
    node: {
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: HEADER_TIMEOUT_MS,
      requestTimeout: BODY_TIMEOUT_MS,
      connectionsCheckingInterval: 1_000,
      keepAliveTimeout: 65_000,
      // Node's own refusal has no body; ours is below.
      requireHostHeader: false,
    },
    fetch(request) {
      const node = nodeOf(request)
      if (draining && node) node.res.shouldKeepAlive = false
      const target = node ? (node.req.url ?? '') : targetOf(request.url)
      const refusal = lacksHost(node) ? malformedHost() : refuse(target, request.headers)
      if (refusal) {
        // Closing while a body is on its way would reset the connection before the client has read why: Node discards the rest.
        if (node && refusal.status === 400) node.res.shouldKeepAlive = false
        return errorResponse(refusal, envelopeOf(pathOf(canonical(target))), requestIdHeaders(request.headers))
      }
      return handle(node ? plainNodeRequest(request, node, target) : plainRequest(request, target))
    },
  })
  await server.ready()
  const http = server.node?.server as Server | undefined
  http?.on('clientError', answerMalformed)
  // What else a client expects is its own affair; Node would answer 417 without a body.
  http?.on('checkExpectation', (req, res) => http.emit('request', req, res))
  return {
    url: server.url?.replace(/\/$/, '') ?? `http://${host}:${port}`,
    drain() {
      draining = true
      void server.close()
    },
    async close() {
      if (http) await lastBytesSent(http)
      await server.close(true)
    },
  }
}

/** What has ended just now is still on its way to the client. Resolves when no connection is left, at the latest after a second. */
async function lastBytesSent(http: Server): Promise<void> {
  const deadlineMs = performance.now() + LAST_BYTES_MS
  for (;;) {
    http.closeIdleConnections()
    const open = await new Promise<number>((resolve) => http.getConnections((_, count) => resolve(count)))
    if (open === 0 || performance.now() > deadlineMs) return
    await new Promise((resolve) => setTimeout(resolve, LAST_BYTES_POLL_MS))
  }
}

/** Rejects with FreewayError 413 over `maxBytes`, 400 if the client broke off. */
export function readBody(request: Request, maxBytes = MAX_BODY_BYTES): Promise<Uint8Array> {
  const node = nodeOf(request)
  if (!node) return readWebBody(request, maxBytes)
  return new Promise((resolve, reject) => {
    const { req } = node
    const parts: Uint8Array[] = []
    let bytes = 0
    // What is announced to be too much is not kept until it is.
    const said = Number(req.headers['content-length'] ?? 0)
    const whole = said <= maxBytes ? roomFor(said, (done) => req.once('close', done)) : undefined
    req.on('data', (part: Uint8Array) => {
      bytes += part.length
      if (whole) return whole.set(part, bytes - part.length)
      if (bytes <= maxBytes && said <= maxBytes) return void parts.push(part)
      // What still comes is discarded; see above for why the connection stays open.
      req.removeAllListeners('data').resume()
      parts.length = 0
      reject(bodyTooLarge(maxBytes))
    })
    req.once('end', () => resolve(whole ?? concat(parts)))
    req.once('error', () => reject(new FreewayError('invalid_request_error', 'the request body broke off')))
  })
}

async function readWebBody(request: Request, maxBytes: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  let bytes = 0
  for await (const part of request.body ?? []) {
    bytes += part.length
    if (bytes > maxBytes) throw bodyTooLarge(maxBytes)
    parts.push(part)
  }
  return concat(parts)
}

/** Calls back when the client has closed its connection before the answer was complete, or if it has by now. A half-close counts as gone. */
export function onClientGone(request: Request, gone: () => void): void {
  const res = nodeOf(request)?.res
  const closed = () => {
    if (!res?.writableFinished) gone()
  }
  if (res ? res.destroyed : request.signal.aborted) closed()
  else if (res) res.once('close', closed)
  else request.signal.addEventListener('abort', gone, { once: true })
}

/** For a request that is many at once: each of them waits for the client to leave, which is no leak. */
export function allowManyListeners(request: Request): void {
  nodeOf(request)?.res.setMaxListeners(0)
}

/** The address of the connection's other end. */
export function peerOf(request: Request): string {
  return nodeOf(request)?.req.socket.remoteAddress ?? (request as { ip?: string }).ip ?? ''
}

/** Pure. Why a request is refused before any route is looked at. */
export function refuse(target: string, headers: Pick<Headers, 'get'>): FreewayError | undefined {
  if (!isPlainTarget(target)) return new FreewayError('invalid_request_error', 'malformed request target')
  const host = headers.get('host')
  if (host !== null && !isPlainHost(host)) return malformedHost()
  const encoding = headers.get('content-encoding')
  if (encoding !== null && encoding.toLowerCase() !== 'identity') {
    return new FreewayError('invalid_request_error', 'compressed request bodies are not accepted: send the body without Content-Encoding', {
      status: 415,
    })
  }
  if (Number(headers.get('content-length') ?? 0) > MAX_BODY_BYTES) return bodyTooLarge()
  return undefined
}

/** One leading slash; no absolute URI, dot segment (also percent-encoded), backslash or control character. */
export function isPlainTarget(target: string): boolean {
  if (!/^\/(?!\/)[\x21-\x5b\x5d-\x7e]*$/.test(target)) return false
  return !pathOf(target)
    .split('/')
    .some((segment) => /^(?:\.|%2e){1,2}(?:;.*)?$/i.test(segment))
}

/** host, host:port, or [v6]:port. */
export function isPlainHost(host: string): boolean {
  return host.length <= 255 && /^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/.test(host)
}

/** Every request since HTTP/1.1 has one. */
function lacksHost(node: NodePair | undefined): boolean {
  return node !== undefined && node.req.headers.host === undefined && node.req.httpVersion !== '1.0'
}

function malformedHost(): FreewayError {
  return new FreewayError('invalid_request_error', 'malformed Host header')
}

function bodyTooLarge(maxBytes = MAX_BODY_BYTES): FreewayError {
  return new FreewayError('invalid_request_error', `the request body is larger than ${Math.floor(maxBytes / 1024 / 1024)} MB`, {
    status: 413,
  })
}

function nodeOf(request: Request): NodePair | undefined {
  return (request as { runtime?: { node?: NodePair } }).runtime?.node
}

/** Anthropic SDK users who were told a base URL ending in /v1 send /v1/v1/messages. */
function canonical(target: string): string {
  return target.startsWith('/v1/v1/') ? target.slice(3) : target
}

function plainNodeRequest(request: Request, { req }: NodePair, target: string): Request {
  // The URL of this request is made from these two, when first asked for.
  req.headers.host = AUTHORITY
  req.url = canonical(target)
  return request
}

function plainRequest(request: Request, target: string): Request {
  const plain = new Request(`http://${AUTHORITY}${canonical(target)}`, request)
  return Object.defineProperty(plain, 'ip', { value: (request as { ip?: string }).ip })
}

function pathOf(target: string): string {
  return target.split('?', 1)[0] as string
}

function targetOf(url: string): string {
  return url.slice(url.indexOf('/', url.indexOf('://') + 3))
}

/** What the HTTP parser refuses never reaches a route: it gets the same envelope by hand. */
function answerMalformed(error: NodeJS.ErrnoException, socket: Socket): void {
  // Node keeps the answer that is being sent on this connection here: a second head in its midst would read as content.
  const begun = (socket as { _httpMessage?: ServerResponse })._httpMessage?.headersSent
  if (!socket.writable || begun || error.code === 'ECONNRESET') return void socket.destroy()
  const refusal = malformed(error.code)
  const body = JSON.stringify(errorBody(refusal))
  const id = newRequestId()
  socket.end(
    `HTTP/1.1 ${refusal.status} ${refusal.message}\r\ncontent-type: application/json; charset=utf-8\r\nx-request-id: ${id}\r\nrequest-id: ${id}\r\n` +
      `content-length: ${utf8(body).length}\r\nconnection: close\r\n\r\n${body}`,
  )
  // A client that keeps its side open must not keep ours.
  setTimeout(() => socket.destroy(), LINGER_MS).unref()
}

function malformed(code: string | undefined): FreewayError {
  if (code === 'HPE_HEADER_OVERFLOW') return new FreewayError('invalid_request_error', 'request headers too large', { status: 431 })
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return new FreewayError('invalid_request_error', 'request sent too slowly', { status: 408 })
  return new FreewayError('invalid_request_error', 'malformed HTTP request')
}
