// How a worker is asked to try out the keys of a provider, and what came of it. No key travels here, and no text of the provider's.

import { z } from 'zod'
import { refusalCodes } from './settlement.ts'

export const trialQuestion = z.object({
  provider: z.string(),
  /** Of the stored changes: the worker has to know the key that was stored last. */
  version: z.int().min(0),
})
export type TrialQuestion = z.infer<typeof trialQuestion>

export const keyVerdict = z.object({
  account: z.string(),
  ok: z.boolean(),
  /** `ok`, what the refusal means, or why it was not tried. */
  code: z.enum(['ok', 'sealed', 'no_key', ...refusalCodes]),
  /** HTTP status of the provider; 0 if it did not answer. */
  status: z.int(),
  /** In our words. */
  message: z.string(),
  latency_ms: z.int().min(0),
})
export type KeyVerdict = z.infer<typeof keyVerdict>

/** On the wire. A refusal's words are public. */
export type TrialReply = { keys: KeyVerdict[] } | { refused: string }
