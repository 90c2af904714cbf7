// Pure. A provider's habits, applied to a request: what it does not take is left out, renamed or bounded, so that what is sent is valid there.
// A policy is compiled once for each model; one that asks for nothing costs a request two look-ups.

import type { Adaptation } from '#contracts/adaptation.ts'
import type { Model } from '#contracts/catalog.ts'
import { FreewayError } from '#contracts/failure.ts'
import type { RequestPolicy } from '#contracts/request-policy.ts'
import { asInstruction } from './json-instruction.ts'
import { stripSchemas } from './schema-strip.ts'
import { addThought, answerTools, shortenToolCallIds, signToolCalls } from './tool-call-history.ts'

export type Fields = Record<string, unknown>
/** Changes the fields in place. */
type Step = (fields: Fields) => void
type Habits = Partial<Omit<RequestPolicy, 'headers'>> & Pick<Adaptation, 'reasoning_content' | 'tool_call_ids' | 'tool_call_signatures'>

/**
 * What is done to each request for this model: the policy of its provider, then what its refusals have taught. A step throws FreewayError
 * for what this provider cannot be asked.
 */
export function compilePolicy(policy: RequestPolicy, model: Pick<Model, 'max_output'> | undefined, learned: Adaptation = {}): Step {
  const steps = [...stepsOf(policy), ...stepsOf(learned)]
  const maxOutput = model?.max_output
  const says = { ...policy.rename, ...learned.rename }
  const limitField = says.max_tokens === 'max_completion_tokens' ? 'max_completion_tokens' : 'max_tokens'
  return (fields) => {
    // Two names of one thing; the older one is understood everywhere.
    if (fields.max_completion_tokens !== undefined && !('max_completion_tokens' in says)) {
      fields.max_tokens = fields.max_completion_tokens
      delete fields.max_completion_tokens
    }
    // Either is right for OpenAI; a list is understood everywhere.
    if (typeof fields.stop === 'string') fields.stop = [fields.stop]
    for (const step of steps) step(fields)
    if (maxOutput !== undefined) {
      clamp(fields, limitField, maxOutput)
      // As Responses calls it.
      clamp(fields, 'max_output_tokens', maxOutput)
    }
    if (steps.length > 0) tidy(fields)
  }
}

/** In the order in which the catalogue has them. */
function stepsOf(policy: Habits): Step[] {
  const steps: Step[] = []
  const each = <T>(table: Record<string, T> | undefined, step: (fields: Fields, name: string, value: T) => void) => {
    const entries = Object.entries(table ?? {})
    if (entries.length === 0) return
    steps.push((fields) => {
      for (const [name, value] of entries) step(fields, name, value)
    })
  }
  const { drop = [], role_map = {}, strip_message_fields: stripped = [], schema_strip: keywords = [], response_format: format } = policy
  if (drop.includes('response_format')) steps.push((fields) => asInstruction(fields, 'none'))
  if (drop.length > 0) steps.push((fields) => without(fields, drop))
  each(policy.rename, rename)
  each(policy.map, (fields, name, values) => {
    const value = fields[name]
    if (typeof value === 'string' && Object.hasOwn(values, value)) fields[name] = values[value]
  })
  each(policy.default, (fields, name, value) => {
    if (fields[name] === undefined) fields[name] = value
  })
  each(policy.force, (fields, name, value) => {
    fields[name] = value
  })
  each(policy.clamp, clamp)
  each(policy.min, (fields, name, least) => {
    const value = fields[name]
    if (typeof value === 'number' && value < least) fields[name] = least
  })
  if (format === 'json_object_only' || format === 'none') steps.push((fields) => asInstruction(fields, format))
  if (policy.images === 'inline_only') steps.push(eachMessage(refuseAddresses))
  if (Object.keys(role_map).length > 0) {
    steps.push(
      eachMessage((message) => {
        if (typeof message.role === 'string' && Object.hasOwn(role_map, message.role)) message.role = role_map[message.role]
      }),
    )
  }
  if (stripped.length > 0) steps.push(eachMessage((message) => without(message, stripped)))
  if (keywords.length > 0) steps.push((fields) => stripSchemas(fields, keywords))
  if (policy.null_content === 'empty_string') {
    steps.push(
      eachMessage((message) => {
        message.content = asText(message.content)
      }),
    )
  }
  if (policy.tool_call_ids) steps.push(eachMessage(shortenToolCallIds))
  if (policy.tool_call_signatures) steps.push(eachMessage(signToolCalls))
  if (policy.reasoning_content) steps.push(eachMessage(addThought))
  if (policy.after_tool === 'assistant') steps.push(answerTools)
  return steps
}

function without(fields: Fields, names: readonly string[]): void {
  for (const name of names) delete fields[name]
}

function rename(fields: Fields, from: string, to: string): void {
  if (fields[from] === undefined) return
  fields[to] ??= fields[from]
  delete fields[from]
}

function clamp(fields: Fields, name: string, most: number): void {
  const value = fields[name]
  if (typeof value === 'number' && value > most) fields[name] = most
}

function eachMessage(step: (message: Fields) => void): Step {
  return ({ messages }) => {
    if (!Array.isArray(messages)) return
    for (const message of messages) if (typeof message === 'object' && message !== null) step(message as Fields)
  }
}

/** Nothing is fetched in a client's name: the address may be of something that only this machine can reach. */
function refuseAddresses({ content }: Fields): void {
  for (const part of Array.isArray(content) ? content : []) {
    const image = part?.image_url
    const url = typeof image === 'string' ? image : (image?.url ?? part?.source?.url)
    if (typeof url !== 'string' || !/^https?:/i.test(url)) continue
    throw new FreewayError('invalid_request_error', 'messages: this provider takes pictures as data URLs only, not by address', {
      param: 'messages',
    })
  }
}

/** Who takes no null takes no list of texts either. */
function asText(content: unknown): unknown {
  if (content === null || content === undefined) return ''
  if (!Array.isArray(content) || content.some((part) => part?.type !== 'text' || typeof part.text !== 'string')) return content
  return content.map((part) => part.text).join('\n')
}

/** What only means something beside a field that is not there. */
function tidy(fields: Fields): void {
  if (fields.tools === undefined) {
    delete fields.tool_choice
    delete fields.parallel_tool_calls
  }
  // In Responses it stands alone.
  if (fields.logprobs === undefined && fields.input === undefined) delete fields.top_logprobs
  if (fields.stream !== true) delete fields.stream_options
}

/** `{app_name}` and `{public_url}` are filled in; a header whose value is not known is not sent. */
export function policyHeaders(headers: RequestPolicy['headers'], values: Record<string, string | undefined>): Record<string, string> {
  const filled = Object.entries(headers).map(([name, text]): [string, string] | undefined => {
    let known = true
    const value = text.replaceAll(/\{(\w+)\}/g, (_, key: string) => {
      known &&= values[key] !== undefined
      return values[key] ?? ''
    })
    return known ? [name.toLowerCase(), value] : undefined
  })
  return Object.fromEntries(filled.filter((entry) => entry !== undefined))
}
