// Messages of a chat completion as Anthropic's. Tool results go together, directly after their calls, at the head of one user message. Pure.

import { FreewayError } from '../../failure.ts'
import type { ChatMessage } from '../../job.ts'
import { isCipher } from '../cipher.ts'
import { ERROR_PREFIX } from './read-content.ts'
import { type Block, extensionOf, type Fields, isFields } from './schema.ts'

type Clean = (id: string) => string

/** `system` is what stands before the conversation; `cleanId` makes the ids of tool calls fit. */
export function writeMessages(given: ChatMessage[], cleanId: Clean): { system: string | Block[] | undefined; messages: Fields[] } {
  const messages: Fields[] = []
  const system: (string | Block[])[] = []
  /** The user message that begins with tool results, while more may be added to it. */
  let results: Block[] | undefined
  for (const message of given) {
    const { role, content } = message
    const kept = extensionOf(message)
    if (role === 'tool' || role === 'function') {
      if (results === undefined) {
        results = []
        messages.push({ role: 'user', content: results })
      }
      results.push(writeResult(message, cleanId))
      continue
    }
    if (role === 'user' && results !== undefined) {
      results.push(...blocksOf(content))
      continue
    }
    if (role === 'assistant') {
      results = undefined
      const blocks = writeAssistant(message, cleanId)
      if (blocks.length > 0) messages.push({ role, content: blocks })
    } else if (role === 'user') messages.push({ role, content: writeContent(content) })
    else if (kept.in_place === true) {
      results = undefined
      messages.push({ role: 'system', content: writeContent(content) })
    } else if (messages.length === 0) system.push(writeContent(content))
    else {
      const reminder: Block = { type: 'text', text: `<system-reminder>\n${textOf(content)}\n</system-reminder>` }
      if (results !== undefined) results.push(reminder)
      else messages.push({ role: 'user', content: [reminder] })
    }
  }
  return { system: joined(system), messages }
}

function joined(system: (string | Block[])[]): string | Block[] | undefined {
  if (system.length < 2) return system[0]
  return system.flatMap((content) => (typeof content === 'string' ? [{ type: 'text', text: content }] : content))
}

function writeResult({ tool_call_id, name, content, ...message }: ChatMessage, cleanId: Clean): Block {
  const { is_error, ...kept } = extensionOf(message)
  const block: Block = { type: 'tool_result', tool_use_id: cleanId(tool_call_id ?? name ?? '') }
  const said = writeContent(content)
  if (typeof said !== 'string') block.content = said
  else {
    const text = is_error === true && said.startsWith(ERROR_PREFIX) ? said.slice(ERROR_PREFIX.length) : said
    if (text !== '') block.content = text
  }
  return { ...block, ...(is_error === true && { is_error }), ...kept }
}

function writeAssistant(message: ChatMessage, cleanId: Clean): Block[] {
  const text = textOf(message.content) || (typeof message.refusal === 'string' ? message.refusal : '')
  const calls = (message.tool_calls ?? []).map((call) => writeCall(call, cleanId))
  const order = extensionOf(message).blocks
  if (Array.isArray(order) && fits(order, text, calls.length)) return inOrder(order, text, calls)
  const thoughts = (Array.isArray(message.reasoning_details) ? message.reasoning_details : []).flatMap(writeThought)
  return [...thoughts, ...(text === '' ? [] : [{ type: 'text', text }]), ...calls]
}

function writeCall({ id, function: called }: Fields & { id?: string; function?: unknown }, cleanId: Clean): Block {
  const { name, arguments: args } = isFields(called) ? called : {}
  return { type: 'tool_use', id: cleanId(id ?? ''), name: typeof name === 'string' ? name : '', input: readInput(args) }
}

/** An object, whatever was written: Messages knows no other input. */
function readInput(args: unknown): Fields {
  if (typeof args !== 'string' || args.trim() === '') return {}
  try {
    const input: unknown = JSON.parse(args)
    return isFields(input) ? input : { arguments: input }
  } catch {
    return { arguments: args } // the model wrote no JSON; it is shown what it wrote
  }
}

