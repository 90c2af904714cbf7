// Claim check: a large body stays with the ingress that holds the client, and the granted worker pulls it in parts.
// There is no object store: prompts are never on the broker's disk.

import { createHash } from 'node:crypto'
import type { BlobReference } from '#contracts/attempt.ts'
import { blobQuestion } from '#contracts/attempt.ts'
import type { Bus, Subscription } from '#contracts/bus.ts'
import { allocate } from '#contracts/bytes.ts'
import { bodyPartBytes, readBodyPart, writeBodyPart } from '#contracts/frame.ts'
import { decode, encode } from '#contracts/message.ts'
import type { Subject } from '#contracts/subjects.ts'
import { asAnswerInbox, blobs, isToken } from '#contracts/subjects.ts'

/** Bodies above this size travel by claim check. */
export const INLINE_BODY_BYTES = 256 * 1024
const PART_BYTES = 512 * 1024
const OPEN_PARTS = 4
const PART_TIMEOUT_MS = 2_000
const PART_TRIES = 3

export function blobReference(body: Uint8Array): BlobReference {
  return {
    size: body.length,
    sha256: createHash('sha256').update(body).digest('hex'),
    parts: Math.ceil(body.length / PART_BYTES),
    part_size: PART_BYTES,
  }
}

/** Answers for granted attempts only: `bodyOf` gives undefined for anything else. */
export function serveBlobs(bus: Bus, ingress: string, bodyOf: (request: string, n: number) => Uint8Array | undefined): Subscription {
  // Half a megabyte made anew for every part of a large file kept the collector busy for longer than the file was on its way.
  let room: Uint8Array | undefined
  return bus.subscribe(blobs(ingress), (message) => {
    const answerTo = asAnswerInbox(message.reply)
    const request = message.subject.slice(message.subject.lastIndexOf('.') + 1)
    const question = decode(blobQuestion, message.data)?.message
    if (!answerTo || !question || !isToken(request)) return
    const body = bodyOf(request, question.n)
    const at = question.k * PART_BYTES
    if (!body || at >= body.length) return void bus.publish(answerTo, encode({ t: 'fail', phase: 'body' }))
    const payload = body.subarray(at, at + PART_BYTES)
    room ??= allocate(bodyPartBytes(PART_BYTES))
    bus.publish(answerTo, writeBodyPart({ part: question.k, parts: Math.ceil(body.length / PART_BYTES), payload }, room))
  })
}

export class BodyUnavailable extends Error {
  override name = 'BodyUnavailable'
}

/** Pulls the whole body and compares its hash. Throws BodyUnavailable, or the signal's reason. */
export async function fetchBlob(bus: Bus, from: Subject, n: number, blob: BlobReference, signal: AbortSignal): Promise<Uint8Array> {
  const body = new Uint8Array(blob.size)
  let next = 0
  let failed = false
  const pull = async () => {
    while (next < blob.parts && !failed) {
      const k = next++
      const payload = await fetchPart(bus, from, n, k, signal).catch((error: unknown) => {
        failed = true
        throw error
      })
      if (payload.length !== Math.min(blob.part_size, blob.size - k * blob.part_size)) throw new BodyUnavailable('part of wrong size')
      body.set(payload, k * blob.part_size)
    }
  }
  await Promise.all(Array.from({ length: OPEN_PARTS }, pull))
  if (createHash('sha256').update(body).digest('hex') !== blob.sha256) throw new BodyUnavailable('hash differs')
  return body
}

async function fetchPart(bus: Bus, from: Subject, n: number, k: number, signal: AbortSignal): Promise<Uint8Array> {
  let cause: unknown
  for (let attempt = 0; attempt < PART_TRIES; attempt++) {
    try {
      const answer = await bus.request(from, encode({ t: 'part', n, k }), { timeoutMs: PART_TIMEOUT_MS, signal })
      const part = readBodyPart(answer.data)
      if (part?.part !== k) break
      return part.payload
    } catch (error) {
      signal.throwIfAborted()
      cause = error
    }
  }
  throw new BodyUnavailable('the owner of the request does not hand out its body', { cause })
}
