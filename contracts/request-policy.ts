// A provider's habits: what has to be changed in a request so that it is valid there. Data of the catalogue; workers apply it.

import { z } from 'zod'
import { adaptation } from './adaptation.ts'

export const fieldMap = z.record(z.string(), z.string())

/** What has to be changed in a request so that this provider takes it. Applied in the order of the fields. */
export const requestPolicy = z.strictObject({
  /** Top-level fields that go. */
  drop: z.array(z.string()).default([]),
  rename: fieldMap.default({}),
  /** Field → its value → another value. */
  map: z.record(z.string(), fieldMap).default({}),
  /** Set if absent. */
  default: z.record(z.string(), z.unknown()).default({}),
  /** Set whatever the client said. */
  force: z.record(z.string(), z.unknown()).default({}),
  /** Upper bounds of numbers. */
  clamp: z.record(z.string(), z.number()).default({}),
  /** Lower bounds of numbers. */
  min: z.record(z.string(), z.number()).default({}),
  role_map: fieldMap.default({}),
  strip_message_fields: z.array(z.string()).default([]),
  /** Keywords taken out of JSON schemas; `x-*` stands for every key that begins so. */
  schema_strip: z.array(z.string()).default([]),
  null_content: z.enum(['keep', 'empty_string']).default('keep'),
  response_format: z.enum(['any', 'json_object_only', 'none']).default('any'),
  /** `inline_only`: pictures as data URLs, none by address. */
  images: z.enum(['any', 'inline_only']).default('any'),
  /** What it wants of calls in the history, which another provider's model may have made. */
  tool_call_ids: adaptation.shape.tool_call_ids,
  tool_call_signatures: adaptation.shape.tool_call_signatures,
  /** `assistant`: what a tool has said must be answered before the user says more. */
  after_tool: z.enum(['any', 'assistant']).default('any'),
  /** Sent with every call. `{public_url}` and `{app_name}` are filled in. */
  headers: fieldMap.default({}),
})
export type RequestPolicy = z.infer<typeof requestPolicy>
