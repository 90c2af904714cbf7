// Models that think aloud between <think> and </think> at the start of their answer: what is thought, what is said. Pure.

const OPEN = '<think>'
const CLOSE = '</think>'

export interface Thought {
  reasoning: string
  content: string
}

/** The text of one answer, piece by piece. Holds back only what may be the beginning of a tag. */
export class ThinkFilter {
  /** White space just inside and just after the tags belongs to neither text: `opened` and `closed` pass over it. */
  #state: 'start' | 'opened' | 'thinking' | 'closed' | 'said' = 'start'
  #held = ''

  /** Nothing will be taken out any more: further pieces need not be read. */
  get done(): boolean {
    return this.#state === 'said'
  }

  read(text: string): Thought {
    let rest = this.#held + text
    this.#held = ''
    if (this.#state === 'start') {
      const begun = rest.trimStart()
      if (begun === '') return { reasoning: '', content: rest }
      if (begun.length < OPEN.length && OPEN.startsWith(begun)) {
        this.#held = rest
        return { reasoning: '', content: '' }
      }
      this.#state = begun.startsWith(OPEN) ? 'opened' : 'said'
      if (this.#state === 'opened') rest = begun.slice(OPEN.length)
    }
    let reasoning = ''
    if (this.#state === 'opened') {
      rest = rest.trimStart()
      if (rest !== '') this.#state = 'thinking'
    }
    if (this.#state === 'thinking') {
      const close = rest.indexOf(CLOSE)
      if (close < 0) {
        this.#held = cutTag(rest)
        return { reasoning: rest.slice(0, rest.length - this.#held.length), content: '' }
      }
      reasoning = rest.slice(0, close)
      rest = rest.slice(close + CLOSE.length)
      this.#state = 'closed'
    }
    if (this.#state === 'closed') {
      rest = rest.trimStart()
      if (rest !== '') this.#state = 'said'
    }
    return { reasoning, content: rest }
  }

  /** At the end of the answer: what was held back. */
  flush(): Thought {
    const held = this.#held
    this.#held = ''
    return this.#state === 'thinking' ? { reasoning: held, content: '' } : { reasoning: '', content: held }
  }
}

/** The longest end of `text` that may be the beginning of the closing tag. */
function cutTag(text: string): string {
  for (let length = Math.min(CLOSE.length - 1, text.length); length > 0; length--) {
    if (CLOSE.startsWith(text.slice(-length))) return text.slice(-length)
  }
  return ''
}
