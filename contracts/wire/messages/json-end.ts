// Where a JSON object ends, found while its text comes in pieces. Pure.

export class JsonEnd {
  #depth = 0
  #inString = false
  #escaped = false
  #begun = false

  /** The object has been closed. */
  get complete(): boolean {
    return this.#begun && this.#depth === 0
  }

  get begun(): boolean {
    return this.#begun
  }

  /** How many characters of `text` belong to the object; it begins with the first brace. */
  take(text: string): number {
    if (this.complete) return 0
    for (let at = 0; at < text.length; at++) {
      const code = text.charCodeAt(at)
      if (this.#inString) {
        if (this.#escaped) this.#escaped = false
        else if (code === 0x5c) this.#escaped = true
        else if (code === 0x22) this.#inString = false
      } else if (code === 0x22) this.#inString = true
      else if (code === 0x7b || code === 0x5b) {
        this.#begun = true
        this.#depth++
      } else if (code === 0x7d || code === 0x5d) {
        this.#depth--
        if (this.complete) return at + 1
      }
    }
    return text.length
  }
}
