// A Responses answer, both ways, whole and streamed: to and from the chunks that all formats share. Pure.

import type { Chunk } from '../../chunk.ts'
import { FreewayError } from '../../failure.ts'
import { asFields, asText, type Fields } from './shape.ts'
import { ResponseStream, type StreamOptions } from './stream.ts'
import { flatName } from './tools.ts'
import { readUsage } from './usage.ts'
import { writeCipher } from './write-items.ts'

/** A whole answer as JSON text. Throws FreewayError when the chunks tell of a failure. */
export function writeReply(chunks: Iterable<Chunk>, options: StreamOptions): string {
  const stream = new ResponseStream(options)
  for (const chunk of chunks) {
    if (chunk.t === 'failure') throw new FreewayError('provider_error', chunk.message)
    stream.write(chunk)
  }
  stream.close()
  stream.settle()
  return stream.response
}

/** Reads the events of a provider that speaks Responses, one by one. `provider` marks what it has encrypted. */
export function createStreamReader(provider: string): { read(json: unknown): Chunk[] } {
  const calls = new Map<unknown, { call: number; told: boolean; item: Fields }>()
  let over = false

  function read(event: Fields): Chunk[] {
    const delta = asText(event.delta) ?? ''
    const response = asFields(event.response)
    switch (event.type) {
      case 'response.created':
        return response ? [startOf(response)] : []
      case 'response.output_text.delta': {
        const probabilities = Array.isArray(event.logprobs) && event.logprobs.length > 0 ? { logprobs: { content: event.logprobs } } : {}
        return [{ t: 'text', choice: 0, text: delta, ...probabilities }]
      }
      case 'response.refusal.delta':
        return [{ t: 'refusal', choice: 0, text: delta }]
      case 'response.reasoning_summary_text.delta':
      case 'response.reasoning_text.delta':
      case 'response.reasoning.delta':
        return [{ t: 'reasoning', choice: 0, text: delta }]
      case 'response.output_item.added':
        return open(asFields(event.item) ?? {}, event.output_index)
      case 'response.function_call_arguments.delta': {
        const call = calls.get(event.output_index)
        if (!call) return []
        call.told = true
        return [{ t: 'tool', choice: 0, call: call.call, arguments: delta }]
      }
      case 'response.output_text.annotation.added':
        return [{ t: 'other', choice: 0, delta: { annotations: [writeAnnotation(event.annotation)] } }]
      case 'response.output_item.done':
        return close(asFields(event.item) ?? {}, event.output_index)
      case 'response.completed':
      case 'response.incomplete':
        over = true
        return endOf(response ?? {}, calls.size > 0)
      case 'response.failed':
      case 'error':
        over = true
        return [failureOf(asFields(response?.error) ?? asFields(event.error) ?? event)]
      default:
        return []
    }
  }

  function open(item: Fields, place: unknown): Chunk[] {
    if (item.type !== 'function_call') return []
    const call = { call: calls.size, told: false, item }
    calls.set(place, call)
    return [{ t: 'tool', choice: 0, call: call.call, ...nameOf(item), arguments: '' }]
  }

  function close(item: Fields, place: unknown): Chunk[] {
    const known = calls.get(place)
    if (item.type === 'function_call') {
      const opened = known ? [] : open(item, place)
      const call = known ?? calls.get(place)
      const args = asText(item.arguments) ?? ''
      return call && !call.told && args !== '' ? [...opened, { t: 'tool', choice: 0, call: call.call, arguments: args }] : opened
    }
    if (item.type === 'custom_tool_call') {
      const call = calls.size
      calls.set(place, { call, told: true, item })
      const { id, name } = nameOf(item)
      return [
        {
          t: 'tool',
          choice: 0,
          call,
          id,
          name,
          arguments: '',
          extra: { type: 'custom', custom: { name, input: asText(item.input) ?? '' } },
        },
      ]
    }
    if (item.type === 'reasoning' && typeof item.encrypted_content === 'string') {
      const data = writeCipher(item.encrypted_content, provider)
      return [{ t: 'other', choice: 0, delta: { reasoning_details: [{ type: 'reasoning.encrypted', data }] } }]
    }
    return []
  }

  return {
    read(json) {
      const event = asFields(json)
      return event === undefined || over ? [] : read(event)
    },
  }
}

/** A whole answer of a provider as chunks, ended by `end`, or one `failure`. */
export function readReply(json: unknown, provider: string): Chunk[] {
  const response = asFields(json)
  if (!response || !Array.isArray(response.output)) return [failureOf(asFields(response?.error) ?? { message: 'the answer has no output' })]
  if (response.status === 'failed') return [failureOf(asFields(response.error) ?? {})]
  const reader = createStreamReader(provider)
  const chunks: Chunk[] = [startOf(response)]
  for (const [index, one] of response.output.entries()) {
    const item = asFields(one) ?? {}
    for (const part of partsOf(item.content)) {
      if (part.type === 'refusal') chunks.push({ t: 'refusal', choice: 0, text: asText(part.refusal) ?? '' })
      else if (part.type === 'output_text') chunks.push(...readText(part))
    }
    const thoughts = item.type === 'reasoning' ? [...partsOf(item.summary), ...partsOf(item.content)] : []
    for (const { text } of thoughts) if (typeof text === 'string' && text !== '') chunks.push({ t: 'reasoning', choice: 0, text })
    chunks.push(...reader.read({ type: 'response.output_item.done', output_index: index, item }))
  }
  return [...chunks, ...reader.read({ type: response.status === 'incomplete' ? 'response.incomplete' : 'response.completed', response })]
}

function readText({ text, logprobs, annotations }: Fields): Chunk[] {
  const said = asText(text) ?? ''
  const chunk: Chunk = {
    t: 'text',
    choice: 0,
    text: said,
    ...(Array.isArray(logprobs) && logprobs.length > 0 && { logprobs: { content: logprobs } }),
  }
  const notes = Array.isArray(annotations) ? annotations : []
  return notes.length === 0 ? [chunk] : [chunk, { t: 'other', choice: 0, delta: { annotations: notes.map(writeAnnotation) } }]
}

function startOf({ id, model, created_at }: Fields): Chunk {
  return {
    t: 'start',
    id: asText(id) ?? '',
    model: asText(model) ?? '',
    created: typeof created_at === 'number' ? Math.floor(created_at) : 0,
  }
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
