// Messages of Anthropic's format as messages of a chat completion. What a chat message has no place for is kept beside it. Pure.

import { FreewayError } from '../../failure.ts'
import type { ChatMessage } from '../../job.ts'
import { type Block, extension, type Fields, isFields, type Message } from './schema.ts'
import { ownId } from './tool-id.ts'

type Part = Fields & { type: string }

/** Claude Code's first system block differs in each request: no provider's cache of prefixes would ever hit. */
const BILLING_HEADER = 'x-anthropic-billing-header:'
export const ERROR_PREFIX = 'Error: '

export function readSystem(system: string | Block[]): ChatMessage[] {
  if (typeof system === 'string') return system === '' ? [] : [{ role: 'system', content: system }]
  const kept = system.filter((block) => !(block.type === 'text' && textOf(block).startsWith(BILLING_HEADER)))
  return kept.length === 0 ? [] : [{ role: 'system', content: kept.flatMap((block, at) => readPart(block, `system[${at}]`)) }]
}

/** One message becomes several: each tool result is a message of its own, directly after the calls it answers. */
export function readMessage({ role, content }: Message, path: string): ChatMessage[] {
  if (role === 'assistant') return [readAssistant(content)]
  // Entries of the system stay in their place: moved to the top they would break the provider's cache of prefixes.
  if (role === 'system') {
    return [{ role, content: typeof content === 'string' ? content : readParts(content, path), ...extension({ in_place: true }) }]
  }
  if (typeof content === 'string') return [{ role, content }]
  const results: ChatMessage[] = []
  const others: Part[] = []
  for (const [at, block] of content.entries()) {
    if (block.type === 'tool_result') results.push(readResult(block, `${path}.content[${at}]`))
    else others.push(...readPart(block, `${path}.content[${at}]`))
  }
  if (others.length > 0 || results.length === 0) results.push({ role: 'user', content: others })
  return results
}

function readParts(blocks: Block[], path: string): Part[] {
  return blocks.flatMap((block, at) => readPart(block, `${path}.content[${at}]`))
}

function readResult({ type: _, tool_use_id, content, is_error, ...rest }: Block, path: string): ChatMessage {
  if (typeof tool_use_id !== 'string') throw refused(`${path}.tool_use_id`, 'Invalid input: expected string')
  const failed = is_error === true
  const kept = extension({ ...rest, ...(failed && { is_error }) })
  return { role: 'tool', tool_call_id: ownId(tool_use_id), content: readResultContent(content, failed, path), ...kept }
}

function readResultContent(content: unknown, failed: boolean, path: string): string | Part[] {
  const mark = failed ? ERROR_PREFIX : ''
  if (content === undefined || content === null) return mark
  if (typeof content === 'string') return mark + content
  // Illegal, and yet sent.
  if (!Array.isArray(content)) return mark + JSON.stringify(content)
  const parts = content.flatMap((block, at) => (isBlock(block) ? readPart(block, `${path}.content[${at}]`) : []))
  return failed ? [{ type: 'text', text: ERROR_PREFIX.trim(), ...extension({ added: true }) }, ...parts] : parts
}

/**
 * The text is one, as most chat providers want it, and beside it are the calls. Where the blocks say more than that, their order
 * and what else they hold is kept: `{text: <length>}` and `{call: <position>}` stand for what the chat message holds already.
 */
function readAssistant(content: string | Block[]): ChatMessage {
  if (typeof content === 'string') return { role: 'assistant', content }
  let text = ''
  const thoughts: string[] = []
  const calls: Fields[] = []
  const order: Fields[] = []
  for (const block of content) {
    if (block.type === 'text' && typeof block.text === 'string') {
      const { type: _, text: said, ...rest } = block
      text += said as string
      order.push({ text: (said as string).length, ...rest })
    } else if (block.type === 'tool_use' && typeof block.name === 'string' && typeof block.id === 'string') {
      const { type: _, id, name, input, ...rest } = block
      order.push({ call: calls.length, ...rest })
      calls.push({ id: ownId(id as string), type: 'function', function: { name, arguments: JSON.stringify(input ?? {}) } })
    } else {
      if (isUnsigned(block)) thoughts.push(block.thinking)
      order.push(block)
    }
  }
  const usual = text === '' ? [] : [{ text: text.length }]
  const asUsual = JSON.stringify(order) === JSON.stringify([...usual, ...calls.map((_, call) => ({ call }))])
  return {
    role: 'assistant',
    content: text === '' && calls.length > 0 ? null : text,
    ...(thoughts.length > 0 && { reasoning_content: thoughts.join('\n\n') }),
    ...(calls.length > 0 && { tool_calls: calls as ChatMessage['tool_calls'] }),
    ...(!asUsual && extension({ blocks: order })),
  }
}

