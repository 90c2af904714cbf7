// Pure. The demo model: the same answer for the same request. What it says is in `talk.ts`, what it calls in `tool-choice.ts`;
// here tools, JSON, stop sequences and the token limit are weighed against each other, and tokens are counted.

import { Buffer } from 'node:buffer'
import type { Chunk, ChunkUsage, FinishReason } from '#contracts/chunk.ts'
import type { ChatBody } from '#contracts/job.ts'
import { type Conversation, readConversation } from './conversation.ts'
import { Allowance, cutAtStop, splitArguments, splitPieces } from './pieces.ts'
import { fillSchema } from './schema.ts'
import { talk } from './talk.ts'
import { chooseTools } from './tool-choice.ts'

export interface Answer {
  reasoning: string[]
  /** Pieces as they are streamed; joined they are the text. */
  text: string[]
  calls: { name: string; arguments: string[] }[]
  finish: FinishReason
  /** The stop sequence that was met, as vLLM tells it. */
  stop?: string | null | undefined
  usage: ChunkUsage
}

/** `name` is the model without its directive: a name with `reasoner` thinks aloud, one with `echo` repeats the user. */
export function answer(body: ChatBody, name: string): Answer {
  const conversation = readConversation(body)
  const allowance = new Allowance(body.max_completion_tokens ?? body.max_tokens)
  const thinks = name.includes('reasoner') && body.reasoning_effort !== 'none'
  const reasoning = thinks ? allowance.take(splitPieces(think(conversation))) : []
  const reasoned = allowance.spent
  const calls = chooseTools(body, conversation).map((tool) => ({
    name: tool.name,
    arguments: allowance.take(splitArguments(JSON.stringify(fillSchema(tool.parameters, conversation.question)))),
  }))
  const said = calls.length > 0 ? undefined : cutAtStop(textFor(body, conversation, name), body.stop)
  const text = allowance.take(splitPieces(said?.text ?? ''))
  const finish = allowance.finish(calls.length > 0 ? 'tool_calls' : 'stop')
  const stop = finish === 'stop' ? said?.stop : undefined
  return { reasoning, text, calls, finish, stop, usage: countUsage(body, allowance.spent, reasoned) }
}

/** An answer of exactly these pieces, for load. */
export function dictate(body: ChatBody, text: string[]): Answer {
  return { reasoning: [], text, calls: [], finish: 'stop', usage: countUsage(body, text.length, 0) }
}

function textFor(body: ChatBody, conversation: Conversation, name: string): string {
  const format = body.response_format
  if (format?.type === 'json_schema') return JSON.stringify(fillSchema(format.json_schema?.schema ?? {}, conversation.question))
  if (format?.type === 'json_object') return JSON.stringify(jsonObject(conversation))
  return name.includes('echo') ? conversation.question : talk(conversation)
}

/** The keys that the question quotes, else `answer`. */
function jsonObject(conversation: Conversation): unknown {
  const keys = [...conversation.question.matchAll(/["“'`](\w{1,40})["”'`](?:[^"“'`]{0,20}?\b(number|integer|boolean|array)\b)?/g)]
  if (keys.length === 0) return { answer: talk(conversation) }
  return fillSchema({ properties: Object.fromEntries(keys.map(([, key, type]) => [key, { type: type ?? 'string' }])) }, '')
}

function think({ question }: Conversation): string {
  const topic = [...question.replaceAll(/\s+/g, ' ')].slice(0, 60).join('')
  return `The user says: “${topic}”. A short and direct answer serves best.`
}

function countUsage(body: ChatBody, spent: number, reasoned: number): ChunkUsage {
  const prompt_tokens = Math.ceil(Buffer.byteLength(JSON.stringify([body.messages, body.tools ?? []])) / 4)
  const completion_tokens = spent * (body.n ?? 1)
  const details = reasoned > 0 && { completion_tokens_details: { reasoning_tokens: reasoned * (body.n ?? 1) } }
  return { prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens, ...details }
}

/** The answer `n` times, its choices taking turns piece by piece. `id` also makes the ids of tool calls. */
export function* toChunks(said: Answer, { id, model, created, n = 1, logprobs = false }: ChunkOptions): Generator<Chunk> {
  yield { t: 'start', id, model, created }
  for (const text of said.reasoning) for (let choice = 0; choice < n; choice++) yield { t: 'reasoning', choice, text }
  for (const text of said.text) {
    for (let choice = 0; choice < n; choice++) yield { t: 'text', choice, text, ...(logprobs && { logprobs: logprobsOf(text) }) }
  }
  for (let choice = 0; choice < n; choice++) {
    for (const [call, { name, arguments: pieces }] of said.calls.entries()) {
      yield { t: 'tool', choice, call, id: `call_${id.slice(-12)}_${choice}_${call}`, name, arguments: '' }
      for (const piece of pieces) yield { t: 'tool', choice, call, arguments: piece }
    }
  }
  const why = said.stop === undefined ? {} : { stop: said.stop }
  for (let choice = 0; choice < n; choice++) yield { t: 'finish', choice, reason: said.finish, ...why }
  yield { t: 'usage', usage: said.usage }
  yield { t: 'end' }
}

export interface ChunkOptions {
  id: string
  model: string
  /** Unix time, seconds. */
  created: number
  n?: number
  logprobs?: boolean
}

function logprobsOf(token: string): unknown {
  const entry = { token, logprob: -0.01 * (token.length % 8), bytes: [...Buffer.from(token)] }
  return { content: [{ ...entry, top_logprobs: [entry] }], refusal: null }
}
