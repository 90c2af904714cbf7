// Why a job went where it went, for the client or operator who asks.

import { z } from 'zod'

const place = { provider: z.string(), account: z.string().optional(), model: z.string() }

/** Candidates in their order with what they scored, and why each other one was passed over. */
export const explained = z.object({
  strategy: z.string(),
  intent: z.string().optional(),
  /** `parts`: each quality from 0 to 1, the weight of the provider, and what outweighs them. */
  candidates: z.array(z.object({ ...place, score: z.number(), parts: z.record(z.string(), z.number()).optional() })),
  /** Without a model: all of the provider. */
  passed_over: z.array(z.object({ ...place, model: z.string().optional(), why: z.string() })),
})
export type Explained = z.infer<typeof explained>
