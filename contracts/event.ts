// Facts that have happened, with ids that make repeats harmless.
// One message of the log carries many facts; the id of each is `<request>.<n>.<name>.<role>`, n = 0 for a whole request.

import { z } from 'zod'

export const roles = ['ingress', 'router', 'worker', 'telemetry'] as const
export type Role = (typeof roles)[number]

const fact = z.object({ id: z.string(), at: z.number() })

export const requestStarted = fact.extend({
  name: z.literal('req.start'),
  request: z.string(),
  model: z.string().nullable(),
  stream: z.boolean(),
  /** Who asked: the id of a client key, never the key. */
  client: z.string().optional(),
  /** The route's format: chat, messages, responses, ... */
  format: z.string().optional(),
  trace: z.string().optional(),
})
export const attemptGranted = fact.extend({
  name: z.literal('att.granted'),
  request: z.string(),
  n: z.int(),
  provider: z.string(),
  worker: z.string(),
})
export const attemptEnded = fact.extend({
  name: z.literal('att.end'),
  request: z.string(),
  n: z.int(),
  provider: z.string(),
  account: z.string().optional(),
  model: z.string(),
  /** ok, rejected(status), failed(phase), canceled(why), unknown */
  result: z.string(),
  sent: z.boolean(),
  in: z.int(),
  out: z.int(),
  ttfb_ms: z.number().nullable(),
  duration_ms: z.number(),
})
export const requestEnded = fact.extend({
  name: z.literal('req.end'),
  request: z.string(),
  outcome: z.string(),
  status: z.int(),
  provider: z.string().nullable(),
  model: z.string().nullable(),
  attempts: z.int(),
  in: z.int(),
  out: z.int(),
  duration_ms: z.number(),
  ttfb_ms: z.number().nullable().optional(),
  client: z.string().optional(),
  format: z.string().optional(),
  strategy: z.string().optional(),
  /** The model as the client named it. */
  asked: z.string().nullable().optional(),
  /** The error's type, if it did not end well. */
  error: z.string().optional(),
  stream: z.boolean().optional(),
  trace: z.string().optional(),
})
/** Facts that were lost because ring and spool were full; itself a fact, so that nothing vanishes uncounted. */
export const droppedFacts = fact.extend({ name: z.literal('drop.count'), instance: z.string(), dropped: z.int() })

export const event = z.discriminatedUnion('name', [requestStarted, attemptGranted, attemptEnded, requestEnded, droppedFacts])
export type Event = z.infer<typeof event>
export const eventBatch = z.object({ events: z.array(event) })

/**
 * Whether `value` is a fact, as `event` has it, at a twentieth of the cost: what the schemas say of each field is read from them once.
 * Unlike parsing it says nothing of what is wrong, and leaves fields alone that it does not know.
 */
export function isEvent(value: unknown): value is Event {
  if (typeof value !== 'object' || value === null) return false
  const fields = fieldsByName.get((value as { name?: unknown }).name)
  if (!fields) return false
  for (const { key, type, whole, nullable, optional } of fields) {
    const field = (value as Record<string, unknown>)[key]
    if (typeof field === type) {
      if (type === 'number' && !(whole ? Number.isSafeInteger(field) : Number.isFinite(field))) return false
    } else if (!((field === null && nullable) || (field === undefined && optional))) return false
  }
  return true
}

interface Field {
  key: string
  type: string
  whole: boolean
  nullable: boolean
  optional: boolean
}

const fieldsByName = new Map<unknown, Field[]>(
  event.options.map(({ shape }) => {
    const { name, ...rest } = shape
    return [name.value, Object.entries(rest).map(([key, schema]) => fieldOf(key, schema))]
  }),
)

function fieldOf(key: string, schema: z.ZodType): Field {
  const field: Field = { key, type: '', whole: false, nullable: false, optional: false }
  let inner: z.ZodType = schema
  while (inner instanceof z.ZodOptional || inner instanceof z.ZodNullable) {
    if (inner instanceof z.ZodOptional) field.optional = true
    else field.nullable = true
    inner = inner.unwrap() as z.ZodType
  }
  return { ...field, type: inner.type, whole: inner instanceof z.ZodNumberFormat }
}
