// The schemas of the description: those of the contracts and of the answers, each under a name of its own, as JSON Schema.

import { z } from 'zod'

type Io = 'input' | 'output'
export type JsonSchema = { [keyword: string]: unknown }

const registries = { input: z.registry<{ id: string }>(), output: z.registry<{ id: string }>() }
const notes = new Map<string, Readonly<Record<string, string>>>()

/** Names what clients send. `fields`: what its fields mean, where the schema itself does not say. Returns the schema. */
export function taken<T extends z.ZodType>(id: string, schema: T, fields: Readonly<Record<string, string>> = {}): T {
  return name('input', id, schema, fields)
}

/** Names what clients get. */
export function given<T extends z.ZodType>(id: string, schema: T, fields: Readonly<Record<string, string>> = {}): T {
  return name('output', id, schema, fields)
}

/** A reference to the schema, which is named `otherwise` if it has no name yet. */
export function reference(io: Io, schema: z.ZodType, otherwise: string): JsonSchema {
  const known = registries[io].get(schema)?.id
  if (known === undefined) name(io, otherwise, schema, {})
  return { $ref: referenceTo(known ?? otherwise) }
}

/** Every schema named so far. Throws if one name stands for two. */
export function components(): Record<string, JsonSchema> {
  const all: Record<string, JsonSchema> = {}
  for (const io of ['input', 'output'] as const) {
    const { schemas } = z.toJSONSchema(registries[io], { io, uri: referenceTo, unrepresentable: 'any' })
    for (const [id, schema] of Object.entries(schemas)) {
      if (Object.hasOwn(all, id)) throw new Error(`the schema name ${id} is used for what is sent and for what comes back`)
      all[id] = noted(plain(schema as JsonSchema, io) as JsonSchema, notes.get(id) ?? {})
    }
  }
  return Object.fromEntries(Object.entries(all).sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** Of a parameter, which stands by itself. */
export function inline(schema: z.ZodType): JsonSchema {
  return plain(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as JsonSchema, 'input') as JsonSchema
}

function name<T extends z.ZodType>(io: Io, id: string, schema: T, fields: Readonly<Record<string, string>>): T {
  registries[io].add(schema, { id })
  notes.set(id, fields)
  return schema
}

function referenceTo(id: string): string {
  return `#/components/schemas/${id}`
}

/** Without what says nothing here: dialect and id, the bounds of safe integers, and that an answer will never have one field more. */
function plain(value: unknown, io: Io): unknown {
  if (Array.isArray(value)) return value.map((one) => plain(one, io))
  if (typeof value !== 'object' || value === null) return value
  const kept = Object.entries(value).filter(([keyword, said]) => {
    if (keyword === '$schema' || keyword === '$id' || keyword === 'contentEncoding') return false
    if (keyword === 'minimum' || keyword === 'maximum') return Math.abs(said as number) !== Number.MAX_SAFE_INTEGER
    return !(io === 'output' && keyword === 'additionalProperties' && said === false)
  })
  return Object.fromEntries(kept.map(([keyword, said]) => [keyword, plain(said, io)]))
}

/** Throws if a note is about a field that is not there. */
function noted(schema: JsonSchema, fields: Readonly<Record<string, string>>): JsonSchema {
  const properties = { ...(schema.properties as Record<string, JsonSchema> | undefined) }
  for (const [field, description] of Object.entries(fields)) {
    const known = properties[field]
    if (known === undefined && schema.additionalProperties === undefined) throw new Error(`there is no field ${field} to describe`)
    properties[field] = { ...known, description }
  }
  return Object.keys(properties).length === 0 ? schema : { ...schema, properties }
}
