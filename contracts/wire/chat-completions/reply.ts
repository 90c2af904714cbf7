// A chat completion answer, both ways, whole and streamed: wire-level JSON to and from the chunks that all formats share. Pure.
// Field lists: OpenAI's OpenAPI description of chat.completion and chat.completion.chunk.

import type { Chunk, ChunkUsage, FinishReason } from '../../chunk.ts'
import { writeSse } from '../sse.ts'
import { consistent, readFinishReason, readWhy, writeWhy } from './finish-reason.ts'
import { readThought, writeThought } from './reasoning.ts'
import { ToolCalls, writeToolPiece } from './tool-calls.ts'
import { readUsage } from './usage.ts'
import { type ChoiceChunk, WholeChoice } from './whole-choice.ts'

type Fields = Record<string, unknown>

/** A whole answer as chunks, ended by `end`; an error object, or an answer without choices, is one `failure`. */
export function readReply(json: unknown): Chunk[] {
  const reader = createStreamReader()
  const chunks = reader.read(json)
  if (chunks.at(-1)?.t === 'failure') return chunks
  if (!chunks.some((chunk) => chunk.t === 'finish')) return [failure('the answer has no choices', 'provider_error', 'malformed')]
  return [...chunks, { t: 'end' }]
}

/** Reads stream chunks (and whole answers) one by one. Tool calls get dense numbers, finish reasons one of the five words. */
export function createStreamReader(): { read(json: unknown): Chunk[] } {
  let id: string | undefined
  const tools = new Map<number, ToolCalls>()
  const callsOf = (choice: number) => {
    const known = tools.get(choice)
    if (known) return known
    const calls = new ToolCalls((call) => `call_${id ?? ''}_${choice}_${call}`)
    tools.set(choice, calls)
    return calls
  }

  return {
    read(json) {
      const fields = asFields(json)
      if (fields === undefined) return []
      const chunks: Chunk[] = []
      const error = readError(fields)
      if (error) return [error]
      if (id === undefined && Array.isArray(fields.choices)) {
        const { id: given, model, created, object: _, choices: __, usage: ___, ...extra } = fields
        id = typeof given === 'string' ? given : ''
        chunks.push({
          t: 'start',
          id,
          model: typeof model === 'string' ? model : '',
          created: typeof created === 'number' ? Math.floor(created) : 0,
          ...(Object.keys(extra).length > 0 && { extra }),
        })
      }
      const choices = Array.isArray(fields.choices) ? fields.choices : []
      for (const [position, element] of choices.entries()) {
        const choice = asFields(element)
        if (choice) readChoice(choice, typeof choice.index === 'number' ? choice.index : position, callsOf, chunks)
      }
      const usage = readUsage(fields.usage) ?? readUsage(asFields(fields.x_groq)?.usage)
      if (usage) chunks.push({ t: 'usage', usage })
      return chunks
    },
  }
}

function readChoice(fields: Fields, choice: number, callsOf: (choice: number) => ToolCalls, chunks: Chunk[]): void {
  const delta = asFields(fields.delta) ?? asFields(fields.message) ?? {}
  const { role: _, content, refusal, reasoning, reasoning_content, reasoning_details, tool_calls, annotations, ...other } = delta
  readThought(readText(reasoning_content) || readText(reasoning), reasoning_details, choice, chunks)
  const text = readText(content)
  const logprobs = fields.logprobs ?? undefined
  if (text !== '' || logprobs !== undefined) chunks.push({ t: 'text', choice, text, ...(logprobs !== undefined && { logprobs }) })
  const refused = readText(refusal)
  if (refused !== '') chunks.push({ t: 'refusal', choice, text: refused })
  // In a whole answer each element is a call of its own; in a stream it may be a piece of one.
  const isWhole = asFields(fields.delta) === undefined
  for (const [position, call] of Array.isArray(tool_calls) ? tool_calls.entries() : []) {
    const piece = callsOf(choice).read(isWhole ? { index: position, ...asFields(call) } : call)
    if (piece) chunks.push({ t: 'tool', choice, ...piece })
  }
  const rest: Fields = Object.fromEntries(Object.entries(other).filter(([, value]) => value !== null && value !== undefined))
  if (Array.isArray(annotations) && annotations.length > 0) rest.annotations = annotations
  if (Object.keys(rest).length > 0) chunks.push({ t: 'other', choice, delta: rest })
  const reason = readFinishReason(fields.finish_reason)
  if (reason === 'error') chunks.push(failure('the provider ended with an error', 'provider_error', String(fields.finish_reason)))
  else if (reason !== undefined) {
    const calls = callsOf(choice)
    for (const piece of calls.flush()) chunks.push({ t: 'tool', choice, ...piece })
    chunks.push({ t: 'finish', choice, reason: consistent(reason, calls.count > 0), ...readWhy(fields) })
  }
}

