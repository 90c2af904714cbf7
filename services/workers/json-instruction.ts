// Pure. For providers that do not know a format of answers: what was asked for is said in words instead.

type Fields = Record<string, unknown>

/** In place. `json_object_only`: a schema becomes an instruction beside `json_object`. `none`: so does everything. */
export function asInstruction(fields: Fields, format: 'json_object_only' | 'none'): void {
  const wanted = fields.response_format as { type?: unknown; json_schema?: { schema?: unknown } } | undefined
  const type = wanted?.type
  if (type !== 'json_schema' && type !== 'json_object') return
  if (format === 'none') delete fields.response_format
  else fields.response_format = { type: 'json_object' }
  if (type === 'json_object' && format === 'json_object_only') return
  const schema = wanted?.json_schema?.schema
  const shape = schema === undefined ? '' : ` that matches this JSON schema: ${JSON.stringify(schema)}`
  instruct(fields, `Answer with one JSON object${shape}. Write nothing but the JSON.`)
}

/** Into the first system message, for some providers take only one. */
function instruct(fields: Fields, text: string): void {
  const messages = Array.isArray(fields.messages) ? (fields.messages as Fields[]) : []
  const [first] = messages
  const isSystem = first?.role === 'system' || first?.role === 'developer'
  if (isSystem && typeof first.content === 'string') first.content = `${first.content}\n\n${text}`
  else if (isSystem && Array.isArray(first.content)) first.content = [...first.content, { type: 'text', text }]
  else fields.messages = [{ role: 'system', content: text }, ...messages]
}
