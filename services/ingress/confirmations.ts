// Tells workers which of their attempts have arrived whole. A worker repeats an end only after half a second, so those that end about the same
// time are told together.

import type { Bus } from '#contracts/bus.ts'
import { Message } from '#contracts/message.ts'
import { controlOfAll, type Subject } from '#contracts/subjects.ts'

export class Confirmations {
  readonly #bus: Bus
  /** `<request>.<n>`, by where their worker listens. */
  readonly #of = new Map<Subject, string[]>()

  constructor(bus: Bus) {
    this.#bus = bus
  }

  /** `control`: of the attempt. */
  add(control: Subject, attempt: string): void {
    const all = controlOfAll(control)
    const of = this.#of.get(all)
    if (of) of.push(attempt)
    else this.#of.set(all, [attempt])
  }

  /** Called every few milliseconds. */
  tell(): void {
    if (this.#of.size === 0) return
    for (const [worker, of] of this.#of) this.#bus.publish(worker, new Message({ t: 'fins', of }))
    this.#of.clear()
  }
}
