// What a model thought before it spoke, as the summary of a reasoning item. Pure.
// The two specifications name raw reasoning differently; the summary events are what both know.

import type { Output } from './output.ts'
import type { Fields } from './shape.ts'

export class ReasoningItem {
  /** What only the provider that wrote it can read. */
  encrypted: string | undefined
  readonly #output: Output
  readonly #id: string
  readonly #index: number
  readonly #before: string
  #text = ''

  constructor(output: Output) {
    this.#output = output
    const { id, index } = output.reserve('rs')
    this.#id = id
    this.#index = index
    this.#before = output.before('response.reasoning_summary_text.delta', this.#place)
  }

  open(): string {
    return this.#output.added(this.#index, { id: this.#id, type: 'reasoning', summary: [] })
  }

  think(text: string): string {
    const part = { type: 'summary_text', text: '' }
    const events = this.#text === '' ? this.#output.event('response.reasoning_summary_part.added', { ...this.#place, part }) : ''
    this.#text += text
    return `${events}${this.#before}${this.#output.take()},"delta":${JSON.stringify(text)}}\n\n`
  }

  close(): string {
    const part = { type: 'summary_text', text: this.#text }
    const said = this.#text !== ''
    const item: Fields = { id: this.#id, type: 'reasoning', summary: said ? [part] : [] }
    if (this.encrypted !== undefined) item.encrypted_content = this.encrypted
    const events = said
      ? this.#output.event('response.reasoning_summary_text.done', { ...this.#place, text: this.#text }) +
        this.#output.event('response.reasoning_summary_part.done', { ...this.#place, part })
      : ''
    return events + this.#output.done(this.#index, item)
  }

  get #place(): Fields {
    return { item_id: this.#id, output_index: this.#index, summary_index: 0 }
  }
}
