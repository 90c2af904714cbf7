// POST /v1/completions: a request may have several prompts. Each is a request to a provider, and counts as one; together they are one answer.

import type { FreewayError } from '#contracts/failure.ts'
import { splitPrompts } from '#contracts/wire/completions.ts'
import { asFreewayError, type ExchangeOptions, exchange } from './exchange.ts'
import { addUsage, completions, newSheet, partOf, type Sheet, writeEnd, writeFailure } from './formats/completions.ts'
import { allowManyListeners, readBody } from './front.ts'
import { respond } from './respond.ts'

const ROUTE = '/v1/completions'
/** Fewer where the client may not have so many requests open. */
const OPEN_PROMPTS = 4

/** Rejects with FreewayError if the request is refused. */
export async function complete(request: Request, serving: ExchangeOptions): Promise<Response> {
  const body = await readBody(request)
  const { bodies, n, stream, usage } = splitPrompts(body)
  if (bodies.length === 1) return exchange(request, ROUTE, completions, serving, body)
  allowManyListeners(request)
  const sheet = newSheet()
  const ask: Ask = (at) => exchange(request, ROUTE, partOf(sheet, at * n), serving, bodies[at])
  return stream ? streamed(ask, bodies.length, sheet, usage) : whole(ask, bodies.length, sheet)
}

type Ask = (at: number) => Promise<Response>

/** An answer that is an error: the whole request's is the same. */
class Refused {
  readonly response: Response
  constructor(response: Response) {
    this.response = response
  }
}

async function whole(ask: Ask, count: number, sheet: Sheet): Promise<Response> {
  const choices: unknown[][] = []
  let headers: Record<string, string> = {}
  try {
    await each(count, async (at) => {
      const response = await ask(at)
      if (!response.ok) throw new Refused(response)
      if (at === 0) headers = Object.fromEntries(response.headers)
      const answer = (await response.json()) as { choices: unknown[]; usage?: unknown }
      choices[at] = answer.choices
      if (answer.usage) addUsage(sheet, answer.usage)
    })
  } catch (error) {
    if (error instanceof Refused) return error.response
    throw error
  }
  const { head, usage } = sheet
  const { 'content-length': _, ...rest } = headers
  return respond(200, rest, JSON.stringify({ ...head, object: 'text_completion', choices: choices.flat(), ...(usage && { usage }) }))
}

/** Resolves when the first of them has begun, or with its refusal; what comes is passed on as it comes. */
function streamed(ask: Ask, count: number, sheet: Sheet, tellUsage: boolean): Promise<Response> {
  const { promise, resolve, reject } = Promise.withResolvers<Response>()
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>()
  const client = writable.getWriter()
  let begun = false

  async function pass(at: number): Promise<void> {
    const response = await ask(at)
    if (!response.ok) throw new Refused(response)
    if (!begun) {
      begun = true
      resolve(respond(200, Object.fromEntries(response.headers), readable))
    }
    // Rejects once the client has left or another part has failed; leaving the loop calls this one off.
    for await (const bytes of response.body ?? []) await client.write(bytes)
  }

  async function end(last: Uint8Array): Promise<void> {
    await client.write(last)
    await client.close()
  }

  async function fail(error: unknown): Promise<void> {
    if (begun) return end(writeFailure(await failureOf(error)))
    if (error instanceof Refused) resolve(error.response)
    else reject(error)
  }

  each(count, pass)
    .then(() => end(writeEnd(sheet, tellUsage)), fail)
    .catch(() => {
      // The client has left: there is nobody to tell.
    })
  return promise
}

async function failureOf(error: unknown): Promise<FreewayError> {
  if (!(error instanceof Refused)) return asFreewayError(error)
  const { error: told } = (await error.response.json()) as { error: FreewayError }
  return told
}

/** Rejects with what the first of them rejects with; then none is begun any more. */
async function each(count: number, one: (at: number) => Promise<void>): Promise<void> {
  const waiting = Array.from({ length: count }, (_, at) => at)
  let open = 0
  let failed = false

  async function work(): Promise<void> {
    while (!failed) {
      const at = waiting.shift()
      if (at === undefined) return
      open++
      try {
        await one(at)
      } catch (error) {
        if (isTooManyAtOnce(error) && open > 1) return void waiting.unshift(at)
        failed = true
        throw error
      } finally {
        open--
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(OPEN_PROMPTS, count) }, work))
}

function isTooManyAtOnce(error: unknown): boolean {
  return (error as { type?: unknown }).type === 'concurrency_limit_error'
}