/**
 * A chat provider's own thought: signed ones are for the eyes of who signed them. DeepSeek refuses a history of calls that lacks the
 * thoughts before them.
 */
function isUnsigned(block: Block): block is Block & { thinking: string } {
  return block.type === 'thinking' && typeof block.thinking === 'string' && block.thinking !== '' && !block.signature
}

/** A block of a user's or the system's message. Of a kind that no chat provider knows it is only kept. */
function readPart(block: Block, path: string): Part[] {
  const { type, ...rest } = block
  if (type === 'text') {
    const { text, ...kept } = rest
    if (typeof text !== 'string') throw refused(`${path}.text`, 'Invalid input: expected string')
    return [{ type: 'text', text, ...extension(kept) }]
  }
  if (type === 'image') return [readImage(rest, path)]
  if (type === 'document') return readDocument(block, path)
  if (type === 'search_result') {
    const text = [rest.title, rest.source, ...textsOf(rest.content)].filter((piece) => typeof piece === 'string').join('\n')
    return [{ type: 'text', text, ...extension({ block }) }]
  }
  return [{ type: 'text', text: '', ...extension({ block }) }]
}

function readImage({ source, ...kept }: Fields, path: string): Part {
  const { type, media_type, data, url } = isFields(source) ? source : {}
  if (type === 'base64' && typeof data === 'string' && typeof media_type === 'string') {
    return { type: 'image_url', image_url: { url: `data:${media_type};base64,${data}` }, ...extension(kept) }
  }
  if (type === 'url' && typeof url === 'string') return { type: 'image_url', image_url: { url }, ...extension(kept) }
  throw unreadable(`${path}.source`, type)
}

function readDocument(block: Block, path: string): Part[] {
  const { type: _, source, title, context, ...kept } = block
  const { type, media_type, data, url, content } = isFields(source) ? source : {}
  const filename = typeof title === 'string' ? title : 'document.pdf'
  const extra = extension({ ...kept, title, context })
  if (type === 'base64' && typeof data === 'string') {
    return [{ type: 'file', file: { filename, file_data: `data:${media_type ?? 'application/pdf'};base64,${data}` }, ...extra }]
  }
  if (type === 'url' && typeof url === 'string') return [{ type: 'file', file: { filename, file_data: url }, ...extra }]
  const head = [title, context].filter((piece) => typeof piece === 'string').map((piece) => `${piece}\n`)
  if (type === 'text' && typeof data === 'string') return [{ type: 'text', text: head.join('') + data, ...extension({ block }) }]
  if (type === 'content' && typeof content === 'string') return [{ type: 'text', text: head.join('') + content, ...extension({ block }) }]
  if (type === 'content' && Array.isArray(content)) {
    const parts = content.flatMap((inner, at) => (isBlock(inner) ? readPart(inner, `${path}.source.content[${at}]`) : []))
    // The first stands for the whole document, the others are for chat providers alone.
    const rest = parts.map((part) => ({ ...part, ...extension({ added: true }) }))
    return [{ type: 'text', text: head.join(''), ...extension({ block }) }, ...rest]
  }
  throw unreadable(`${path}.source`, type)
}

function unreadable(path: string, type: unknown): FreewayError {
  if (type === 'file') return refused(path, 'files are not kept by this gateway: send the data itself, or a URL')
  return refused(path, 'Invalid input: expected a source of type base64, url or text')
}

function refused(param: string, message: string): FreewayError {
  return new FreewayError('invalid_request_error', `${param}: ${message}`, { param })
}

function textsOf(content: unknown): unknown[] {
  return Array.isArray(content) ? content.map((block) => (isFields(block) ? block.text : undefined)) : [content]
}

function textOf(block: Block): string {
  return typeof block.text === 'string' ? block.text : ''
}

function isBlock(value: unknown): value is Block {
  return isFields(value) && typeof value.type === 'string'
}
