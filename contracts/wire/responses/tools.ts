// The tools of a Responses request as the functions that chat completions know, and the way back to the kind that was declared. Pure.

import type { Fields, ResponsesRequest } from './shape.ts'
import { asFields, asText, invalid } from './shape.ts'

/** What the client calls a function of the job. */
export interface ToolName {
  kind: 'function' | 'custom'
  name: string
  namespace?: string
}
/** By the name in the job; functions without a namespace are left out, as they have the same name on both sides. */
export type ToolNames = ReadonlyMap<string, ToolName>

export interface ToolSettings {
  tools: Fields[]
  choice: string | Fields | undefined
  names: ToolNames
}

const MAX_NAME_LENGTH = 64

/** Throws FreewayError 400 where a tool is demanded that only its vendor could run, or that is not there. */
export function readTools({ tools, tool_choice: choice }: Pick<ResponsesRequest, 'tools' | 'tool_choice'>): ToolSettings {
  const declared: { flat: string; tool: Fields; name: ToolName }[] = []
  let hosted = 0
  const declare = (tool: Fields, path: string, namespace?: string) => {
    const { type } = tool
    if (type !== 'function' && type !== 'custom') return void hosted++
    const name = asText(tool.name)
    if (name === undefined || name === '') throw invalid(`${path}.name: Invalid input: expected string`, `${path}.name`)
    const flat = flatName(name, namespace)
    // Two that flatten to the same name cannot be told apart: the first has it.
    if (declared.some((one) => one.flat === flat)) return
    declared.push({ flat, tool: writeFunction(flat, tool), name: { kind: type, name, ...(namespace !== undefined && { namespace }) } })
  }
  for (const [index, tool] of (tools ?? []).entries()) {
    const path = `tools[${index}]`
    if (tool.type !== 'namespace') declare(tool, path)
    else {
      const inner = Array.isArray(tool.tools) ? tool.tools : []
      for (const [at, one] of inner.entries()) declare(asFields(one) ?? {}, `${path}.tools[${at}]`, asText(tool.name))
    }
  }
  let offered = declared
  let chosen: string | Fields | undefined
  if (typeof choice === 'string') {
    if (choice !== 'auto' && choice !== 'none' && choice !== 'required')
      throw invalid('tool_choice: expected auto, none or required', 'tool_choice')
    chosen = choice
  } else if (choice?.type === 'allowed_tools') {
    const allowed = Array.isArray(choice.tools) ? choice.tools.map(asFields) : []
    offered = declared.filter(({ name }) =>
      allowed.some((one) => one?.name === name.name && (one.namespace ?? name.namespace) === name.namespace),
    )
    if (offered.length === 0) throw invalid('tool_choice.tools: none of the allowed tools is among the tools', 'tool_choice')
    chosen = choice.mode === 'required' ? 'required' : 'auto'
  } else if (choice?.type === 'function' || choice?.type === 'custom') {
    const wanted = declared.find(({ name }) => name.name === choice.name && (choice.namespace ?? name.namespace) === name.namespace)
    if (!wanted) throw invalid('tool_choice.name: no such tool', 'tool_choice')
    chosen = { type: 'function', function: { name: wanted.flat } }
  } else if (choice) throw invalid(`tool_choice: this gateway runs no tools of the type "${choice.type}"`, 'tool_choice')
  if (hosted > 0 && declared.length === 0 && chosen !== 'none') {
    throw invalid('tools: this gateway runs no hosted tools such as web_search; declare functions', 'tools')
  }
  const names = new Map(
    offered.flatMap(({ flat, name }) => (name.kind === 'function' && name.name === flat ? [] : [[flat, name] as const])),
  )
  return { tools: offered.map(({ tool }) => tool), choice: chosen, names }
}

/** One name for a tool and its namespace, within what providers take. */
export function flatName(name: string, namespace?: string): string {
  const whole = namespace === undefined || namespace === '' ? name : namespace.endsWith('_') ? namespace + name : `${namespace}__${name}`
  return whole.length <= MAX_NAME_LENGTH ? whole : `${whole.slice(0, MAX_NAME_LENGTH - 9)}_${digest(whole)}`
}

/** A custom tool takes free text, which is the one argument of a function here. */
function writeFunction(name: string, tool: Fields): Fields {
  const { description, parameters, strict } = tool
  if (tool.type === 'custom') {
    const text = [asText(description), grammarOf(tool)].filter(Boolean).join('\n\n')
    return { type: 'function', function: { name, ...(text !== '' && { description: text }), parameters: FREE_TEXT } }
  }
  return {
    type: 'function',
    function: {
      name,
      ...(typeof description === 'string' && { description }),
      parameters: asFields(parameters) ?? { type: 'object', properties: {} },
      ...(typeof strict === 'boolean' && { strict }),
    },
  }
}

const FREE_TEXT = { type: 'object', properties: { input: { type: 'string' } }, required: ['input'], additionalProperties: false }

function grammarOf({ format }: Fields): string | undefined {
  const { type, syntax, definition } = asFields(format) ?? {}
  return type === 'grammar' && typeof definition === 'string'
    ? `The input must follow this ${String(syntax)} grammar:\n${definition}`
    : undefined
}

/** The text that the model gave to a custom tool; arguments that are not as asked for are taken as the text itself. */
export function customInput(args: string): string {
  try {
    const input = asFields(JSON.parse(args))?.input
    return typeof input === 'string' ? input : args
  } catch {
    return args // free text after all
  }
}

/** FNV-1a, so that long names stay apart and the same name is always cut the same way. */
function digest(text: string): string {
  let sum = 0x811c9dc5
  for (let at = 0; at < text.length; at++) sum = Math.imul(sum ^ text.charCodeAt(at), 0x01000193)
  return (sum >>> 0).toString(16).padStart(8, '0')
}

/** Chat tools as a provider that speaks Responses wants them. `strict` is said of those that say nothing: unlike chat, Responses takes silence for yes. */
export function writeTools(tools: unknown, strict: boolean | null): Fields[] {
  if (!Array.isArray(tools)) return []
  return tools.flatMap((one) => {
    const tool = asFields(one) ?? {}
    const inner = asFields(tool.function) ?? asFields(tool.custom)
    if (!inner) return []
    if (tool.type === 'custom') return [{ type: 'custom', ...inner }]
    return [{ type: 'function', ...inner, parameters: inner.parameters ?? null, strict: inner.strict ?? strict }]
  })
}

export function writeToolChoice(choice: unknown): unknown {
  const { type, function: named, custom, allowed_tools } = asFields(choice) ?? {}
  if (type === 'function') return { type, name: asFields(named)?.name }
  if (type === 'custom') return { type, name: asFields(custom)?.name }
  if (type === 'allowed_tools') {
    const { mode, tools } = asFields(allowed_tools) ?? {}
    const names = Array.isArray(tools)
      ? tools.map((tool) => ({ type: asFields(tool)?.type, name: asFields(asFields(tool)?.function)?.name }))
      : []
    return { type, mode, tools: names }
  }
  return choice
}
