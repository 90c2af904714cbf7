// Why a job went where it went, for the client or operator who asks.

import { z } from 'zod'

/** Candidates in their order with what they scored, and why each other one was passed over. */
export const explained = z.object({
  strategy: z.string(),
  intent: z.string().optional(),
  candidates: z.array(
    z.object({ provider: z.string(), model: z.string(), score: z.number(), parts: z.record(z.string(), z.number()).optional() }),
  ),
  passed_over: z.array(z.object({ provider: z.string(), model: z.string().optional(), why: z.string() })),
})
export type Explained = z.infer<typeof explained>
