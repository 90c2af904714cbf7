// Control messages as bytes, and back: one JSON object; a body follows it after a line feed, untouched.

import type { z } from 'zod'
import { allocate, utf8 } from './bytes.ts'

const decoder = new TextDecoder()
const LINE_FEED = 0x0a
const OPENING_BRACE = 0x7b

export function encode(message: object, body?: Uint8Array): Uint8Array {
  const head = utf8(JSON.stringify(message))
  if (!body) return head
  const bytes = allocate(head.length + 1 + body.length)
  bytes.set(head)
  bytes[head.length] = LINE_FEED
  bytes.set(body, head.length + 1)
  return bytes
}

/** Undefined for anything but a well-formed message of `schema`. `body` is a view on `bytes`. */
export function decode<T>(schema: z.ZodType<T>, bytes: Uint8Array): { message: T; body: Uint8Array | undefined } | undefined {
  if (bytes[0] !== OPENING_BRACE) return undefined
  // JSON.stringify never writes a raw line feed, so the first one ends the head.
  const feed = bytes.indexOf(LINE_FEED)
  let value: unknown
  try {
    value = JSON.parse(decoder.decode(feed < 0 ? bytes : bytes.subarray(0, feed)))
  } catch {
    return undefined // not a message of ours: the caller counts it
  }
  const parsed = schema.safeParse(value)
  if (!parsed.success) return undefined
  return { message: parsed.data, body: feed < 0 ? undefined : bytes.subarray(feed + 1) }
}
