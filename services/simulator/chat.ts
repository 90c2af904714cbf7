// POST /v1/chat/completions: a request becomes an answer, the answer chunks, the chunks what the client asked for, spoilt as told.

import { Buffer } from 'node:buffer'
import { randomUUID } from 'node:crypto'
import type { Chunk } from '#contracts/chunk.ts'
import type { ChatBody } from '#contracts/job.ts'
import { createStreamWriter, writeReply } from '#contracts/wire/chat-completions/reply.ts'
import { readRequest } from '#contracts/wire/chat-completions/request.ts'
import { answer, type ChunkOptions, dictate, toChunks } from './answer.ts'
import { isSpoilt, type Json, spoilReply, spoilStream } from './deform.ts'
import { deliver, type Line } from './deliver.ts'
import { type Fault, withoutDirective } from './fault.ts'
import { isLoad, loadPieces } from './load.ts'
import { withCache } from './prompt-cache.ts'
import { sendBody, sendJson } from './respond.ts'
import { isMisspelt, spellFrames } from './syntax.ts'

const sse = { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' }

/** `body` is the parsed request. Throws FreewayError where it is no valid one. */
export async function chat(line: Line, bytes: Uint8Array, body: ChatBody): Promise<void> {
  const { fault } = line
  const plain = isLoad(fault) && !isSpoilt(fault) && !isMisspelt(fault)
  if (plain && Array.isArray(body.messages)) return sendLoad(line, body)
  readRequest(bytes)
  const said = isLoad(fault)
    ? dictate(body, [...loadPieces({ ...fault, endless: false })])
    : withCache(answer(body, withoutDirective(body.model ?? '')), body)
  const chunks = toChunks(said, optionsFor(body))
  if (!body.stream) return sendJson(line, isSpoilt(fault) ? spoilReply(writeReply(chunks), fault) : writeReply(chunks))
  // Usage that is to be spoilt must be there first.
  await sendEvents(line, spoilt([...events(chunks, wantsUsage(body) || fault.usage !== undefined)], fault))
}

async function sendEvents(line: Line, parts: (string | Uint8Array)[]): Promise<void> {
  await deliver(line, { status: 200, headers: sse, parts, count: parts.length })
}

/** One by one: the writer may answer a chunk with several, as a role before the first text. */
function* events(chunks: Iterable<Chunk>, includeUsage: boolean): Generator<string> {
  const writer = createStreamWriter({ includeUsage })
  for (const chunk of chunks) {
    yield* writer.write(chunk).match(/[\s\S]+?\n\n/g) ?? []
  }
}

function spoilt(written: string[], fault: Fault): string[] {
  if (!isSpoilt(fault) && !isMisspelt(fault)) return written
  const payloads: Json[] = written.map((event) => (event === 'data: [DONE]\n\n' ? '[DONE]' : JSON.parse(event.slice(6))))
  return spellFrames(spoilStream(payloads, fault), fault)
}

/** Rendered once per shape and kept: as an upstream for benchmarks the simulator must cost next to nothing. */
const rendered = new Map<string, Uint8Array[]>()
const KEPT_SHAPES = 32
const KEPT_BYTES = 4 * 1024 * 1024

async function sendLoad(line: Line, body: ChatBody): Promise<void> {
  const { chunks = 0, size = 0, endless } = line.fault
  const shape = `${body.model} ${chunks} ${size} ${body.stream} ${wantsUsage(body)}`
  const known = rendered.get(shape)
  if (known) return body.stream ? sendEvents(line, known) : sendBody(line, known[0] as Uint8Array, json)
  // Counted as one prompt token: the same bytes must serve every prompt of the shape.
  const usage = { prompt_tokens: 1, completion_tokens: chunks, total_tokens: chunks + 1 }
  const load = loadChunks(line.fault, { ...optionsFor(body), id: 'chatcmpl-load' }, usage)
  if (!body.stream) {
    const whole = Buffer.from(JSON.stringify(writeReply(load)))
    keep(shape, [whole])
    return sendBody(line, whole, json)
  }
  const written = events(load, wantsUsage(body))
  if (endless || chunks * (size + 250) > KEPT_BYTES) return deliver(line, { status: 200, headers: sse, parts: written, count: undefined })
  const parts = [...written].map((event) => Buffer.from(event))
  keep(shape, parts)
  await sendEvents(line, parts)
}

const json = { 'content-type': 'application/json' }

function* loadChunks(fault: Fault, { id, model, created }: ChunkOptions, usage: (Chunk & { t: 'usage' })['usage']): Generator<Chunk> {
  yield { t: 'start', id, model, created }
  for (const text of loadPieces(fault)) yield { t: 'text', choice: 0, text }
  yield { t: 'finish', choice: 0, reason: 'stop' }
  yield { t: 'usage', usage }
  yield { t: 'end' }
}

function keep(shape: string, parts: Uint8Array[]): void {
  if (parts.reduce((sum, part) => sum + part.length, 0) > KEPT_BYTES) return
  if (rendered.size >= KEPT_SHAPES) rendered.clear()
  rendered.set(shape, parts)
}

function optionsFor(body: ChatBody): ChunkOptions {
  return {
    id: `chatcmpl-${randomUUID().replaceAll('-', '').slice(0, 24)}`,
    model: body.model ?? 'demo/chat',
    created: Math.floor(Date.now() / 1000),
    n: body.n ?? 1,
    logprobs: body.logprobs ?? false,
  }
}

function wantsUsage(body: ChatBody): boolean {
  return body.stream_options?.include_usage === true
}
