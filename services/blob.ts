// Claim check: a large body stays with the ingress that holds the client, and the granted worker pulls it in parts.
// There is no object store: prompts are never on the broker's disk.

import { createHash } from 'node:crypto'
import type { BlobReference } from '#contracts/attempt.ts'
import { blobQuestion } from '#contracts/attempt.ts'
import type { Bus, BusMessage, Subscription } from '#contracts/bus.ts'
import { allocate } from '#contracts/bytes.ts'
import { type BodyPart, readBodyPart, writeBodyPart } from '#contracts/frame.ts'
import { decode, encode, Message } from '#contracts/message.ts'
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

/** A part on its way: bytes on a wire; within one process the body itself is there, and nothing has to be copied. */
class PartOfBody extends Message {
  readonly #part: BodyPart
  readonly whole: Uint8Array

  constructor(part: BodyPart, whole: Uint8Array) {
    super({ t: 'part' }, part.payload)
    this.#part = part
    this.whole = whole
  }

  override encoded(): Uint8Array {
    return writeBodyPart(this.#part)
  }
}

/** Answers for granted attempts only: `bodyOf` gives undefined for anything else. A body that it has given is not changed any more. */
export function serveBlobs(
  bus: Pick<Bus, 'publish' | 'subscribe'>,
  ingress: string,
  bodyOf: (request: string, n: number) => Uint8Array | undefined,
): Subscription {
  return bus.subscribe(blobs(ingress), (message) => {
    const answerTo = asAnswerInbox(message.reply)
    const request = message.subject.slice(message.subject.lastIndexOf('.') + 1)
    const question = decode(blobQuestion, message.data)?.message
    if (!answerTo || !question || !isToken(request)) return
    const body = bodyOf(request, question.n)
    const at = question.k * PART_BYTES
    if (!body || at >= body.length) return void bus.publish(answerTo, encode({ t: 'fail', phase: 'body' }))
    const payload = body.subarray(at, at + PART_BYTES)
    bus.publish(answerTo, new PartOfBody({ part: question.k, parts: Math.ceil(body.length / PART_BYTES), payload }, body))
  })
}

export class BodyUnavailable extends Error {
  override name = 'BodyUnavailable'
}

/** Pulls the whole body and compares its hash. Nothing may be changed in it. Throws BodyUnavailable, or the signal's reason. */
export async function fetchBlob(bus: Bus, from: Subject, n: number, blob: BlobReference, signal: AbortSignal): Promise<Uint8Array> {
  const ask = { bus, from, n, signal }
  const first = await fetchPart(ask, 0)
  if (first.said instanceof PartOfBody && first.said.whole.length === blob.size) return first.said.whole
  const body = allocate(blob.size)
  const hash = createHash('sha256')
  const arrived = new Set<number>()
  let hashed = 0
  let next = 1
  let failed = false

  function take(k: number, answer: BusMessage): void {
    const payload = readBodyPart(answer.data)?.payload
    const at = k * blob.part_size
    const size = Math.min(blob.part_size, blob.size - at)
    if (payload?.length !== size) throw new BodyUnavailable('part of wrong size')
    body.set(payload, at)
    arrived.add(k)
    // While others are still on their way, not in the end.
    for (; arrived.delete(hashed); hashed++) hash.update(body.subarray(hashed * blob.part_size, (hashed + 1) * blob.part_size))
  }

  async function pull(): Promise<void> {
    while (next < blob.parts && !failed) {
      const k = next++
      try {
        take(k, await fetchPart(ask, k))
      } catch (error) {
        failed = true
        throw error
      }
    }
  }

  take(0, first)
  await Promise.all(Array.from({ length: OPEN_PARTS }, pull))
  if (hash.digest('hex') !== blob.sha256) throw new BodyUnavailable('hash differs')
  return body
}

interface Ask {
  bus: Bus
  from: Subject
  n: number
  signal: AbortSignal
}

async function fetchPart({ bus, from, n, signal }: Ask, k: number): Promise<BusMessage> {
  let cause: unknown
  for (let attempt = 0; attempt < PART_TRIES; attempt++) {
    try {
      const answer = await bus.request(from, encode({ t: 'part', n, k }), { timeoutMs: PART_TIMEOUT_MS, signal })
      if (answer.said instanceof PartOfBody || readBodyPart(answer.data)?.part === k) return answer
      break
    } catch (error) {
      signal.throwIfAborted()
      cause = error
    }
  }
  throw new BodyUnavailable('the owner of the request does not hand out its body', { cause })
}
