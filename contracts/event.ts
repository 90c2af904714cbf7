// Facts that have happened, with ids that make repeats harmless.
// One message of the log carries many facts; the id of each is `<request>.<n>.<name>.<role>`, n = 0 for a whole request.

import { z } from 'zod'

export const roles = ['ingress', 'router', 'worker', 'telemetry'] as const
export type Role = (typeof roles)[number]

const fact = z.object({ id: z.string(), at: z.number() })

/** Told of a request that does not end at once: the end of all others says everything. */
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
  /** The attempt that runs when this is told, as `att.granted` would have told it. */
  granted: z.object({ n: z.int(), provider: z.string(), worker: z.string(), at: z.number() }).optional(),
})
/** Granted after the start was told. */
export const attemptGranted = fact.extend({
  name: z.literal('att.granted'),
  request: z.string(),
  n: z.int(),
  provider: z.string(),
  worker: z.string(),
})
/** What an attempt came to. */
const attemptEnding = z.object({
  /** ok, rejected(status), failed(phase), canceled(why), unknown */
  result: z.string(),
  sent: z.boolean(),
  in: z.int(),
  out: z.int(),
  ttfb_ms: z.number().nullable(),
  duration_ms: z.number(),
})
/** By the ingress where the request goes on without it, by the worker where the ingress may not be there to tell. */
export const attemptEnded = fact.extend({
  name: z.literal('att.end'),
  request: z.string(),
  n: z.int(),
  provider: z.string(),
  account: z.string().optional(),
  model: z.string(),
  ...attemptEnding.shape,
})
/** How a request ended, for whoever is told. */
export const ending = z.object({
  outcome: z.string(),
  status: z.int(),
  provider: z.string().nullable(),
  model: z.string().nullable(),
  attempts: z.int(),
  in: z.int(),
  out: z.int(),
  duration_ms: z.number(),
})
export const requestEnded = fact.extend({
  name: z.literal('req.end'),
  request: z.string(),
  ...ending.shape,
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
  /** Of a request that is traced, for whoever stores this to link to it. */
  traceparent: z.string().optional(),
  /** The attempt that ended at the same moment, as the ingress' `att.end` would have told it: of the request's provider and model. */
  last: z
    .object({
      n: z.int(),
      worker: z.string(),
      account: z.string(),
      granted_at: z.number(),
      ...attemptEnding.shape,
    })
    .optional(),
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
  return fields !== undefined && holds(value as Record<string, unknown>, fields)
}

interface Field {
  key: string
  type: string
  whole: boolean
  nullable: boolean
  optional: boolean
  /** Of an object. */
  fields: Field[]
}

const fieldsByName = new Map<unknown, Field[]>(
  event.options.map(({ shape }) => {
    const { name, ...rest } = shape
    return [name.value, fieldsOf(rest)]
  }),
)

function holds(value: Record<string, unknown>, fields: readonly Field[]): boolean {
  for (let i = 0; i < fields.length; i++) {
    const rule = fields[i] as Field
    const field = value[rule.key]
    if (field === undefined || field === null) {
      if (field === null ? rule.nullable : rule.optional) continue
      return false
    }
    const { type } = rule
    if (typeof field !== type) return false
    if (type === 'number' && !(rule.whole ? Number.isSafeInteger(field) : Number.isFinite(field))) return false
    if (type === 'object' && (Array.isArray(field) || !holds(field as Record<string, unknown>, rule.fields))) return false
  }
  return true
}

function fieldsOf(shape: Record<string, z.ZodType>): Field[] {
  return Object.entries(shape).map(([key, schema]) => {
    let inner: z.ZodType = schema
    let nullable = false
    let optional = false
    while (inner instanceof z.ZodOptional || inner instanceof z.ZodNullable) {
      if (inner instanceof z.ZodOptional) optional = true
      else nullable = true
      inner = inner.unwrap() as z.ZodType
    }
    const fields = inner instanceof z.ZodObject ? fieldsOf(inner.shape as Record<string, z.ZodType>) : []
    return { key, type: inner.type, whole: inner instanceof z.ZodNumberFormat, nullable, optional, fields }
  })
}
