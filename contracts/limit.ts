// What a limit is: so many units in a window, counted for a pool. Counting itself is in services/ledger and router/budget; here is only the shape.

import { z } from 'zod'

/** `concurrency` counts what is open now; every other unit counts what happened within a window. */
export const units = ['requests', 'tokens', 'concurrency', 'neurons', 'audio_seconds', 'images', 'credits'] as const
export const windows = ['second', 'minute', 'hour', '5h', 'day', 'week', 'month'] as const

export const limit = z.strictObject({
  unit: z.enum(units),
  max: z.number().min(0),
  /** Absent for `concurrency` alone. */
  per: z.enum(windows).optional(),
  /**
   * An IANA time zone whose calendar resets the count (`UTC`, `America/Los_Angeles`, `Asia/Shanghai`).
   * Absent: the window rolls.
   */
  clock: z.string().min(1).optional(),
})
export type Limit = z.infer<typeof limit>
export type Unit = Limit['unit']
export type Window = NonNullable<Limit['per']>

/** What a provider told about a limit of its own, on any answer. Times are durations, in ms. */
export const learnedLimit = z.object({
  unit: z.enum(units),
  per: z.enum(windows).optional(),
  max: z.number().min(0).optional(),
  remaining: z.number().min(0).optional(),
  reset_ms: z.number().min(0).optional(),
  /** Whose limit it is. */
  scope: z.enum(['model', 'account', 'provider']).optional(),
})
export type LearnedLimit = z.infer<typeof learnedLimit>
