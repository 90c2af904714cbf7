// A chat completion request, both ways: what a client sent becomes a job, and a job's body becomes what a provider gets. Pure.
// OpenAI's format is our own superset, so the body stays the client's text wherever nothing had to be taken out of it.

import type { z } from 'zod'
import { FreewayError } from '../../failure.ts'
import { type ChatBody, chatBody, EXTENSION_PREFIX, type Job } from '../../job.ts'
import { InvalidJson, readJson } from '../../json.ts'
import { plain, writeMessages } from './messages.ts'

/** Ours alone; no provider may see them. */
const FREEWAY_FIELDS = ['strategy', 'preferred_provider', 'fallback'] as const
const MAX_NAME_LENGTH = 200
const BYTES_PER_TOKEN = 4
/** Providers count an image by its size in pixels; one of usual size costs about this. */
const TOKENS_PER_IMAGE = 1000
const DEFAULT_OUTPUT_TOKENS = 512

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** Throws FreewayError `invalid_request_error`, which names the field at fault and never quotes its value. */
export function readRequest(bytes: Uint8Array): Job {
  const { fields, pruned } = parseBody(bytes)
  const parsed = chatBody.safeParse(fields)
  if (!parsed.success) throw asInvalid(parsed.error.issues)
  const job = jobOf(parsed.data, fields, bytes.length)
  const own = FREEWAY_FIELDS.filter((field) => Object.hasOwn(fields, field))
  if (!pruned && own.length === 0) return { ...job, body: bytes }
  for (const field of own) delete fields[field]
  return { ...job, body: encoder.encode(JSON.stringify(fields)) }
}

/** What a body asks for. `fields` is the client's request, where our own fields stand. Throws FreewayError if one of those is wrong. */
export function jobOf(body: ChatBody, fields: Record<string, unknown>, bodyBytes: number): Omit<Job, 'body'> {
  const { tokens, vision, hearing } = measure(body, bodyBytes)
  const toolCount = lengthOf(body.tools) + lengthOf(body.functions)
  const also = alsoNeeded(body, hearing)
  const out = (body.max_completion_tokens ?? body.max_tokens ?? DEFAULT_OUTPUT_TOKENS) * (body.n ?? 1)
  return {
    kind: 'chat',
    stream: body.stream === true,
    includeUsage: body.stream_options?.include_usage === true,
    model: readName(body.model, 'model'),
    strategy: readName(fields.strategy, 'strategy'),
    preferred: readName(fields.preferred_provider, 'preferred_provider'),
    fallback: readFallback(fields.fallback),
    need: {
      tools: toolCount > 0,
      ...(toolCount > 0 && { tool_count: toolCount }),
      vision,
      json: body.response_format?.type === 'json_schema' || body.response_format?.type === 'json_object',
      ...(also && { also }),
      ctx: tokens + out,
    },
    estimate: { in: tokens, out },
  }
}

/** What few ask for and not every provider gives: one answer where several were wanted would be a false success. Undefined: nothing. */
function alsoNeeded({ n, logprobs }: ChatBody, hearing: boolean): string[] | undefined {
  const several = typeof n === 'number' && n > 1
  if (!hearing && !several && logprobs !== true) return undefined
  return [...(hearing ? ['audio_in'] : []), ...(several ? ['choices'] : []), ...(logprobs === true ? ['logprobs'] : [])]
}

/**
 * The JSON text for a provider. Asks for usage when streaming. Optional fields that are null go, and so do tool settings
 * without tools: several providers answer 400 to either. A body with extensions of another format says so at its top.
 */
export function writeRequest(
  body: Uint8Array | ChatBody,
  options: { model: string; stream: boolean; change?: ((fields: Record<string, unknown>) => void) | undefined },
): string {
  const fields = body instanceof Uint8Array ? (JSON.parse(decoder.decode(body)) as Record<string, unknown>) : body
  let out: Record<string, unknown> = { model: options.model }
  for (const [name, value] of Object.entries(fields)) {
    if (value !== null && value !== undefined && name !== 'model' && name !== 'stream' && name !== 'stream_options') out[name] = value
  }
  const extended = Object.keys(out).some((name) => name.startsWith(EXTENSION_PREFIX))
  if (extended) out = plain(out)
  if (Array.isArray(out.messages)) out.messages = writeMessages(out.messages, extended)
  if (!hasEntries(out.tools)) {
    delete out.tools
    delete out.tool_choice
    delete out.parallel_tool_calls
  }
  if (!hasEntries(out.functions)) {
    delete out.functions
    delete out.function_call
  }
  out.stream = options.stream
  if (options.stream) out.stream_options = { ...(fields.stream_options as object | null | undefined), include_usage: true }
  options.change?.(out)
  return JSON.stringify(out)
}

