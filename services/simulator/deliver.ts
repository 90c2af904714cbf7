// Sends one answer, on time and only as far as the fault allows. The reader's pace is honoured: nothing piles up here.

import { Buffer } from 'node:buffer'
import type { ServerResponse } from 'node:http'
import type { Call, CallLog } from './calls.ts'
import { placeIn } from './deform.ts'
import type { Fault } from './fault.ts'
import { createGzipper } from './gzip.ts'
import { createRegrouper } from './syntax.ts'

/** Events written in one turn of the event loop at most: a fast reader of a long stream must not keep others waiting. */
const TURN = 64

export interface Delivery {
  status: number
  headers: Record<string, string | string[]>
  /** Events, or a body in parts. Places of faults count these. */
  parts: Iterable<string | Uint8Array>
  /** How many parts there are; undefined for an answer without end. */
  count: number | undefined
  /** Bytes of the whole body, where they are known beforehand. */
  length?: number
}

export interface Line {
  response: ServerResponse
  call: Call
  log: CallLog
  fault: Fault
}

/** Resolves when nothing more will be sent; at once when the peer has gone. */
export async function deliver(line: Line, delivery: Delivery): Promise<void> {
  const { response, fault, call } = line
  const stop = stopOf(fault, delivery.count)
  if (fault.early && stop?.at !== 'head') writeHead(line, delivery)
  if (fault.ttft && !(await pause(response, fault.ttft))) return
  if (stop?.at === 'head') return halt(line, stop.how)
  if (fault.head) return writeBrokenHead(line, fault.head)
  if (!response.headersSent) writeHead(line, delivery)
  if (await sendParts(line, delivery, stop)) {
    response.end()
    return
  }
  if (!call.closedAt && stop) await halt(line, stop.how)
}

interface Stop {
  how: 'cut' | 'reset' | 'stall' | 'end'
  at: number | 'head'
}

function stopOf(fault: Fault, count: number | undefined): Stop | undefined {
  const how = (['cut', 'reset', 'stall', 'end'] as const).find((word) => fault[word] !== undefined)
  const at = how && fault[how]
  if (!how || at === undefined) return undefined
  return { how, at: at === 'head' ? at : placeIn(count ?? Number.POSITIVE_INFINITY, at) }
}

/** True if all parts were sent; false at the stop, and when the peer has gone. */
async function sendParts(line: Line, delivery: Delivery, stop: Stop | undefined): Promise<boolean> {
  const { response, call, log, fault } = line
  const regroups = fault.split !== undefined || fault.splitAt !== undefined || fault.burst !== undefined
  const regrouper = regroups ? createRegrouper(fault) : undefined
  const beganAt = performance.now()
  let index = 0
  const gzipper = fault.gzip ? createGzipper() : undefined
  for (const plain of delivery.parts) {
    const part = gzipper ? gzipper.push(Buffer.from(plain)) : plain
    if (stop?.at === index) {
      if (regrouper) await sendApart(line, regrouper.flush())
      if (fault.partial) write(line, Buffer.from(part).subarray(0, Math.ceil(Buffer.byteLength(part) / 2)))
      return false
    }
    if (fault.tps && index > 0 && !(await pause(response, beganAt + (index * 1000) / fault.tps - performance.now()))) return false
    if (regrouper) {
      if (!(await sendApart(line, regrouper.push(Buffer.from(part))))) return false
    } else if (!write(line, part) && !(await drained(response))) return false
    call.firstByteAt ??= Date.now()
    call.eventsSent = ++index
    log.changed(call)
    if (index % TURN === 0 && !(await nextTurn(response))) return false
  }
  if (regrouper && !(await sendApart(line, regrouper.flush()))) return false
  if (stop?.at === index) return false
  if (gzipper) write(line, gzipper.end())
  return true
}

/** Each write in its own turn of the event loop, so that the reader has a chance to see it alone. */
async function sendApart(line: Line, writes: Uint8Array[]): Promise<boolean> {
  for (const bytes of writes) {
    if (!write(line, bytes) && !(await drained(line.response))) return false
    if (!(await nextTurn(line.response))) return false
  }
  return true
}

/** False if the reader is behind. Uncorked: Node would gather the writes of a turn, and a reader would never see single events. */
function write({ response, call }: Line, bytes: string | Uint8Array): boolean {
  call.bytesSent += typeof bytes === 'string' ? Buffer.byteLength(bytes) : bytes.byteLength
  const { socket } = response
  socket?.cork?.()
  const more = response.write(bytes)
  socket?.uncork?.()
  return more
}

function writeHead({ response, call, fault }: Line, { status, headers, length }: Delivery): void {
  call.status = status
  const all: Record<string, string | string[]> = { 'x-request-id': `sim-${call.id}`, ...headers, ...fault.headers }
  if (fault.gzip) all['content-encoding'] = 'gzip'
  else if (length !== undefined && !fault.framing) all['content-length'] = String(length)
  if (fault.framing === 'close') {
    response.shouldKeepAlive = false
    response.useChunkedEncodingByDefault = false
  }
  response.writeHead(status, all)
  // A place counts from the status line on, so it must be out before any silence.
  if (fault.early || fault.tps || fault.stall !== undefined || fault.cut !== undefined || fault.reset !== undefined) response.flushHeaders()
}

async function halt({ response, call, log }: Line, how: Stop['how']): Promise<void> {
  const { socket } = response
  if (how === 'end') return void response.end(() => log.end(call, 'us', false))
  if (how === 'stall' || !socket) return
  // What was written must reach the peer first: a reset discards what has not left yet.
  await nextTurn(response)
  log.end(call, 'us', false)
  if (how === 'cut') socket.destroySoon()
  else socket.resetAndDestroy()
}

function writeBrokenHead({ response, call, log }: Line, kind: NonNullable<Fault['head']>): void {
  const heads = {
    'bad-status': 'HTP/1.1 2OO OK\r\n\r\n',
    folded: 'HTTP/1.1 200 OK\r\nx-folded: one\r\n two\r\ncontent-length: 2\r\n\r\n{}',
    huge: `HTTP/1.1 200 OK\r\nx-filler: ${'a'.repeat(40_000)}\r\ncontent-length: 2\r\n\r\n{}`,
  }
  log.end(call, 'us', false)
  response.socket?.end(heads[kind])
}

/** False when the peer has gone meanwhile. */
function pause(response: ServerResponse, ms: number): Promise<boolean> {
  if (ms <= 0) return Promise.resolve(!response.destroyed)
  return new Promise((resolve) => {
    const settle = (value: boolean) => {
      clearTimeout(timer)
      response.off('close', gone)
      resolve(value)
    }
    const gone = () => settle(false)
    const timer = setTimeout(() => settle(true), ms)
    response.once('close', gone)
  })
}

function drained(response: ServerResponse): Promise<boolean> {
  if (response.destroyed) return Promise.resolve(false)
  return new Promise((resolve) => {
    const settle = (value: boolean) => {
      response.off('drain', ready)
      response.off('close', gone)
      resolve(value)
    }
    const ready = () => settle(true)
    const gone = () => settle(false)
    response.once('drain', ready)
    response.once('close', gone)
  })
}

function nextTurn(response: ServerResponse): Promise<boolean> {
  return new Promise((resolve) => setImmediate(() => resolve(!response.destroyed)))
}
