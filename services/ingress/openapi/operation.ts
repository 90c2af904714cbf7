// What is told of a route beyond the table of paths: what it takes and gives. The table itself says who may call it.

import type { z } from 'zod'
import type { Route } from '../routes.ts'

export const tags = {
  Chat: 'The formats in which clients talk to models. One key and one model name work in all of them.',
  Responses: "OpenAI's Responses: kept for a day where `store` is not false, in the background where `background` is true.",
  Media: 'Embeddings, pictures and sound.',
  Models: 'Which names may be sent as `model`.',
  'FreeLLMAPI compatibility': 'Routes of FreeLLMAPI as its clients know them, with their own errors.',
  Providers: 'Providers, their keys and their limits, changed while freeway runs.',
  Strategies: 'How a provider is chosen.',
  'Clients and access': 'Keys, members, bans, tiers, rules, and who changed them.',
  Analytics: 'What was asked and what came of it. No text of a request is kept.',
  Community: 'Sign-up and check-in for gateways that a community shares.',
  Health: 'For people and probes.',
  Other: 'Not described yet.',
} as const
export type Tag = keyof typeof tags

export interface Parameter {
  schema: z.ZodType
  about: string
  required?: true
}

/** What one media type holds. `example` is checked against `schema`; of an event stream the schema is that of the data of one event. */
export interface Content {
  schema?: z.ZodType
  example?: unknown
}

export interface Answer {
  about: string
  /** By media type; none for an answer without a body. */
  content: Record<string, Content>
}

export interface Operation {
  method: Route['method']
  /** As a reader writes it: `/v1/responses/{id}/cancel`. The route that serves it may end in `*`. */
  path: string
  /** Unique; client generators name their functions by it. */
  id: string
  tag: Tag
  summary: string
  description?: string
  /** Of the path, by name. */
  params?: Record<string, string>
  query?: Record<string, Parameter>
  body?: { about?: string; required?: false; content: Record<string, Content> }
  answers: Record<number, Answer>
  /** Statuses of refusals beyond those that its kind of route has anyway. */
  errors?: number[]
  /** It calls a provider: all that can befall such a call may come back. */
  inference?: true
}

export const JSON_TYPE = 'application/json'
export const EVENTS_TYPE = 'text/event-stream'

export function json(schema: z.ZodType, example?: unknown): Record<string, Content> {
  return { [JSON_TYPE]: { schema, ...(example !== undefined && { example }) } }
}

export function gives(about: string, schema: z.ZodType, example?: unknown): Record<number, Answer> {
  return { 200: { about, content: json(schema, example) } }
}
