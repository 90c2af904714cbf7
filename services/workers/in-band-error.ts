// Pure. Errors that come inside an answer with status 200, in all the places where providers put them.

/** `status` is the HTTP status that the error stands for; 502 where it says none. The texts are the provider's, not redacted. */
export interface InBandError {
  status: number
  message: string
  code?: string
  type?: string
}

type Fields = Record<string, unknown>

/** Undefined for an answer or stream event that is no error. `named`: the event itself was called `error`. */
export function readInBandError(fields: Fields, named = false): InBandError | undefined {
  const { error } = fields
  if (typeof error === 'string' && error !== '') return describe({ message: error, ...pick(fields, 'code', 'status') })
  if (isFields(error) && Object.keys(error).length > 0) return describe(error)
  if (named) return describe(fields)
  if (Array.isArray(fields.choices)) return undefined
  // Cerebras, Mistral and Cohere put an error at the top; FastAPI servers say `detail`; Cloudflare has a list.
  if (Array.isArray(fields.errors) && isFields(fields.errors[0])) return describe(fields.errors[0])
  if (typeof fields.detail === 'string') return describe({ ...fields, message: fields.detail })
  if (typeof fields.message === 'string' && (fields.object === 'error' || 'code' in fields || 'type' in fields)) return describe(fields)
  return undefined
}

/** A finish reason that tells of a breakdown. */
export function errorOfFinish(reason: unknown): InBandError {
  const code = String(reason)
  return { status: /resource|overload/.test(code) ? 503 : 502, message: `the provider ended its answer with "${code.slice(0, 60)}"`, code }
}

function describe(error: Fields): InBandError {
  const message = typeof error.message === 'string' ? error.message : 'the provider reported an error'
  const code = typeof error.code === 'string' || typeof error.code === 'number' ? String(error.code) : undefined
  const type = typeof error.type === 'string' ? error.type : undefined
  const status =
    readStatus(error.status_code) ?? readStatus(error.code) ?? readStatus(error.status) ?? statusByWords(`${type} ${code} ${message}`)
  return { status, message, ...(code !== undefined && { code }), ...(type !== undefined && { type }) }
}

function readStatus(value: unknown): number | undefined {
  const status = typeof value === 'string' ? Number(value) : value
  return typeof status === 'number' && Number.isInteger(status) && status >= 400 && status <= 599 ? status : undefined
}

function statusByWords(text: string): number {
  if (/rate.?limit|too.many|quota/i.test(text)) return 429
  if (/overload|unavailable|capacity/i.test(text)) return 503
  return 502
}

function pick(fields: Fields, ...names: string[]): Fields {
  return Object.fromEntries(names.filter((name) => name in fields).map((name) => [name, fields[name]]))
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
