// Chunks as the events of a Responses stream, in the order that the format demands: one item after the other, each opened and
// closed. Clients act on the closing event, and join all others by item id. Pure.

import type { Chunk, ChunkUsage, FinishReason } from '../../chunk.ts'
import type { FreewayError } from '../../failure.ts'
import { isCipher } from '../cipher.ts'
import { writeSse } from '../sse.ts'
import { CallItems } from './call-items.ts'
import { MessageItem } from './message-item.ts'
import { createResponseWriter, errorCode, type ResponseHead, type ResponseState, type Status } from './object.ts'
import { Output } from './output.ts'
import { ReasoningItem } from './reasoning-item.ts'
import { asFields, EXTENSION, type Fields } from './shape.ts'
import type { ToolNames } from './tools.ts'
import { writeUsage } from './usage.ts'

export interface StreamOptions extends ResponseHead {
  names: ToolNames
  stored: boolean
  /** Seconds since 1970, asked when the response is complete. */
  now(): number
}

/** `write` takes the chunks of an answer; then come `close` and `settle` and, last, `last` or `fail`. `[DONE]` is the caller's. */
export class ResponseStream {
  readonly #output: Output
  readonly #calls: CallItems
  readonly #now: () => number
  readonly #writeResponse: (state: ResponseState) => string
  readonly #state: ResponseState
  #begun = false
  #message: MessageItem | undefined
  #thought: ReasoningItem | undefined
  /** The items of a whole answer as its provider gave them, in place of what chat completions have of them. */
  #items: Fields[] | undefined
  #reason: FinishReason | undefined
  #usage: ChunkUsage | undefined

