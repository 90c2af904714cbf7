// A Responses request, both ways: what a client sent becomes a chat job, and a job's body what a provider that speaks Responses gets. Pure.

import { utf8 } from '../../bytes.ts'
import type { ChatBody, Job } from '../../job.ts'
import { jobOf } from '../chat-completions/request.ts'
import { readItems } from './items.ts'
import { asFields, EXTENSION, type Fields, type InputItem, inputItems, invalid, type ResponsesRequest } from './shape.ts'
import { readTools, type ToolNames, writeToolChoice, writeTools } from './tools.ts'
import { writeItems } from './write-items.ts'

/** Fields that a provider of this format gets as they are, and no other ever sees. */
const OWN_FIELDS = [
  'include',
  'max_tool_calls',
  'metadata',
  'prompt_cache_key',
  'prompt_cache_retention',
  'safety_identifier',
  'service_tier',
  'truncation',
  'user',
] as const

export interface ReadRequest {
  job: Job
  names: ToolNames
}

/**
 * `context` is what came before: the items of the responses that this one goes on from, and its references resolved in `items`.
 * Throws FreewayError 400, which names the field at fault.
 */
export function readRequest(
  request: ResponsesRequest,
  { context = [], items = inputItems(request) }: { context?: readonly InputItem[]; items?: readonly InputItem[] } = {},
): ReadRequest {
  const { tools, choice, names } = readTools(request)
  const messages = readItems([...context, ...items], context.length)
  const instructions = request.instructions
    ? [{ role: 'system' as const, content: request.instructions, [EXTENSION]: { instructions: true } }]
    : []
  if (messages.length === 0)
    throw invalid('input: One of "input" or "previous_response_id" must be provided.', 'input', 'missing_required_parameter')
  const format = request.text?.format
  const wantsLogprobs = (request.top_logprobs ?? 0) > 0 || request.include?.includes('message.output_text.logprobs') === true
  const stream = request.stream === true || request.background === true
  const body: Fields = {
    model: request.model,
    messages: [...instructions, ...messages],
    stream,
    // Usage is told in the last event, whether or not anybody asked.
    ...(stream && { stream_options: { include_usage: true } }),
    ...(tools.length > 0 && {
      tools,
      ...(choice !== undefined && { tool_choice: choice }),
      ...(typeof request.parallel_tool_calls === 'boolean' && { parallel_tool_calls: request.parallel_tool_calls }),
    }),
    ...present({
      max_tokens: request.max_output_tokens,
      temperature: request.temperature,
      top_p: request.top_p,
      reasoning_effort: request.reasoning?.effort,
      verbosity: request.text?.verbosity,
      response_format: format && format.type !== 'text' ? readFormat(format) : undefined,
      logprobs: wantsLogprobs || undefined,
      top_logprobs: wantsLogprobs ? (request.top_logprobs ?? 0) : undefined,
    }),
    [EXTENSION]: readOwn(request, names, tools.length),
  }
  const bytes = utf8(JSON.stringify(body))
  return { job: { ...jobOf(body as ChatBody, request, bytes.length - keptBytes(body)), body: bytes }, names }
}

/** What is kept for this format alone is no part of the prompt: most of it no provider sees, and tools are there twice. */
function keptBytes(body: Fields): number {
  let kept = lengthOf(body[EXTENSION])
  for (const message of body.messages as Fields[]) kept += lengthOf(message[EXTENSION])
  return kept
}

/** Of its text, about. */
function lengthOf(value: unknown): number {
  return value === undefined ? 0 : EXTENSION.length + JSON.stringify(value).length
}

/** What the body of the job does not say. Tools only where they are more than the functions in it. */
function readOwn(request: ResponsesRequest, names: ToolNames, functions: number): Fields {
  const given = request.tools ?? []
  const special = names.size > 0 || given.length !== functions
  return present({
    ...Object.fromEntries(OWN_FIELDS.map((name) => [name, request[name]])),
    summary: request.reasoning?.summary,
    tools: special ? given : undefined,
    tool_choice: special || asFields(request.tool_choice) ? request.tool_choice : undefined,
  })
}

