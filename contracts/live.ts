// What happens now, for whoever watches: a lossy feed among the ingresses, which nothing relies on. What counts are the facts in event.ts.

import { z } from 'zod'
import { ending } from './event.ts'

const happening = z.object({
  /** Ms since 1970. */
  at: z.number(),
})
const ofRequest = happening.extend({ request: z.string(), client: z.string().optional() })

export const liveEvent = z.discriminatedUnion('event', [
  ofRequest.extend({ event: z.literal('request_started'), format: z.string(), asked: z.string().nullable(), stream: z.boolean() }),
  /** It waits for a window of quota to open. */
  ofRequest.extend({ event: z.literal('request_waiting') }),
  ofRequest.extend({
    event: z.literal('attempt_failed'),
    n: z.int(),
    provider: z.string(),
    model: z.string(),
    /** As in `att.end`: rejected(status), failed(phase), unknown(why). */
    result: z.string(),
  }),
  ofRequest.extend({
    event: z.literal('request_ended'),
    ...ending.shape,
    ttfb_ms: z.number().nullable(),
    error: z.string().optional(),
  }),
  /** Of a provider, one of its keys, or one of its models; `reason` as its status tells it. */
  happening.extend({
    event: z.literal('provider_resting'),
    provider: z.string(),
    account: z.string().optional(),
    model: z.string().optional(),
    reason: z.string(),
    ends_in_ms: z.number(),
  }),
  happening.extend({
    event: z.literal('provider_back'),
    provider: z.string(),
    account: z.string().optional(),
    model: z.string().optional(),
  }),
  /** So many events were left out here: there were too many, or the reader was too slow. */
  happening.extend({ event: z.literal('skipped'), count: z.int() }),
])
export type LiveEvent = z.infer<typeof liveEvent>
export const liveBatch = z.object({ v: z.literal(1), events: z.array(liveEvent) })
