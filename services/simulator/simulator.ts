// The door: an upstream that is clever enough for conformance clients and misbehaves on command. It speaks OpenAI's formats, and Messages.
// It is the provider of demos, of tests and of benchmarks.

import { Buffer } from 'node:buffer'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { FreewayError } from '#contracts/failure.ts'
import type { ChatBody } from '#contracts/job.ts'
import { type Call, CallLog } from './calls.ts'
import { chat } from './chat.ts'
import { control } from './control.ts'
import type { Line } from './deliver.ts'
import { embed, embeddingsRequest } from './embeddings.ts'
import type { Fault } from './fault.ts'
import { FaultRules } from './fault-rules.ts'
import { describeForm, readForm, readJsonObject } from './form.ts'
import { CallLimit } from './limit.ts'
import { editImage, generateImage, speech, transcription } from './media.ts'
import { findModel, listModels } from './models.ts'
import { nativeRoutes } from './native.ts'
import { sendError, sendInstead, sendJson } from './respond.ts'

export interface SimulatorOptions {
  /** 0, the default, takes a free one. */
  port?: number
  host?: string
  /** If set, calls of /v1 with another key get 401. */
  apiKey?: string
}

export interface Simulator {
  /** `http://127.0.0.1:PORT`, without `/v1`. */
  readonly url: string
  readonly port: number
  /** Calls of /v1, oldest first; at least the last 10,000. */
  readonly calls: readonly Call[]
  /** Connections, idle ones included. */
  readonly openSockets: number
  /** Calls whose answer has neither ended nor been given up. */
  readonly openCalls: number
  /** Each call once, when its body has been read. Returns how to stop. */
  onCall(listener: (call: Call) => void): () => void
  /** The first call, past or to come, of which `predicate` holds at any moment. */
  waitFor(predicate: (call: Call) => boolean): Promise<Call>
  /** For one model or, without a name, for all; replaces the fault of the same match, `undefined` ends it. `times` is how many calls it lasts. */
  setFault(match: { model?: string }, fault: Fault | undefined, times?: number): void
  /** Forgets faults and calls. */
  reset(): void
  /** Ends all connections. */
  close(): Promise<void>
}

const MAX_BODY_BYTES = 256 * 1024 * 1024

