// The request of FreeLLMAPI's `POST /api/chat.php`: chat completions with other defaults, and a model by number. Pure.

import { utf8 } from '../bytes.ts'
import { FreewayError } from '../failure.ts'
import type { Job } from '../job.ts'
import { parseBody, readRequest as readChat } from './chat-completions/request.ts'

/** As FreeLLMAPI documents them. */
const DEFAULTS = { stream: true, temperature: 0.7, max_tokens: 1024 }

/**
 * `nameOf` gives the model of a number, as `provider/model`. A `model_id` may also be a name, or null for whichever is best.
 * Throws FreewayError `invalid_request_error`.
 */
export function readRequest(bytes: Uint8Array, nameOf: (id: number) => string | undefined): Job {
  const { fields } = parseBody(bytes)
  const { model_id: id, model, stream_options: _, ...rest } = fields
  const name = typeof id === 'number' ? nameOf(id) : (id ?? model)
  if (typeof id === 'number' && name === undefined) {
    throw new FreewayError('invalid_request_error', 'model_id: no model has this number', { code: 'model_not_found', param: 'model_id' })
  }
  const given = Object.entries(rest).filter(([, value]) => value !== null)
  const { max_tokens, ...defaults } = DEFAULTS
  const limit = typeof rest.max_completion_tokens === 'number' ? {} : { max_tokens }
  return readChat(
    utf8(
      JSON.stringify({ ...defaults, ...limit, ...Object.fromEntries(given), ...(name !== undefined && name !== null && { model: name }) }),
    ),
  )
}
