// Pure. A value that satisfies a JSON schema, with what the user said where it fits.

import { stringFor } from './schema-string.ts'

type Schema = Record<string, unknown>

/** Nested deeper than this only what is required is filled, and arrays stay as short as they may: recursive schemas end. */
const MAX_DEPTH = 6

/** `said` is the user's text: enum values, numbers, quoted and capitalised words in it are used. Unknown keywords are ignored. */
export function fillSchema(schema: unknown, said: string): unknown {
  const numbers = [...said.matchAll(/(?<![\p{L}\d])-?\d+(?:\.\d+)?/gu)].map((match) => Number(match[0]))
  return fill(schema, { root: isSchema(schema) ? schema : {}, said, numbers }, '', 0)
}

interface Context {
  root: Schema
  said: string
  /** Numbers not used yet, in the order they were said. */
  numbers: number[]
}

function fill(given: unknown, context: Context, name: string, depth: number): unknown {
  const schema = resolve(given, context.root, depth)
  if ('const' in schema) return schema['const']
  if (Array.isArray(schema['enum']) && schema['enum'].length > 0) return chosen(schema['enum'], context.said)
  const union = schema['anyOf'] ?? schema['oneOf']
  if (Array.isArray(union))
    return fill(union.find((option) => isSchema(option) && option['type'] !== 'null') ?? union[0], context, name, depth)
  switch (typeOf(schema)) {
    case 'object':
      return fillObject(schema, context, depth)
    case 'array':
      return fillArray(schema, context, name, depth)
    case 'integer':
    case 'number':
      return fillNumber(schema, context)
    case 'boolean':
      return mentions(context.said, name)
    case 'null':
      return null
    default:
      return stringFor(schema, name, context.said)
  }
}

function fillObject(schema: Schema, context: Context, depth: number): Record<string, unknown> {
  const properties = isSchema(schema['properties']) ? schema['properties'] : {}
  const required = Array.isArray(schema['required']) ? schema['required'].map(String) : undefined
  const object: Record<string, unknown> = {}
  for (const [name, property] of Object.entries(properties)) {
    const wanted = required?.includes(name) ?? depth < MAX_DEPTH
    if (wanted || enumIsMentioned(resolve(property, context.root, depth), context.said))
      object[name] = fill(property, context, name, depth + 1)
  }
  for (const name of required ?? []) {
    if (!(name in object))
      object[name] = isSchema(schema['additionalProperties']) ? fill(schema['additionalProperties'], context, name, depth + 1) : name
  }
  return object
}

function fillArray(schema: Schema, context: Context, name: string, depth: number): unknown[] {
  const fixed = Array.isArray(schema['prefixItems']) ? schema['prefixItems'].map((item) => fill(item, context, name, depth + 1)) : []
  if (schema['items'] === false) return fixed
  const least = count(schema['minItems']) ?? (depth < MAX_DEPTH && fixed.length === 0 ? 1 : 0)
  const length = Math.min(Math.max(least, fixed.length), count(schema['maxItems']) ?? Number.POSITIVE_INFINITY)
  const items = [...fixed]
  while (items.length < length) {
    let item = fill(schema['items'] ?? { type: 'string' }, context, name, depth + 1)
    if (schema['uniqueItems'] === true && items.includes(item)) item = another(item, items, resolve(schema['items'], context.root, depth))
    items.push(item)
  }
  return items
}

function another(item: unknown, items: unknown[], schema: Schema): unknown {
  if (Array.isArray(schema['enum'])) return schema['enum'].find((value) => !items.includes(value)) ?? item
  if (typeof item === 'number') return item + items.length
  return typeof item === 'string' ? `${item} ${items.length + 1}` : item
}

function fillNumber(schema: Schema, context: Context): number {
  const whole = typeOf(schema) === 'integer'
  const step = number(schema['multipleOf']) ?? (whole ? 1 : undefined)
  const above = number(schema['exclusiveMinimum'])
  const below = number(schema['exclusiveMaximum'])
  const least = number(schema['minimum']) ?? (above === undefined ? undefined : above + (step ?? 0.5))
  const most = number(schema['maximum']) ?? (below === undefined ? undefined : below - (step ?? 0.5))
  const fits = (value: number) =>
    (least === undefined || value >= least) &&
    (most === undefined || value <= most) &&
    (step === undefined || Number.isInteger(value / step))
  const said = context.numbers.findIndex(fits)
  if (said >= 0) return context.numbers.splice(said, 1)[0] as number
  if (fits(1)) return 1
  const start = least ?? most ?? 0
  if (step === undefined) return start
  return (least === undefined ? Math.floor(start / step) : Math.ceil(start / step)) * step
}

function resolve(given: unknown, root: Schema, depth: number): Schema {
  if (!isSchema(given)) return {}
  let schema = given
  for (let hops = 0; typeof schema['$ref'] === 'string' && hops < 16; hops++) {
    const target = schema['$ref']
      .replace(/^#\/?/, '')
      .split('/')
      .filter(Boolean)
      .reduce<unknown>(
        (node, key) => (isSchema(node) ? node[decodeURIComponent(key).replaceAll('~1', '/').replaceAll('~0', '~')] : undefined),
        root,
      )
    schema = isSchema(target) ? target : {}
  }
  if (!Array.isArray(schema['allOf']) || depth > 2 * MAX_DEPTH) return schema
  return schema['allOf'].map((part) => resolve(part, root, depth + 1)).reduce(merge, { ...schema, allOf: undefined })
}

function merge(left: Schema, right: Schema): Schema {
  const both = (key: string) => ({ ...(left[key] as Schema | undefined), ...(right[key] as Schema | undefined) })
  const required = [...((left['required'] as unknown[] | undefined) ?? []), ...((right['required'] as unknown[] | undefined) ?? [])]
  return { ...left, ...right, properties: both('properties'), ...(required.length > 0 && { required }) }
}

function typeOf(schema: Schema): unknown {
  const type = schema['type']
  if (Array.isArray(type)) return type.find((one) => one !== 'null') ?? 'null'
  if (type !== undefined) return type
  if (schema['properties']) return 'object'
  return schema['items'] || schema['prefixItems'] ? 'array' : 'string'
}

function chosen(values: unknown[], said: string): unknown {
  return values.find((value) => typeof value === 'string' && mentions(said, value)) ?? values[0]
}

function enumIsMentioned(schema: Schema, said: string): boolean {
  return Array.isArray(schema['enum']) && schema['enum'].some((value) => typeof value === 'string' && mentions(said, value))
}

function mentions(said: string, word: string): boolean {
  return word.length > 1 && said.toLowerCase().includes(word.replaceAll('_', ' ').toLowerCase())
}

function isSchema(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

const number = (value: unknown) => (typeof value === 'number' ? value : undefined)
const count = (value: unknown) => (typeof value === 'number' && value >= 0 ? Math.min(Math.floor(value), 1000) : undefined)
