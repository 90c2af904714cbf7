// How the body of a response is read: whole, up to a bound.

import { concat } from '#contracts/bytes.ts'

export interface Reading {
  push(bytes: Uint8Array): void
  end(): void
  flush?(): void
}

/** Throws over `maxBytes`, unless the rest may be left out. */
export class Collecting implements Reading {
  readonly #maxBytes: number
  readonly #cut: boolean
  readonly #done: (body: Uint8Array) => void
  #parts: Uint8Array[] = []
  #bytes = 0

  constructor(maxBytes: number, cut: boolean, done: (body: Uint8Array) => void) {
    this.#maxBytes = maxBytes
    this.#cut = cut
    this.#done = done
  }

  push(bytes: Uint8Array): void {
    this.#bytes += bytes.length
    if (this.#bytes <= this.#maxBytes) return void this.#parts.push(bytes)
    if (!this.#cut) throw new Error(`answer longer than ${this.#maxBytes} bytes`)
  }

  end(): void {
    this.#done(concat(this.#parts))
  }
}
