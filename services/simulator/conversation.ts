// Pure. The texts of a conversation, whichever of the allowed shapes its contents have.

import type { ChatBody, ChatMessage } from '#contracts/job.ts'

export interface Conversation {
  /** All system and developer texts. */
  system: string
  /** What users said, oldest first; never empty. */
  users: string[]
  /** What the last user message said. */
  question: string
  /** What the assistant said, oldest first, without a prefill. */
  assistants: string[]
  /** Results that follow the last tool calls; empty when the last word is not a tool's. */
  toolResults: string[]
  /** The unfinished assistant message at the end, to be continued. */
  prefill: string | undefined
  /** Pictures in the last user message. */
  images: number
}

export function readConversation(body: ChatBody): Conversation {
  const messages = body.messages
  const last = messages.at(-1)
  const prefill = last?.role === 'assistant' && !last.tool_calls?.length ? textOf(last) : undefined
  const lastUser = messages.findLast((message) => message.role === 'user')
  const users = messages.filter((message) => message.role === 'user').map(textOf)
  const assistants = messages.filter((message) => message.role === 'assistant' && !(prefill !== undefined && message === last)).map(textOf)
  const tools = messages.slice(messages.findLastIndex((message) => message.role !== 'tool' && message.role !== 'function') + 1)
  return {
    system: messages
      .filter((message) => message.role === 'system' || message.role === 'developer')
      .map(textOf)
      .join('\n'),
    users,
    question: (lastUser && textOf(lastUser)) ?? '',
    assistants,
    toolResults: tools.map(textOf),
    prefill,
    images: Array.isArray(lastUser?.content) ? lastUser.content.filter((part) => part.type === 'image_url').length : 0,
  }
}

function textOf(message: ChatMessage): string {
  const content = message.content
  if (typeof content === 'string') return content
  if (!Array.isArray(content)) return ''
  return content
    .map((part) => (typeof part['text'] === 'string' ? part['text'] : ''))
    .filter(Boolean)
    .join('\n')
}
