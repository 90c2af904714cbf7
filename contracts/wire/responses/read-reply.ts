// The answer of a provider that speaks Responses, as the chunks that all formats share. What chat completions have no word for travels
// beside them, under the extension's key, and stream.ts puts it back. Pure.

import type { Chunk } from '../../chunk.ts'
import { writeCipher } from '../cipher.ts'
import { asFields, asText, EXTENSION, type Fields } from './shape.ts'
import { flatName } from './tools.ts'
import { readUsage } from './usage.ts'

interface Seen {
  /** Number of the call, -1 for any other item. */
  call: number
  /** Its content has come in pieces. */
  told: boolean
}

/** What lies between two parts of a summary, for those who know no parts. */
export const PART_BREAK = '\n\n'

/** Reads the events of a stream one by one. `provider` marks what it has encrypted. */
export function createStreamReader(provider: string): { read(json: unknown): Chunk[] } {
  const items = new Map<unknown, Seen>()
  let calls = 0
  let lastType: unknown
  let over = false

  function read(event: Fields): Chunk[] {
    const delta = asText(event.delta) ?? ''
    const response = asFields(event.response)
    const seen = items.get(event.output_index)
    switch (event.type) {
      case 'response.created':
        return response ? [startOf(response)] : []
      case 'response.output_item.added':
        return open(asFields(event.item) ?? {}, event.output_index)
      case 'response.output_text.delta':
        return tell(event.output_index, { t: 'text', choice: 0, text: delta, ...probabilitiesIn(event.logprobs) })
      case 'response.refusal.delta':
        return tell(event.output_index, { t: 'refusal', choice: 0, text: delta })
      case 'response.reasoning_summary_text.delta':
      case 'response.reasoning_text.delta':
      case 'response.reasoning.delta':
        return tell(event.output_index, { t: 'reasoning', choice: 0, text: delta })
      case 'response.reasoning_summary_part.added':
        return typeof event.summary_index === 'number' && event.summary_index > 0 ? nextPart() : []
      case 'response.function_call_arguments.delta':
        return seen && seen.call >= 0 ? tell(event.output_index, { t: 'tool', choice: 0, call: seen.call, arguments: delta }) : []
      case 'response.output_text.annotation.added':
        return [annotationsChunk([event.annotation])]
      case 'response.output_item.done':
        return close(asFields(event.item) ?? {}, event.output_index)
      case 'response.completed':
      case 'response.incomplete':
        over = true
        return [...missed(response), ...endOf(response ?? {}, calls > 0)]
      case 'response.failed':
      case 'error':
        over = true
        return [failureOf(asFields(response?.error) ?? asFields(event.error) ?? event)]
      default:
        return []
    }
  }

  function open(item: Fields, place: unknown): Chunk[] {
    const { type, phase } = item
    const isCall = type === 'function_call' || type === 'custom_tool_call'
    items.set(place, { call: isCall ? calls++ : -1, told: false })
    // Two of a kind in a row would be taken for one.
    const marked = (type === 'message' || type === 'reasoning') && (type === lastType || typeof phase === 'string')
    lastType = type
    if (marked) return [beyond({ begin: { type, ...(typeof phase === 'string' && { phase }) } })]
    return type === 'function_call' ? [{ t: 'tool', choice: 0, call: calls - 1, ...nameOf(item), arguments: '' }] : []
  }

  function tell(place: unknown, chunk: Chunk): Chunk[] {
    const seen = items.get(place)
    if (seen) seen.told = true
    else items.set(place, { call: -1, told: true })
    return [chunk]
  }

  function close(item: Fields, place: unknown): Chunk[] {
    const opened = items.has(place) ? [] : open(item, place)
    const { call, told } = items.get(place) as Seen
    switch (item.type) {
      case 'message':
        return told ? [] : [...opened, ...partsOf(item.content).flatMap(readPart)]
      case 'function_call': {
        const args = asText(item.arguments) ?? ''
        return told || args === '' ? opened : [...opened, { t: 'tool', choice: 0, call, arguments: args }]
      }
      case 'custom_tool_call':
        return [{ t: 'tool', choice: 0, call, ...nameOf(item), arguments: '', extra: customOf(item) }]
      case 'reasoning':
        return [...opened, ...(told ? [] : thoughtsOf(item)), ...cipherOf(item, provider)]
      default:
        return [beyond({ item })]
    }
  }

  /** What only the last event tells of. */
  function missed(response: Fields | undefined): Chunk[] {
    return partsOf(response?.output).flatMap((item, place) => (items.has(place) ? [] : close(item, place)))
  }

  return {
    read(json) {
      const event = asFields(json)
      return event === undefined || over ? [] : read(event)
    },
  }
}

