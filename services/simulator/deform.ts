// Pure. A well-formed chat answer, spoilt as told: what its events say. How they are spelled is in `syntax.ts`.

import { spoilTools } from './deform-tools.ts'
import { spoilUsage } from './deform-usage.ts'
import type { Fault } from './fault.ts'

// biome-ignore lint/suspicious/noExplicitAny: foreign JSON that is about to be broken.
export type Json = any

/** `data` is JSON, or text that is sent as it is (`[DONE]`, rubbish). */
export interface Frame {
  data: Json
  event?: string
}

const shaping = ['error', 'malformed', 'omit', 'finish', 'tools', 'usage', 'after'] as const satisfies (keyof Fault)[]

export function isSpoilt(fault: Fault): boolean {
  return shaping.some((word) => fault[word] !== undefined)
}

export function spoilStream(payloads: Json[], fault: Fault): Frame[] {
  let frames = spoilUsage(spoilTools(structuredClone(payloads), fault.tools ?? []), fault.usage)
  if (fault.omit?.includes('role')) for (const choice of choicesOf(frames)) delete choice.delta.role
  if (fault.omit?.includes('finish')) for (const choice of choicesOf(frames)) choice.finish_reason = null
  if (fault.finish !== undefined)
    for (const choice of choicesOf(frames)) if (choice.finish_reason !== null) choice.finish_reason = fault.finish
  if (fault.omit?.includes('done')) frames = frames.filter((data) => data !== '[DONE]')
  const spoilt: Frame[] = frames.map((data) => ({ data }))
  const last = frames.findLast((data) => data?.choices?.[0]?.delta)
  for (let i = 0; i < (fault.after ?? 0); i++)
    spoilt.push({ data: { ...last, choices: [{ index: 0, delta: { content: ' more' }, finish_reason: null }] } })
  if (fault.malformed !== undefined)
    spoilt.splice(placeIn(spoilt.length, fault.malformed), 1, { data: '{"id":"chatcmpl-broken","choices":[{"delta":' })
  if (fault.error === undefined) return spoilt
  const done = fault.omit?.includes('done') ? [] : [{ data: '[DONE]' }]
  return [...spoilt.slice(0, placeIn(spoilt.length, fault.error)), errorFrame(frames[0], fault), ...done]
}

export function spoilReply(reply: Json, fault: Fault): Json {
  const spoilt = structuredClone(reply)
  for (const choice of spoilt.choices ?? []) {
    if (fault.finish !== undefined) choice.finish_reason = fault.finish
    if (fault.omit?.includes('finish')) choice.finish_reason = null
    if (fault.omit?.includes('role')) delete choice.message.role
    if (fault.tools && choice.message.tool_calls) spoilTools([{ choices: [{ delta: choice.message }] }], fault.tools)
  }
  spoilUsage([spoilt], fault.usage)
  return spoilt
}

/** The index meant by a place; negative from the end. */
export function placeIn(length: number, place: number): number {
  return Math.max(0, Math.min(length, place < 0 ? length + place : place))
}

function errorFrame(first: Json, fault: Fault): Frame {
  const error = {
    message: 'The server had an error while processing your request. Sorry about that!',
    type: 'server_error',
    param: null,
    code: null,
  }
  const data = fault.errorBody ?? { error }
  if (fault.errorAs === 'event') return { data, event: 'error' }
  if (fault.errorAs !== 'chunk') return { data }
  return { data: { ...first, ...(data as object), choices: [{ index: 0, delta: { content: '' }, finish_reason: 'error' }] } }
}

function choicesOf(payloads: Json[]): Json[] {
  return payloads.flatMap((data) => data?.choices ?? [])
}
