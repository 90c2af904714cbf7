// Server-sent events as bytes, both ways: https://html.spec.whatwg.org/multipage/server-sent-events.html.
// Knows nothing of what an event means. Output never depends on how the bytes were split into reads. Pure.

export interface SseEvent {
  /** The data lines, joined by line feeds, without their prefix. */
  data: string
  /** The `event` field; undefined when absent or empty. */
  event: string | undefined
  /** The event as it came, from its first field to its blank line. A view on the read when the event lies whole in it. */
  raw: Uint8Array
  /** Exactly one `data: ` line ended by LF and a blank line: `raw` may be forwarded unchanged. */
  plain: boolean
}

export class SseTooLong extends Error {
  override name = 'SseTooLong'
  constructor(maxBytes: number) {
    super(`server-sent event longer than ${maxBytes} bytes`)
  }
}

const LF = 0x0a
const CR = 0x0d
const BLANK = 0x20
const COLON = 0x3a
const DATA_PREFIX_BYTES = 6
const MAX_EVENT_BYTES = 1024 * 1024
const EMPTY = new Uint8Array(0)

const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
const encoder = new TextEncoder()

/**
 * `push` calls `onEvent` for every event that is complete, before it returns. It throws SseTooLong when one event has more
 * than `maxEventBytes` (1 MB); the reader is of no use after that. Comments and events without data are passed over.
 */
export class SseReader {
  readonly #onEvent: (event: SseEvent) => void
  readonly #maxEventBytes: number
  /** What has been read of an unfinished event; `#length` bytes of it count. */
  #kept: Uint8Array = EMPTY
  #length = 0
  /** Offsets from the start of the unfinished event: its unfinished line, and where the search for that line's end goes on. */
  #line = 0
  #searched = 0
  #started = false
  /** A CR ended the last read: an LF now belongs to it. */
  #swallowLineFeed = false
  #data: string[] = []
  #event: string | undefined
  #plain = true

  constructor(onEvent: (event: SseEvent) => void, options: { maxEventBytes?: number } = {}) {
    this.#onEvent = onEvent
    this.#maxEventBytes = options.maxEventBytes ?? MAX_EVENT_BYTES
  }

  /** An event has begun and not ended. True after `end` means that the stream was cut. */
  get pending(): boolean {
    return this.#length > 0
  }

  push(bytes: Uint8Array): void {
    if (bytes.length === 0) return
    if (this.#length === 0) {
      const done = this.#started && !this.#swallowLineFeed ? this.#takePlainEvents(bytes) : 0
      if (done < bytes.length) this.#scan(done === 0 ? bytes : bytes.subarray(done))
      return
    }
    this.#append(bytes)
    this.#scan(this.#kept.subarray(0, this.#length))
  }

  /** The end of the stream. As the standard demands, an event without its blank line is dropped: it may have been cut. */
  end(): void {
    this.#reset()
  }