/** The order is the client's own word: it counts only if it tells of all that there is, and of nothing else. */
function fits(order: unknown[], text: string, calls: number): boolean {
  let length = 0
  const seen = new Set<unknown>()
  for (const entry of order) {
    if (!isFields(entry)) return false
    if (typeof entry.type === 'string') continue
    if (typeof entry.text === 'number') length += entry.text
    else if (Number.isInteger(entry.call) && (entry.call as number) < calls) seen.add(entry.call)
    else return false
  }
  return length === text.length && seen.size === calls
}

function inOrder(order: Fields[], text: string, calls: Block[]): Block[] {
  let at = 0
  return order.flatMap((entry): Block[] => {
    if (typeof entry.type === 'string') return isForeign(entry as Block) ? [] : [entry as Block]
    if (typeof entry.call === 'number') {
      const { call, ...rest } = entry
      return [{ ...(calls[call as number] as Block), ...rest }]
    }
    const { text: length, ...rest } = entry
    const said = text.slice(at, at + (length as number))
    at += length as number
    return [{ type: 'text', text: said, ...rest }]
  })
}

/** A thought that another provider had: without a signature, or encrypted for somebody else, it is refused. */
function isForeign({ type, signature, data }: Block): boolean {
  if (type === 'redacted_thinking') return isCipher(data)
  return type === 'thinking' && (typeof signature !== 'string' || signature === '')
}

/** As this gateway, and OpenRouter, tell chat clients of thoughts that are to be sent back. */
function writeThought(detail: unknown): Block[] {
  const { type, text, signature, data } = isFields(detail) ? detail : {}
  if (type === 'reasoning.encrypted' && typeof data === 'string') return isCipher(data) ? [] : [{ type: 'redacted_thinking', data }]
  if (type !== 'reasoning.text' || typeof signature !== 'string' || signature === '') return []
  return [{ type: 'thinking', thinking: typeof text === 'string' ? text : '', signature }]
}

function writeContent(content: ChatMessage['content']): string | Block[] {
  return Array.isArray(content) ? blocksOf(content) : (content ?? '')
}

function blocksOf(content: ChatMessage['content']): Block[] {
  if (!Array.isArray(content)) return content ? [{ type: 'text', text: content }] : []
  return content.flatMap(writePart)
}

function writePart(part: Block): Block[] {
  const { block, added, ...kept } = extensionOf(part)
  if (added === true) return []
  if (isFields(block) && typeof block.type === 'string') return [block as Block]
  if (part.type === 'image_url') {
    const url = isFields(part.image_url) ? part.image_url.url : part.image_url
    return [{ type: 'image', source: sourceOf(String(url ?? '')), ...kept }]
  }
  if (part.type === 'file') return [writeFile(isFields(part.file) ? part.file : {}, kept)]
  const text = typeof part.text === 'string' ? part.text : part.refusal
  if (typeof text === 'string') return [{ type: 'text', text, ...kept }]
  throw new FreewayError('invalid_request_error', 'this model takes text, pictures and documents only', { param: 'messages' })
}

function writeFile({ filename, file_data }: Fields, kept: Fields): Block {
  if (typeof file_data !== 'string') {
    throw new FreewayError('invalid_request_error', 'files are not kept by this gateway: send the data itself', { param: 'messages' })
  }
  const title = typeof filename === 'string' && kept.title === undefined && filename !== 'document.pdf' ? { title: filename } : {}
  return { type: 'document', source: sourceOf(file_data), ...title, ...kept }
}

function sourceOf(url: string): Fields {
  const [, media_type, data] = /^data:([^;,]+);base64,(.*)$/s.exec(url) ?? []
  return data === undefined ? { type: 'url', url } : { type: 'base64', media_type, data }
}

function textOf(content: ChatMessage['content']): string {
  if (typeof content === 'string') return content
  return (content ?? [])
    .map((part) => (typeof part.text === 'string' ? part.text : typeof part.refusal === 'string' ? part.refusal : ''))
    .join('')
}
