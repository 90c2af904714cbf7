// The legacy text completions, which are answered by models that chat: https://platform.openai.com/docs/api-reference/completions. Pure.

import { z } from 'zod'
import { utf8 } from '../bytes.ts'
import type { Chunk, FinishReason } from '../chunk.ts'
import { FreewayError } from '../failure.ts'
import type { Job } from '../job.ts'
import { parseBody, readRequest as readChat } from './chat-completions/request.ts'
import { checked, missing } from './media-job.ts'

/** Each is a request to a provider. */
const MAX_PROMPTS = 128

const request = z.looseObject({
  prompt: z.string(),
  suffix: z.string().nullish(),
  echo: z.boolean().nullish(),
  logprobs: z.int().min(0).max(5).nullish(),
  best_of: z.int().min(1).max(20).nullish(),
})

/** What goes along as it is. */
const KEPT = [
  'model',
  'max_tokens',
  'temperature',
  'top_p',
  'n',
  'stream',
  'stream_options',
  'stop',
  'seed',
  'presence_penalty',
  'frequency_penalty',
  'logit_bias',
  'user',
  'strategy',
  'preferred_provider',
  'fallback',
]

export interface CompletionRequest {
  job: Job
  /** What stands before the text of every answer. */
  echo: string
}

/**
 * One body for each of the prompts, which are requests of their own; the request itself if there is only one. `n` is how many answers
 * each of them gets, `usage` whether a stream ends with it. Throws FreewayError `invalid_request_error`.
 */
export function splitPrompts(bytes: Uint8Array): { bodies: Uint8Array[]; n: number; stream: boolean; usage: boolean } {
  const { fields } = parseBody(bytes)
  const { prompt, n, stream, stream_options } = fields
  const usage = (stream_options as { include_usage?: unknown } | null | undefined)?.include_usage === true
  const asked = { n: typeof n === 'number' ? n : 1, stream: stream === true, usage }
  if (!Array.isArray(prompt) || prompt.length < 2) return { bodies: [bytes], ...asked }
  if (prompt.length > MAX_PROMPTS) throw refused(`expected at most ${MAX_PROMPTS} prompts`)
  return { bodies: prompt.map((one) => utf8(JSON.stringify({ ...fields, prompt: readPrompt(one) }))), ...asked }
}

/** Throws FreewayError `invalid_request_error`. */
export function readRequest(bytes: Uint8Array): CompletionRequest {
  const { fields } = parseBody(bytes)
  const prompt = readPrompt(fields.prompt)
  const { suffix, echo, logprobs, best_of, n } = checked(request, { ...fields, prompt })
  if (best_of && best_of > (typeof n === 'number' ? n : 1)) {
    throw new FreewayError('invalid_request_error', 'best_of: more answers than n cannot be compared here', { param: 'best_of' })
  }
  const chat = {
    ...Object.fromEntries(KEPT.filter((name) => Object.hasOwn(fields, name)).map((name) => [name, fields[name]])),
    messages: [...(suffix ? [fillIn(suffix)] : []), { role: 'user', content: prompt }],
    ...(typeof logprobs === 'number' && { logprobs: true, top_logprobs: logprobs }),
  }
  return { job: readChat(utf8(JSON.stringify(chat))), echo: echo ? prompt : '' }
}

function readPrompt(prompt: unknown): string {
  const only = Array.isArray(prompt) && prompt.length === 1 ? prompt[0] : prompt
  if (only === undefined || only === null || only === '' || (Array.isArray(only) && only.length === 0)) throw missing('prompt')
  if (typeof only === 'string') return only
  throw refused('expected text, not tokens: models that chat have no tokens in common')
}

function refused(why: string): FreewayError {
  return new FreewayError('invalid_request_error', `prompt: ${why}`, { param: 'prompt' })
}

/** A model that chats is told what to fill in, as it cannot be shown it. */
function fillIn(suffix: string): object {
  const task = 'Continue the text of the user so that it leads over to the text between the marks. Reply with the missing middle alone.'
  return { role: 'system', content: `${task}\n<<<${suffix}>>>` }
}

interface Choice {
  index: number
  text: string
  logprobs: Logprobs | null
  finish_reason: 'stop' | 'length' | 'content_filter' | null
}

interface Logprobs {
  tokens: string[]
  token_logprobs: number[]
  top_logprobs: Record<string, number>[]
  text_offset: number[]
}

/** What all events of an answer say of it. Several writers may share one: then they tell one answer. */
export interface CompletionHead {
  id: string
  created: number
  model: string
}

/** One answer; `write` for a stream, `whole` for all chunks at once. Throws nothing. */
export class CompletionWriter {
  readonly #echo: string
  readonly #head: CompletionHead
  readonly #firstIndex: number
  /** How many characters of each choice were said. */
  readonly #said = new Map<number, number>()
  /** Of choices that have only thought so far; undefined once they speak. */
  readonly #thoughts = new Map<number, string | undefined>()

