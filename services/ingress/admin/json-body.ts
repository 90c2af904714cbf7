// What an admin sends: a JSON object, checked against a schema, and refused with the path of the field at fault.

import type { z } from 'zod'
import { FreewayError } from '#contracts/failure.ts'
import { InvalidJson, parseJson } from '#contracts/json.ts'
import { readBody } from '../front.ts'

/** Unknown fields are ignored. Rejects with FreewayError 400, and 413 over `maxBytes`. */
export async function jsonBody<T>(request: Request, schema: z.ZodType<T>, maxBytes?: number): Promise<T> {
  return checked(schema, jsonOf(await readBody(request, maxBytes)))
}

/** Throws FreewayError 400, whose `param` is the path of the first field at fault. */
export function checked<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const issue = result.error.issues[0] as z.core.$ZodIssue
  const param = pathOf(issue.code === 'unrecognized_keys' ? [...issue.path, ...issue.keys.slice(0, 1)] : issue.path)
  throw new FreewayError('invalid_request_error', param ? `${param}: ${issue.message}` : issue.message, { param: param || undefined })
}

function pathOf(path: readonly PropertyKey[]): string {
  return path
    .map((step) => (typeof step === 'number' ? `[${step}]` : `.${String(step)}`))
    .join('')
    .replace(/^\./, '')
}

function jsonOf(bytes: Uint8Array): unknown {
  try {
    return bytes.length === 0 ? {} : parseJson(bytes)
  } catch (error) {
    if (error instanceof InvalidJson) throw new FreewayError('invalid_request_error', error.message)
    throw error
  }
}