/** A whole answer. Throws FailedReply when the chunks tell of a failure: an answer has no place for one. */
export function writeReply(chunks: Iterable<Chunk>): object {
  let start: Extract<Chunk, { t: 'start' }> = { t: 'start', id: '', model: '', created: 0 }
  let usage: ChunkUsage | undefined
  const choices = new Map<number, WholeChoice>()
  for (const chunk of chunks) {
    if (chunk.t === 'failure') throw new FailedReply(chunk.message)
    if (chunk.t === 'start') start = chunk
    else if (chunk.t === 'usage') usage = chunk.usage
    else if (chunk.t !== 'end') {
      const whole = choices.get(chunk.choice) ?? new WholeChoice()
      choices.set(chunk.choice, whole)
      whole.add(chunk)
    }
  }
  const sorted = [...choices].sort(([a], [b]) => a - b)
  return {
    id: start.id,
    object: 'chat.completion',
    created: start.created,
    model: start.model,
    choices: sorted.map(([index, choice]) => choice.write(index)),
    ...(usage && { usage }),
    ...start.extra,
  }
}

export class FailedReply extends Error {
  override name = 'FailedReply'
}

/** A stream as text, one call per chunk. The role goes before the first piece of each choice, usage before `[DONE]`. */
export function createStreamWriter(options: { includeUsage: boolean }): { write(chunk: Chunk): string } {
  let head: Fields = { id: '', object: 'chat.completion.chunk', created: 0, model: '' }
  let usage: ChunkUsage | undefined
  const begun = new Set<number>()
  const called = new Set<number>()

  const event = (choices: object[], reported: ChunkUsage | null = null) =>
    writeSse(JSON.stringify({ ...head, choices, ...(options.includeUsage && { usage: reported }) }))
  const delta = (chunk: ChoiceChunk, fields: Fields, logprobs: unknown = null, reason: FinishReason | null = null, why: Fields = {}) => {
    let text = ''
    if (!begun.has(chunk.choice)) {
      begun.add(chunk.choice)
      const role = { role: 'assistant', content: chunk.t === 'tool' ? null : '', refusal: null }
      text = event([{ index: chunk.choice, delta: role, logprobs: null, finish_reason: null }])
    }
    return text + event([{ index: chunk.choice, delta: fields, logprobs, finish_reason: reason, ...why }])
  }

  return {
    write(chunk) {
      switch (chunk.t) {
        case 'start':
          head = { id: chunk.id, object: 'chat.completion.chunk', created: chunk.created, model: chunk.model, ...chunk.extra }
          return ''
        case 'text':
          return delta(chunk, { content: chunk.text }, chunk.logprobs)
        case 'reasoning':
          return delta(chunk, writeThought(chunk))
        case 'refusal':
          return delta(chunk, { refusal: chunk.text })
        case 'tool': {
          called.add(chunk.choice)
          return delta(chunk, { tool_calls: [writeToolPiece(chunk)] })
        }
        case 'other':
          return delta(chunk, chunk.delta)
        case 'finish':
          return delta(chunk, {}, null, consistent(chunk.reason, called.has(chunk.choice)), writeWhy(chunk))
        case 'usage':
          usage = chunk.usage
          return ''
        case 'end':
          return (options.includeUsage && usage ? event([], usage) : '') + writeSse('[DONE]')
        case 'failure': {
          const { message, type, code } = chunk
          return writeSse(JSON.stringify({ error: { message, type, code, param: null } })) + writeSse('[DONE]')
        }
      }
    },
  }
}

/** The error in a chunk or answer, wherever providers put it. */
function readError(fields: Fields): Chunk | undefined {
  const { error } = fields
  if (error === undefined || error === null || error === false) return undefined
  if (typeof error === 'string') return failure(error, 'provider_error', 'provider_error')
  const { message, type, code } = asFields(error) ?? {}
  const text = typeof message === 'string' ? message : 'the provider reported an error'
  const kind = typeof type === 'string' && type !== '' ? type : 'provider_error'
  return failure(text, kind, typeof code === 'string' || typeof code === 'number' ? String(code) : kind)
}

function failure(message: string, type: string, code: string): Chunk {
  return { t: 'failure', message, type, code }
}

/** Content is text, or a list of parts of which the text ones count. */
function readText(content: unknown): string {
  if (typeof content === 'string') return content
  if (!Array.isArray(content)) return ''
  let text = ''
  for (const part of content) {
    const piece = typeof part === 'string' ? part : asFields(part)?.text
    if (typeof piece === 'string') text += piece
  }
  return text
}

function asFields(value: unknown): Fields | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : undefined
}
