// The message of an answer while it is said: parts of text or refusal, one after the other. Pure.

import type { Output } from './output.ts'
import { asFields, type Fields } from './shape.ts'

export class MessageItem {
  readonly #output: Output
  readonly #id: string
  readonly #index: number
  readonly #parts: Fields[] = []
  #text = ''
  #logprobs: unknown[] = []
  /** Everything of a delta event before its number. */
  #before = ''

  readonly #phase: Fields

  /** `phase`: whether it is the answer, or only on the way to it, where the provider says so. */
  constructor(output: Output, phase?: unknown) {
    this.#output = output
    const { id, index } = output.reserve('msg')
    this.#id = id
    this.#index = index
    this.#phase = typeof phase === 'string' ? { phase } : {}
  }

  open(): string {
    return this.#output.added(this.#index, this.#item('in_progress', []))
  }

  #item(status: string, content: Fields[]): Fields {
    return { id: this.#id, type: 'message', status, role: 'assistant', content, ...this.#phase }
  }

  say(text: string, logprobs: unknown): string {
    const events = this.#part?.type === 'output_text' ? '' : this.#turnTo({ type: 'output_text', text: '', annotations: [], logprobs: [] })
    this.#text += text
    const { content } = asFields(logprobs) ?? {}
    if (Array.isArray(content)) this.#logprobs.push(...content)
    const probabilities = Array.isArray(content) ? JSON.stringify(content) : '[]'
    return `${events}${this.#before}${this.#output.take()},"delta":${JSON.stringify(text)},"logprobs":${probabilities}}\n\n`
  }

  refuse(text: string): string {
    const events = this.#part?.type === 'refusal' ? '' : this.#turnTo({ type: 'refusal', refusal: '' })
    this.#text += text
    return `${events}${this.#before}${this.#output.take()},"delta":${JSON.stringify(text)}}\n\n`
  }

  annotate(annotations: Fields[]): string {
    const part = this.#part
    if (part?.type !== 'output_text') return ''
    const list = part.annotations as unknown[]
    return annotations
      .map(({ type, url_citation, ...rest }) => {
        const annotation = { type, ...asFields(url_citation), ...rest }
        list.push(annotation)
        return this.#output.event('response.output_text.annotation.added', {
          ...this.#place,
          annotation_index: list.length - 1,
          annotation,
        })
      })
      .join('')
  }

  close(incomplete: boolean): string {
    return this.#closePart() + this.#output.done(this.#index, this.#item(incomplete ? 'incomplete' : 'completed', this.#parts))
  }

  get #part(): Fields | undefined {
    return this.#parts.at(-1)
  }

  get #place(): Fields {
    return { item_id: this.#id, output_index: this.#index, content_index: this.#parts.length - 1 }
  }

  #turnTo(part: Fields): string {
    const closing = this.#closePart()
    this.#parts.push(part)
    this.#text = ''
    this.#logprobs = []
    this.#before = this.#output.before(part.type === 'refusal' ? 'response.refusal.delta' : 'response.output_text.delta', this.#place)
    return closing + this.#output.event('response.content_part.added', { ...this.#place, part })
  }

  #closePart(): string {
    const part = this.#part
    if (!part) return ''
    const place = this.#place
    const closing = (type: string, fields: Fields) =>
      this.#output.event(type, { ...place, ...fields }) + this.#output.event('response.content_part.done', { ...place, part })
    if (part.type === 'refusal') {
      part.refusal = this.#text
      return closing('response.refusal.done', { refusal: this.#text })
    }
    part.text = this.#text
    part.logprobs = this.#logprobs
    return closing('response.output_text.done', { text: this.#text, logprobs: this.#logprobs })
  }
}
