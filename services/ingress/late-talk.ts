// What comes from a worker or a router that has not heard yet that its attempt is over: whoever talks of it is told so.

import type { Bus } from '#contracts/bus.ts'
import { Message } from '#contracts/message.ts'
import { asControl, asOfferReturn, inbox } from '#contracts/subjects.ts'

const CANCEL_AT_MOST_EVERY_MS = 500

export class LateTalk {
  readonly #bus: Bus
  readonly #ingress: string
  /** When a worker was last told that its request is over; only of those that did not know. */
  readonly #lastCancelMs = new Map<string, number>()

  constructor(bus: Bus, ingress: string) {
    this.#bus = bus
    this.#ingress = ingress
  }

  /** `kind`: of the message, or `chunk`; `reply`: where its sender listens. */
  answer(kind: string, reply: string | undefined, request: string, n: number, nowMs: number): void {
    const router = kind === 'waiting' ? asOfferReturn(reply, request, n) : undefined
    if (router) this.#bus.publish(router, new Message({ t: 'withdraw' }))
    const control = reply && asControl(reply, reply.split('.')[3] ?? '', request, n)
    if (!control) return
    const tell = (message: object) => this.#bus.publish(control, new Message(message), { reply: inbox(this.#ingress, request, n) })
    if (kind === 'accept') tell({ t: 'deny' })
    else if (kind === 'end' || kind === 'fail' || kind === 'whole') tell({ t: 'ack', s: -1, fin: true })
    else if (kind === 'head' || kind === 'hb' || kind === 'chunk') {
      if (nowMs - (this.#lastCancelMs.get(request) ?? Number.NEGATIVE_INFINITY) < CANCEL_AT_MOST_EVERY_MS) return
      // Set anew, so that the map stays in the order of time.
      this.#lastCancelMs.delete(request)
      this.#lastCancelMs.set(request, nowMs)
      tell({ t: 'cancel', why: 'superseded' })
    }
  }

  tick(nowMs: number): void {
    for (const [request, atMs] of this.#lastCancelMs) {
      if (nowMs - atMs < CANCEL_AT_MOST_EVERY_MS) break
      this.#lastCancelMs.delete(request)
    }
  }
}