  /** `firstIndex`: how many choices other prompts have before those of this one. */
  constructor(echo: string, firstIndex = 0, head: CompletionHead = { id: '', created: 0, model: '' }) {
    this.#echo = echo
    this.#firstIndex = firstIndex
    this.#head = head
  }

  /** The events of one chunk, as objects. */
  write(chunk: Chunk): object[] {
    switch (chunk.t) {
      case 'start':
        if (this.#head.id === '') {
          const { created, model } = chunk
          Object.assign(this.#head, { id: chunk.id.replace(/^(?:chatcmpl-)?/, 'cmpl-'), created, model })
        }
        return []
      case 'reasoning':
        if (chunk.redacted === undefined && !this.#speaks(chunk.choice))
          this.#thoughts.set(chunk.choice, (this.#thoughts.get(chunk.choice) ?? '') + chunk.text)
        return []
      case 'text':
        this.#thoughts.set(chunk.choice, undefined)
        return [...this.#begin(chunk.choice), this.#event([this.#piece(chunk.choice, chunk.text, chunk.logprobs)])]
      case 'finish':
        return [
          ...this.#begin(chunk.choice),
          ...this.#aloud(chunk.choice),
          this.#event([{ index: this.#firstIndex + chunk.choice, text: '', logprobs: null, finish_reason: reasonOf(chunk.reason) }]),
        ]
      case 'usage':
        return [{ ...this.#event([]), usage: chunk.usage }]
      default:
        return []
    }
  }

  whole(chunks: readonly Chunk[]): object {
    const choices = new Map<number, Choice>()
    let usage: object | undefined
    for (const chunk of chunks) {
      for (const event of this.write(chunk) as { choices: Choice[]; usage?: object }[]) {
        usage = event.usage ?? usage
        for (const choice of event.choices) choices.set(choice.index, joined(choices.get(choice.index), choice))
      }
    }
    return { ...this.#event([...choices.values()].sort((a, b) => a.index - b.index)), ...(usage && { usage }) }
  }

  #speaks(choice: number): boolean {
    return this.#thoughts.has(choice) && this.#thoughts.get(choice) === undefined
  }

  /** What was cut while it thought has said nothing else, and this format has no other place for what a model wrote. */
  #aloud(choice: number): object[] {
    const thoughts = this.#thoughts.get(choice)
    return thoughts ? [this.#event([this.#piece(choice, thoughts, undefined)])] : []
  }

  #begin(choice: number): object[] {
    if (this.#echo === '' || this.#said.has(choice)) return []
    return [this.#event([this.#piece(choice, this.#echo, undefined)])]
  }

  #piece(choice: number, text: string, logprobs: unknown): Choice {
    const offset = this.#said.get(choice) ?? 0
    this.#said.set(choice, offset + text.length)
    return { index: this.#firstIndex + choice, text, logprobs: legacyLogprobs(logprobs, offset), finish_reason: null }
  }

  #event(choices: Choice[]): object {
    const { id, created, model } = this.#head
    return { id, object: 'text_completion', created, model, choices }
  }
}

function joined(before: Choice | undefined, piece: Choice): Choice {
  if (!before) return piece
  const logprobs = before.logprobs && piece.logprobs ? joinedLogprobs(before.logprobs, piece.logprobs) : (before.logprobs ?? piece.logprobs)
  return { ...before, text: before.text + piece.text, logprobs, finish_reason: piece.finish_reason ?? before.finish_reason }
}

function joinedLogprobs(a: Logprobs, b: Logprobs): Logprobs {
  return {
    tokens: [...a.tokens, ...b.tokens],
    token_logprobs: [...a.token_logprobs, ...b.token_logprobs],
    top_logprobs: [...a.top_logprobs, ...b.top_logprobs],
    text_offset: [...a.text_offset, ...b.text_offset],
  }
}

const scored = z.object({ token: z.string(), logprob: z.number() })
const chatLogprobs = z.object({ content: z.array(scored.extend({ top_logprobs: z.array(scored).default([]) })) })

/** `offset`: characters before the first token. */
function legacyLogprobs(logprobs: unknown, offset: number): Logprobs | null {
  const read = chatLogprobs.safeParse(logprobs)
  if (!read.success || read.data.content.length === 0) return null
  const legacy: Logprobs = { tokens: [], token_logprobs: [], top_logprobs: [], text_offset: [] }
  let at = offset
  for (const { token, logprob, top_logprobs } of read.data.content) {
    legacy.tokens.push(token)
    legacy.token_logprobs.push(logprob)
    legacy.top_logprobs.push(Object.fromEntries(top_logprobs.map((one) => [one.token, one.logprob])))
    legacy.text_offset.push(at)
    at += token.length
  }
  return legacy
}

function reasonOf(reason: FinishReason): Choice['finish_reason'] {
  return reason === 'length' || reason === 'content_filter' ? reason : 'stop'
}
