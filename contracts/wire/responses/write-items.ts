// A chat message as the items of a Responses input: the other half of items.ts. Pure.

import { isCipher, readCipher } from '../cipher.ts'
import { writeParts } from './parts.ts'
import { asFields, asText, EXTENSION, type Fields } from './shape.ts'
import { customInput } from './tools.ts'

/** `provider` is who will read them. */
export function writeItems(message: Fields, provider: string): Fields[] {
  const { role, content, [EXTENSION]: own } = message
  if (role === 'assistant') return writeAssistant(message, provider)
  const rest = asFields(own)
  if (role === 'tool' || role === 'function') {
    const output = typeof content === 'string' ? content : writeParts(content)
    return [{ type: 'function_call_output', call_id: message.tool_call_id, output, ...rest }]
  }
  if (typeof rest?.type === 'string' && rest.type.includes('compaction'))
    return [{ type: 'message', role: 'user', content: writeParts(content) }]
  return [{ type: 'message', role, content: writeParts(content), ...rest }]
}

function writeAssistant(message: Fields, provider: string): Fields[] {
  const calls = (Array.isArray(message.tool_calls) ? message.tool_calls : []).map((call) => asFields(call) ?? {})
  const content = writeParts(message.content, true)
  const own = message[EXTENSION]
  if (!Array.isArray(own)) {
    const said = content.length > 0 ? [{ type: 'message', role: 'assistant', content }] : []
    return [...writeThoughts(message.reasoning_details, provider), ...said, ...calls.map((call) => writeCall(call))]
  }
  return own.flatMap((one) => {
    const item = asFields(one) ?? {}
    if (item.type === 'function_call' || item.type === 'custom_tool_call') return [writeCall(calls.shift() ?? {}, item)]
    if (item.type === 'message') return [{ role: 'assistant', content, ...item }]
    return item.type === 'reasoning' ? writeReasoning(item, provider) : [item]
  })
}

function writeCall(call: Fields, item: Fields = {}): Fields {
  const custom = asFields(call.custom)
  if (custom) return { type: 'custom_tool_call', call_id: call.id, name: custom.name, input: custom.input, ...item }
  const { name, arguments: args } = asFields(call.function) ?? {}
  if (item.type === 'custom_tool_call') return { call_id: call.id, input: customInput(asText(args) ?? ''), ...item }
  return { type: 'function_call', call_id: call.id, name, arguments: args, ...item }
}

/**
 * What this provider has encrypted, under the name it had there; and thoughts in plain words, which models with open weights want back.
 * A summary alone is of no use to anybody: OpenAI looks for the thought behind it, which was not kept there, and refuses.
 */
function writeReasoning({ encrypted_content, ...item }: Fields, provider: string): Fields[] {
  const own = readCipher(encrypted_content, provider)
  if (own) return [{ ...item, ...(own.id !== '' && { id: own.id }), encrypted_content: own.content }]
  return Array.isArray(item.content) && item.content.length > 0 ? [item] : []
}

/** As chat clients send them back. */
function writeThoughts(details: unknown, provider: string): Fields[] {
  if (!Array.isArray(details)) return []
  return details.flatMap((detail) => {
    const data = asFields(detail)?.data
    return isCipher(data) ? writeReasoning({ type: 'reasoning', summary: [], encrypted_content: data }, provider) : []
  })
}
