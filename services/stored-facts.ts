// Whether what an ingress told has been kept. A worker saw the end of the same attempt: as long as the ingress' word may still be
// lost with its process, the worker keeps its own, and asks.

import { z } from 'zod'
import type { Bus, Subscription } from '#contracts/bus.ts'
import { decode, encode } from '#contracts/message.ts'
import { asAnswerInbox, stored } from '#contracts/subjects.ts'
import type { Outbox } from './outbox.ts'

const TIMEOUT_MS = 1_000

/** Everything told longer ago than this is kept. */
const answer = z.object({ v: z.literal(1), age_ms: z.number().min(0) })

export function serveStored(bus: Bus, ingress: string, outbox: Pick<Outbox, 'storedBeforeMs'>): Subscription {
  return bus.subscribe(stored(ingress), ({ reply }) => {
    const to = asAnswerInbox(reply)
    if (to)
      bus.publish(to, encode({ v: 1, age_ms: Math.max(0, performance.now() - outbox.storedBeforeMs) } satisfies z.infer<typeof answer>))
  })
}

/**
 * Monotonic ms, of our own clock: everything that this ingress told before is kept.
 * Rejects with NoResponders if the ingress is gone, and as `request` does if it cannot be asked.
 */
export async function storedBefore(bus: Bus, ingress: string): Promise<number> {
  const askedMs = performance.now()
  const { data } = await bus.request(stored(ingress), new Uint8Array(), { timeoutMs: TIMEOUT_MS })
  const said = decode(answer, data)?.message
  return said ? askedMs - said.age_ms : Number.NEGATIVE_INFINITY
}
