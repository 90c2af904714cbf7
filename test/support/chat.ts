// One chat request over a socket of its own, watched byte by byte: what the client saw, and when; it may hang up or stop reading.

import { Buffer } from 'node:buffer'
import { type IncomingMessage, request as openRequest } from 'node:http'
import type { ErrorBody } from '#contracts/failure.ts'

export interface Reply {
  /** Names the request inside its prompt, so that the provider's calls can be told apart. */
  marker: string
  /** 0 if no status line came. */
  status: number
  headers: Record<string, string>
  body: string
  /** Content of the first choice. */
  text: string
  finish: string | undefined
  /** The envelope of a refusal, or the error in the stream. */
  error: ErrorBody['error'] | undefined
  /** `[DONE]` was the last event. */
  done: boolean
  /** The connection broke before the answer was complete. */
  broken: boolean
  ms: number
}

export interface Chat {
  readonly marker: string
  /** As far as it has come. */
  readonly reply: Reply
  /** When the answer is complete or the connection is gone. */
  readonly ended: Promise<Reply>
  /** Resolves when the status line is there. */
  readonly opened: Promise<void>
  /** Resolves when at least this much text has come. */
  untilText(characters: number): Promise<void>
  hangUp(): void
  pause(): void
  resume(): void
}

let count = 0

/** How many have been opened in this process. */
export const openedChats = () => count

/** `body` is laid over a minimal request; `read: false` leaves the answer in the socket; `padding` is a second message; `key`: a client's. */
export function openChat(
  url: string,
  body: Record<string, unknown> = {},
  { read = true, padding, key }: { read?: boolean; padding?: string; key?: string } = {},
): Chat {
  const marker = `prompt ${++count} of ${process.pid}`
  const messages = [marker, padding].filter((content) => content !== undefined).map((content) => ({ role: 'user', content }))
  const sent = Buffer.from(JSON.stringify({ model: 'm', stream: true, messages, ...body }))
  const beganMs = performance.now()
  const reply: Reply = {
    marker,
    status: 0,
    headers: {},
    body: '',
    text: '',
    finish: undefined,
    error: undefined,
    done: false,
    broken: false,
    ms: 0,
  }
  const ended = Promise.withResolvers<Reply>()
  const opened = Promise.withResolvers<void>()
  let waiting: { characters: number; resolve(): void; reject(error: Error): void }[] = []
  let response: IncomingMessage | undefined
  let rest = ''

  const request = openRequest(`${url}/v1/chat/completions`, {
    method: 'POST',
    agent: false,
    headers: {
      'content-type': 'application/json',
      'content-length': sent.length,
      ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
    },
  })
  request.on('response', (incoming) => {
    response = incoming
    reply.status = incoming.statusCode ?? 0
    reply.headers = incoming.headers as Record<string, string>
    opened.resolve()
    if (!read) return void incoming.once('close', () => finish(!incoming.complete))
    incoming.setEncoding('utf8')
    incoming.on('data', (text: string) => onText(text))
    incoming.once('error', () => finish(true))
    incoming.once('close', () => finish(!incoming.complete))
  })
  request.once('error', () => finish(true))
  request.end(sent)

  function onText(text: string): void {
    reply.body += text
    if (!reply.headers['content-type']?.startsWith('text/event-stream')) return
    const events = (rest + text).split('\n\n')
    rest = events.pop() ?? ''
    for (const event of events) onEvent(event)
    waiting = waiting.filter((one) => {
      if (reply.text.length < one.characters) return true
      one.resolve()
      return false
    })
  }

  function onEvent(event: string): void {
    const data = event
      .split('\n')
      .filter((line) => line.startsWith('data: '))
      .map((line) => line.slice(6))
      .join('\n')
    reply.done = data === '[DONE]'
    if (data === '' || reply.done) return
    const { choices, error } = JSON.parse(data)
    if (error) reply.error = error
    reply.text += choices?.[0]?.delta?.content ?? ''
    reply.finish ??= choices?.[0]?.finish_reason ?? undefined
  }

  function finish(broken: boolean): void {
    reply.broken = broken
    reply.ms = performance.now() - beganMs
    if (!broken && reply.headers['content-type']?.startsWith('application/json')) {
      const { choices, error } = JSON.parse(reply.body)
      reply.error = error
      reply.text = choices?.[0]?.message?.content ?? ''
      reply.finish = choices?.[0]?.finish_reason
    }
    for (const one of waiting) one.reject(new Error(`the answer ended after ${reply.text.length} characters: ${reply.body.slice(-300)}`))
    waiting = []
    opened.resolve()
    ended.resolve(reply)
  }

  return {
    marker,
    reply,
    ended: ended.promise,
    opened: opened.promise,
    untilText(characters) {
      if (reply.text.length >= characters) return Promise.resolve()
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      waiting.push({ characters, resolve, reject })
      return promise
    },
    hangUp: () => void request.destroy(),
    pause: () => void response?.pause(),
    resume: () => void response?.resume(),
  }
}

export function chat(url: string, body?: Record<string, unknown>): Promise<Reply> {
  return openChat(url, body).ended
}
