// What a model thought before it spoke, as the summary of a reasoning item. Pure.
// The two specifications name raw reasoning differently; the summary events are what both know.

import type { Output } from './output.ts'
import { PART_BREAK } from './read-reply.ts'
import type { Fields } from './shape.ts'

export class ReasoningItem {
  /** What only the provider that wrote it can read. */
  encrypted: string | undefined
  readonly #output: Output
  readonly #id: string
  readonly #index: number
  /** Closed ones, and the one that is open as the last. */
  readonly #parts: Fields[] = []
  #before = ''
  #text = ''
  #turning = false

  constructor(output: Output) {
    this.#output = output
    const { id, index } = output.reserve('rs')
    this.#id = id
    this.#index = index
  }

  open(): string {
    return this.#output.added(this.#index, { id: this.#id, type: 'reasoning', summary: [] })
  }

  /** What follows belongs to another part; the break before it is for those who know no parts. */
  nextPart(): void {
    this.#turning = this.#parts.length > 0
  }

  think(text: string): string {
    let events = ''
    let said = text
    if (this.#turning) {
      this.#turning = false
      events = this.#closePart()
      if (said.startsWith(PART_BREAK)) said = said.slice(PART_BREAK.length)
    }
    if (this.#parts.length === 0 || events !== '') events += this.#openPart()
    if (said === '') return events
    this.#text += said
    return `${events}${this.#before}${this.#output.take()},"delta":${JSON.stringify(said)}}\n\n`
  }

  close(): string {
    const events = this.#closePart()
    const item: Fields = { id: this.#id, type: 'reasoning', summary: this.#parts }
    if (this.encrypted !== undefined) item.encrypted_content = this.encrypted
    return events + this.#output.done(this.#index, item)
  }

  #openPart(): string {
    this.#parts.push({ type: 'summary_text', text: '' })
    this.#text = ''
    this.#before = this.#output.before('response.reasoning_summary_text.delta', this.#place)
    return this.#output.event('response.reasoning_summary_part.added', { ...this.#place, part: { type: 'summary_text', text: '' } })
  }

  #closePart(): string {
    const part = this.#parts.at(-1)
    if (!part) return ''
    part.text = this.#text
    return (
      this.#output.event('response.reasoning_summary_text.done', { ...this.#place, text: this.#text }) +
      this.#output.event('response.reasoning_summary_part.done', { ...this.#place, part })
    )
  }

  get #place(): Fields {
    return { item_id: this.#id, output_index: this.#index, summary_index: this.#parts.length - 1 }
  }
}
