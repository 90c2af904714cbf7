// A Messages answer as the chunks that all formats share, whole and streamed. Pure.

import type { Chunk } from '../../chunk.ts'
import { EXTENSION, type Fields, isFields } from './schema.ts'
import { readStopReason } from './stop-reason.ts'
import { readUsage } from './usage.ts'

/** `createdSeconds`: Messages tells no time. An error object, or what is no message, is one `failure`; else the last chunk is `end`. */
export function readReply(json: unknown, createdSeconds: number): Chunk[] {
  if (!isFields(json) || (json.type !== 'message' && json.type !== 'error')) return [failure({ message: 'the answer is no message' })]
  const reader = createStreamReader(createdSeconds)
  if (json.type === 'error') return reader.read(json)
  const { content, stop_reason, stop_sequence, usage, ...head } = json
  const events: Fields[] = [{ type: 'message_start', message: { ...head, usage } }]
  for (const [index, block] of (Array.isArray(content) ? content.filter(isFields) : []).entries()) {
    events.push({ type: 'content_block_start', index, content_block: block }, { type: 'content_block_stop', index })
  }
  events.push({ type: 'message_delta', delta: { stop_reason, stop_sequence }, usage }, { type: 'message_stop' })
  return events.flatMap((event) => reader.read(event))
}

/**
 * The blocks of a whole answer where a chat completion cannot hold them: their order, several texts, sources, hosted tools.
 * Undefined where it can.
 */
export function contentBeyondChat(json: unknown): Fields[] | undefined {
  const content = isFields(json) && Array.isArray(json.content) ? json.content.filter(isFields) : []
  const order = content.map(({ type }) => type).join(' ')
  const plain = /^((redacted_)?thinking ?)*(text ?)?(tool_use ?)*$/.test(order) && content.every(isPlain)
  return plain ? undefined : content
}

function isPlain({ type, citations, id: _, name: __, input: ___, text: ____, ...rest }: Fields): boolean {
  if (Array.isArray(citations) && citations.length > 0) return false
  return type === 'thinking' || type === 'redacted_thinking' || Object.keys(rest).length === 0
}

interface Open {
  type: unknown
  /** Of a tool call. */
  call: number
  /** Arguments have come in pieces. */
  told: boolean
  /** A block that chat completions have no word for, put together until its end. */
  kept: Fields | undefined
  json: string
}

/** Reads the events of a stream one by one, `data` only: their names say the same. */
export function createStreamReader(createdSeconds: number): { read(event: unknown): Chunk[] } {
  const open = new Map<unknown, Open>()
  let calls = 0
  let counted: Fields = {}
  let lastType: unknown

  function start(index: unknown, given: Fields): Chunk[] {
    const block: Open = { type: given.type, call: -1, told: false, kept: undefined, json: '' }
    open.set(index, block)
    const again = given.type === lastType
    lastType = given.type
    switch (given.type) {
      case 'text':
        // Sources are those of one text: it must not run into the next.
        return [
          ...(again ? [beyond({ next: true })] : []),
          ...textChunks(given.text),
          ...(Array.isArray(given.citations) ? given.citations.map(citationChunk) : []),
        ]
      case 'thinking':
        return thoughtChunks(given.thinking, given.signature)
      case 'redacted_thinking':
        return [{ t: 'reasoning', choice: 0, text: '', redacted: String(given.data ?? '') }]
      case 'tool_use': {
        block.call = calls++
        const input = isFields(given.input) && Object.keys(given.input).length > 0 ? JSON.stringify(given.input) : ''
        block.told = input !== ''
        return [{ t: 'tool', choice: 0, call: block.call, id: String(given.id ?? ''), name: String(given.name ?? ''), arguments: input }]
      }
      default:
        block.kept = { ...given }
        return []
    }
  }

  function delta(block: Open | undefined, given: Fields): Chunk[] {
    switch (given.type) {
      case 'text_delta':
        return textChunks(given.text)
      case 'thinking_delta':
        return thoughtChunks(given.thinking, undefined)
      case 'signature_delta':
        return thoughtChunks('', given.signature)
      case 'citations_delta':
        return [citationChunk(given.citation)]
      case 'input_json_delta': {
        if (block === undefined || typeof given.partial_json !== 'string') return []
        block.json += given.partial_json
        if (block.call < 0 || given.partial_json === '') return []
        block.told = true
        return [{ t: 'tool', choice: 0, call: block.call, arguments: given.partial_json }]
      }
      default:
        return []
    }
  }

  function stop(block: Open | undefined): Chunk[] {
    if (block === undefined) return []
    // A call without arguments is one with an empty object.
    if (block.call >= 0 && !block.told) return [{ t: 'tool', choice: 0, call: block.call, arguments: '{}' }]
    if (block.kept === undefined) return []
    const kept = block.json === '' ? block.kept : { ...block.kept, input: readJson(block.json) }
    return [beyond({ block: kept })]
  }

  return {
    read(event) {
      if (!isFields(event)) return []
      switch (event.type) {
        case 'message_start': {
          const { id, model, usage } = isFields(event.message) ? event.message : {}
          if (isFields(usage)) counted = { ...usage }
          return [{ t: 'start', id: String(id ?? ''), model: String(model ?? ''), created: createdSeconds }]
        }
        case 'content_block_start':
          return isFields(event.content_block) ? start(event.index, event.content_block) : []
        case 'content_block_delta':
          return isFields(event.delta) ? delta(open.get(event.index), event.delta) : []
        case 'content_block_stop': {
          const block = open.get(event.index)
          open.delete(event.index)
          return stop(block)
        }
        case 'message_delta': {
          const { stop_reason, stop_sequence } = isFields(event.delta) ? event.delta : {}
          for (const [name, count] of Object.entries(isFields(event.usage) ? event.usage : {})) if (count !== null) counted[name] = count
          const usage = readUsage(counted)
          const finish = readStopReason(stop_reason, stop_sequence)
          if (finish.reason === 'tool_calls' && calls === 0) finish.reason = 'stop'
          return [{ t: 'finish', choice: 0, ...finish }, ...(usage ? [{ t: 'usage' as const, usage }] : [])]
        }
        case 'message_stop':
          return [{ t: 'end' }]
        case 'error':
          return [failure(isFields(event.error) ? event.error : {})]
        default:
          return []
      }
    },
  }
}

function textChunks(text: unknown): Chunk[] {
  return typeof text === 'string' && text !== '' ? [{ t: 'text', choice: 0, text }] : []
}

function thoughtChunks(text: unknown, signature: unknown): Chunk[] {
  const said = typeof text === 'string' ? text : ''
  const signed = typeof signature === 'string' && signature !== '' ? { signature } : {}
  return said === '' && !('signature' in signed) ? [] : [{ t: 'reasoning', choice: 0, text: said, ...signed }]
}

function citationChunk(citation: unknown): Chunk {
  return beyond({ citation })
}

function beyond(kept: Fields): Chunk {
  return { t: 'other', choice: 0, delta: { [EXTENSION]: kept } }
}

function failure({ message, type }: Fields): Chunk {
  const word = typeof type === 'string' && type !== '' ? type : 'provider_error'
  return { t: 'failure', message: typeof message === 'string' ? message : 'the provider reported an error', type: word, code: word }
}

function readJson(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return json // kept as it came
  }
}
