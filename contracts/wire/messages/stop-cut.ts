// Text as it streams by: cut at the first stop sequence, freed of what the client had said already in the model's place. Pure.

export class StopCut {
  readonly #sequences: readonly string[]
  #held = ''
  /** The sequence at which the text was cut; from then on all that follows is nothing. */
  hit: string | undefined

  constructor(sequences: readonly string[]) {
    this.#sequences = sequences
  }

  /** What may be told of the text so far; the beginning of what may become a sequence is held back. */
  push(text: string): string {
    if (this.hit !== undefined) return ''
    const whole = this.#held + text
    let at = -1
    for (const sequence of this.#sequences) {
      const found = whole.indexOf(sequence)
      if (found < 0 || (at >= 0 && found >= at)) continue
      at = found
      this.hit = sequence
    }
    if (at >= 0) {
      this.#held = ''
      return whole.slice(0, at)
    }
    this.#held = whole.slice(whole.length - this.#begun(whole))
    return whole.slice(0, whole.length - this.#held.length)
  }

  /** No more text comes: what was held back is text after all. */
  flush(): string {
    const held = this.#held
    this.#held = ''
    return held
  }

  /** Length of the longest end of `text` with which a sequence begins. */
  #begun(text: string): number {
    let longest = 0
    for (const sequence of this.#sequences) {
      for (let length = Math.min(sequence.length - 1, text.length); length > longest; length--) {
        if (text.endsWith(sequence.slice(0, length))) longest = length
      }
    }
    return longest
  }
}

/** Models that do not continue a prefill begin with it once more: it is the client's own text and goes. */
export class PrefillStrip {
  #awaited: string
  #held = ''

  constructor(prefill: string) {
    this.#awaited = prefill
  }

  push(text: string): string {
    if (this.#awaited === '') return text
    const whole = this.#held + text
    if (whole.startsWith(this.#awaited)) {
      const rest = whole.slice(this.#awaited.length)
      this.#awaited = ''
      return rest
    }
    if (this.#awaited.startsWith(whole)) {
      this.#held = whole
      return ''
    }
    this.#awaited = ''
    return whole
  }

  flush(): string {
    const held = this.#awaited === '' ? '' : this.#held
    this.#awaited = ''
    return held
  }
}
