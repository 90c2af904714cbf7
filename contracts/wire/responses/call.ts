// One tool call of an answer on its way into a Responses stream. Pure.

import type { Chunk } from '../../chunk.ts'
import { isWholeObject } from '../../json.ts'
import { asFields, asText, type Fields } from './shape.ts'
import { customInput, type ToolName, type ToolNames } from './tools.ts'

export interface Call {
  number: number
  callId: string
  /** As the client declared it. */
  name: ToolName
  /** Undefined until its item is open. */
  id: string | undefined
  index: number
  /** What was told of the arguments, and what has come but was not told yet. */
  arguments: string
  pending: string
  done: boolean
}

export function newCall({ call, id, name = '', extra }: Extract<Chunk, { t: 'tool' }>, names: ToolNames): Call {
  const custom = asFields(extra?.custom)
  return {
    number: call,
    callId: id ?? '',
    name: custom ? { kind: 'custom', name: asText(custom.name) ?? name } : (names.get(name) ?? { kind: 'function', name }),
    id: undefined,
    index: 0,
    arguments: '',
    pending: custom ? (asText(custom.input) ?? '') : '',
    done: false,
  }
}

/** Its arguments are one whole JSON object. */
export function isWholeCall(call: Call): boolean {
  return isWholeObject(call.arguments + call.pending)
}

export function callArguments(call: Call): string {
  return call.name.kind === 'custom' ? customInput(call.arguments) : call.arguments
}

/** Its item, as it is now. */
export function callItem(call: Call, status: 'in_progress' | 'completed' | 'incomplete'): Fields {
  const { name, namespace, kind } = call.name
  const own = { id: call.id, status, call_id: call.callId, name, ...(namespace !== undefined && { namespace }) }
  if (kind === 'custom') return { ...own, type: 'custom_tool_call', input: callArguments(call) }
  return { ...own, type: 'function_call', arguments: call.arguments }
}
