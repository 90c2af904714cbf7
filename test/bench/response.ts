// Reads HTTP/1.1 responses off a raw socket and counts the tokens in them.
// Much cheaper than a full client: on a small machine the load generator takes its CPU from the contestants.

const TOKEN = 0x7e // `~`, see upstream.ts
const LINE_FEED = 0x0a
const TAIL_BYTES = 24
const DONE = ['[DONE]', 'message_stop']
const REFUSAL_CHARACTERS = 400

type State = 'head' | 'length' | 'size' | 'chunk' | 'chunk-end' | 'trailer'

export class ResponseReader {
  status = 0
  /** In Responses more than there are: its last events say the text once more. */
  tokens = 0
  /** Whether the last bytes of the body were the end mark of an event stream. */
  done = false
  /** Beginning of the body of a refusal. */
  refusal = ''
  /** Whether the peer wants to close the connection after this response. */
  closes = false
  #state: State = 'head'
  #line = ''
  #left = 0
  #tail: Buffer = Buffer.alloc(0)

  /** True once the response is complete. Nothing may follow it, as requests are not pipelined. */
  read(bytes: Buffer): boolean {
    let at = 0
    while (at < bytes.length) {
      if (this.#state === 'length' || this.#state === 'chunk') {
        const part = bytes.subarray(at, at + this.#left)
        at += part.length
        this.#left -= part.length
        this.#count(part)
        if (this.#left > 0) return false
        if (this.#state === 'length') return this.#finish()
        this.#state = 'chunk-end'
        continue
      }
      const feed = bytes.indexOf(LINE_FEED, at)
      this.#line += bytes.toString('latin1', at, feed < 0 ? bytes.length : feed)
      if (feed < 0) return false
      at = feed + 1
      const line = this.#line.trimEnd()
      this.#line = ''
      if (this.#takeLine(line)) return this.#finish()
    }
    return false
  }

  #takeLine(line: string): boolean {
    if (this.#state === 'head') return this.#takeHeadLine(line)
    if (this.#state === 'trailer') return line === ''
    if (this.#state === 'chunk-end') {
      this.#state = 'size'
      return false
    }
    this.#left = Number.parseInt(line, 16)
    this.#state = this.#left === 0 ? 'trailer' : 'chunk'
    return false
  }

  #takeHeadLine(line: string): boolean {
    if (this.status === 0) {
      this.status = Number(line.slice(9, 12))
      this.#left = -1
    } else if (line === '') {
      this.#state = this.#left < 0 ? 'size' : 'length'
      return this.#left === 0
    } else {
      const colon = line.indexOf(':')
      const name = line.slice(0, colon).toLowerCase()
      if (name === 'content-length') this.#left = Number(line.slice(colon + 1))
      else if (name === 'connection')
        this.closes =
          line
            .slice(colon + 1)
            .trim()
            .toLowerCase() === 'close'
    }
    return false
  }

  #count(part: Buffer): void {
    if (this.status >= 400) this.refusal = (this.refusal + part.toString()).slice(0, REFUSAL_CHARACTERS)
    for (let at = part.indexOf(TOKEN); at >= 0; at = part.indexOf(TOKEN, at + 1)) this.tokens++
    this.#tail = part.length >= TAIL_BYTES ? part.subarray(-TAIL_BYTES) : Buffer.concat([this.#tail, part]).subarray(-TAIL_BYTES)
  }

  #finish(): true {
    const tail = this.#tail.toString('latin1')
    this.done = DONE.some((mark) => tail.includes(mark))
    return true
  }
}
