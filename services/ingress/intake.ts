// Frames of an attempt on their way to the client: in order, events whole, and credit for what the client has room for.

import { concat } from '#contracts/bytes.ts'
import { FreewayError } from '#contracts/failure.ts'
import type { Frame } from '#contracts/frame.ts'
import type { Attempt } from './attempt.ts'
import { acknowledge, onFrame, wantsAck } from './attempt.ts'
import type { Delivery } from './delivery.ts'
import { MAX_UNSENT_BYTES } from './delivery.ts'

const MAX_EVENT_BYTES = 1024 * 1024
const CLIENT_STALL_MS = 60_000

/** Whoever talks with the worker of the current attempt. */
export interface Talker {
  tell(message: object): void
  /** All responses together hold too much. */
  readonly overloaded: boolean
}

/** A class, because an object with getters of its own makes V8 keep a hidden class for each, and with it the request, until a full collection. */
export class Intake {
  readonly #delivery: Delivery
  readonly #talker: Talker
  /** Frames of an event that is not complete yet. */
  #held: Uint8Array[] = []
  #heldBytes = 0
  #bytes = 0
  #parts = 0
  #withheld = false
  #lastUnsentBytes = 0
  #lastUnsentMs = 0

  constructor(delivery: Delivery, talker: Talker) {
    this.#delivery = delivery
    this.#talker = talker
  }

  /** Payload bytes of the current attempt that were handed on. */
  get bytes(): number {
    return this.#bytes
  }

  /** In how many parts they were. */
  get parts(): number {
    return this.#parts
  }

  /** A new attempt begins: what the old one left unfinished is forgotten. */
  reset(): void {
    this.#held = []
    this.#heldBytes = 0
    this.#bytes = 0
    this.#parts = 0
    this.#withheld = false
  }

  /** The error if the answer is more than we carry. */
  take(attempt: Attempt, frame: Frame, nowMs: number): FreewayError | undefined {
    const verdict = onFrame(attempt, frame, nowMs)
    if (verdict === 'resend') this.ack(attempt, true, nowMs)
    if (verdict !== 'deliver') return undefined
    let { payload } = frame
    if (frame.continues || this.#held.length > 0) {
      const tooLong = this.#hold(frame)
      if (tooLong) return tooLong
      if (frame.continues) {
        this.#credit(attempt, nowMs)
        return undefined
      }
      payload = concat(this.#held)
      this.#held = []
      this.#heldBytes = 0
    }
    this.#bytes += payload.length
    this.#parts++
    if (!this.#delivery.write(payload)) return new FreewayError('provider_error', 'the answer of the provider is too long')
    this.#credit(attempt, nowMs)
    return undefined
  }

  ack(attempt: Attempt, resend: boolean, nowMs: number): void {
    this.#withheld = false
    const s = acknowledge(attempt, nowMs)
    this.#talker.tell(resend ? { t: 'ack', s, resend } : { t: 'ack', s })
  }

  /** Says that we are here; credits only what the client has room for. */
  beat(attempt: Attempt, nowMs: number): void {
    if (!this.#withheld) return this.ack(attempt, false, nowMs)
    attempt.lastAckMs = nowMs
    this.#talker.tell({ t: 'ack', s: attempt.next - 1 - attempt.unackedFrames })
  }

  /** Gives the credit that was held back, once there is room. */
  tick(attempt: Attempt, nowMs: number): void {
    if (this.#withheld && this.#hasRoom) this.ack(attempt, false, nowMs)
  }

  /** The client has taken nothing for a minute, though there is something to take. */
  stalled(nowMs: number): boolean {
    const { unsentBytes } = this.#delivery
    if (unsentBytes === 0 || unsentBytes !== this.#lastUnsentBytes) {
      this.#lastUnsentBytes = unsentBytes
      this.#lastUnsentMs = nowMs
    }
    return nowMs - this.#lastUnsentMs >= CLIENT_STALL_MS
  }

  get #hasRoom(): boolean {
    return this.#delivery.unsentBytes < MAX_UNSENT_BYTES && !this.#talker.overloaded
  }

  #credit(attempt: Attempt, nowMs: number): void {
    if (!wantsAck(attempt)) return
    if (this.#hasRoom) this.ack(attempt, false, nowMs)
    else this.#withheld = true
  }

  #hold(frame: Frame): FreewayError | undefined {
    this.#held.push(frame.payload)
    this.#heldBytes += frame.payload.length
    return this.#heldBytes > MAX_EVENT_BYTES ? new FreewayError('provider_error', 'one event of the provider is too long') : undefined
  }
}
