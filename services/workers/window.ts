// Frames on their way to the ingress: numbered, kept until acknowledged, sent again on demand.
// The window is the only back-pressure there is: the bus itself never says stop.

import { MAX_FRAME_PAYLOAD_BYTES, writeFrame } from '#contracts/frame.ts'

export class SendWindow {
  /** Unacknowledged frames, oldest first. */
  #ring: Uint8Array[] = []
  #firstSeq = 0
  #unackedBytes = 0
  readonly #publish: (frame: Uint8Array) => void

  constructor(publish: (frame: Uint8Array) => void) {
    this.#publish = publish
  }

  /** Number of frames sent so far; the sequence number of the next one. */
  get sent(): number {
    return this.#firstSeq + this.#ring.length
  }

  get unackedBytes(): number {
    return this.#unackedBytes
  }

  /** With `whole`, the payload is one unit into which nothing may be put: all its frames but the last say so. */
  send(payload: Uint8Array, whole: boolean): void {
    for (let at = 0; at < payload.length; at += MAX_FRAME_PAYLOAD_BYTES) {
      const end = at + MAX_FRAME_PAYLOAD_BYTES
      const frame = writeFrame(this.sent, payload.subarray(at, end), whole && end < payload.length)
      this.#ring.push(frame)
      this.#unackedBytes += frame.length
      this.#publish(frame)
    }
  }

  /** All frames up to `seq` have arrived. */
  ack(seq: number): void {
    while (this.#firstSeq <= seq && this.#ring.length > 0) {
      this.#unackedBytes -= (this.#ring.shift() as Uint8Array).length
      this.#firstSeq++
    }
  }

  resend(): void {
    for (const frame of this.#ring) this.#publish(frame)
  }
}
