// A provider that costs next to nothing: every answer is rendered in advance, so what is measured is the way to it.
// Transcriptions are one word each, however long the sound. The model `c20` streams 20 chunks, one per turn of the event loop; `c20d100` one every 100 ms, `c20d0` all at once.
// Every content holds exactly one `~`, and nothing else does: whoever counts those bytes counts frames.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

interface Answer {
  /** Each is one write. */
  chunks: Buffer[]
  whole: Buffer
  /** Undefined: one chunk per turn of the event loop. */
  delayMs: number | undefined
}

export interface UpstreamCounts {
  calls: number
  frames: number
  /** When streams were broken off, in ms since 1970. */
  brokenAtMs: number[]
}

const counts: UpstreamCounts = { calls: 0, frames: 0, brokenAtMs: [] }
const rendered = new Map<string, Answer | undefined>()

/** Undefined if the model's name is not of the form `c<chunks>[d<ms>]`. */
export function render(model: string, usage: boolean): Answer | undefined {
  const [, chunks, delay] = /^c(\d+)(?:d(\d+))?$/.exec(model) ?? []
  if (chunks === undefined) return undefined
  const n = Number(chunks)
  const common = { id: 'chatcmpl-bench0000000000000000', created: 1_760_000_000, model }
  const numbers = { prompt_tokens: 12, completion_tokens: n, total_tokens: 12 + n }
  const chunk = (choices: object[], rest: object = {}) =>
    Buffer.from(`data: ${JSON.stringify({ ...common, object: 'chat.completion.chunk', choices, ...rest })}\n\n`)
  const delta = (delta: object, finish_reason: string | null = null) => chunk([{ index: 0, delta, logprobs: null, finish_reason }])
  const done = Buffer.from('data: [DONE]\n\n')
  const tokens = Array.from({ length: n }, (_, i) => delta(i === 0 ? { role: 'assistant', content: 'word~' } : { content: ' word~' }))
  const message = { role: 'assistant', content: 'word~'.repeat(n) }
  return {
    chunks: [...tokens, delta({}, 'stop'), ...(usage ? [chunk([], { usage: numbers })] : []), done],
    whole: Buffer.from(
      JSON.stringify({
        ...common,
        object: 'chat.completion',
        choices: [{ index: 0, message, logprobs: null, finish_reason: 'stop' }],
        usage: numbers,
      }),
    ),
    delayMs: delay === undefined ? undefined : Number(delay),
  }
}

function answer(text: string, response: ServerResponse): void {
  const body = JSON.parse(text) as { model: string; stream?: boolean; stream_options?: { include_usage?: boolean } }
  const usage = body.stream_options?.include_usage === true
  const key = `${body.model} ${usage}`
  if (!rendered.has(key)) rendered.set(key, render(body.model, usage))
  const found = rendered.get(key)
  counts.calls++
  if (!found) {
    response.writeHead(404, { 'content-type': 'application/json' }).end('{"error":{"message":"unknown model"}}')
  } else if (body.stream) {
    response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' })
    send(found, response)
  } else {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': found.whole.length }).end(found.whole)
  }
}

function send({ chunks, delayMs }: Answer, response: ServerResponse): void {
  let next = 0
  response.once('close', () => {
    if (!response.writableFinished) counts.brokenAtMs.push(performance.timeOrigin + performance.now())
  })
  const write = () => {
    if (response.destroyed) return
    response.write(chunks[next++])
    counts.frames++
    if (next === chunks.length) response.end()
    else if (delayMs === undefined) setImmediate(write)
    else if (delayMs === 0) write()
    else setTimeout(write, delayMs)
  }
  write()
}

const HEARD = Buffer.from(JSON.stringify({ text: 'word~', duration: 1 }))

/** What it is sent is taken as fast as it comes, and not kept. */
function listen(request: IncomingMessage, response: ServerResponse): void {
  request.resume().once('end', () => {
    counts.calls++
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': HEARD.length }).end(HEARD)
  })
}

if (import.meta.main) {
  const server = createServer({ keepAliveTimeout: 0 }, (request, response) => {
    if (request.url?.endsWith('/audio/transcriptions')) return listen(request, response)
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => answer(Buffer.concat(parts).toString(), response))
  })
  server.listen(0, '127.0.0.1', () => console.log(JSON.stringify({ msg: 'ready', port: (server.address() as AddressInfo).port })))
  process.on('message', () => process.send?.(counts))
  process.on('disconnect', () => process.exit())
}