/** `pruned`: the text says more than the value. Throws FreewayError for anything but one JSON object. */
export function parseBody(bytes: Uint8Array): { fields: Record<string, unknown>; pruned: boolean } {
  try {
    const { value, pruned } = readJson(bytes)
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid('request body must be a JSON object', null)
    return { fields: value as Record<string, unknown>, pruned }
  } catch (error) {
    if (error instanceof InvalidJson) throw invalid(error.message, null)
    throw error
  }
}

function invalid(message: string, param: string | null, code?: string): FreewayError {
  return new FreewayError('invalid_request_error', message, { ...(param !== null && { param }), ...(code !== undefined && { code }) })
}

type Issue = z.core.$ZodIssue

/** The first fault that a schema found, as the caller is told it. */
export function asInvalid(issues: Issue[]): FreewayError {
  const issue = deepest(issues[0] as Issue)
  const param = writePath(issue.path)
  const emptyArray = issue.code === 'too_small' && issue.origin === 'array'
  return invalid(`${param}: ${issue.message}`, param, emptyArray ? 'empty_array' : undefined)
}

/** Of a union's branches the one that came furthest is the one that was meant. */
function deepest(issue: Issue): Issue {
  if (issue.code !== 'invalid_union') return issue
  let best: Issue | undefined
  for (const [first] of issue.errors) {
    if (first === undefined) continue
    const inner = deepest(first)
    if (inner.path.length > (best?.path.length ?? 0)) best = inner
  }
  return best === undefined ? issue : { ...best, path: [...issue.path, ...best.path] }
}

/** As OpenAI writes it: `messages[0].content[1].type`. */
function writePath(path: PropertyKey[]): string {
  let text = ''
  for (const step of path) text += typeof step === 'number' ? `[${step}]` : `${text === '' ? '' : '.'}${String(step)}`
  return text
}

function readName(value: unknown, param: string): string | undefined {
  if (value === undefined || value === null || value === '') return undefined
  if (typeof value !== 'string') throw invalid(`${param}: Invalid input: expected string`, param)
  if (value.length > MAX_NAME_LENGTH) throw invalid(`${param}: Too long: expected at most ${MAX_NAME_LENGTH} characters`, param)
  if (/\p{Cc}/u.test(value)) throw invalid(`${param}: Invalid input: control characters`, param)
  return value
}

function readFallback(value: unknown): boolean {
  if (value === undefined || value === null) return true
  if (typeof value !== 'boolean') throw invalid('fallback: Invalid input: expected boolean', 'fallback')
  return value
}

function hasEntries(value: unknown): boolean {
  return lengthOf(value) > 0
}

function lengthOf(value: unknown): number {
  return Array.isArray(value) ? value.length : 0
}

/** Input tokens, from the size of the text; what is embedded in it (pictures, sound, files) counts flat instead. */
function measure(body: ChatBody, bodyBytes: number): { tokens: number; vision: boolean; hearing: boolean } {
  let textBytes = bodyBytes
  let embedded = 0
  let vision = false
  let hearing = false
  for (const { content } of body.messages) {
    if (!Array.isArray(content)) continue
    for (const part of content) {
      const data = embeddedData(part)
      if (data === undefined) continue
      if (part.type === 'image_url') vision = true
      if (part.type === 'input_audio') hearing = true
      embedded++
      textBytes -= data.length
    }
  }
  return { tokens: Math.ceil(Math.max(0, textBytes) / BYTES_PER_TOKEN) + embedded * TOKENS_PER_IMAGE, vision, hearing }
}

function embeddedData(part: Record<string, unknown>): string | undefined {
  if (part.type === 'image_url') return typeof part.image_url === 'string' ? part.image_url : textIn(part.image_url, 'url')
  if (part.type === 'input_audio') return textIn(part.input_audio, 'data')
  if (part.type === 'file') return textIn(part.file, 'file_data')
  return undefined
}

function textIn(value: unknown, key: string): string {
  const text = typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined
  return typeof text === 'string' ? text : ''
}
