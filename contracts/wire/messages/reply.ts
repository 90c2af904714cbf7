// A Messages answer, both ways, whole and streamed. Pure.

import type { Chunk } from '../../chunk.ts'
import { writeSse } from '../sse.ts'
import { type AnswerOptions, createEventWriter, type MessageEvent } from './events.ts'
import { EXTENSION, type Fields, isFields } from './schema.ts'
import { tellId } from './tool-id.ts'

/** A stream as text, one call per chunk: nothing, or whole events. */
export function createStreamWriter(options: AnswerOptions): { write(chunk: Chunk): string } {
  let text = ''
  const write = createEventWriter(options, (event) => {
    text += writeEvent(event)
  })
  return {
    write(chunk) {
      text = ''
      write(chunk)
      return text
    },
  }
}

function writeEvent(event: MessageEvent): string {
  return writeSse(JSON.stringify(event), event.type)
}

export class FailedReply extends Error {
  override name = 'FailedReply'
}

/** A whole answer, ended by its `end`. Throws FailedReply when the chunks tell of a failure. */
export function writeReply(chunks: Iterable<Chunk>, options: AnswerOptions): object {
  const whole = new WholeMessage()
  const write = createEventWriter(options, (event) => whole.take(event))
  let blocks: Fields[] | undefined
  for (const chunk of chunks) {
    write(chunk)
    if (chunk.t === 'other') blocks = blocksIn(chunk.delta[EXTENSION]) ?? blocks
  }
  return blocks ? { ...whole.message, content: asTold(blocks, options) } : whole.message
}

/** The whole content as a provider of this format gave it. */
function blocksIn(kept: unknown): Fields[] | undefined {
  return isFields(kept) && Array.isArray(kept.content) ? kept.content.filter(isFields) : undefined
}

function asTold(blocks: Fields[], { thinking }: AnswerOptions): Fields[] {
  return blocks
    .filter(({ type, text }) => (type === 'text' ? text !== '' : thinking || (type !== 'thinking' && type !== 'redacted_thinking')))
    .map((block) => (block.type === 'tool_use' ? { ...block, id: tellId(String(block.id ?? '')) } : block))
}

/** The events of a stream, put together as a client does it. */
class WholeMessage {
  message: Fields = {}
  readonly #content: Fields[] = []
  #json = ''

  take(event: MessageEvent): void {
    switch (event.type) {
      case 'message_start':
        this.message = { ...event.message, content: this.#content }
        return
      case 'content_block_start':
        this.#content.push({ ...event.content_block })
        this.#json = ''
        return
      case 'content_block_delta':
        return this.#add(this.#content.at(-1) as Fields, event.delta)
      case 'content_block_stop': {
        const block = this.#content.at(-1) as Fields
        if (block.type === 'tool_use') block.input = readInput(this.#json)
        return
      }
      case 'message_delta':
        this.message = { ...this.message, ...event.delta, usage: event.usage }
        return
      case 'error':
        throw new FailedReply(event.error.message)
    }
  }

  #add(block: Fields, delta: Fields): void {
    if (delta.type === 'text_delta') block.text = `${block.text}${delta.text}`
    else if (delta.type === 'thinking_delta') block.thinking = `${block.thinking}${delta.thinking}`
    else if (delta.type === 'signature_delta') block.signature = delta.signature
    else if (delta.type === 'input_json_delta') this.#json += delta.partial_json
    else if (delta.type === 'citations_delta')
      block.citations = [...(Array.isArray(block.citations) ? block.citations : []), delta.citation]
  }
}

/** What was cut off in the midst of its arguments has none. */
function readInput(json: string): Fields {
  try {
    const input: unknown = JSON.parse(json)
    return isFields(input) ? input : {}
  } catch {
    return {} // nothing, or cut off
  }
}
