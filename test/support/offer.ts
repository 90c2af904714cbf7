// A chat as a worker is offered it, of which only what matters has to be said.

import type { Offer } from '#contracts/attempt.ts'

/** Streamed, and its usage wanted, unless it says otherwise. No more than what the reading of an answer needs. */
export const offerOf = (change: Partial<Offer>) =>
  ({ id: 'r1', n: 1, stream: true, include_usage: true, est: { in: 5, out: 10 }, ...change }) as Offer