  constructor(options: StreamOptions) {
    this.#output = new Output(options.id)
    this.#calls = new CallItems(this.#output, options.names)
    this.#now = options.now
    this.#writeResponse = createResponseWriter(options)
    this.#state = {
      status: 'in_progress',
      // Until somebody answers; who names none leaves the choice to the gateway.
      model: options.request.model || 'auto',
      output: this.#output.items,
      usage: null,
      completedAt: null,
      error: null,
      incompleteReason: null,
      stored: options.stored,
    }
  }

  /** The response as it is now, as JSON text. */
  get response(): string {
    return this.#writeResponse(this.#state)
  }

  /** Number of the next event. */
  get sequence(): number {
    return this.#output.sequence
  }

  get status(): Status {
    return this.#state.status
  }

  /** The first two events; nothing if they were written. */
  begin(): string {
    if (this.#begun) return ''
    this.#begun = true
    return this.#lifecycle('response.created') + this.#lifecycle('response.in_progress')
  }

  write(chunk: Chunk): string {
    // There is one answer in this format, whatever a provider makes of it.
    if ('choice' in chunk && chunk.choice !== 0) return ''
    switch (chunk.t) {
      case 'start':
        if (chunk.model !== '') this.#state.model = chunk.model
        return this.begin()
      case 'text':
        if (this.#message) return this.#message.say(chunk.text, chunk.logprobs)
        return this.#openMessage() + (this.#message as unknown as MessageItem).say(chunk.text, chunk.logprobs)
      case 'refusal':
        return this.#openMessage() + (this.#message as unknown as MessageItem).refuse(chunk.text)
      case 'reasoning':
        return this.#think(chunk)
      case 'tool':
        return this.begin() + this.#closeThought() + this.#closeMessage(false) + this.#calls.add(chunk)
      case 'other':
        return this.#other(chunk.delta)
      case 'finish':
        this.#reason = chunk.reason
        return ''
      case 'usage':
        this.#usage = chunk.usage
        return ''
      default:
        return ''
    }
  }

  /** Closes what is open; `broken`: the answer is not whole. */
  close(broken = false): string {
    const incomplete = broken || this.#reason === 'length' || this.#reason === 'content_filter'
    const events = this.begin() + this.#closeAll(incomplete)
    if (this.#items) this.#output.replace(this.#items)
    return events
  }

  /** After `close`: the response is as it stays. `last` tells of it. */
  settle(): void {
    const state = this.#state
    if (this.#usage) state.usage = writeUsage(this.#usage)
    if (this.#reason === 'length' || this.#reason === 'content_filter') {
      state.status = 'incomplete'
      state.incompleteReason = this.#reason === 'length' ? 'max_output_tokens' : 'content_filter'
    } else {
      state.status = 'completed'
      state.completedAt = this.#now()
    }
  }

  /** The last event of an answer that has settled; it also tells whether the response was kept. */
  last(stored = this.#state.stored): string {
    this.#state.stored = stored
    return this.#lifecycle(`response.${this.#state.status}`)
  }

  /** The answer broke off; `fail` also tells of it. */
  break({ message, type }: Pick<FreewayError, 'message' | 'type'>): void {
    this.#state.status = 'failed'
    this.#state.error = { code: errorCode({ type }), message }
    if (this.#usage) this.#state.usage = writeUsage(this.#usage)
  }

  /** The last events of an answer that broke off. */
  fail(error: Pick<FreewayError, 'message' | 'type' | 'param'>): string {
    this.break(error)
    return writeFailure(error, this.#output.take()) + this.#lifecycle('response.failed')
  }

  /** Somebody has called it off: there is no event for that but the end of the stream. */
  cancel(): void {
    this.#state.status = 'cancelled'
  }

  #lifecycle(type: string): string {
    return `event: ${type}\ndata: {"type":"${type}","sequence_number":${this.#output.take()},"response":${this.response}}\n\n`
  }

  #openMessage(): string {
    if (this.#message) return ''
    const events = this.begin() + this.#closeThought() + this.#calls.close(false)
    this.#message = new MessageItem(this.#output)
    return events + this.#message.open()
  }

  #closeMessage(incomplete: boolean): string {
    const message = this.#message
    this.#message = undefined
    return message?.close(incomplete) ?? ''
  }

  #openThought(): string {
    if (this.#thought) return ''
    const events = this.begin() + this.#closeMessage(false) + this.#calls.close(false)
    this.#thought = new ReasoningItem(this.#output)
    return events + this.#thought.open()
  }

  #closeThought(): string {
    const thought = this.#thought
    this.#thought = undefined
    return thought?.close() ?? ''
  }

  #think({ text, redacted }: Extract<Chunk, { t: 'reasoning' }>): string {
    const encrypted = isCipher(redacted) ? redacted : undefined
    if (text === '' && encrypted === undefined) return ''
    const events = this.#openThought()
    const thought = this.#thought as unknown as ReasoningItem
    if (encrypted !== undefined) thought.encrypted = encrypted
    return events + (text === '' ? '' : thought.think(text))
  }

  #closeAll(incomplete: boolean): string {
    return this.#closeThought() + this.#closeMessage(incomplete) + this.#calls.close(incomplete)
  }

  /** Of a provider that speaks Responses itself: what chat completions have no word for. */
  #other({ annotations, [EXTENSION]: kept }: Fields): string {
    const { begin, part, item, output } = asFields(kept) ?? {}
    if (Array.isArray(output)) this.#items = listOf(output)
    if (part === true) this.#thought?.nextPart()
    let events = ''
    const whole = asFields(item)
    const opened = asFields(begin)
    if (whole || opened) events += this.begin() + this.#closeAll(false)
    if (whole) events += this.#output.whole(whole)
    if (opened?.type === 'reasoning') events += this.#openThought()
    else if (opened) {
      this.#message = new MessageItem(this.#output, opened.phase)
      events += this.#message.open()
    }
    return events + (this.#message?.annotate(listOf(annotations)) ?? '')
  }
}

/** Flat as OpenAI sends it, nested as Open Responses does. */
function writeFailure({ message, type, param }: Pick<FreewayError, 'message' | 'type' | 'param'>, sequence: number): string {
  const code = errorCode({ type })
  const event = { type: 'error', sequence_number: sequence, code, message, param, error: { type, code, message, param } }
  return writeSse(JSON.stringify(event), 'error')
}

/**
 * The last events of a response as it was kept, from event number `sequence` on: none if it was called off, for there is no event for that.
 */
export function writeLast(response: Fields, sequence: number): string {
  const { status } = response
  const last = (at: number) => writeSse(JSON.stringify({ type: `response.${status}`, sequence_number: at, response }), `response.${status}`)
  if (status === 'completed' || status === 'incomplete') return last(sequence)
  if (status !== 'failed') return ''
  const { code, message } = asFields(response.error) ?? {}
  const told = { code, message, param: null }
  return (
    writeSse(JSON.stringify({ type: 'error', sequence_number: sequence, ...told, error: { type: code, ...told } }), 'error') +
    last(sequence + 1)
  )
}

function listOf(value: unknown): Fields[] {
  return Array.isArray(value) ? value.map((one) => asFields(one) ?? {}) : []
}
