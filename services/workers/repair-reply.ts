// Pure. A provider's whole answer becomes a well-formed chat completion; the same rules as for a stream.

import type { ChunkUsage, FinishReason } from '#contracts/chunk.ts'
import { readUsage } from '#contracts/wire/chat-completions/usage.ts'
import { errorOfFinish, type InBandError, readInBandError } from './in-band-error.ts'
import { ChoiceRepair, type Fields } from './repair-choice.ts'

export interface RepairedReply {
  /** The answer to send. It has usage even where the provider counted nothing. */
  body: object
  usage: ChunkUsage
  usageSource: 'provider' | 'estimated'
  /** Of the first choice. */
  finish: FinishReason | undefined
  upstreamId: string | undefined
  /** An error in place of an answer, or an answer of nothing; then `body` is of no use. */
  failure: InBandError | undefined
}

const CHARACTERS_PER_TOKEN = 4

/** Works on `json` itself. `model`, `id` and `created` (seconds) are told where the provider names none. */
export function repairReply(
  json: unknown,
  options: { model: string; id?: string; created?: number; promptTokens?: number },
): RepairedReply {
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    return failed({ status: 502, message: 'the answer is no JSON object', code: 'malformed' })
  const fields = json as Fields
  const error = readInBandError(fields)
  if (error) return failed(error)
  const given = Array.isArray(fields.choices)
    ? fields.choices.filter((choice) => typeof choice === 'object' && choice !== null && !Array.isArray(choice))
    : []
  if (given.length === 0) return failed({ status: 502, message: 'the answer has no choices', code: 'empty_completion' })

  const upstreamId = typeof fields.id === 'string' && fields.id !== '' ? fields.id : undefined
  const id = upstreamId ?? options.id ?? ''
  const states: ChoiceRepair[] = []
  const choices: Fields[] = []
  for (const [position, choice] of given.entries()) {
    const index = Number.isInteger(choice.index) ? choice.index : position
    const state = new ChoiceRepair((call) => `call_${id}_${index}_${call}`)
    const { message, delta, ...rest } = choice
    const whole: Fields = { ...rest, delta: numbered({ ...(message ?? delta) }), finish_reason: choice.finish_reason || 'stop' }
    const outcome = state.repair(whole)
    if (typeof outcome === 'object') return failed(errorOfFinish(outcome.breakdown))
    states.push(state)
    choices.push(writeChoice(index, whole))
  }
  if (!states.some((state) => state.produced || state.reasoned || state.reason === 'length' || state.reason === 'content_filter')) {
    return failed({ status: 502, message: 'the answer is empty', code: 'empty_completion' })
  }
  const counted = readUsage(fields.usage)
  const characters = states.reduce((sum, state) => sum + state.characters, 0)
  const usage =
    counted ??
    (readUsage({ prompt_tokens: options.promptTokens ?? 0, completion_tokens: Math.ceil(characters / CHARACTERS_PER_TOKEN) }) as ChunkUsage)
  const body = {
    ...fields,
    id,
    object: 'chat.completion',
    created: typeof fields.created === 'number' ? Math.floor(fields.created) : (options.created ?? 0),
    model: typeof fields.model === 'string' && fields.model !== '' ? fields.model : options.model,
    choices,
    usage,
  }
  return { body, usage, usageSource: counted ? 'provider' : 'estimated', finish: states[0]?.reason, upstreamId, failure: undefined }
}

/** Each element of `tool_calls` is a call of its own here, whatever the next one looks like. */
function numbered(message: Fields): Fields {
  const { tool_calls: calls } = message
  if (!Array.isArray(calls)) return message
  return { ...message, tool_calls: calls.map((call, index) => (typeof call === 'object' && call !== null ? { index, ...call } : call)) }
}

/** All keys that clients read, in OpenAI's order. Content is null beside tool calls that stand alone. */
function writeChoice(index: number, { delta, ...choice }: Fields): Fields {
  const { role, content, refusal, annotations, tool_calls, ...others } = delta as Fields
  const calls = Array.isArray(tool_calls) ? tool_calls.map(({ index: _, ...call }) => call) : []
  const hasText = typeof content === 'string' && content !== ''
  const silent = calls.length > 0 || typeof refusal === 'string' || 'function_call' in others || 'audio' in others
  const message = {
    role,
    content: hasText ? content : silent ? null : '',
    refusal: refusal ?? null,
    annotations: annotations ?? [],
    ...(calls.length > 0 && { tool_calls: calls }),
    ...others,
  }
  return { ...choice, index, message, logprobs: choice.logprobs ?? null, finish_reason: choice.finish_reason }
}

function failed(failure: InBandError): RepairedReply {
  const usage = { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 }
  return { body: {}, usage, usageSource: 'estimated', finish: undefined, upstreamId: undefined, failure }
}
