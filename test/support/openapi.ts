// What an OpenAPI 3.1 document has to be, as far as it can be checked without the specification's own schema, and what answers have
// to be to be those that it describes. Source: https://spec.openapis.org/oas/v3.1.1.html.

import { z } from 'zod'

export type Json = { [key: string]: unknown }

export interface Described {
  method: string
  path: string
  operation: z.infer<typeof operation>
}

const reference = z.strictObject({ $ref: z.string() })
const schema = z.looseObject({})
const header = z.strictObject({ description: z.string().min(1), schema })
const content = z.record(
  z.string().regex(/^[a-z]+\/[a-z0-9.+-]+$/),
  z.strictObject({ schema: schema.optional(), example: z.unknown().optional() }),
)
const response = z.strictObject({
  description: z.string().min(1),
  headers: z.record(z.string(), z.union([reference, header])).optional(),
  content: content.optional(),
})
const parameter = z.strictObject({
  name: z.string(),
  in: z.enum(['query', 'path', 'header']),
  required: z.boolean().optional(),
  description: z.string().min(1),
  schema,
})
const operation = z.strictObject({
  operationId: z.string().regex(/^[a-z][A-Za-z]+$/),
  tags: z.array(z.string()).length(1),
  summary: z.string().min(3),
  description: z.string().optional(),
  security: z.array(z.record(z.string(), z.array(z.string()))),
  parameters: z.array(z.union([reference, parameter])).optional(),
  requestBody: z.strictObject({ description: z.string().optional(), required: z.boolean(), content }).optional(),
  responses: z.record(z.string().regex(/^[2-5]\d\d$/), z.union([reference, response])),
})
const pathItem = z.partialRecord(z.enum(['get', 'put', 'post', 'delete', 'patch']), operation)
const securityScheme = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('http'), scheme: z.literal('bearer'), description: z.string() }),
  z.strictObject({ type: z.literal('apiKey'), in: z.literal('header'), name: z.string(), description: z.string() }),
])
export const openApi = z.strictObject({
  openapi: z.string().regex(/^3\.1\.\d+$/),
  info: z.strictObject({
    title: z.string(),
    version: z.string(),
    description: z.string(),
    license: z.strictObject({ name: z.string(), identifier: z.string() }),
  }),
  servers: z.array(z.strictObject({ url: z.string(), description: z.string() })),
  tags: z.array(z.strictObject({ name: z.string(), description: z.string().min(1) })),
  paths: z.record(z.string().startsWith('/'), pathItem),
  components: z.strictObject({
    schemas: z.record(z.string().regex(/^[A-Za-z0-9._-]+$/), schema),
    responses: z.record(z.string(), response),
    headers: z.record(z.string(), header),
    parameters: z.record(z.string(), parameter),
    securitySchemes: z.record(z.string(), securityScheme),
  }),
})
export type OpenApi = z.infer<typeof openApi>

export function describedIn({ paths }: OpenApi): Described[] {
  return Object.entries(paths).flatMap(([path, item]) => Object.entries(item).map(([method, operation]) => ({ method, path, operation })))
}

/** Every reference, wherever it stands. */
export function referencesIn(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return []
  const own = '$ref' in value && typeof value.$ref === 'string' ? [value.$ref] : []
  return [...own, ...Object.values(value).flatMap(referencesIn)]
}

export function resolve(document: OpenApi, value: unknown): Json | undefined {
  const ref = (value as { $ref?: string } | undefined)?.$ref
  if (ref === undefined) return value as Json | undefined
  return ref
    .replace(/^#\//, '')
    .split('/')
    .reduce<unknown>((at, step) => (at as Json | undefined)?.[step], document) as Json | undefined
}

/** As a schema that parses. With `complete`, a field that is not described is a fault. Throws if it is no JSON Schema. */
export function compile(document: OpenApi, wanted: unknown, complete = false): z.ZodType {
  const $defs = definitionsFor(wanted, document)
  const moved = JSON.parse(JSON.stringify({ $defs, ...(wanted as Json) }).replaceAll(SCHEMAS, '#/$defs/'))
  return z.fromJSONSchema(complete ? closed(moved) : moved)
}

const SCHEMAS = '#/components/schemas/'

/** Those that it refers to, and those that they refer to. */
function definitionsFor(wanted: unknown, { components }: OpenApi): Record<string, Json> {
  const found: Record<string, Json> = {}
  const open = referencesIn(wanted)
  for (const ref of open) {
    const name = ref.slice(SCHEMAS.length)
    const schema = components.schemas[name]
    if (!schema || found[name]) continue
    found[name] = schema
    open.push(...referencesIn(schema))
  }
  return found
}

function closed<T>(value: T): T {
  if (Array.isArray(value)) return value.map(closed) as T
  if (typeof value !== 'object' || value === null) return value
  const inner = Object.fromEntries(Object.entries(value).map(([key, one]) => [key, closed(one)]))
  const isObject = inner.type === 'object' && inner.properties !== undefined && inner.additionalProperties === undefined
  return (isObject ? { ...inner, additionalProperties: false } : inner) as T
}
