// Anthropic's Messages request, both ways: what a client sent becomes a chat job, and a job's body what a provider of this format
// gets. Whatever chat completions have no word for travels beside it, under the extension's key. Pure.

import { type ChatBody, chatBody, type Job } from '../../job.ts'
import { asInvalid, jobOf, parseBody } from '../chat-completions/request.ts'
import { readEffort, wantsThinking } from './effort.ts'
import { readMessage, readSystem } from './read-content.ts'
import { countBody, EXTENSION, type Fields, type MessagesBody, messagesBody } from './schema.ts'
import { readToolChoice, readTools } from './tools.ts'

/** What chat providers take; more of them are the gateway's to find. */
const MAX_STOPS = 4
/** OpenAI refuses longer ones. */
const MAX_USER_LENGTH = 64
/** Flags of experimental features, as the client's header names them. */
const FLAGS = /^[\w .,:-]{1,1000}$/

const encoder = new TextEncoder()

export interface MessagesRequest {
  job: Job
  /** All of them, in order; empty ones left out. */
  stopSequences: string[]
  /** What the assistant has said already, and is not to say again. */
  prefill: string
  /** Thoughts are part of the answer. */
  thinking: boolean
}

/** Throws FreewayError `invalid_request_error`, which names the field at fault and never quotes its value. `betas`: the header `anthropic-beta`. */
export function readRequest(bytes: Uint8Array, betas: string | null = null): MessagesRequest {
  const { fields } = parseBody(bytes)
  const parsed = messagesBody.safeParse(fields)
  if (!parsed.success) throw asInvalid(parsed.error.issues)
  const given = parsed.data
  const stopSequences = (given.stop_sequences ?? []).filter((sequence) => sequence !== '')
  const body = readBody(given, betas)
  const bodyBytes = encoder.encode(JSON.stringify(body))
  const job: Job = { ...estimated(body, fields, bodyBytes.length), includeUsage: true, body: bodyBytes }
  return { job, stopSequences, prefill: prefillOf(given), thinking: wantsThinking(given) }
}

/** Tokens that the request would take, estimated as for routing: about four bytes each, pictures and files flat. Throws FreewayError. */
export function countTokens(bytes: Uint8Array): number {
  const { fields } = parseBody(bytes)
  const parsed = countBody.safeParse(fields)
  if (!parsed.success) throw asInvalid(parsed.error.issues)
  const body = readBody(parsed.data, null)
  return estimated(body, {}, encoder.encode(JSON.stringify(body)).length).estimate.in
}

/** Measured by its messages and tools, without what is kept for this format alone: most of that no provider sees, and some is there twice. */
function estimated(body: ChatBody, fields: Fields, bodyBytes: number): Omit<Job, 'body'> {
  const { messages, tools: _, ...others } = body
  let keptLength = JSON.stringify(others).length
  for (const message of messages) {
    keptLength += keptIn(message)
    if (Array.isArray(message.content)) for (const part of message.content) keptLength += keptIn(part)
  }
  return jobOf(body, fields, Math.max(0, bodyBytes - keptLength))
}

/** Length of its text. */
function keptIn(object: Fields): number {
  return object[EXTENSION] === undefined ? 0 : JSON.stringify({ [EXTENSION]: object[EXTENSION] }).length
}

/** A chat body that says the same; in its extension is what a chat provider could not be told. */
function readBody(given: MessagesBody, betas: string | null): ChatBody {
  const {
    model,
    messages,
    system,
    max_tokens,
    stream,
    temperature,
    top_p,
    stop_sequences,
    tools,
    tool_choice,
    strategy: _,
    preferred_provider: __,
    fallback: ___,
    ...beyond
  } = given
  const read = tools ? readTools(tools) : undefined
  const stops = (stop_sequences ?? []).filter((sequence) => sequence !== '')
  const effort = readEffort(given)
  const userId = given.metadata?.user_id
  const schema = given.output_config?.format?.type === 'json_schema' ? given.output_config.format.schema : undefined
  const body: Fields = {
    ...(model && { model }),
    messages: [...(system ? readSystem(system) : []), ...messages.flatMap((message, at) => readMessage(message, `messages[${at}]`))],
    ...(max_tokens && { max_tokens }),
    ...(stream === true && { stream }),
    ...present({ temperature, top_p }),
    ...(stops.length > 0 && { stop: stops.slice(0, MAX_STOPS) }),
    ...(read && read.tools.length > 0 && { tools: read.tools }),
    ...(read && read.tools.length > 0 && tool_choice && readToolChoice(tool_choice, namesOf(read.tools))),
    ...(effort !== undefined && { reasoning_effort: effort }),
    ...(userId && userId.length <= MAX_USER_LENGTH && { user: userId }),
    ...(schema !== undefined && { response_format: { type: 'json_schema', json_schema: { name: 'answer', schema } } }),
  }
  // Always there: whoever takes extensions out looks for it here first.
  body[EXTENSION] = present({
    ...beyond,
    stop_sequences: stops.length > MAX_STOPS ? stops : undefined,
    tool_extras: read?.extras,
    hosted_tools: read?.hosted,
    tool_choice: read && read.tools.length === 0 ? tool_choice : undefined,
    betas: betas !== null && FLAGS.test(betas) ? betas : undefined,
  })
  const checked = chatBody.safeParse(body)
  if (!checked.success) throw asInvalid(checked.error.issues)
  return checked.data
}

function prefillOf({ messages }: MessagesBody): string {
  const last = messages.at(-1)
  if (last?.role !== 'assistant') return ''
  if (typeof last.content === 'string') return last.content
  if (last.content.some(({ type }) => type === 'tool_use')) return ''
  return last.content.map(({ text }) => (typeof text === 'string' ? text : '')).join('')
}

function namesOf(tools: Fields[]): Set<unknown> {
  return new Set(tools.map((tool) => (tool.function as Fields).name))
}

function present(fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined && value !== null))
}