function readFormat({ type, ...format }: Fields): Fields {
  return type === 'json_schema' ? { type, json_schema: format } : { type, ...format }
}

/** Thoughts in a form that can be sent back: nothing is kept at the provider. */
const ENCRYPTED = 'reasoning.encrypted_content'
const LOGPROBS = 'message.output_text.logprobs'

/**
 * The JSON text for a provider. `provider` is its name: what others have encrypted for their own eyes is taken out. `change` is done to
 * what is sent. Takes any chat job, whoever said it; throws FreewayError `invalid_request_error` for what Responses cannot say: several
 * answers at once, stop sequences, spoken answers.
 */
export function writeRequest(
  body: Uint8Array | ChatBody,
  options: { model: string; stream: boolean; provider: string; change?: (fields: Fields) => void },
): string {
  const fields = body instanceof Uint8Array ? (JSON.parse(new TextDecoder().decode(body)) as Fields) : (body as Fields)
  refuseUnsaid(fields)
  const extension = asFields(fields[EXTENSION])
  const { summary, tools: ownTools, tool_choice: ownChoice, include, ...own } = extension ?? {}
  const tools = Array.isArray(ownTools) ? ownTools : writeTools(fields.tools, extension ? null : false)
  const messages = Array.isArray(fields.messages) ? (fields.messages as Fields[]) : []
  const instructed = asFields(messages[0]?.[EXTENSION])?.instructions === true
  const format = asFields(fields.response_format)
  const reasoning = none(present({ effort: fields.reasoning_effort, summary }))
  const included = new Set([...listOf(include), ...(reasoning ? [ENCRYPTED] : []), ...(fields.logprobs === true ? [LOGPROBS] : [])])
  const written: Fields = {
    model: options.model,
    input: (instructed ? messages.slice(1) : messages).flatMap((message) => writeItems(message, options.provider)),
    ...(instructed && { instructions: messages[0]?.content }),
    stream: options.stream,
    // What is kept for later turns is kept here; the provider need not.
    store: false,
    ...(tools.length > 0 && {
      tools,
      ...present({ tool_choice: ownChoice ?? writeToolChoice(fields.tool_choice), parallel_tool_calls: fields.parallel_tool_calls }),
    }),
    ...present({
      max_output_tokens: fields.max_completion_tokens ?? fields.max_tokens,
      temperature: fields.temperature,
      top_p: fields.top_p,
      top_logprobs: fields.logprobs ? fields.top_logprobs : undefined,
      user: fields.user,
      prompt_cache_key: fields.prompt_cache_key,
      safety_identifier: fields.safety_identifier,
      reasoning,
      text: none(present({ format: format && writeFormat(format), verbosity: fields.verbosity })),
      ...own,
    }),
    ...(included.size > 0 && { include: [...included] }),
  }
  options.change?.(written)
  return JSON.stringify(written)
}

/** To leave it out in silence would be a false success. */
function refuseUnsaid({ n, stop, modalities }: Fields): void {
  if (typeof n === 'number' && n > 1) throw invalid('n: this model gives one answer at a time', 'n')
  if (typeof stop === 'string' ? stop !== '' : listOf(stop).length > 0) throw invalid('stop: this model takes no stop sequences', 'stop')
  if (listOf(modalities).includes('audio')) throw invalid('modalities: this model does not speak', 'modalities')
}

function writeFormat({ type, json_schema, ...rest }: Fields): Fields {
  return { type, ...asFields(json_schema), ...rest }
}

function present(fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined && value !== null))
}

function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : []
}

function none(fields: Fields): Fields | undefined {
  return Object.keys(fields).length === 0 ? undefined : fields
}
