// The messages of a job as a chat provider gets them: without what other formats have beyond this one, and in the shapes that all
// of them take. Pure.

import { EXTENSION_PREFIX } from '../../job.ts'

type Fields = Record<string, unknown>

const SEE_BELOW = '(see the next message)'

/** `extended`: the body came from another format, and may hold what only that one knows. */
export function writeMessages(given: unknown[], extended: boolean): unknown[] {
  const messages = given.map((message) => (isFields(message) ? withoutVoids(extended ? withoutExtensions(message) : message) : message))
  return messages.some(hasMore) ? movedToUser(messages) : messages
}

/** The fields of an object that are no other format's. */
export function plain(object: Fields): Fields {
  return Object.fromEntries(Object.entries(object).filter(([name]) => !name.startsWith(EXTENSION_PREFIX)))
}

/** Clients send answers back as they got them, with `refusal: null`, `annotations: []` and what only another format knows. */
function withoutVoids(message: Fields): Fields {
  const entries = Object.entries(message)
  if (entries.every(says)) return message
  return Object.fromEntries(entries.filter(says))
}

/** Strict providers refuse a message for a field that they do not know, also where nothing is in it. Only an empty `content` means something. */
function says([name, value]: [string, unknown]): boolean {
  if (name === 'content') return true
  return value !== null && !(Array.isArray(value) && value.length === 0) && !name.startsWith(EXTENSION_PREFIX)
}

/** Parts that say nothing to a chat provider go, and where text is all there is, it is one: many take no list there. */
function withoutExtensions(message: Fields): Fields {
  const { content, tool_calls, ...rest } = plain(message)
  if (Array.isArray(content)) {
    const parts = content.filter((part) => isFields(part) && !(part.type === 'text' && part.text === '')).map(plain)
    rest.content = parts.length === 0 || (rest.role !== 'user' && parts.every(isText)) ? textOf(parts) : parts
  } else if (content !== undefined) rest.content = content
  if (Array.isArray(tool_calls)) rest.tool_calls = tool_calls.filter(isFields).map(plain)
  return rest
}

/** A tool's result with pictures or files in it. */
function hasMore(message: unknown): message is Fields & { content: Fields[] } {
  return isFields(message) && message.role === 'tool' && Array.isArray(message.content) && !message.content.every(isText)
}

/** Nearly all providers take only text from tools: what else came is the user's, directly after the results. */
function movedToUser(given: unknown[]): unknown[] {
  const messages: unknown[] = []
  let moved: Fields[] = []
  const placeMoved = () => {
    if (moved.length > 0) messages.push({ role: 'user', content: moved })
    moved = []
  }
  for (const message of given) {
    const { role } = isFields(message) ? message : {}
    if (moved.length > 0 && role === 'user') {
      const { content } = message as Fields
      moved.push(...(Array.isArray(content) ? content : [{ type: 'text', text: content }]))
      messages.push({ ...(message as Fields), content: moved })
      moved = []
      continue
    }
    if (role !== 'tool') placeMoved()
    if (!hasMore(message)) {
      messages.push(message)
      continue
    }
    moved.push(...message.content.filter((part) => !isText(part)))
    messages.push({ ...message, content: textOf(message.content) || SEE_BELOW })
  }
  placeMoved()
  return messages
}

function isText(part: unknown): boolean {
  return isFields(part) && part.type === 'text'
}

function textOf(parts: Fields[]): string {
  return parts
    .filter(isText)
    .map(({ text }) => text)
    .join('\n')
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
