// The list of items that an answer is made of, and the numbered events that tell of it. Pure.

import { writeSse } from '../sse.ts'
import type { Fields } from './shape.ts'

export class Output {
  readonly items: object[] = []
  readonly #base: string
  #sequence = 0

  /** `responseId` is part of the id of every item, so that an item can be found by its id alone. */
  constructor(responseId: string) {
    this.#base = responseId.replace(/^resp_/, '')
  }

  /** Number of the next event, which is now taken. */
  take(): number {
    return this.#sequence++
  }

  get sequence(): number {
    return this.#sequence
  }

  event(type: string, fields: Fields): string {
    return writeSse(JSON.stringify({ type, sequence_number: this.take(), ...fields }), type)
  }

  /** A place in the list, and the id of what comes there. */
  reserve(prefix: string): { id: string; index: number } {
    const index = this.items.length
    this.items.push({})
    return { id: `${prefix}_${this.#base}_${index}`, index }
  }

  /** An item of a kind that only its provider knows, which comes in one piece. */
  whole(item: Fields): string {
    const { id, index } = this.reserve(prefixOf(item))
    const begun = { ...item, id, ...(item.status !== undefined && { status: 'in_progress' }) }
    return this.added(index, begun) + this.done(index, { ...item, id })
  }

  /** All of them, in place of what is there. */
  replace(items: readonly Fields[]): void {
    this.items.length = 0
    for (const item of items) {
      const { id, index } = this.reserve(prefixOf(item))
      this.items[index] = { ...item, id }
    }
  }

  added(index: number, item: Fields): string {
    this.items[index] = item
    return this.event('response.output_item.added', { output_index: index, item })
  }

  done(index: number, item: Fields): string {
    this.items[index] = item
    return this.event('response.output_item.done', { output_index: index, item })
  }

  /** The text of a delta event up to its number: written once, for there is one event per token. */
  before(type: string, place: Fields): string {
    return `event: ${type}\ndata: {"type":"${type}",${JSON.stringify(place).slice(1, -1)},"sequence_number":`
  }
}

const prefixes: Record<string, string> = { message: 'msg', reasoning: 'rs', function_call: 'fc', custom_tool_call: 'ctc' }

function prefixOf({ type, id }: Fields): string {
  const [given] = typeof id === 'string' ? (/^[a-z]{1,8}(?=_)/.exec(id) ?? []) : []
  return prefixes[String(type)] ?? given ?? 'item'
}
