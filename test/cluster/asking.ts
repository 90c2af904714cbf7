// One request of a client over a connection of its own, through a load balancer that tries the next address where nobody listens.

import { Buffer } from 'node:buffer'
import { type IncomingMessage, request as openRequest } from 'node:http'
import { type Read, readEvent, readWhole } from './reading.ts'
import { requestOf, textOf, type Wish } from './workload.ts'

/** What a client has to tell. Times in ms since 1970. */
export interface Told {
  trace: string
  client: string
  format: string
  stream: boolean
  sentAt: number
  /** Of the first byte of the body; undefined: there was none. */
  firstAt: number | undefined
  endedAt: number
  /** The ingress that had it. */
  url: string
  /** 0: no status line came. */
  status: number
  /** As the gateway calls it. */
  requestId: string | undefined
  /** As its headers say it. */
  retryAfter: string | undefined
  /** `whole`: all of it, once. `prefix`: the beginning of it. */
  text: 'whole' | 'prefix' | 'wrong'
  /** The format's own sign of the end was there. */
  ended: boolean
  error: string | undefined
  /** The connection broke before the answer was complete. */
  broken: boolean
  /** Nothing ended it but our patience. */
  hung: boolean
  /** What was read last, of an answer that was not right. */
  tail: string | undefined
}

/** Twice what the gateway may take for a request here. */
export const PATIENCE_MS = 40_000

/** `nextUrl` is asked again where a connection is refused: nothing has been sent then. Resolves however it ends. */
export function ask(wish: Wish, nextUrl: (unlike?: string) => string): Promise<Told> {
  const { path, body } = requestOf(wish)
  const sent = Buffer.from(JSON.stringify(body))
  const whole = textOf(wish.model)
  const read: Read = { text: '', ended: false, error: undefined }
  const { promise, resolve } = Promise.withResolvers<Told>()
  const sentAt = Date.now()
  let tries = 0
  let status = 0
  let firstAt: number | undefined
  let requestId: string | undefined
  let retryAfter: string | undefined
  let url = nextUrl()
  let text = ''
  let rest = ''
  let over = false
  let abort: () => void = () => {}
  const patience = setTimeout(() => finish(true, true), PATIENCE_MS)
  send()
  return promise

  function send(): void {
    let connected = false
    const request = openRequest(`${url}${path}`, {
      method: 'POST',
      agent: false,
      headers: {
        'content-type': 'application/json',
        'content-length': sent.length,
        authorization: `Bearer ${wish.client.key}`,
      },
    })
    abort = () => request.destroy()
    request.once('socket', (socket) => socket.once('connect', () => (connected = true)))
    request.on('response', onResponse)
    request.once('error', () => {
      if (connected || over || ++tries > 3) return finish(true, false)
      url = nextUrl(url)
      send()
    })
    request.end(sent)
  }

  function onResponse(response: IncomingMessage): void {
    status = response.statusCode ?? 0
    requestId = response.headers['x-request-id'] as string | undefined
    retryAfter = response.headers['retry-after']
    const isStream = response.headers['content-type']?.startsWith('text/event-stream') ?? false
    response.setEncoding('utf8')
    response.on('data', (part: string) => {
      firstAt ??= Date.now()
      text += part
      if (!isStream) return
      const events = (rest + part).split('\n\n')
      rest = events.pop() ?? ''
      for (const event of events) {
        const lines = event.split('\n').filter((line) => line.startsWith('data: '))
        if (lines.length > 0) readEvent(wish.format, lines.map((line) => line.slice(6)).join('\n'), read)
      }
    })
    response.once('error', () => finish(true, false))
    response.once('close', () => {
      if (!isStream && response.complete) readBody()
      finish(!response.complete, false)
    })
  }

  function readBody(): void {
    try {
      readWhole(wish.format, text, read)
    } catch {
      // Not JSON: then it is neither an answer nor a clear error, and is judged so.
    }
  }

  function finish(broken: boolean, hung: boolean): void {
    if (over) return
    over = true
    clearTimeout(patience)
    if (hung) abort()
    const isWhole = read.text === whole
    const right = status === 200 && isWhole && read.ended && !broken
    resolve({
      trace: wish.trace,
      client: wish.client.name,
      format: wish.format,
      stream: wish.stream,
      sentAt,
      firstAt,
      endedAt: Date.now(),
      url,
      status,
      requestId,
      retryAfter,
      text: isWhole ? 'whole' : whole.startsWith(read.text) ? 'prefix' : 'wrong',
      ended: read.ended,
      error: read.error,
      broken,
      hung,
      tail: right || status === 429 ? undefined : text.slice(-300),
    })
  }
}