/** A whole answer as chunks, ended by `end`, or one `failure`. */
export function readReply(json: unknown, provider: string): Chunk[] {
  const response = asFields(json)
  if (!response || !Array.isArray(response.output)) return [failureOf(asFields(response?.error) ?? { message: 'the answer has no output' })]
  const { status = 'completed' } = response
  if (status !== 'completed' && status !== 'incomplete') {
    return [failureOf(asFields(response.error) ?? { message: `the answer is ${String(status)}, not complete` })]
  }
  const reader = createStreamReader(provider)
  return [startOf(response), ...reader.read({ type: status === 'incomplete' ? 'response.incomplete' : 'response.completed', response })]
}

/**
 * The items of a whole answer where a chat completion cannot hold them: their order, several of a kind, parts, phases, hosted tools.
 * Undefined where it can.
 */
export function itemsBeyondChat(json: unknown, provider: string): Fields[] | undefined {
  const items = partsOf(asFields(json)?.output)
  const order = items.map(({ type }) => type).join(' ')
  const plain = /^(reasoning ?)?(message ?)?((function|custom_tool)_call ?)*$/.test(order) && items.every(isPlain)
  return plain ? undefined : items.map((item) => ({ ...item, ...encryptedOf(item, provider) }))
}

function isPlain({ type, content, summary, phase }: Fields): boolean {
  if (type === 'reasoning') return partsOf(summary).length < 2
  return type !== 'message' || (typeof phase !== 'string' && partsOf(content).length === 1)
}

function nextPart(): Chunk[] {
  return [beyond({ part: true }), { t: 'reasoning', choice: 0, text: PART_BREAK }]
}

function beyond(kept: Fields): Chunk {
  return { t: 'other', choice: 0, delta: { [EXTENSION]: kept } }
}

function readPart({ type, text, refusal, logprobs, annotations }: Fields): Chunk[] {
  if (type === 'refusal') return [{ t: 'refusal', choice: 0, text: asText(refusal) ?? '' }]
  if (type !== 'output_text') return []
  const said: Chunk = { t: 'text', choice: 0, text: asText(text) ?? '', ...probabilitiesIn(logprobs) }
  return Array.isArray(annotations) && annotations.length > 0 ? [said, annotationsChunk(annotations)] : [said]
}

/** The summary, or the thought in plain words where there is none. */
function thoughtsOf({ summary, content }: Fields): Chunk[] {
  const parts = partsOf(partsOf(summary).length > 0 ? summary : content)
  return parts.flatMap(({ text }, at): Chunk[] => {
    const said: Chunk = { t: 'reasoning', choice: 0, text: asText(text) ?? '' }
    return at === 0 ? [said] : [...nextPart(), said]
  })
}

function cipherOf(item: Fields, provider: string): Chunk[] {
  const { encrypted_content } = encryptedOf(item, provider)
  return encrypted_content === undefined ? [] : [{ t: 'reasoning', choice: 0, text: '', redacted: encrypted_content }]
}

function encryptedOf({ type, id, encrypted_content }: Fields, provider: string): { encrypted_content?: string } {
  if (type !== 'reasoning' || typeof encrypted_content !== 'string' || encrypted_content === '') return {}
  return { encrypted_content: writeCipher({ id: asText(id) ?? '', content: encrypted_content }, provider) }
}

function customOf({ name, input }: Fields): Fields {
  return { type: 'custom', custom: { name: asText(name) ?? '', input: asText(input) ?? '' } }
}

function probabilitiesIn(logprobs: unknown): { logprobs?: object } {
  return Array.isArray(logprobs) && logprobs.length > 0 ? { logprobs: { content: logprobs } } : {}
}

function startOf({ id, model, created_at }: Fields): Chunk {
  const created = typeof created_at === 'number' ? Math.floor(created_at) : 0
  return { t: 'start', id: asText(id) ?? '', model: asText(model) ?? '', created }
}

function endOf(response: Fields, called: boolean): Chunk[] {
  const reason = asFields(response.incomplete_details)?.reason
  const finish =
    reason === 'content_filter' ? 'content_filter' : response.status === 'incomplete' ? 'length' : called ? 'tool_calls' : 'stop'
  const usage = readUsage(response.usage)
  return [{ t: 'finish', choice: 0, reason: finish }, ...(usage ? [{ t: 'usage' as const, usage }] : []), { t: 'end' }]
}

function nameOf({ call_id, name, namespace }: Fields): { id: string; name: string } {
  return { id: asText(call_id) ?? '', name: flatName(asText(name) ?? '', asText(namespace)) }
}

function annotationsChunk(annotations: unknown[]): Chunk {
  return { t: 'other', choice: 0, delta: { annotations: annotations.map(writeAnnotation) } }
}

function writeAnnotation(annotation: unknown): unknown {
  const { type, ...rest } = asFields(annotation) ?? {}
  return type === 'url_citation' ? { type, url_citation: rest } : annotation
}

function partsOf(value: unknown): Fields[] {
  return Array.isArray(value) ? value.map((part) => asFields(part) ?? {}) : []
}

function failureOf({ message, code, type }: Fields): Chunk {
  const word = asText(code) ?? asText(type) ?? 'provider_error'
  return { t: 'failure', message: asText(message) ?? 'the provider reported an error', type: word, code: word }
}
