// Pure. What a client has read so far of an answer in any of the formats: its text, how it ended, and with which error.

import type { Format } from './workload.ts'

export interface Read {
  text: string
  /** The format's own sign that the answer is over was there. */
  ended: boolean
  /** Type of the error, as the envelope or the event names it. */
  error: string | undefined
}

interface Json {
  [field: string]: unknown
}

/** One event of a stream: the content of its `data:` lines. */
export function readEvent(format: Format, data: string, read: Read): void {
  if (data === '[DONE]') {
    read.ended = true
    return
  }
  const event = JSON.parse(data) as Json
  const error = errorOf(event)
  if (error !== undefined) read.error = error
  if (format === 'chat') read.text += (event.choices as { delta?: { content?: string } }[] | undefined)?.[0]?.delta?.content ?? ''
  else if (format === 'messages') {
    if (event.type === 'content_block_delta') read.text += (event.delta as { text?: string }).text ?? ''
    if (event.type === 'message_stop') read.ended = true
  } else {
    if (event.type === 'response.output_text.delta') read.text += event.delta as string
    if (event.type === 'response.completed') read.ended = true
  }
}

/** A whole answer, or a refusal. */
export function readWhole(format: Format, body: string, read: Read): void {
  const answer = JSON.parse(body) as Json
  const error = errorOf(answer)
  if (error !== undefined) {
    read.error = error
    return
  }
  read.text = textOf(format, answer)
  read.ended = true
}

function textOf(format: Format, answer: Json): string {
  if (format === 'chat') return (answer.choices as { message: { content: string } }[])[0]?.message.content ?? ''
  const parts =
    format === 'messages'
      ? (answer.content as { text?: string }[])
      : (answer.output as { content?: { text?: string }[] }[]).flatMap(({ content = [] }) => content)
  return parts.map(({ text = '' }) => text).join('')
}

/** All formats put it below `error`; a stream of responses also below `response`, or into the event itself. */
function errorOf(value: Json): string | undefined {
  const inner = value.error ?? (value.response as { error?: unknown } | undefined)?.error
  if (inner) {
    const { type, code } = inner as { type?: string; code?: string }
    return type ?? code ?? 'unnamed'
  }
  if (value.type === 'error') return String(value.code ?? 'unnamed')
  return undefined
}