  /**
   * The common read: whole events of one data line each, so that one decoding serves them all.
   * Returns how many bytes were used; `#scan` deals with the rest, whatever it is.
   */
  #takePlainEvents(bytes: Uint8Array): number {
    const text = decoder.decode(bytes)
    if (text.includes('\r')) return 0
    // Every byte is one character exactly where each is ASCII (or broken, which reads the same either way).
    const aligned = text.length === bytes.length
    let start = 0
    let used = 0
    while (text.startsWith('data: ', start)) {
      const feed = text.indexOf('\n', start)
      if (feed === -1 || text.charCodeAt(feed + 1) !== LF) break
      const end = (aligned ? feed : bytes.indexOf(LF, used)) + 2
      this.#checkLength(end - used)
      const raw = used === 0 && end === bytes.length ? bytes : bytes.subarray(used, end)
      this.#onEvent({ data: text.slice(start + DATA_PREFIX_BYTES, feed), event: undefined, raw, plain: true })
      start = feed + 2
      used = end
    }
    return used
  }

  /** Goes over `source`, which begins with the unfinished event, and keeps what is left. */
  #scan(source: Uint8Array): void {
    const kept = this.#length > 0
    let start = 0
    let line = this.#line
    let from = this.#searched
    let feed = source.indexOf(LF, from)
    let carriage = source.indexOf(CR, from)

    if (!this.#started) {
      // A byte order mark may come in pieces; wait until the first three bytes are there, or the first differs.
      if (isCutByteOrderMark(source)) return this.#keep(source, 0, 0, 0)
      this.#started = true
      if (source[0] === 0xef && source[1] === 0xbb && source[2] === 0xbf) start = line = from = 3
    }
    if (this.#swallowLineFeed) {
      this.#swallowLineFeed = false
      if (source[from] === LF) {
        from++
        if (line < from) line = from
        if (start < from && this.#isFresh()) start = from
        feed = source.indexOf(LF, from)
      }
    }

    for (;;) {
      if (carriage !== -1 && carriage < from) carriage = source.indexOf(CR, from)
      let lineEnd = feed
      let next = feed + 1
      if (carriage !== -1 && (feed === -1 || carriage < feed)) {
        lineEnd = carriage
        next = carriage + 1
        this.#plain = false
        if (source[next] === LF) next++
        else if (next === source.length) this.#swallowLineFeed = true
      }
      if (lineEnd === -1) break

      if (line === start && source[next] === LF && lineEnd === feed && isDataLine(source, line)) {
        // The common case: one data line and its blank line, both here.
        this.#checkLength(next + 1 - start)
        const data = decoder.decode(source.subarray(line + DATA_PREFIX_BYTES, lineEnd))
        this.#plain = true
        this.#onEvent({ data, event: undefined, raw: source.subarray(start, next + 1), plain: true })
        start = next + 1
        next = start
      } else if (lineEnd === line) {
        if (this.#data.length > 0) {
          this.#checkLength(next - start)
          const plain = this.#plain && this.#data.length === 1
          this.#onEvent({ data: this.#data.join('\n'), event: this.#event || undefined, raw: source.subarray(start, next), plain })
        }
        this.#reset()
        start = next
      } else if (line === start && source[line] === COLON) {
        start = next // a comment before an event is no part of it
        this.#plain = true
      } else {
        this.#readLine(source, line, lineEnd)
      }
      line = from = next
      feed = feed >= from ? feed : source.indexOf(LF, from)
    }

    if (kept && start === 0) {
      this.#line = line
      this.#searched = source.length
      this.#checkLength(this.#length)
    } else this.#keep(source, start, line, source.length)
  }

  #readLine(source: Uint8Array, line: number, lineEnd: number): void {
    if (isDataLine(source, line)) {
      this.#data.push(decoder.decode(source.subarray(line + DATA_PREFIX_BYTES, lineEnd)))
      return
    }
    this.#plain = false
    const text = decoder.decode(source.subarray(line, lineEnd))
    const colon = text.indexOf(':')
    const field = colon < 0 ? text : text.slice(0, colon)
    const value = colon < 0 ? '' : text.slice(text.charCodeAt(colon + 1) === BLANK ? colon + 2 : colon + 1)
    if (field === 'data') this.#data.push(value)
    else if (field === 'event') this.#event = value
  }

  #isFresh(): boolean {
    return this.#data.length === 0 && this.#event === undefined
  }

  #reset(): void {
    this.#data = []
    this.#event = undefined
    this.#plain = true
  }

  #checkLength(bytes: number): void {
    if (bytes > this.#maxEventBytes) throw new SseTooLong(this.#maxEventBytes)
  }

  /** Copies the unfinished event, because whoever read `source` may use it again. */
  #keep(source: Uint8Array, start: number, line: number, searched: number): void {
    this.#length = source.length - start
    this.#line = line - start
    this.#searched = searched - start
    this.#checkLength(this.#length)
    // Never the old room: events that were handed out may be views on it.
    this.#kept = this.#length === 0 ? EMPTY : new Uint8Array(Math.max(256, this.#length * 2))
    if (this.#length > 0) this.#kept.set(start === 0 ? source : source.subarray(start))
  }

  #append(bytes: Uint8Array): void {
    const length = this.#length + bytes.length
    if (length > this.#kept.length) {
      const roomier = new Uint8Array(length * 2)
      roomier.set(this.#kept.subarray(0, this.#length))
      this.#kept = roomier
    }
    this.#kept.set(bytes, this.#length)
    this.#length = length
  }
}

/** `data: ` stands at `at`. */
function isDataLine(source: Uint8Array, at: number): boolean {
  return (
    source[at] === 0x64 &&
    source[at + 1] === 0x61 &&
    source[at + 2] === 0x74 &&
    source[at + 3] === 0x61 &&
    source[at + 4] === COLON &&
    source[at + 5] === BLANK
  )
}

function isCutByteOrderMark(source: Uint8Array): boolean {
  if (source[0] !== 0xef || source.length > 2) return false
  return source.length === 1 || source[1] === 0xbb
}

/** One event, ready to be sent. Line ends in `data` become several data lines, so that no text can break the framing. */
export function writeSse(data: string, event?: string): string {
  const head = event === undefined ? 'data: ' : `event: ${event}\ndata: `
  return `${head}${data.includes('\n') || data.includes('\r') ? data.replaceAll(/\r\n|\r|\n/g, '\ndata: ') : data}\n\n`
}

export function writeSseBytes(data: string, event?: string): Uint8Array {
  return encoder.encode(writeSse(data, event))
}
