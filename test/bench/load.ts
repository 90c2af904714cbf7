// The load generator: keeps a number of connections busy, each with one request after the other, and times them.
// Works as a process of its own; the parent sends a `Load`, it answers with a `LoadResult`.

import { connect, type Socket } from 'node:net'
import { type Percentiles, percentiles } from './figures.ts'
import { ResponseReader } from './response.ts'
import type { ClientFormat } from './scenarios.ts'

export interface Load {
  port: number
  key: string
  model: string
  stream: boolean
  /** Absent: chat completions. */
  format?: ClientFormat
  /** Tokens that each answer must hold. */
  tokens: number
  connections: number
  durationMs: number
  staggerMs: number
}

export interface LoadResult {
  requests: number
  errors: number
  /** Tokens that did not arrive in answers that had begun; a refusal is an error and loses none. */
  lostFrames: number
  seconds: number
  latency: Percentiles
  firstToken: Percentiles
  /** How many answers had which status; 0: the connection broke or the time was up. */
  statuses: Record<string, number>
  /** One of the refusals, to tell why. */
  refusal: string
}

/** How long an answer may still take once no new request is begun. */
const GRACE_MS = 15_000

export async function run(load: Load): Promise<LoadResult> {
  const latencies: number[] = []
  const firstTokens: number[] = []
  const statuses: Record<string, number> = {}
  const request = write(load)
  let errors = 0
  let lostFrames = 0
  let refusal = ''
  const began = performance.now()
  const end = began + load.durationMs
  const deadline = AbortSignal.timeout(load.durationMs + GRACE_MS)

  const client = async (index: number) => {
    if (load.staggerMs > 0) await new Promise((resolve) => setTimeout(resolve, (load.staggerMs * index) / load.connections))
    let socket: Socket | undefined
    do {
      if (!socket || socket.destroyed) socket = connect({ port: load.port, host: '127.0.0.1', noDelay: true })
      const answer = await ask(socket, request, deadline)
      statuses[answer.status] = (statuses[answer.status] ?? 0) + 1
      if (answer.refusal) refusal = answer.refusal
      else lostFrames += Math.max(0, load.tokens - answer.tokens)
      if (answer.status === 200 && answer.complete && (answer.done || !load.stream)) {
        latencies.push(answer.latencyMs)
        firstTokens.push(answer.firstTokenMs)
      } else errors++
      if (answer.closes) socket.destroy()
    } while (performance.now() < end && !deadline.aborted)
    socket.destroy()
  }
  await Promise.all(Array.from({ length: load.connections }, (_, index) => client(index)))
  return {
    requests: latencies.length,
    errors,
    lostFrames,
    seconds: (performance.now() - began) / 1000,
    latency: percentiles(latencies),
    firstToken: percentiles(firstTokens),
    statuses,
    refusal,
  }
}

interface Answer {
  status: number
  tokens: number
  done: boolean
  closes: boolean
  refusal: string
  complete: boolean
  latencyMs: number
  firstTokenMs: number
}

function ask(socket: Socket, request: Buffer, deadline: AbortSignal): Promise<Answer> {
  return new Promise((resolve) => {
    const reader = new ResponseReader()
    const began = performance.now()
    let firstTokenMs = Number.NaN
    const settle = (complete: boolean) => {
      socket.off('data', onData).off('close', onBroken).off('error', onError)
      deadline.removeEventListener('abort', onBroken)
      const { status, tokens, done, closes, refusal } = reader
      resolve({
        status: complete ? status : 0,
        tokens,
        done,
        closes,
        refusal,
        complete,
        latencyMs: performance.now() - began,
        firstTokenMs,
      })
    }
    const onData = (bytes: Buffer) => {
      const complete = reader.read(bytes)
      if (reader.tokens > 0 && Number.isNaN(firstTokenMs)) firstTokenMs = performance.now() - began
      if (complete) settle(true)
    }
    const onError = () => undefined // `close` follows
    const onBroken = () => {
      socket.destroy()
      settle(false)
    }
    socket.on('data', onData).on('close', onBroken).on('error', onError)
    deadline.addEventListener('abort', onBroken)
    socket.write(request)
  })
}

const paths: Record<ClientFormat, string> = { chat: '/v1/chat/completions', messages: '/v1/messages', responses: '/v1/responses' }

function write({ key, model, stream, port, format = 'chat' }: Load): Buffer {
  const content = 'Say a word, and then a few more of them, until somebody tells you to stop.'
  const messages = [{ role: 'user', content }]
  const said = { chat: { messages }, messages: { messages, max_tokens: 1000 }, responses: { input: content, store: false } }
  const body = JSON.stringify({ model, ...said[format], ...(stream ? { stream } : {}) })
  const head = [
    `POST ${paths[format]} HTTP/1.1`,
    `host: 127.0.0.1:${port}`,
    `authorization: Bearer ${key}`,
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(body)}`,
  ]
  return Buffer.from(`${head.join('\r\n')}\r\n\r\n${body}`)
}

if (import.meta.main) {
  process.on('message', async (load: Load) => process.send?.(await run(load)))
  process.on('disconnect', () => process.exit())
  console.log(JSON.stringify({ msg: 'ready' }))
}
