// Chunks as numbered bytes, and back: the binary messages of the bus.
// The first byte tells the kind; `{` (0x7B) is a JSON control message instead. Integers are big-endian.

import { allocate } from './bytes.ts'

export const FRAME_DATA = 0x01
export const FRAME_PART_OF_EVENT = 0x02
export const FRAME_BODY_PART = 0x03
export const MAX_FRAME_PAYLOAD_BYTES = 64 * 1024

/** `continues`: the event in it goes on in the next frame, so nothing may be put between the two. */
export interface Frame {
  seq: number
  continues: boolean
  payload: Uint8Array
}

const HEADER_BYTES = 5

export function writeFrame(seq: number, payload: Uint8Array, continues = false): Uint8Array {
  const bytes = allocate(HEADER_BYTES + payload.length)
  bytes[0] = continues ? FRAME_PART_OF_EVENT : FRAME_DATA
  writeUint32(bytes, 1, seq)
  bytes.set(payload, HEADER_BYTES)
  return bytes
}

/** A view on `bytes`, not a copy. Undefined if this is no data frame. */
export function readFrame(bytes: Uint8Array): Frame | undefined {
  const kind = bytes[0]
  if (bytes.length < HEADER_BYTES || (kind !== FRAME_DATA && kind !== FRAME_PART_OF_EVENT)) return undefined
  return { seq: readUint32(bytes, 1), continues: kind === FRAME_PART_OF_EVENT, payload: bytes.subarray(HEADER_BYTES) }
}

export function isFrame(bytes: Uint8Array): boolean {
  return bytes[0] === FRAME_DATA || bytes[0] === FRAME_PART_OF_EVENT
}

/** One part of a body that travels by claim check. */
export interface BodyPart {
  part: number
  parts: number
  payload: Uint8Array
}

const PART_HEADER_BYTES = 9

export function writeBodyPart({ part, parts, payload }: BodyPart): Uint8Array {
  const bytes = allocate(PART_HEADER_BYTES + payload.length)
  bytes[0] = FRAME_BODY_PART
  writeUint32(bytes, 1, part)
  writeUint32(bytes, 5, parts)
  bytes.set(payload, PART_HEADER_BYTES)
  return bytes
}

export function readBodyPart(bytes: Uint8Array): BodyPart | undefined {
  if (bytes[0] !== FRAME_BODY_PART || bytes.length < PART_HEADER_BYTES) return undefined
  return { part: readUint32(bytes, 1), parts: readUint32(bytes, 5), payload: bytes.subarray(PART_HEADER_BYTES) }
}

function writeUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24
  bytes[at + 1] = value >>> 16
  bytes[at + 2] = value >>> 8
  bytes[at + 3] = value
}

function readUint32(bytes: Uint8Array, at: number): number {
  return (
    (((bytes[at] as number) << 24) | ((bytes[at + 1] as number) << 16) | ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number)) >>> 0
  )
}
