// The input of a Responses request as chat messages. Items are smaller than messages: what the assistant thought, said and called
// in one turn is one message there, and results must follow their calls at once. Pure.

import type { ChatMessage } from '../../job.ts'
import { readCompaction } from './compaction.ts'
import { contentOf, readParts } from './parts.ts'
import { asFields, asText, EXTENSION, type Fields, type InputItem, invalid, unsupportedInput } from './shape.ts'
import { flatName } from './tools.ts'

/** A message, and the results of its calls. */
interface Turn {
  message: Fields
  results: Fields[]
}

/** The items of hosted tools, and what else only a vendor's own service can act on: taken, and not told to the model. */
const FOREIGN = /_call(_output)?$|^(mcp|tool_search|program|additional_tools|configuration_update|compaction_trigger)/

/** `before`: how many of the items were there before those of the request, for error messages. Throws FreewayError 400. */
export function readItems(items: readonly InputItem[], before = 0): ChatMessage[] {
  const turns: Turn[] = []
  const calls = new Map<string, Turn>()
  let assistant: Assistant | undefined

  const say = (message: Fields) => {
    close()
    turns.push({ message, results: [] })
  }
  const open = () => (assistant ??= new Assistant())
  function close(): void {
    const message = assistant?.write()
    if (message) {
      const turn = { message, results: [] }
      turns.push(turn)
      for (const id of assistant?.callIds ?? []) calls.set(id, turn)
    }
    assistant = undefined
  }

  for (const [index, item] of items.entries()) {
    const path = `input[${Math.max(0, index - before)}]`
    const type = item.type ?? (item.role ? 'message' : undefined)
    switch (type) {
      case 'message':
        if (item.role === 'assistant') {
          // Two answers in a row stay two messages, unless a call stands between them that its result must follow.
          if (assistant?.said && assistant.callIds.length === 0) close()
          open().say(item, path)
        } else say(readMessage(item, path))
        break
      case 'reasoning':
        if (assistant?.said || assistant?.callIds.length) close()
        open().think(item)
        break
      case 'function_call':
      case 'custom_tool_call':
        open().call(item, path)
        break
      case 'function_call_output':
      case 'custom_tool_call_output': {
        close()
        const callId = asText(item.call_id)
        const turn = callId === undefined ? undefined : calls.get(callId)
        if (callId === undefined || !turn) throw invalid(`${path}.call_id: no tool call found for this output`, `${path}.call_id`)
        turn.results.push(readResult(callId, item, path))
        break
      }
      case 'compaction':
      case 'compaction_summary':
      case 'context_compaction': {
        const summary = readCompaction(item.encrypted_content)
        if (summary !== undefined) say({ role: 'user', content: summary, [EXTENSION]: item })
        break
      }
      case undefined:
        throw unsupportedInput(path, 'has neither a type nor a role')
      default:
        if (!FOREIGN.test(type)) throw unsupportedInput(`${path}.type`, 'unknown type of item')
        open().items.push(item)
    }
  }
  close()
  return turns.flatMap(({ message, results }) => [message, ...results]) as unknown as ChatMessage[]
}

function readMessage(item: InputItem, path: string): Fields {
  const { type: _, role, content, ...rest } = item
  if (role !== 'user' && role !== 'system' && role !== 'developer') throw unsupportedInput(`${path}.role`, 'unknown role')
  const message: Fields = { role, content: contentOf(readParts(content, `${path}.content`)) }
  if (Object.keys(rest).length > 0) message[EXTENSION] = rest
  return message
}

function readResult(callId: string, item: InputItem, path: string): Fields {
  const { type, call_id: _, output, ...rest } = item
  const content = contentOf(readParts(output ?? '', `${path}.output`))
  const own = { ...(type !== 'function_call_output' && { type }), ...rest }
  return { role: 'tool', tool_call_id: callId, content, ...(Object.keys(own).length > 0 && { [EXTENSION]: own }) }
}

/** One turn of the assistant, put together from its items. */
class Assistant {
  /** As they came; what stands in the message itself is left out of them in the end. */
  readonly items: Fields[] = []
  readonly callIds: string[] = []
  said = false
  #texts: Fields[][] = []
  #thoughts: string[] = []
  #calls: Fields[] = []

  think(item: InputItem): void {
    this.items.push(item)
    const parts = [item.content, item.summary].map((list) =>
      Array.isArray(list) ? list.map((part) => asText(asFields(part)?.text) ?? '').join('\n\n') : '',
    )
    const text = parts.find((one) => one !== '')
    if (text) this.#thoughts.push(text)
  }

  say(item: InputItem, path: string): void {
    this.said = true
    this.items.push(item)
    this.#texts.push(readParts(item.content, `${path}.content`))
  }

  call(item: InputItem, path: string): void {
    const { call_id, name, namespace } = item
    if (typeof call_id !== 'string' || call_id === '') throw invalid(`${path}.call_id: Invalid input: expected string`, `${path}.call_id`)
    if (typeof name !== 'string' || name === '') throw invalid(`${path}.name: Invalid input: expected string`, `${path}.name`)
    this.items.push(item)
    this.callIds.push(call_id)
    const args = item.type === 'custom_tool_call' ? JSON.stringify({ input: asText(item.input) ?? '' }) : argumentsOf(item.arguments)
    this.#calls.push({ id: call_id, type: 'function', function: { name: flatName(name, asText(namespace)), arguments: args } })
  }

  /** Undefined if there is nothing in it that a model could read. */
  write(): Fields | undefined {
    if (!this.said && this.#calls.length === 0 && this.#thoughts.length === 0) return undefined
    const parts = this.#texts.flatMap((texts, at) => (at === 0 ? texts : [{ type: 'text', text: '\n' }, ...texts]))
    const texts = parts.map((part) => (part.type === 'text' ? part.text : undefined))
    const items = this.#rest()
    return {
      role: 'assistant',
      content: parts.length === 0 ? null : texts.includes(undefined) ? parts : texts.join(''),
      ...(this.#thoughts.length > 0 && { reasoning_content: this.#thoughts.join('\n\n') }),
      ...(this.#calls.length > 0 && { tool_calls: this.#calls }),
      ...(items && { [EXTENSION]: items }),
    }
  }

  /** The items without what the message says; undefined where the message alone tells them all. */
  #rest(): Fields[] | undefined {
    const alone = this.#texts.length === 1
    const items = this.items.map((item) => {
      if (item.type === 'function_call') {
        const { call_id: _, arguments: __, ...rest } = item
        if (rest.namespace === undefined) delete rest.name
        return rest
      }
      if (item.type === 'custom_tool_call') {
        const { call_id: _, input: __, ...rest } = item
        return rest
      }
      if (item.role !== 'assistant') return item
      const { role: _, content, ...rest } = item
      return { ...rest, type: 'message', ...(!(alone && isPlain(content)) && { content }) }
    })
    const order = items.map(({ type }) => type).join()
    const usual = /^(message)?(,?function_call)*$/.test(order) && items.every((item) => Object.keys(item).length === 1)
    return usual ? undefined : items
  }
}

function argumentsOf(value: unknown): string {
  return typeof value === 'string' ? value : value === undefined || value === null ? '' : JSON.stringify(value)
}

/** One text, and nothing about it: the message says all of it. */
function isPlain(content: unknown): boolean {
  if (typeof content === 'string') return true
  const [part, more] = Array.isArray(content) ? content.map(asFields) : []
  if (!part || more !== undefined || part.type !== 'output_text') return false
  return [part.annotations, part.logprobs].every(
    (list) => list === undefined || list === null || (Array.isArray(list) && list.length === 0),
  )
}
