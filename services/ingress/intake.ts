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

export interface Intake {
  /** Payload bytes of the current attempt that were handed on, and in how many parts. */
  readonly bytes: number
  readonly parts: number
  /** A new attempt begins: what the old one left unfinished is forgotten. */
  reset(): void
  /** The error if the answer is more than we carry. */
  take(attempt: Attempt, frame: Frame, nowMs: number): FreewayError | undefined
  ack(attempt: Attempt, resend: boolean, nowMs: number): void
  /** Says that we are here; credits only what the client has room for. */
  beat(attempt: Attempt, nowMs: number): void
  /** Gives the credit that was held back, once there is room. */
  tick(attempt: Attempt, nowMs: number): void
  /** The client has taken nothing for a minute, though there is something to take. */
  stalled(nowMs: number): boolean
}

/** `tell` sends a message to the worker of the current attempt. `overloaded`: all responses together hold too much. */
export function createIntake(delivery: Delivery, tell: (message: object) => void, overloaded: () => boolean): Intake {
  /** Frames of an event that is not complete yet. */
  let held: Uint8Array[] = []
  let heldBytes = 0
  let bytes = 0
  let parts = 0
  let withheld = false
  let lastUnsent = { bytes: 0, atMs: 0 }

  const hasRoom = () => delivery.unsentBytes < MAX_UNSENT_BYTES && !overloaded()

  function ack(attempt: Attempt, resend: boolean, nowMs: number): void {
    withheld = false
    const s = acknowledge(attempt, nowMs)
    tell(resend ? { t: 'ack', s, resend } : { t: 'ack', s })
  }

  function credit(attempt: Attempt, nowMs: number): void {
    if (!wantsAck(attempt)) return
    if (hasRoom()) ack(attempt, false, nowMs)
    else withheld = true
  }

  function hold(frame: Frame): FreewayError | undefined {
    held.push(frame.payload)
    heldBytes += frame.payload.length
    return heldBytes > MAX_EVENT_BYTES ? new FreewayError('provider_error', 'one event of the provider is too long') : undefined
  }

  return {
    get bytes() {
      return bytes
    },
    get parts() {
      return parts
    },
    reset() {
      held = []
      heldBytes = 0
      bytes = 0
      parts = 0
      withheld = false
    },
    take(attempt, frame, nowMs) {
      const verdict = onFrame(attempt, frame, nowMs)
      if (verdict === 'resend') ack(attempt, true, nowMs)
      if (verdict !== 'deliver') return undefined
      let { payload } = frame
      if (frame.continues || held.length > 0) {
        const tooLong = hold(frame)
        if (tooLong) return tooLong
        if (frame.continues) {
          credit(attempt, nowMs)
          return undefined
        }
        payload = concat(held)
        held = []
        heldBytes = 0
      }
      bytes += payload.length
      parts++
      if (!delivery.write(payload)) return new FreewayError('provider_error', 'the answer of the provider is too long')
      credit(attempt, nowMs)
      return undefined
    },
    ack,
    beat(attempt, nowMs) {
      if (!withheld) return ack(attempt, false, nowMs)
      attempt.lastAckMs = nowMs
      tell({ t: 'ack', s: attempt.next - 1 - attempt.unackedFrames })
    },
    tick(attempt, nowMs) {
      if (withheld && hasRoom()) ack(attempt, false, nowMs)
    },
    stalled(nowMs) {
      const { unsentBytes } = delivery
      if (unsentBytes === 0 || unsentBytes !== lastUnsent.bytes) lastUnsent = { bytes: unsentBytes, atMs: nowMs }
      return nowMs - lastUnsent.atMs >= CLIENT_STALL_MS
    },
  }
}
