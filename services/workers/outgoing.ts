// What goes to the owner of an attempt and must arrive: its head, numbered frames, its end. Kept until acknowledged, sent again on demand.
// The window is the only back-pressure there is: the bus itself never says stop.

import type { End, Fail, Head, Offer } from '#contracts/attempt.ts'
import type { Bus } from '#contracts/bus.ts'
import { MAX_FRAME_PAYLOAD_BYTES, writeFrame } from '#contracts/frame.ts'
import { Message } from '#contracts/message.ts'
import type { Subject } from '#contracts/subjects.ts'
import type { CallTimes } from './call-times.ts'
import { shares } from './call-times.ts'
import type { AnswerEnd } from './sink.ts'

const RESEND_AT_MOST_EVERY_MS = 100

/** Where the owner of the attempt listens, and where it answers. */
export interface Owner {
  bus: Pick<Bus, 'publish'>
  inbox: Subject
  control: Subject
}

export class Outgoing {
  /** Unacknowledged frames, oldest first. */
  #ring: Uint8Array[] = []
  #firstSeq = 0
  #unackedBytes = 0
  /** So many of the ring are on their way; what is behind them waits for room at the owner. */
  #flying = 0
  #flyingBytes = 0
  /** As the owner has granted. */
  windowBytes = Number.POSITIVE_INFINITY
  #lastResendMs = Number.NEGATIVE_INFINITY
  #head: Message | undefined
  #final: Message | undefined
  #finalSaid = false
  readonly #to: Owner
  readonly #options: { reply: Subject }

  constructor(to: Owner) {
    this.#to = to
    this.#options = { reply: to.control }
  }

  /** Number of frames so far; the sequence number of the next one. */
  get count(): number {
    return this.#firstSeq + this.#ring.length
  }

  /** Of these, how many are or were on their way. */
  get sent(): number {
    return this.#firstSeq + this.#flying
  }

  /** Something is kept back until the owner has room for it. */
  get waits(): boolean {
    return this.#flying < this.#ring.length
  }

  /** No more may be unacknowledged: time to stop reading. */
  get full(): boolean {
    return this.#unackedBytes >= this.windowBytes
  }

  /** Something that needs not arrive. */
  tell(message: object): void {
    this.#publish(new Message(message))
  }

  head(message: object): void {
    this.#head = new Message(message)
    this.#publish(this.#head)
  }

  final(message: object, body?: Uint8Array): void {
    this.#final = new Message(message, body)
    this.#advance()
  }

  /** The end once more; false if there is none yet, or not all before it has been sent. */
  repeatFinal(): boolean {
    if (!this.#final || this.waits) return false
    this.#finalSaid = true
    this.#publish(this.#final)
    return true
  }

  /** With `whole`, the payload is one unit into which nothing may be put: all its frames but the last say so. */
  send(payload: Uint8Array, whole: boolean): void {
    for (let at = 0; at < payload.length; at += MAX_FRAME_PAYLOAD_BYTES) {
      const end = at + MAX_FRAME_PAYLOAD_BYTES
      const frame = writeFrame(this.count, payload.subarray(at, end), whole && end < payload.length)
      this.#ring.push(frame)
      this.#unackedBytes += frame.length
    }
    this.#advance()
  }

  /** All frames up to `seq` have arrived. */
  ack(seq: number): void {
    while (this.#firstSeq <= seq && this.#flying > 0) {
      const { length } = this.#ring.shift() as Uint8Array
      this.#unackedBytes -= length
      this.#flyingBytes -= length
      this.#flying--
      this.#firstSeq++
    }
    this.#advance()
  }

  /** Everything on its way that is not acknowledged, at most so often. */
  resend(nowMs: number): void {
    if (nowMs - this.#lastResendMs < RESEND_AT_MOST_EVERY_MS) return
    this.#lastResendMs = nowMs
    if (this.#head) this.#publish(this.#head)
    for (let i = 0; i < this.#flying; i++) this.#publish(this.#ring[i] as Uint8Array)
    this.repeatFinal()
  }

  /** As much as the window takes, an answer of many megabytes no faster than its owner; behind all of it the end. */
  #advance(): void {
    while (this.waits && this.#flyingBytes < this.windowBytes) {
      const frame = this.#ring[this.#flying++] as Uint8Array
      this.#flyingBytes += frame.length
      this.#publish(frame)
    }
    if (!this.#finalSaid) this.repeatFinal()
  }

  #publish(what: Uint8Array | Message): void {
    this.#to.bus.publish(this.#to.inbox, what, this.#options)
  }
}

/** The answer has begun: what it is, who gives it, and where the time went. */
export function headOf(offer: Offer, framing: Head['framing'], type: string, upstreamId: string | undefined, times: CallTimes): Head {
  const { prov: provider, model } = offer
  return { t: 'head', status: 200, framing, type, provider, model, upstream_id: upstreamId, ...shares(times) }
}

/** The answer is complete, after `seq` frames. */
export function endOf({ finish, usage, usageSource, upstreamId, flags, learned }: AnswerEnd, seq: number): End & { t: 'end' } {
  return { t: 'end', seq, finish, usage, usage_source: usageSource, upstream_id: upstreamId, flags, ...(learned && { learned }) }
}

/** The answer to a grant that comes too late: the offer was given up, or the attempt has ended. */
export function tooLate(phase: 'expired' | 'gone'): Fail & { t: 'fail' } {
  return { t: 'fail', seq: 0, phase, status: 0, code: phase, sent: phase === 'gone', key_fault: false, detail: `attempt ${phase}` }
}
