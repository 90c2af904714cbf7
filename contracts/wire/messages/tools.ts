// Tools and the choice among them, both ways. Pure.

import { FreewayError } from '../../failure.ts'
import { type Fields, isFields, type Tool, type ToolChoice } from './schema.ts'

export interface ReadTools {
  tools: Fields[]
  /** What Messages has beyond chat completions: cache marks by the tool's name, and tools that the provider itself runs, with their places. */
  extras: Record<string, Fields> | undefined
  hosted: [at: number, tool: Fields][] | undefined
}

/** Throws FreewayError if a tool of the client's own has no name. */
export function readTools(given: Tool[]): ReadTools {
  const tools: Fields[] = []
  const extras: Record<string, Fields> = {}
  const hosted: [number, Fields][] = []
  for (const [at, tool] of given.entries()) {
    const { type, name, description, input_schema, strict, ...rest } = tool
    if (isHosted(tool)) {
      hosted.push([at, tool])
      continue
    }
    if (name === undefined) {
      throw new FreewayError('invalid_request_error', `tools[${at}].name: Invalid input: expected string`, { param: `tools[${at}].name` })
    }
    const called: Fields = { name }
    if (description !== undefined && description !== null) called.description = description
    called.parameters = withProperties(input_schema ?? { type: 'object' })
    if (strict !== undefined && strict !== null) called.strict = strict
    tools.push({ type: 'function', function: called })
    if (Object.keys(rest).length > 0) extras[name] = rest
  }
  return {
    tools,
    extras: Object.keys(extras).length > 0 ? extras : undefined,
    hosted: hosted.length > 0 ? hosted : undefined,
  }
}

/** Run by the provider: web search and the like. They have a type with a date instead of a schema. */
function isHosted({ type, input_schema }: Tool): boolean {
  return typeof type === 'string' && type !== 'custom' && (input_schema === undefined || input_schema === null)
}

/** Several providers refuse an object without properties, wherever in the schema it stands. */
function withProperties(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(withProperties)
  if (!isFields(schema)) return schema
  const filled = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, withProperties(value)]))
  return filled.type === 'object' && filled.properties === undefined && !('$ref' in filled) ? { ...filled, properties: {} } : filled
}

/** `tool_choice` and `parallel_tool_calls` of a chat request. Throws FreewayError if the tool that is demanded is not among `names`. */
export function readToolChoice({ type, name, disable_parallel_tool_use }: ToolChoice, names: ReadonlySet<unknown>): Fields {
  const parallel = disable_parallel_tool_use === true ? { parallel_tool_calls: false } : {}
  if (type === 'any') return { tool_choice: 'required', ...parallel }
  if (type !== 'tool') return { tool_choice: type, ...parallel }
  if (!names.has(name)) {
    throw new FreewayError('invalid_request_error', 'tool_choice.name: the tool is not among the tools that can be called', {
      param: 'tool_choice.name',
    })
  }
  return { tool_choice: { type: 'function', function: { name } }, ...parallel }
}

/** Tools of a chat request as Messages has them. */
export function writeTools(given: unknown, extras: unknown, hosted: unknown): Fields[] {
  const tools: Fields[] = []
  for (const tool of Array.isArray(given) ? given : []) {
    const called = isFields(tool) && isFields(tool.function) ? tool.function : undefined
    if (called === undefined || typeof called.name !== 'string') continue
    const extra = isFields(extras) && isFields(extras[called.name]) ? (extras[called.name] as Fields) : {}
    tools.push({
      name: called.name,
      ...(typeof called.description === 'string' && { description: called.description }),
      input_schema: asInputSchema(called.parameters),
      ...(typeof called.strict === 'boolean' && { strict: called.strict }),
      ...extra,
    })
  }
  for (const entry of Array.isArray(hosted) ? hosted : []) {
    if (Array.isArray(entry) && typeof entry[0] === 'number' && isFields(entry[1])) tools.splice(entry[0], 0, entry[1])
  }
  return tools
}

/** An object, and no union at its root: the alternatives' properties are all allowed, what only some of them require is not required. */
function asInputSchema(parameters: unknown): Fields {
  if (!isFields(parameters)) return { type: 'object', properties: {} }
  const { anyOf, oneOf, allOf, ...rest } = parameters
  const branches = [anyOf, oneOf, allOf].flatMap((union) => (Array.isArray(union) ? union.filter(isFields) : []))
  const schema: Fields = { ...rest, type: 'object' }
  if (branches.length === 0) return { ...schema, properties: isFields(rest.properties) ? rest.properties : {} }
  const properties: Fields = {}
  for (const branch of branches) if (isFields(branch.properties)) Object.assign(properties, branch.properties)
  return { ...schema, properties: { ...properties, ...(isFields(rest.properties) ? rest.properties : {}) } }
}

/** `tool_choice` of a Messages request; undefined where it says nothing. */
export function writeToolChoice(choice: unknown, parallel: unknown): Fields | undefined {
  const single = parallel === false ? { disable_parallel_tool_use: true } : {}
  if (choice === 'required') return { type: 'any', ...single }
  if (choice === 'none') return { type: 'none' }
  if (choice === 'auto') return { type: 'auto', ...single }
  if (isFields(choice)) {
    const called = isFields(choice.function) ? choice.function.name : undefined
    if (typeof called === 'string') return { type: 'tool', name: called, ...single }
    const allowed = isFields(choice.allowed_tools) ? choice.allowed_tools : {}
    return { type: allowed.mode === 'required' ? 'any' : 'auto', ...single }
  }
  return parallel === false ? { type: 'auto', ...single } : undefined
}
