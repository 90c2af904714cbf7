// A chat message as the items of a Responses input: the other half of items.ts. Pure.

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
  if (rest?.type === 'compaction' || rest?.type === 'compaction_summary')
    return [{ type: 'message', role: 'user', content: writeParts(content) }]
  return [{ type: 'message', role, content: writeParts(content), ...rest }]
}

function writeAssistant(message: Fields, provider: string): Fields[] {
  const calls = (Array.isArray(message.tool_calls) ? message.tool_calls : []).map((call) => asFields(call) ?? {})
  const content = writeParts(message.content, true)
  const own = message[EXTENSION]
  if (!Array.isArray(own)) {
    const said = content.length > 0 ? [{ type: 'message', role: 'assistant', content }] : []
    return [...said, ...calls.map((call) => writeCall(call))]
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

/** Nobody can read what another provider has encrypted; a thought of which nothing else is left goes with it. */
function writeReasoning({ encrypted_content, ...item }: Fields, provider: string): Fields[] {
  const own = readCipher(encrypted_content, provider)
  if (own !== undefined) return [{ ...item, encrypted_content: own }]
  const says = [item.summary, item.content].some((list) => Array.isArray(list) && list.length > 0)
  return says ? [item] : []
}

const MARK = 'fwr1.'

/** Says beside the encrypted text who can read it. */
export function writeCipher(cipher: string, provider: string): string {
  return `${MARK}${provider}.${cipher}`
}

function readCipher(text: unknown, provider: string): string | undefined {
  const mark = `${MARK}${provider}.`
  return typeof text === 'string' && text.startsWith(mark) ? text.slice(mark.length) : undefined
}
