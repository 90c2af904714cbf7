// How refusals look, from the table of failures and the envelopes that write them.

import { z } from 'zod'
import { type FailureType, FreewayError, failures } from '#contracts/failure.ts'
import { type Envelope, envelopeOf, messagesEnvelope, openaiEnvelope, phpEnvelope } from '#contracts/wire/envelope.ts'
import type { Route } from '../routes.ts'
import { JSON_TYPE, type Operation } from './operation.ts'
import { given, type JsonSchema, reference } from './schemas.ts'

interface Family {
  name: string
  schema: z.ZodType
}

const types = Object.keys(failures).filter((type) => type !== 'client_canceled') as [FailureType, ...FailureType[]]
const code = z.string().describe('The word of `type`, or a more exact one such as `model_not_found`.')

const families = new Map<Envelope, Family>([
  [
    openaiEnvelope,
    {
      name: 'Error',
      schema: given(
        'Error',
        z.object({
          error: z.object({
            message: z.string(),
            type: z.enum(types),
            code,
            param: z.string().nullable().describe('The field at fault, e.g. `messages[0].role`.'),
          }),
        }),
      ),
    },
  ],
  [
    messagesEnvelope,
    {
      name: 'MessagesError',
      schema: given(
        'MessagesError',
        z.object({
          type: z.literal('error'),
          error: z.object({ type: z.string().describe("Anthropic's word for the status."), message: z.string(), code }),
          request_id: z.string(),
        }),
      ),
    },
  ],
  [
    phpEnvelope,
    {
      name: 'PhpError',
      schema: given(
        'PhpError',
        z.object({
          error: z.string(),
          code: z.int().describe('The HTTP status once more.'),
          retry_after: z.int().optional().describe('Seconds, where they are known.'),
        }),
      ),
    },
  ],
])

const samples: Record<number, { about: string; error: FreewayError }> = {
  400: { about: 'The request cannot be served as it is.', error: refusal('invalid_request_error', 'temperature: expected a number') },
  401: { about: 'The key is missing or wrong.', error: refusal('invalid_api_key', 'missing or invalid API key') },
  403: { about: 'The key may not do this.', error: refusal('model_access_denied', 'this model is reserved to another tier') },
  404: { about: 'There is nothing under this name.', error: refusal('invalid_request_error', 'there is no such entry', 404) },
  409: { about: 'It is there already, or cannot be changed here.', error: refusal('invalid_request_error', 'it exists already', 409) },
  413: { about: 'The body is too large.', error: refusal('invalid_request_error', 'the request body is larger than 32 MB', 413) },
  415: { about: 'The body is compressed, or of a type that is not taken.', error: refusal('invalid_request_error', 'not accepted', 415) },
  422: { about: 'The definition makes no sense.', error: refusal('invalid_request_error', 'require[0].op: expected contains', 422) },
  429: {
    about: 'A limit is reached. `Retry-After` says for how long.',
    error: refusal('rate_limit_error', 'too many requests', 429, 12_000),
  },
  500: { about: 'A fault in the gateway.', error: refusal('server_error', 'internal error of the gateway') },
  502: {
    about: 'Every provider that was tried failed.',
    error: refusal('provider_error', 'the provider failed. Error id: groq-ZWQ1t0Yb3xKp'),
  },
  503: {
    about: 'Nobody can serve this now. `Retry-After` says when to ask again.',
    error: refusal('provider_unavailable', 'no provider is available at the moment', 503, 30_000),
  },
  504: { about: 'The provider took too long.', error: refusal('provider_timeout', 'the provider did not answer in time') },
}

function refusal(type: FailureType, message: string, status: number = failures[type].status, retryAfterMs?: number): FreewayError {
  return new FreewayError(type, message, { status, retryAfterMs })
}

const ofProviders = [400, 401, 403, 413, 415, 429, 500, 502, 503, 504]

/** The statuses by which an operation may refuse, in order. */
export function refusals({ inference, body, query, errors = [] }: Operation, access: Route['access']): number[] {
  const all = new Set([...errors, 500])
  if (inference) for (const status of ofProviders) all.add(status)
  if (body || query) all.add(400)
  if (body) for (const status of [413, 415]) all.add(status)
  if (access !== 'public') for (const status of [401, 429]) all.add(status)
  if (access === 'key') all.add(403)
  if (access === 'admin' || access === 'stats') all.add(503)
  return [...all].sort((a, b) => a - b)
}

/** Name of the answer below `components.responses`. Throws for a status of which nothing is known. */
export function refusalName(path: string, status: number): string {
  if (!samples[status]) throw new Error(`${path}: refusals with status ${status} are not described`)
  return `${familyOf(envelopeOf(path)).name}${status}`
}

/** Every refusal in every family, by name. */
export function refusalResponses(): Record<string, JsonSchema> {
  const all = [...families.keys()].flatMap((envelope) =>
    Object.keys(samples).map((status): [string, JsonSchema] => [`${familyOf(envelope).name}${status}`, describe(envelope, Number(status))]),
  )
  return Object.fromEntries(all)
}

function describe(envelope: Envelope, status: number): JsonSchema {
  const { about, error } = samples[status] as (typeof samples)[number]
  const { name, schema } = familyOf(envelope)
  const words = types.filter((type) => failures[type].status === status)
  const waits = error.retryAfterMs !== undefined
  return {
    description: words.length === 0 ? about : `${about} Types: ${words.map((word) => `\`${word}\``).join(', ')}.`,
    headers: {
      'x-request-id': { $ref: '#/components/headers/RequestId' },
      ...(waits && { 'retry-after': { $ref: '#/components/headers/RetryAfter' } }),
    },
    content: { [JSON_TYPE]: { schema: reference('output', schema, name), example: envelope(error, 'ZWQ1t0Yb3xKpVb0yJm2cXg').body } },
  }
}

function familyOf(envelope: Envelope): Family {
  return families.get(envelope) as Family
}
