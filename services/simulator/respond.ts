// The plain ways to answer: a JSON body, an error, a recorded error of a real provider.

import { Buffer } from 'node:buffer'
import { readFileSync } from 'node:fs'
import { errorBody, errorHeaders, FreewayError } from '#contracts/failure.ts'
import { type Delivery, deliver, type Line } from './deliver.ts'

/** Larger bodies go out in parts, at the reader's pace. */
const PART_BYTES = 64 * 1024

export async function sendJson(line: Line, value: unknown, status = 200, headers: Delivery['headers'] = {}): Promise<void> {
  await sendBody(line, JSON.stringify(value), { 'content-type': 'application/json', ...headers }, status)
}

export async function sendBody(line: Line, body: string | Uint8Array, headers: Delivery['headers'], status = 200): Promise<void> {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body
  const parts = Array.from({ length: Math.ceil(bytes.length / PART_BYTES) }, (_, i) => bytes.subarray(i * PART_BYTES, (i + 1) * PART_BYTES))
  await deliver(line, { status, headers, parts, count: parts.length, length: bytes.length })
}

export async function sendError(line: Line, error: FreewayError): Promise<void> {
  await sendJson(line, errorBody(error), error.status, errorHeaders(error))
}

/** True if the fault is a whole answer of its own, which has then been sent. */
export async function sendInstead(line: Line): Promise<boolean> {
  const { status, body, sample } = line.fault
  if (sample !== undefined) {
    await sendSample(line, sample)
    return true
  }
  if (status === undefined && body === undefined) return false
  const type = status !== undefined && status >= 500 ? 'server_error' : 'invalid_request_error'
  const content = body ?? { error: { message: `The simulator was told to answer ${status}.`, type, param: null, code: null } }
  if (typeof content === 'string') await sendBody(line, content, { 'content-type': 'text/plain' }, status)
  else await sendJson(line, content, status)
  return true
}

interface Sample {
  id: string
  status: number
  headers: Record<string, string>
  body?: unknown
  /** Events as text; `<delay 45000ms ...>` is a silence. */
  frames?: string[]
}

let samples: Map<string, Sample> | undefined

async function sendSample(line: Line, id: string): Promise<void> {
  samples ??= new Map(
    (JSON.parse(readFileSync(new URL('./error-samples.json', import.meta.url), 'utf8')) as Sample[]).map((one) => [one.id, one]),
  )
  const sample = samples.get(id)
  if (!sample)
    throw new FreewayError('invalid_request_error', `simulator fault sample: no sample is named ${id}`, { code: 'invalid_fault' })
  if (!sample.frames) {
    const body = typeof sample.body === 'string' ? sample.body : JSON.stringify(sample.body ?? '')
    return sendBody(line, body, sample.headers, sample.status)
  }
  const silence = sample.frames.findIndex((frame) => frame.startsWith('<delay'))
  const isSse = sample.headers['content-type'] === 'text/event-stream'
  const parts = sample.frames.filter((frame) => !frame.startsWith('<delay')).map((frame) => `${frame}${isSse ? '\n\n' : '\n'}`)
  const fault = silence < 0 ? line.fault : { stall: silence, ...line.fault }
  await deliver({ ...line, fault }, { status: sample.status, headers: sample.headers, parts, count: parts.length })
}
