// Every kind of message that one service of this version says to another, and what reads it.

import { z } from 'zod'
import { blobQuestion, controlMessage, inboxMessage, offer, probe, submit } from '#contracts/attempt.ts'
import { event } from '#contracts/event.ts'
import { isFrame, readBodyPart } from '#contracts/frame.ts'
import { question } from '#contracts/question.ts'
import { settlements } from '#contracts/settlement.ts'

type Option = z.ZodObject<{ t: z.ZodLiteral<string> }>

const byKind = (group: string, options: readonly unknown[]): Record<string, z.ZodType> =>
  Object.fromEntries((options as Option[]).map((option) => [`${group}.${option.shape.t.value}`, option]))

/** Of JSON messages, by kind. A fact of the event log counts as a message of its own. */
export const readers: Record<string, z.ZodType> = {
  'job.submit': submit,
  'job.probe': probe,
  'work.offer': offer,
  ...byKind('in', inboxMessage.options),
  ...byKind('ctl', controlMessage.options),
  'rt.withdraw': z.object({ t: z.literal('withdraw') }),
  'blob.part': blobQuestion,
  'lease.settlements': settlements,
  'ask.requests': question,
  ...Object.fromEntries(event.options.map((option) => [`fact.${option.shape.name.value}`, option])),
}

/** Messages that are bytes. */
export const binaryKinds = ['frame', 'body-part'] as const

/** Facts that were lost are told only where memory and disk are full. */
export const neverSeen: readonly string[] = ['fact.drop.count']

export interface Message {
  kind: string
  bytes: Uint8Array
}

/** What a message on this subject is; several facts of one message come apart. Empty for answers, which depend on their question. */
export function messagesOf(subject: string, bytes: Uint8Array): Message[] {
  // Key-value entries come in over the inbox of whoever watches them.
  if (subject.startsWith('$')) return []
  const group = subject.split('.')[2] ?? ''
  if (isFrame(bytes)) return [{ kind: 'frame', bytes }]
  if (readBodyPart(bytes)) return [{ kind: 'body-part', bytes }]
  if (bytes.length === 0 || group === 're') return []
  const said = JSON.parse(headOf(bytes)) as { t?: string; kind?: string; events?: { name: string }[] }
  if (group === 'evt') {
    return (said.events ?? []).map((fact) => ({ kind: `fact.${fact.name}`, bytes: new TextEncoder().encode(JSON.stringify(fact)) }))
  }
  return [{ kind: `${group}.${said.t ?? said.kind}`, bytes }]
}

/** The control message alone: the body of a job follows it after a line feed. */
export function headOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes).split('\n', 1)[0] as string
}
