// What all requests other than chats have in common: how the model is chosen, and how they become a job. Pure.

import { z } from 'zod'
import { FreewayError } from '../failure.ts'
import type { Estimate, Job, JobKind } from '../job.ts'
import { type MediaFile, writeMediaBody } from '../media.ts'
import { asInvalid } from './chat-completions/request.ts'

const name = z
  .string()
  .max(200)
  .refine((text) => !/\p{Cc}/u.test(text), 'control characters')

/** In a form everything is text. */
const yesOrNo = z.union([z.boolean(), z.enum(['true', 'false']).transform((text) => text === 'true')])

const choice = z.looseObject({
  model: name.nullish(),
  strategy: name.nullish(),
  preferred_provider: name.nullish(),
  fallback: yesOrNo.nullish(),
})

export interface MediaJob {
  kind: JobKind
  /** The answer comes as bytes, as soon as there are any. */
  stream: boolean
  /** As the client sent them; those that are for freeway alone are left out. */
  fields: Record<string, unknown>
  files?: readonly MediaFile[]
  estimate: Estimate
  /** Capabilities beside that of its kind. */
  also?: string[]
}

/** Throws FreewayError `invalid_request_error`. */
export function mediaJob({ kind, stream, fields, files = [], estimate, also }: MediaJob): Job {
  const { model, strategy, preferred_provider, fallback, ...rest } = checked(choice, fields)
  return {
    kind,
    stream,
    includeUsage: false,
    model: model || undefined,
    strategy: strategy || undefined,
    preferred: preferred_provider || undefined,
    fallback: fallback ?? true,
    need: { tools: false, vision: false, json: false, ctx: estimate.in + estimate.out, ...(also && { also }) },
    estimate,
    body: writeMediaBody({ fields: rest, files: [...files] }),
  }
}

/** Throws FreewayError `invalid_request_error`, which names the field at fault and never quotes its value. */
export function checked<T>(schema: z.ZodType<T>, fields: Record<string, unknown>): T {
  const parsed = schema.safeParse(fields)
  if (!parsed.success) throw asInvalid(parsed.error.issues)
  return parsed.data
}

/** What OpenAI calls a missing field. */
export function missing(param: string): FreewayError {
  return new FreewayError('invalid_request_error', `missing ${param}`, { param })
}

const BYTES_PER_TOKEN = 4

export function tokensOf(text: string): number {
  return Math.ceil(text.length / BYTES_PER_TOKEN)
}
