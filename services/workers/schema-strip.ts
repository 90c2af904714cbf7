// Pure. Keywords that a provider does not know are taken out of the JSON schemas of a request: those of its tools and of the answer it wants.

type Fields = Record<string, unknown>

/** What stands below these are names and their schemas: a property may be called `format`. */
const NAMED = new Set(['properties', 'patternProperties', '$defs', 'definitions', 'dependentSchemas'])
/** What stands below these are values, not schemas. */
const VALUES = new Set(['enum', 'const', 'default', 'examples', 'required'])

/** In place. `x-*` stands for every key that begins with `x-`. */
export function stripSchemas(fields: Fields, keywords: readonly string[]): void {
  const exact = new Set(keywords)
  const prefixes = keywords.filter((keyword) => keyword.endsWith('*')).map((keyword) => keyword.slice(0, -1))
  const goes = (key: string) => exact.has(key) || prefixes.some((prefix) => key.startsWith(prefix))

  function strip(schema: unknown): void {
    if (Array.isArray(schema)) for (const item of schema) strip(item)
    if (!isFields(schema)) return
    for (const [key, value] of Object.entries(schema)) {
      if (goes(key)) delete schema[key]
      else if (NAMED.has(key) && isFields(value)) for (const named of Object.values(value)) strip(named)
      else if (!VALUES.has(key)) strip(value)
    }
  }
  // Messages and Responses have no wrapper around a function.
  for (const tool of listOf(fields.tools))
    strip(isFields(tool.function) ? tool.function.parameters : (tool.parameters ?? tool.input_schema))
  for (const tool of listOf(fields.functions)) strip(tool.parameters)
  const format = fields.response_format
  if (isFields(format) && isFields(format.json_schema)) strip(format.json_schema.schema)
  const text = fields.text
  if (isFields(text) && isFields(text.format)) strip(text.format.schema)
}

function listOf(value: unknown): Fields[] {
  return Array.isArray(value) ? value.filter(isFields) : []
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