export async function startSimulator({ port = 0, host = '127.0.0.1', apiKey }: SimulatorOptions = {}): Promise<Simulator> {
  const log = new CallLog()
  const controlLog = new CallLog()
  const faults = new FaultRules()
  const limit = new CallLimit()
  const sockets = new Set<Socket>()
  let openCalls = 0

  const stats = () => ({ openSockets: sockets.size, openCalls, calls: log.count })

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? '/').split('?')[0] ?? '/'
    const ours = path.startsWith('/sim/')
    const calls = ours ? controlLog : log
    const call = calls.begin(request)
    const line: Line = { response, call, log: calls, fault: {} }
    if (ours) controlLog.clear()
    else openCalls++
    response.once('close', () => {
      if (!ours) openCalls--
      calls.end(call, response.writableFinished ? 'us' : 'peer', response.writableFinished)
    })
    try {
      const body = await readBody(request)
      if (ours) return await control({ ...line, log }, path, body, { faults, stats })
      if (apiKey !== undefined && keyOf(request) !== apiKey) throw new FreewayError('invalid_api_key', 'Incorrect API key provided.')
      await answerCall(line, request, path, body, { faults, limit })
    } catch (error) {
      await fail(line, error)
    }
  }

  const server = createServer((request, response) => void handle(request, response))
  // Longer than any pool keeps a connection: the simulator never closes one just as it is used again.
  server.keepAliveTimeout = 120_000
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve()
    })
  })
  const bound = (server.address() as AddressInfo).port

  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${bound}`,
    port: bound,
    get calls() {
      return log.calls
    },
    get openSockets() {
      return sockets.size
    },
    get openCalls() {
      return openCalls
    },
    onCall: (listener) => log.onCall(listener),
    waitFor: (predicate) => log.waitFor(predicate),
    setFault: (match, fault, times) => faults.set(match, fault, times),
    reset() {
      faults.clear()
      limit.clear()
      log.clear()
    },
    close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      server.closeAllConnections()
      return closed
    },
  }
}

async function answerCall(
  line: Line,
  request: IncomingMessage,
  path: string,
  bytes: Uint8Array<ArrayBuffer>,
  { faults, limit }: { faults: FaultRules; limit: CallLimit },
): Promise<void> {
  const { call, log } = line
  const route = `${request.method} ${path}`
  const isChat = route === 'POST /v1/chat/completions'
  const native = request.method === 'POST' ? nativeRoutes.get(path) : undefined
  const isJson = isChat || native !== undefined
  const form =
    request.method !== 'POST'
      ? undefined
      : isJson
        ? { fields: readJsonObject(bytes), files: {} }
        : await readForm(bytes, request.headers['content-type'] ?? '')
  const model = typeof form?.fields['model'] === 'string' ? form.fields['model'] : undefined
  log.read(call, model, form && (isJson ? form.fields : describeForm(form)))
  line.fault = faults.take(model, call.headers['x-sim-fault'])
  if (line.fault.rpm !== undefined) limit.admit(model ?? '', line.fault.rpm, call.receivedAt)
  if (await sendInstead(line)) return
  if (native && form) return native(line, bytes, form.fields)
  if (isChat && form) return chat(line, bytes, form.fields as ChatBody)
  if (route === 'GET /v1/models') return sendJson(line, listModels())
  if (route.startsWith('GET /v1/models/')) return sendModel(line, decodeURIComponent(path.slice('/v1/models/'.length)))
  if (!form) throw notFound(route)
  switch (path) {
    case '/v1/embeddings':
      return sendEmbeddings(line, form.fields)
    case '/v1/audio/speech':
      return speech(line, form)
    case '/v1/audio/transcriptions':
      return transcription(line, form)
    case '/v1/images/generations':
      return generateImage(line, form)
    case '/v1/images/edits':
      return editImage(line, form)
    default:
      throw notFound(route)
  }
}

async function sendModel(line: Line, id: string): Promise<void> {
  const model = findModel(id)
  if (!model)
    throw new FreewayError('invalid_request_error', `The model ${JSON.stringify(id)} does not exist.`, {
      status: 404,
      code: 'model_not_found',
    })
  await sendJson(line, model)
}

async function sendEmbeddings(line: Line, fields: Record<string, unknown>): Promise<void> {
  const read = embeddingsRequest.safeParse(fields)
  if (read.success) return sendJson(line, embed(read.data))
  const issue = read.error.issues[0]
  throw new FreewayError('invalid_request_error', `${issue?.path.join('.')}: ${issue?.message}`, {
    param: String(issue?.path[0] ?? 'input'),
  })
}

async function fail(line: Line, error: unknown): Promise<void> {
  const { response } = line
  if (response.destroyed) return
  if (response.headersSent) {
    response.destroy()
    return
  }
  const known = error instanceof FreewayError ? error : new FreewayError('server_error', `simulator: ${String(error)}`, { cause: error })
  await sendError({ ...line, fault: {} }, known)
}

function notFound(route: string): FreewayError {
  return new FreewayError('invalid_request_error', `the simulator has no ${route}`, { status: 404, code: 'unknown_url' })
}

function keyOf(request: IncomingMessage): string | undefined {
  const { authorization: header, 'x-api-key': plain } = request.headers
  if (typeof plain === 'string') return plain
  return header?.startsWith('Bearer ') ? header.slice(7) : undefined
}

/** Throws FreewayError 413 above 256 MB. */
async function readBody(request: IncomingMessage): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array[] = []
  let size = 0
  for await (const part of request as AsyncIterable<Uint8Array>) {
    size += part.length
    if (size > MAX_BODY_BYTES) throw new FreewayError('invalid_request_error', 'request body too large', { status: 413 })
    parts.push(part)
  }
  return Buffer.concat(parts)
}
