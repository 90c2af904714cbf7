// The demo model for those who speak Messages or Responses to it, as Anthropic and OpenAI do: the same answers in these words.
// It signs and encrypts what it thought, and refuses a thought that comes back as anything but its own.

import { createHash } from 'node:crypto'
import type { Chunk } from '#contracts/chunk.ts'
import { FreewayError } from '#contracts/failure.ts'
import type { ChatBody } from '#contracts/job.ts'
import { readCipher, writeCipher } from '#contracts/wire/cipher.ts'
import { messagesEnvelope, openaiEnvelope } from '#contracts/wire/envelope.ts'
import type { AnswerOptions } from '#contracts/wire/messages/events.ts'
import * as messages from '#contracts/wire/messages/reply.ts'
import { readRequest as readMessages } from '#contracts/wire/messages/request.ts'
import { readRequest as readResponses } from '#contracts/wire/responses/request.ts'
import { parseRequest } from '#contracts/wire/responses/shape.ts'
import { ResponseStream } from '#contracts/wire/responses/stream.ts'
import { answer, dictate, toChunks } from './answer.ts'
import { placeIn } from './deform.ts'
import { deliver, type Line } from './deliver.ts'
import { withoutDirective } from './fault.ts'
import { isLoad, loadPieces } from './load.ts'
import { withCache } from './prompt-cache.ts'
import { sendJson } from './respond.ts'

const sse = { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' }
const OWN = 'simulator'

type Speak = (line: Line, bytes: Uint8Array, fields: Record<string, unknown>) => Promise<void>

/** By path. They reject with nothing: a bad request is answered as its format has it. */
export const nativeRoutes = new Map<string, Speak>([
  ['/v1/messages', refusing(speakMessages, (error) => messagesEnvelope(error, 'req_sim'))],
  ['/v1/responses', refusing(speakResponses, (error) => openaiEnvelope(error, ''))],
])

function refusing(speak: Speak, envelope: (error: FreewayError) => ReturnType<typeof openaiEnvelope>): Speak {
  return async (line, bytes, fields) => {
    try {
      await speak(line, bytes, fields)
    } catch (error) {
      if (!(error instanceof FreewayError)) throw error
      const { status, headers, body } = envelope(error)
      await sendJson({ ...line, fault: {} }, body, status, headers)
    }
  }
}

async function speakMessages(line: Line, bytes: Uint8Array, fields: Record<string, unknown>): Promise<void> {
  const { job, stopSequences, prefill, thinking } = readMessages(bytes)
  for (const [path, block] of blocksIn(fields.messages)) {
    if (block.type === 'thinking' && block.signature !== sign(String(block.thinking))) {
      throw refused(`${path}: Invalid \`signature\` in \`thinking\` block`)
    }
  }
  const id = newId('msg')
  const options: AnswerOptions = { id: id.slice(4), inputTokens: job.estimate.in, stopSequences, prefill, thinking }
  const chunks = chunksFor(line, job.body, id).flatMap(signed())
  if (!job.stream) return sendJson(line, messages.writeReply(chunks, options))
  const writer = messages.createStreamWriter(options)
  const broken = `event: error\ndata: ${JSON.stringify({ type: 'error', error: { type: 'api_error', message: 'Internal server error' } })}\n\n`
  await sendEvents(line, chunks.map((chunk) => writer.write(chunk)).join(''), broken)
}

async function speakResponses(line: Line, bytes: Uint8Array): Promise<void> {
  const request = parseRequest(bytes)
  for (const item of Array.isArray(request.input) ? request.input : []) if (item.type === 'reasoning') verify(item)
  const { job, names } = readResponses(request)
  const id = newId('resp')
  const now = () => Math.floor(Date.now() / 1000)
  const stream = new ResponseStream({ id, createdAt: now(), request, names, stored: false, now })
  const encrypts = request.include?.includes('reasoning.encrypted_content') === true
  const chunks = chunksFor(line, job.body, id).flatMap(encrypts ? encrypted(`rs_${id.slice(5)}_0`) : (chunk) => [chunk])
  let events = chunks.map((chunk) => stream.write(chunk)).join('') + stream.close()
  stream.settle()
  if (!job.stream) return sendJson(line, JSON.parse(stream.response))
  events += stream.last()
  await sendEvents(
    line,
    events,
    `event: error\ndata: ${JSON.stringify({ type: 'error', code: 'server_error', message: 'Internal error' })}\n\n`,
  )
}

/** `broken`: the event in the place where the fault wants an error. */
async function sendEvents(line: Line, text: string, broken: string): Promise<void> {
  const events = text.match(/[\s\S]+?\n\n/g) ?? []
  const { error } = line.fault
  const parts = error === undefined ? events : [...events.slice(0, placeIn(events.length, error)), broken]
  await deliver(line, { status: 200, headers: sse, parts, count: parts.length })
}

function chunksFor({ fault }: Line, bytes: Uint8Array, id: string): Chunk[] {
  const body = JSON.parse(new TextDecoder().decode(bytes)) as ChatBody
  const said = isLoad(fault)
    ? dictate(body, [...loadPieces({ ...fault, endless: false })])
    : withCache(answer(body, withoutDirective(body.model ?? '')), body)
  return [...toChunks(said, { id, model: body.model ?? 'demo/chat', created: Math.floor(Date.now() / 1000) })]
}

/** Puts a signature behind the thoughts. */
function signed(): (chunk: Chunk) => Chunk[] {
  let thoughts = ''
  return (chunk) => {
    if (chunk.t === 'reasoning') {
      thoughts += chunk.text
      return [chunk]
    }
    if (thoughts === '') return [chunk]
    const signature = sign(thoughts)
    thoughts = ''
    return [{ t: 'reasoning', choice: 0, text: '', signature }, chunk]
  }
}

/** Puts what only it can read behind the thoughts; it holds good for the item of this name alone. */
function encrypted(id: string): (chunk: Chunk) => Chunk[] {
  let thinking = false
  return (chunk) => {
    const done = thinking && chunk.t !== 'reasoning'
    thinking = chunk.t === 'reasoning'
    return done ? [{ t: 'reasoning', choice: 0, text: '', redacted: writeCipher({ id, content: sign(id) }, OWN) }, chunk] : [chunk]
  }
}

function verify(item: Record<string, unknown>): void {
  if (item.encrypted_content === undefined) {
    const message = `Item with id '${item.id}' not found. Items are not persisted when \`store\` is set to false.`
    throw new FreewayError('invalid_request_error', message, { status: 404, param: 'input' })
  }
  const cipher = readCipher(item.encrypted_content, OWN)
  if (cipher?.id !== item.id || cipher?.content !== sign(String(item.id))) {
    throw refused(`The encrypted content for item ${item.id} could not be verified.`)
  }
}

function blocksIn(given: unknown): [path: string, block: Record<string, unknown>][] {
  return (given as { content: unknown }[]).flatMap(({ content }, at) =>
    Array.isArray(content)
      ? content.map((block, index): [string, Record<string, unknown>] => [`messages.${at}.content.${index}`, block])
      : [],
  )
}

function sign(text: string): string {
  return createHash('sha256').update(`simulator ${text}`).digest('base64url')
}

let count = 0

function newId(prefix: string): string {
  return `${prefix}_sim${Date.now().toString(36)}${(count++).toString(36)}`
}

function refused(message: string): FreewayError {
  return new FreewayError('invalid_request_error', message)
}
