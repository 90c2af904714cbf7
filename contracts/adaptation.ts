// What a provider wants changed in a request that it refused: fields as in the request policy of the catalogue.

import { z } from 'zod'

export const adaptation = z.object({
  drop: z.array(z.string()).optional(),
  rename: z.record(z.string(), z.string()).optional(),
  map: z.record(z.string(), z.record(z.string(), z.string())).optional(),
  clamp: z.record(z.string(), z.number()).optional(),
  min: z.record(z.string(), z.number()).optional(),
  role_map: z.record(z.string(), z.string()).optional(),
  strip_message_fields: z.array(z.string()).optional(),
  schema_strip: z.array(z.string()).optional(),
  null_content: z.literal('empty_string').optional(),
  /** Ids of calls in the history are shortened to what it takes. */
  tool_call_ids: z.literal('nine_alphanumerics').optional(),
  /** Calls in the history that another model made are marked as such. */
  tool_call_signatures: z.literal('skip').optional(),
  /** What another model said gets a thought, so that this one takes it. */
  reasoning_content: z.literal('required').optional(),
})
export type Adaptation = z.infer<typeof adaptation>

/** Both; where they differ, the later one. */
export function bothAdaptations(one: Adaptation, later: Adaptation): Adaptation {
  const out: Record<string, unknown> = { ...one }
  for (const [field, value] of Object.entries(later)) {
    const before = out[field]
    if (Array.isArray(value)) out[field] = [...new Set([...((before as string[] | undefined) ?? []), ...value])]
    else out[field] = typeof value === 'object' ? { ...(before as object | undefined), ...value } : value
  }
  return out
}
